package lcssim

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// EntraOptions say who may sign in to the simulated Microsoft Entra ID.
type EntraOptions struct {
	Now             func() time.Time  // time.Now when nil
	Users           map[string]string // user names with their passwords
	MFA             map[string]bool   // users whose password alone does not do
	ClientID        string            // of the one registered app; any is taken when ""
	Lifetime        time.Duration     // of an access token, 4228 s (as in Microsoft's sample) when zero
	RefreshLifetime time.Duration     // of a refresh token, 90 days when zero
	Seed            uint64
}

// How long a code lasts that a person has yet to enter, or an app to redeem.
const (
	deviceCodeLifetime = 15 * time.Minute
	authCodeLifetime   = 10 * time.Minute
	refreshLifetime    = 90 * 24 * time.Hour
)

// An Entra issues, refreshes, expires and revokes tokens as Microsoft Entra ID
// does for a public client: the shapes of its answers are OAuth 2.0's and those
// of Microsoft's pages, the tokens are opaque. It answers instance and tenant
// discovery, the user realm, the v1 and v2 token endpoints with the grants
// password, refresh_token, device_code and authorization_code, the device code
// and the authorize page. It is safe for concurrent use.
//
// Assumptions: the AADSTS numbers of codes and refresh tokens that are not known,
// and that a token without offline_access in its scope has no refresh token.
type Entra struct {
	opts EntraOptions

	mu       sync.Mutex // guards what follows; written by requests and by the test
	sim      *Sim       // for its random ids
	users    map[string]string
	mfa      map[string]bool
	issued   map[string]accessToken
	refresh  map[string]*refreshToken
	devices  map[string]*deviceCode
	codes    map[string]*authCode
	secrets  []string // whatever was handed out, in its order
	browser  string   // who is signed in there
	noDevice bool     // Conditional Access blocks the device code
	failures []EntraFailure
	asked    int
}

// A session is how somebody has signed in.
type session struct {
	user, client string
	grant        string // the first one, before any refresh
	mfa          bool
	scope        string // asked for by then
}

type accessToken struct {
	user, audience string
	ends           time.Time
}

type refreshToken struct {
	session
	ends    time.Time
	revoked bool
}

// NewEntra makes an Entra that has issued nothing.
func NewEntra(o EntraOptions) *Entra {
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Lifetime = cmp.Or(o.Lifetime, 4228*time.Second)
	o.RefreshLifetime = cmp.Or(o.RefreshLifetime, refreshLifetime)
	e := &Entra{
		opts: o, sim: New(Options{Seed: o.Seed}), users: maps.Clone(o.Users), mfa: maps.Clone(o.MFA), issued: map[string]accessToken{},
		refresh: map[string]*refreshToken{}, devices: map[string]*deviceCode{}, codes: map[string]*authCode{},
	}
	if e.users == nil {
		e.users = map[string]string{}
	}
	if e.mfa == nil {
		e.mfa = map[string]bool{}
	}
	return e
}

// SetPassword changes a user's password, or adds the user. As at Entra it revokes
// the refresh tokens; access tokens last until their end.
func (e *Entra) SetPassword(user, password string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.users[user] = password
	e.revokeRefresh(user)
}

// RequireMFA turns MFA on for a user: a password alone does no longer do, nor does
// a refresh token that was got for one.
func (e *Entra) RequireMFA(user string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.mfa[user] = true
}

// BlockDeviceCode reports whether Conditional Access blocks the device code, for new
// sign-ins and for the refresh tokens of earlier ones.
func (e *Entra) BlockDeviceCode(blocked bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.noDevice = blocked
}

// Revoke makes every access and refresh token invalid that was issued so far.
func (e *Entra) Revoke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.issued)
	e.revokeRefresh("")
}

// RevokeUser is Revoke for one user's tokens.
func (e *Entra) RevokeUser(user string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	maps.DeleteFunc(e.issued, func(_ string, t accessToken) bool { return t.user == user })
	e.revokeRefresh(user)
}

// revokeRefresh revokes the refresh tokens of a user, or all.
func (e *Entra) revokeRefresh(user string) {
	for _, t := range e.refresh {
		t.revoked = t.revoked || user == "" || t.user == user
	}
}

// Asked counts the token requests.
func (e *Entra) Asked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// Tokens returns every access and refresh token that is not revoked.
func (e *Entra) Tokens() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := slices.Collect(maps.Keys(e.issued))
	for t, of := range e.refresh {
		if !of.revoked {
			all = append(all, t)
		}
	}
	return all
}

// Secrets returns whatever was ever handed out and opens something: access, refresh
// and id tokens, device and authorization codes; for tests that search for them.
func (e *Entra) Secrets() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.secrets)
}

// secret makes something that nobody can guess, and remembers it.
func (e *Entra) secret(kind string) string {
	return e.remember(kind + "-" + e.sim.activityID())
}

func (e *Entra) remember(secret string) string {
	e.secrets = append(e.secrets, secret)
	return secret
}

// holder returns the user and the audience of an access token that is valid.
func (e *Entra) holder(token string, now time.Time) (user, audience string, ok bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, ok := e.issued[token]
	return t.user, t.audience, ok && now.Before(t.ends)
}

// Handler serves the sign-in host.
func (e *Entra) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r := e.serve(req)
		if r.reset {
			drop(w)
			return
		}
		writeReply(w, r)
	})
}

// Do answers one request in memory: an Entra is an azcore policy.Transporter, and
// an HTTP client for MSAL.
func (e *Entra) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	r := e.serve(req)
	if r.reset {
		return nil, errReset
	}
	return responseOf(r, req), nil
}

// CloseIdleConnections does nothing; MSAL wants it of an HTTP client.
func (e *Entra) CloseIdleConnections() {}
