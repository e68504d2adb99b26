package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/cache"
	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"
	"go.uber.org/zap"
)

// A delegated account signs in with what a person's login left: a refresh token,
// which MSAL redeems and renews.
type delegated struct {
	opts      Options
	log       *zap.Logger
	transport *recordingTransport
	client    public.Client
	cache     *msalCache
	record    record
	based     string // revision of the login store that record is, or is based on
	unsaved   bool   // record is newer than the store
	known     atomic.Pointer[Login]
}

func newDelegated(o Options, log *zap.Logger) (*delegated, error) {
	if o.Logins == nil {
		return nil, errors.New("mode delegated needs a place to keep its login")
	}
	d := &delegated{opts: o, log: log, transport: newRecordingTransport(o.Transport), cache: &msalCache{}}
	var err error
	d.client, err = d.newClient(d.cache)
	return d, err
}

func (d *delegated) newClient(m *msalCache) (public.Client, error) {
	host := strings.TrimRight(cloudOf(d.opts.Region, d.opts.Authority).ActiveDirectoryAuthorityHost, "/")
	client, err := public.New(d.opts.ClientID, public.WithAuthority(host+"/"+d.opts.Tenant), public.WithCache(m),
		public.WithHTTPClient(d.transport), public.WithInstanceDiscovery(d.opts.Authority == ""))
	if err != nil {
		return client, errors.New("tenant, client_id or authority is not usable")
	}
	return client, nil
}

// revision reads the store: a login made by another process is used at once. A
// login that was only refreshed is the same.
func (d *delegated) revision(ctx context.Context) (string, error) {
	data, based, err := d.opts.Logins.Load(ctx, d.opts.Account)
	if err != nil {
		return "", err
	}
	if based != d.based {
		r, err := parseRecord(data)
		if err != nil {
			return "", &Error{Kind: NeedsPerson, Message: "its stored login " + err.Error()}
		}
		d.based, d.unsaved = based, false
		d.setRecord(r)
	}
	return digest(fmt.Sprint(d.opts.entry(), d.record.User, d.record.SignedInAt.UnixNano())), nil
}

// setRecord makes r the current login.
func (d *delegated) setRecord(r record) {
	d.record = r
	d.known.Store(nil)
	if r.usable() {
		d.known.Store(&r.Login)
	}
}

func (d *delegated) token(ctx context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, *Error) {
	if !d.record.usable() {
		return azcore.AccessToken{}, &Error{Kind: NeedsPerson, Message: "nobody has signed in yet"}
	}
	if d.unsaved {
		d.save(ctx)
	}
	d.cache.text, d.cache.fresh = d.record.Cache, nil
	d.transport.forget()
	result, err := d.silent(ctx, o)
	if d.cache.fresh != nil {
		renewed := d.record
		renewed.Cache, renewed.RefreshedAt = d.cache.fresh, time.Now().UTC()
		d.setRecord(renewed)
		d.unsaved = true
		d.save(ctx)
	}
	switch {
	case errors.Is(err, errNoToken):
		return azcore.AccessToken{}, &Error{Kind: NeedsPerson, Message: "its stored login holds no token"}
	case err != nil:
		return azcore.AccessToken{}, d.transport.failure()
	}
	return azcore.AccessToken{Token: result.AccessToken, ExpiresOn: result.ExpiresOn}, nil
}

var errNoToken = errors.New("no token")

// silent returns a token without a person. Claims make MSAL bypass its cache.
func (d *delegated) silent(ctx context.Context, o policy.TokenRequestOptions) (public.AuthResult, error) {
	accounts, err := d.client.Accounts(ctx)
	if err != nil {
		return public.AuthResult{}, err
	}
	if len(accounts) == 0 {
		return public.AuthResult{}, errNoToken
	}
	options := []public.AcquireSilentOption{public.WithSilentAccount(accounts[0])}
	if o.Claims != "" {
		options = append(options, public.WithClaims(o.Claims))
	}
	return d.client.AcquireTokenSilent(ctx, o.Scopes, options...)
}

// save writes a renewed login, unless somebody has signed in meanwhile: a person's
// login is never replaced by a renewal. What cannot be written is kept, and written next time.
func (d *delegated) save(ctx context.Context) {
	data, err := d.record.bytes()
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveTimeout)
		defer cancel()
		var revision string
		revision, err = d.opts.Logins.Save(ctx, d.opts.Account, data, &d.based)
		if err == nil {
			d.based, d.unsaved = revision, false
			return
		}
	}
	if errors.Is(err, ErrChanged) {
		d.unsaved = false // the next attempt reads what is there now
		return
	}
	d.log.Warn("the renewed login could not be kept; it is in memory, and is written at the next sign-in", zap.Error(err))
}

const saveTimeout = 10 * time.Second

// An msalCache is MSAL's view of a record. Errors of the store stay out of it: MSAL
// would discard the fresh token.
type msalCache struct {
	text  []byte
	fresh []byte // what MSAL exported, nil when it did not
}

var _ cache.ExportReplace = (*msalCache)(nil)

// Replace loads what is kept into MSAL.
func (m *msalCache) Replace(_ context.Context, into cache.Unmarshaler, _ cache.ReplaceHints) error {
	if m.fresh != nil || len(m.text) == 0 {
		return nil // MSAL has the newest, or there is none
	}
	if err := into.Unmarshal(m.text); err != nil {
		return errNoToken // its own words could hold tokens
	}
	return nil
}

// Export takes what MSAL renewed.
func (m *msalCache) Export(_ context.Context, from cache.Marshaler, _ cache.ExportHints) error {
	if text, err := from.Marshal(); err == nil {
		m.fresh = text
	}
	return nil
}

// A SignIn says how a person signs in.
type SignIn struct {
	Scope   string
	Browser bool // the authorization code flow with PKCE on this machine; otherwise a device code
	Port    int  // on localhost, where the browser comes back to; any free one when 0
	// Show displays to the person what to do.
	Show func(message string)
	// Open opens an address in a browser. It may fail: the address was shown.
	Open func(address string)
}

// browserPatience is how long a person may take in a browser. A device code has
// an end of its own, 15 minutes.
const browserPatience = 15 * time.Minute

// SignIn has a person sign in to a delegated account, and keeps the login. It may
// be called while a daemon uses the account.
func (c *Credential) SignIn(ctx context.Context, s SignIn) (Login, error) {
	d, is := c.signer.(*delegated)
	if !is {
		return Login{}, fmt.Errorf("sign in account %s: mode %s takes no login; only accounts of mode %s do", c.account, c.mode, ModeDelegated)
	}
	if err := c.enter(ctx); err != nil {
		return Login{}, err
	}
	defer c.leave()
	if err := d.opts.Logins.Check(ctx, c.account); err != nil { // before a person takes the trouble
		return Login{}, err
	}
	fresh := &msalCache{} // nothing of an earlier login is kept
	client, err := d.newClient(fresh)
	if err != nil {
		return Login{}, fmt.Errorf("sign in account %s: %w", c.account, err)
	}
	d.transport.forget()
	result, err := ask(ctx, client, s)
	if err != nil {
		return Login{}, d.refused(ctx, err)
	}
	user := result.Account.PreferredUsername
	if want := d.opts.Username; want != "" && !strings.EqualFold(want, user) {
		return Login{}, fmt.Errorf("sign in account %s: %s signed in, the schedule file wants %s; nothing was kept", c.account, user, want)
	}
	now := time.Now().UTC()
	r := record{Version: recordVersion, Login: Login{User: user, SignedInAt: now, RefreshedAt: now}, Cache: fresh.fresh}
	if !r.usable() {
		return Login{}, fmt.Errorf("sign in account %s: Entra gave no refresh token, so the login would end within the hour; nothing was kept", c.account)
	}
	data, err := r.bytes()
	if err == nil {
		_, err = d.opts.Logins.Save(ctx, c.account, data, nil)
	}
	if err != nil {
		return Login{}, fmt.Errorf("keep the login of account %s: %w", c.account, err)
	}
	return r.Login, nil
}

// ask runs the flow that a person takes part in.
func ask(ctx context.Context, client public.Client, s SignIn) (public.AuthResult, error) {
	scopes := []string{s.Scope}
	if s.Browser {
		if err := checkPort(ctx, s.Port); err != nil {
			return public.AuthResult{}, err
		}
		ctx, cancel := context.WithTimeoutCause(ctx, browserPatience, errNobody)
		defer cancel()
		return client.AcquireTokenInteractive(ctx, scopes, public.WithRedirectURI(fmt.Sprintf("http://localhost:%d", s.Port)),
			public.WithOpenURL(func(address string) error {
				s.Show("To sign in, go on in the browser. If none opens, open this address on this machine:\n" + address)
				s.Open(address)
				return nil
			}))
	}
	soon, cancel := context.WithTimeout(ctx, signInTimeout)
	defer cancel()
	code, err := client.AcquireTokenByDeviceCode(soon, scopes)
	if err != nil {
		return public.AuthResult{}, err
	}
	s.Show(code.Result.Message)
	return code.AuthenticationResult(ctx)
}

// checkPort reports whether the browser can come back to a port.
func checkPort(ctx context.Context, port int) error {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort("localhost", strconv.Itoa(port)))
	if err != nil {
		return &Error{Kind: Configuration, Message: fmt.Sprintf("the browser cannot come back to port %d: %v", port, err), todo: "choose another --port"}
	}
	return l.Close()
}

var errNobody = errors.New("nobody signed in within 15 minutes")

// refused says why a person's sign-in did not succeed, without the library's
// words, which can hold tokens.
func (d *delegated) refused(ctx context.Context, err error) error {
	f := d.transport.last
	if own, ok := errors.AsType[*Error](err); ok {
		f = own
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("sign in account %s: %w", d.opts.Account, context.Cause(ctx))
	case f == nil && errors.Is(err, context.DeadlineExceeded), f != nil && (f.Code == "expired_token" || f.Code == "authorization_pending"):
		return fmt.Errorf("sign in account %s: %w; run the command again", d.opts.Account, errNobody)
	case f == nil: // the browser came back with an error
		f = &Error{Kind: NeedsPerson, Message: "the sign-in page refused", Number: aadsts.FindString(err.Error())}
		f.Message = strings.TrimSpace(f.Message + " " + f.Number)
	case f.Code == "authorization_declined", f.Code == "access_denied":
		f.Kind, f.Message = NeedsPerson, "the sign-in was declined"
	}
	f.Account, f.mode = d.opts.Account, ModeDelegated
	return f.ForPerson()
}
