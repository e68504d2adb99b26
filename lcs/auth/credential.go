package auth

import (
	"context"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"go.uber.org/zap"
)

const (
	signInTimeout  = 30 * time.Second // azidentity's own retries took 10 s an attempt
	firstHold      = 5 * time.Second
	longestHold    = 2 * time.Minute
	personHold     = 30 * time.Minute
	staticLifetime = time.Hour // a static token's end is not known
)

// Options describe one account of the schedule file.
type Options struct {
	Account   string
	Mode      string // password or static
	Tenant    string
	ClientID  string
	Username  string
	Password  Source
	Token     Source // of a static account
	Region    string // LCS region, for the cloud's sign-in host
	Authority string // instead of the cloud's sign-in host
	Transport policy.Transporter
	Logger    *zap.Logger
}

// A Credential is an azcore.TokenCredential with a guard around it: after a
// failure it refuses for a while, or until the secret changes, instead of asking
// again. It is safe for concurrent use.
type Credential struct {
	opts  Options
	log   *zap.Logger
	turn  chan struct{} // one caller at a time; guards what follows
	inner azcore.TokenCredential
	// secret is the one that inner was made with.
	secret Secret
	held   *Error
	fails  int
}

var _ azcore.TokenCredential = (*Credential)(nil)

// New makes the credential of an account. It signs in when it is first asked.
func New(o Options) (*Credential, error) {
	switch o.Mode {
	case "password", "static":
	case "delegated":
		return nil, fmt.Errorf("use account %s: mode delegated is not in this version; use password with an account without MFA, or static", o.Account)
	default:
		return nil, fmt.Errorf("use account %s: unknown mode %q; want password or static", o.Account, o.Mode)
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Credential{opts: o, log: o.Logger.Named("auth").With(zap.String("account", o.Account)), turn: make(chan struct{}, 1)}, nil
}

// GetToken gives a token for the scopes. Its error is an *Error, or that of ctx.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return azcore.AccessToken{}, fmt.Errorf("sign in account %s: %w", c.opts.Account, context.Cause(ctx))
	}
	secret, err := c.source().Read()
	if err != nil {
		wait := min(firstHold<<min(c.fails, 10), longestHold)
		c.fails++
		return azcore.AccessToken{}, c.hold(&Error{Account: c.opts.Account, Kind: Configuration, Message: err.Error()}, wait)
	}
	changed := secret.Reveal() != c.secret.Reveal()
	if c.held != nil && !changed && time.Now().Before(c.held.next) {
		return azcore.AccessToken{}, c.held
	}
	if c.opts.Mode == "static" {
		c.secret, c.held, c.fails = secret, nil, 0
		return azcore.AccessToken{Token: secret.Reveal(), ExpiresOn: time.Now().Add(staticLifetime)}, nil
	}
	if changed || c.inner == nil {
		if err := c.renew(secret); err != nil {
			return azcore.AccessToken{}, c.hold(err, personHold)
		}
	}
	return c.ask(ctx, o)
}

func (c *Credential) source() Source {
	if c.opts.Mode == "static" {
		return c.opts.Token
	}
	return c.opts.Password
}

// renew makes the credential of a new password.
func (c *Credential) renew(password Secret) *Error {
	options := &azidentity.UsernamePasswordCredentialOptions{ //nolint:staticcheck // SA1019: deprecated, but LCS's documented way for an account without MFA
		ClientOptions: azcore.ClientOptions{
			Cloud: cloudOf(c.opts.Region, c.opts.Authority), Transport: c.opts.Transport,
			Retry: policy.RetryOptions{MaxRetries: 1, RetryDelay: time.Second},
		},
		DisableInstanceDiscovery: c.opts.Authority != "",
	}
	inner, err := azidentity.NewUsernamePasswordCredential(
		c.opts.Tenant, c.opts.ClientID, c.opts.Username, password.Reveal(), options)
	c.secret, c.fails = password, 0
	if err != nil {
		return &Error{Account: c.opts.Account, Kind: Configuration, Message: "tenant, client_id or user name is not usable"}
	}
	c.inner = inner
	return nil
}

// CloudName names the Azure cloud that an LCS region signs in to.
func CloudName(region string) string {
	switch region {
	case "gov", "high":
		return "government"
	case "cn":
		return "china"
	default:
		return "public"
	}
}

// cloudOf gives the sign-in host that belongs to an LCS region.
func cloudOf(region, authority string) cloud.Configuration {
	if authority != "" {
		return cloud.Configuration{ActiveDirectoryAuthorityHost: authority}
	}
	switch CloudName(region) {
	case "government":
		return cloud.AzureGovernment
	case "china":
		return cloud.AzureChina
	default:
		return cloud.AzurePublic
	}
}

func (c *Credential) ask(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	bounded, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	token, err := c.inner.GetToken(bounded, o)
	if err == nil {
		c.held, c.fails = nil, 0
		return token, nil
	}
	// The credential's error hides the end of a context, and can hold tokens.
	if ctx.Err() != nil {
		return azcore.AccessToken{}, fmt.Errorf("sign in account %s: %w", c.opts.Account, context.Cause(ctx))
	}
	e := classify(c.opts.Account, err)
	wait := personHold
	if e.Kind == Transient {
		wait = min(firstHold<<min(c.fails, 10), longestHold)
	}
	c.fails++
	return azcore.AccessToken{}, c.hold(e, wait)
}

// hold keeps the credential from being asked for a while.
func (c *Credential) hold(e *Error, wait time.Duration) error {
	e.next = time.Now().Add(wait)
	c.held = e
	c.log.Debug("sign-in refused", zap.String("kind", string(e.Kind)), zap.String("code", e.Code), zap.Time("next_try", e.next), zap.String("message", e.Message))
	return e
}
