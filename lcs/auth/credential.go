// Package auth signs in to LCS as a delegated user: the credentials, and the
// guard that keeps a wrong password from locking an account.
package auth

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/lcs/secret"
)

const (
	signInTimeout   = 30 * time.Second // azidentity's own retries took 10 s an attempt
	firstHold       = 5 * time.Second
	longestHold     = 2 * time.Minute
	interactiveHold = 30 * time.Minute
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
	Password  secret.Source
	Token     secret.Source // of a static account
	Logins    Logins        // of a delegated account: where its login is kept
	Scope     string        // with which a login is renewed
	Region    string        // LCS region, for the cloud's sign-in host
	Authority string        // instead of the cloud's sign-in host
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
	seen    string            // revision of the last attempt
	held    map[string]*Error // by scope
	fails   int
}

var _ azcore.TokenCredential = (*Credential)(nil)

// New makes the credential of an account. It signs in when it is first asked.
func New(o Options) (*Credential, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	c := &Credential{account: o.Account, mode: o.Mode, scope: o.Scope, log: o.Logger.Named("auth").With(zap.String("account", o.Account)), turn: make(chan struct{}, 1), held: map[string]*Error{}}
	var err error
	switch o.Mode {
	case ModePassword:
		c.signer = &password{opts: o, transport: newRecordingTransport(o.Transport)}
	case ModeStatic:
		c.signer = &static{opts: o}
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

// GetToken returns a token for the scopes. Its error is an *Error, or that of ctx.
func (c *Credential) GetToken(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if err := c.enter(ctx); err != nil {
		return azcore.AccessToken{}, err
	}
	defer c.leave()
	attemptCtx, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	revision, err := c.signer.revision(attemptCtx)
	if ctx.Err() != nil {
		return azcore.AccessToken{}, c.ctxError(ctx)
	}
	scope := strings.Join(o.Scopes, " ")
	if err == nil && revision != c.seen {
		c.seen, c.fails = revision, 0
		clear(c.held)
	}
	if held := c.heldFor(scope); held != nil {
		return azcore.AccessToken{}, held
	}
	if err != nil {
		return azcore.AccessToken{}, c.noSecret(unreadable(err))
	}
	token, failed := c.signer.token(attemptCtx, o)
	switch {
	case failed == nil:
		c.fails = 0
		return token, nil
	case ctx.Err() != nil: // a caller that no longer waits is no failed sign-in
		return azcore.AccessToken{}, c.ctxError(ctx)
	}
	if !failed.OneScope() {
		scope = allScopes
	}
	return azcore.AccessToken{}, c.hold(scope, failed)
}

// allScopes is the scope of a hold on whatever the credential is asked for.
const allScopes = ""

// heldFor returns the failure that still holds a scope, nil for none.
func (c *Credential) heldFor(scope string) *Error {
	for _, s := range []string{allScopes, scope} {
		if held := c.held[s]; held != nil && time.Now().Before(held.next) {
			return held
		}
	}
	return nil
}

// enter waits for the caller's turn, no longer than its context lasts.
func (c *Credential) enter(ctx context.Context) error {
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return c.ctxError(ctx)
	}
}

func (c *Credential) leave() { <-c.turn }

// ctxError is the error of a caller that no longer waits.
func (c *Credential) ctxError(ctx context.Context) error {
	return fmt.Errorf("sign in account %s: %w", c.account, context.Cause(ctx))
}

// unreadable is the failure to read what to sign in with.
func unreadable(err error) *Error {
	if failed, ok := errors.AsType[*Error](err); ok {
		return failed
	}
	return &Error{Kind: Configuration, Message: err.Error(), todo: "-"}
}

// hold refuses further tokens for a scope: for 30 minutes what a person must
// correct; for a growing time, or as long as the sign-in host asks, what may pass by
// itself.
func (c *Credential) hold(scope string, e *Error) error {
	wait := interactiveHold
	if e.Kind == Transient {
		wait = max(c.backoff(), e.retryAfter)
	}
	e.revision, e.next = c.seen, time.Now().Add(wait)
	c.held[scope] = e
	return c.refuse(e)
}

// noSecret is the failure of a credential that has nothing to sign in with at the
// moment. Nobody is asked, so it may be tried again soon.
func (c *Credential) noSecret(e *Error) error {
	e.next = time.Now().Add(c.backoff())
	return c.refuse(e)
}

func (c *Credential) backoff() time.Duration {
	wait := min(firstHold<<min(c.fails, 10), longestHold)
	c.fails++
	return wait
}

// refuse completes and logs the error of a refused sign-in.
func (c *Credential) refuse(e *Error) *Error {
	e.Account, e.mode = c.account, c.mode
	c.log.Debug("sign-in refused", zap.String("kind", string(e.Kind)), zap.String("code", e.Code), zap.Time("next_try", e.next), zap.String("message", e.Message))
	return e
}

// Renew refreshes a delegated account's login, though its token may still be good:
// a login that nobody uses lapses.
func (c *Credential) Renew(ctx context.Context) error {
	_, err := c.GetToken(ctx, policy.TokenRequestOptions{Scopes: []string{c.scope}, Claims: "{}"})
	return err
}

// Retry lets the next caller sign in at once, though an earlier failure holds the account.
func (c *Credential) Retry(ctx context.Context) error {
	if err := c.enter(ctx); err != nil {
		return err
	}
	defer c.leave()
	clear(c.held)
	c.fails = 0
	return nil
}

// Revision changes whenever that with which the account signs in does: its entry in
// the schedule file, its secret, or a person's login. It shows nothing of them; it is
// an error while there is nothing to sign in with.
func (c *Credential) Revision(ctx context.Context) (string, error) {
	if err := c.enter(ctx); err != nil {
		return "", err
	}
	defer c.leave()
	return c.signer.revision(ctx)
}

// Login describes the login of a delegated account; ok is false when there is none.
// While somebody signs in, it describes the last one that was read.
func (c *Credential) Login(ctx context.Context) (login Login, ok bool, err error) {
	d, is := c.signer.(*delegated)
	if !is {
		return Login{}, false, nil
	}
	select {
	case c.turn <- struct{}{}:
		_, err = d.revision(ctx)
		c.leave()
	default:
	}
	known := d.known.Load()
	if err != nil || known == nil {
		return Login{}, false, err
	}
	return *known, true, nil
}

// entry is the part of a revision that comes from the schedule file.
func (o Options) entry() string {
	return fmt.Sprintf("%q %q %q %q %q %q ", o.Mode, o.Tenant, o.ClientID, o.Username, o.Authority, lcs.Cloud(o.Region))
}

// digest distinguishes one secret from another without showing either. It is never kept.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// cloudOf returns the sign-in host that belongs to an LCS region.
func cloudOf(region, authority string) cloud.Configuration {
	if authority != "" {
		return cloud.Configuration{ActiveDirectoryAuthorityHost: authority}
	}
	switch lcs.Cloud(region) {
	case "government":
		return cloud.AzureGovernment
	case "china":
		return cloud.AzureChina
	default:
		return cloud.AzurePublic
	}
}
