package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"
)

const (
	signInTimeout = 30 * time.Second // azidentity's own retries took 10 s an attempt
	firstHold     = 5 * time.Second
	longestHold   = 2 * time.Minute
	personHold    = 30 * time.Minute
)

// The modes of an account. There is no chain of them: an account signs in as its
// schedule file says, or not at all.
const (
	ModePassword  = "password"
	ModeDelegated = "delegated"
	ModeStatic    = "static"
)

// Options describe one account of the schedule file.
type Options struct {
	Account   string
	Mode      string // ModePassword, ModeDelegated or ModeStatic
	Tenant    string
	ClientID  string
	Username  string // of a delegated account: who must sign in, "" for anybody
	Password  Source
	Token     Source // of a static account
	Logins    Logins // of a delegated account: where its login is kept
	Scope     string // with which a login is renewed
	Region    string // LCS region, for the cloud's sign-in host
	Authority string // instead of the cloud's sign-in host
	Transport policy.Transporter
	Logger    *zap.Logger
}

// A signer is one way to sign in.
type signer interface {
	// revision changes whenever that with which it signs in does. Without a secret
	// to sign in with, it is an error.
	revision(ctx context.Context) (string, error)
	// token signs in; its error is classified.
	token(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, *Error)
}

// A Credential is an azcore.TokenCredential with a guard around it: after a
// failure it refuses for a while, or until what it signs in with changes, instead
// of asking again. It is safe for concurrent use.
type Credential struct {
	account string
	mode    string
	scope   string
	log     *zap.Logger
	turn    chan struct{} // one caller at a time; guards what follows
	signer  signer
	seen    string // revision of the last attempt
	held    *Error
	fails   int
}

var _ azcore.TokenCredential = (*Credential)(nil)

// New makes the credential of an account. It signs in when it is first asked.
func New(o Options) (*Credential, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	c := &Credential{account: o.Account, mode: o.Mode, scope: o.Scope, log: o.Logger.Named("auth").With(zap.String("account", o.Account)), turn: make(chan struct{}, 1)}
	var err error
	switch o.Mode {
	case ModePassword:
		c.signer = &password{opts: o, witness: newWitness(o.Transport)}
	case ModeStatic:
		c.signer = &static{source: o.Token}
	case ModeDelegated:
		c.signer, err = newDelegated(o, c.log)
	default:
		err = fmt.Errorf("unknown mode %q; want %s, %s or %s", o.Mode, ModePassword, ModeDelegated, ModeStatic)
	}
	if err != nil {
		return nil, fmt.Errorf("use account %s: %w", o.Account, err)
	}
	return c, nil
}

// Mode is how the account signs in.
func (c *Credential) Mode() string { return c.mode }

// GetToken gives a token for the scopes. Its error is an *Error, or that of ctx.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if err := c.enter(ctx); err != nil {
		return azcore.AccessToken{}, err
	}
	defer c.leave()
	bounded, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	revision, err := c.signer.revision(bounded)
	if ctx.Err() != nil {
		return azcore.AccessToken{}, c.given(ctx)
	}
	if err != nil {
		return azcore.AccessToken{}, c.hold(unreadable(err), "", longestHold)
	}
	if revision != c.seen {
		c.seen, c.held, c.fails = revision, nil, 0
	}
	if c.held != nil && time.Now().Before(c.held.next) {
		return azcore.AccessToken{}, c.held
	}
	token, failed := c.signer.token(bounded, o)
	switch {
	case failed == nil:
		c.held, c.fails = nil, 0
		return token, nil
	case ctx.Err() != nil: // a caller that went away is no failed sign-in
		return azcore.AccessToken{}, c.given(ctx)
	case failed.Kind == Transient:
		return azcore.AccessToken{}, c.hold(failed, revision, longestHold)
	default:
		return azcore.AccessToken{}, c.hold(failed, revision, personHold)
	}
}

// enter waits for the caller's turn, no longer than its context lasts.
func (c *Credential) enter(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.given(ctx)
	}
}

func (c *Credential) leave() { <-c.turn }

// given is the error of a caller that no longer waits.
func (c *Credential) given(ctx context.Context) error {
	return fmt.Errorf("sign in account %s: %w", c.account, context.Cause(ctx))
}

// unreadable is the failure to read what to sign in with.
func unreadable(err error) *Error {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed
	}
	return &Error{Kind: Configuration, Message: err.Error()}
}

// hold keeps the credential from being asked for a while: what a person must mend
// for longest at once; what may mend itself for a time that grows up to it, or as
// long as the sign-in host asks.
func (c *Credential) hold(e *Error, revision string, longest time.Duration) error {
	wait := longest
	if longest < personHold {
		wait = max(min(firstHold<<min(c.fails, 10), longest), e.retryAfter)
	}
	c.fails++
	e.Account, e.mode, e.revision, e.next = c.account, c.mode, revision, time.Now().Add(wait)
	c.held = e
	c.log.Debug("sign-in refused", zap.String("kind", string(e.Kind)), zap.String("code", e.Code), zap.Time("next_try", e.next), zap.String("message", e.Message))
	return e
}

// Renew refreshes a delegated account's login, though its token may still be good:
// a login that nobody uses lapses.
func (c *Credential) Renew(ctx context.Context) error {
	_, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.scope}, Claims: "{}"})
	return err
}

// Revision changes whenever that with which the account signs in does: a secret's
// file, or the stored login. It shows nothing of either; "" when there is none.
func (c *Credential) Revision(ctx context.Context) (string, error) {
	if err := c.enter(ctx); err != nil {
		return "", err
	}
	defer c.leave()
	revision, err := c.signer.revision(ctx)
	if err != nil && ctx.Err() != nil {
		return "", c.given(ctx)
	}
	if err != nil {
		return "", nil // what cannot be read is nothing to sign in with
	}
	return revision, nil
}

// Login tells of the login of a delegated account; ok is false when there is none.
func (c *Credential) Login(ctx context.Context) (login Login, ok bool, err error) {
	d, is := c.signer.(*delegated)
	if !is {
		return Login{}, false, nil
	}
	if err := c.enter(ctx); err != nil {
		return Login{}, false, err
	}
	defer c.leave()
	if _, err := d.revision(ctx); err != nil {
		return Login{}, false, err
	}
	return d.record.Login, d.record.usable(), nil
}

// digest tells one secret from another without showing either. It is never kept.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
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
