package lcssim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
)

// EntraOptions say who may sign in to the simulated Microsoft Entra ID.
type EntraOptions struct {
	Now      func() time.Time  // time.Now when nil
	Users    map[string]string // user names with their passwords
	Lifetime time.Duration     // of an access token, 4228 s (as in Microsoft's sample) when zero
	Seed     uint64
}

// An Entra issues, refreshes, expires and revokes tokens as Microsoft Entra ID
// does for a public client: the shapes of its answers are OAuth 2.0's and those
// of Microsoft's pages, the tokens are opaque. It answers the v1 and v2 token
// endpoints, discovery, the user realm and the device code. It is safe for
// concurrent use.
type Entra struct {
	opts EntraOptions

	mu       sync.Mutex // guards what follows; written by requests and by the test
	sim      *Sim       // for its random ids
	issued   map[string]grant
	refresh  map[string]string // refresh tokens with their users
	devices  map[string]string // device codes with who has entered them, "" for nobody yet
	failures []EntraFailure
	asked    int
}

type grant struct {
	user string
	ends time.Time
}

// An EntraFailure is answered to token requests in place of a token.
type EntraFailure struct {
	Status int
	Code   string // OAuth error; "" answers Body as it is
	AADSTS int    // Entra's own number
	Body   string
	Times  int // how often, 0 without end
}

// The failures that LCS users meet, by their causes.
var (
	BadPassword    = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50126}
	MFARequired    = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50076}
	NotPublic      = EntraFailure{Status: 401, Code: "invalid_client", AADSTS: 7000218}
	NoConsent      = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 65001}
	RefreshExpired = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 700082}
	NoSuchUser     = EntraFailure{Status: 400, Code: "invalid_grant", AADSTS: 50034}
	Unavailable    = EntraFailure{Status: 503, Code: "temporarily_unavailable", AADSTS: 90033}
)

// NewEntra makes an Entra that has issued nothing.
func NewEntra(o EntraOptions) *Entra {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Lifetime == 0 {
		o.Lifetime = 4228 * time.Second
	}
	return &Entra{opts: o, sim: New(Options{Seed: o.Seed}), issued: map[string]grant{}, refresh: map[string]string{}, devices: map[string]string{}}
}

// Fail answers failures in place of tokens.
func (e *Entra) Fail(f EntraFailure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures = append(e.failures, f)
}

// Recover ends every failure.
func (e *Entra) Recover() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures = nil
}

// Revoke makes every token invalid that was issued so far.
func (e *Entra) Revoke() {
	e.mu.Lock()
	defer e.mu.Unlock()
	clear(e.issued)
	clear(e.refresh)
}

// Asked counts the token requests.
func (e *Entra) Asked() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked
}

// Tokens gives every access and refresh token in force, for tests that look for them.
func (e *Entra) Tokens() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []string
	for t := range e.issued {
		all = append(all, t)
	}
	for t := range e.refresh {
		all = append(all, t)
	}
	return all
}

// EnterCode is what a person does with a device code.
func (e *Entra) EnterCode(user string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for code := range e.devices {
		e.devices[code] = user
	}
}

// valid tells whether an access token is in force.
func (e *Entra) valid(token string, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, ok := e.issued[token]
	return ok && now.Before(g.ends)
}

// Handler serves the sign-in host.
func (e *Entra) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		writeReply(w, e.serve(req))
	})
}

// Do answers one request in memory: an Entra is an azcore policy.Transporter.
func (e *Entra) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	return responseOf(e.serve(req), req), nil
}

func (e *Entra) serve(req *http.Request) reply {
	path := req.URL.Path
	host := "https://" + cmp.Or(req.Host, req.URL.Host)
	switch {
	case strings.HasSuffix(path, "/.well-known/openid-configuration"):
		base := host + strings.TrimSuffix(path, "/v2.0/.well-known/openid-configuration")
		return jsonReply(http.StatusOK, map[string]any{
			"authorization_endpoint": base + "/oauth2/v2.0/authorize", "token_endpoint": base + "/oauth2/v2.0/token",
			"device_authorization_endpoint": base + "/oauth2/v2.0/devicecode", "issuer": base + "/v2.0",
		})
	case strings.Contains(strings.ToLower(path), "/userrealm/"):
		return jsonReply(http.StatusOK, map[string]any{
			"ver": "1.0", "account_type": "Managed", "domain_name": "contoso.com",
			"cloud_instance_name": "microsoftonline.com", "cloud_audience_urn": "urn:federation:MicrosoftOnline",
		})
	case req.Method != http.MethodPost || req.ParseForm() != nil:
		return text(http.StatusNotFound, "text/html", "<html><body>Not found</body></html>")
	case strings.HasSuffix(path, "/oauth2/v2.0/devicecode"):
		return e.deviceCode()
	case strings.HasSuffix(path, "/oauth2/v2.0/token"):
		return e.token(req.PostForm, false)
	case strings.HasSuffix(path, "/oauth2/token"):
		return e.token(req.PostForm, true)
	default:
		return text(http.StatusNotFound, "text/html", "<html><body>Not found</body></html>")
	}
}

func (e *Entra) deviceCode() reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	code := "device-" + e.sim.activityID()
	e.devices[code] = ""
	return jsonReply(http.StatusOK, map[string]any{
		"user_code": "CURFEW123", "device_code": code, "verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 5,
		"message": "To sign in, open https://microsoft.com/devicelogin and enter the code CURFEW123.",
	})
}

// token answers a token request; v1 is the older endpoint, whose numbers are strings.
func (e *Entra) token(form url.Values, v1 bool) reply {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked++
	if f := e.strike(); f != nil {
		return f.reply(e.opts.Now())
	}
	user, failure := e.userOf(form)
	if failure != nil {
		return failure.reply(e.opts.Now())
	}
	access, refresh := "access-"+e.sim.activityID(), "refresh-"+e.sim.activityID()
	e.issued[access] = grant{user, e.opts.Now().Add(e.opts.Lifetime)}
	e.refresh[refresh] = user
	return jsonReply(http.StatusOK, answerOf(issue{form, user, access, refresh}, e.opts, v1))
}

// strike gives the failure in force, and counts it.
func (e *Entra) strike() *EntraFailure {
	if len(e.failures) == 0 {
		return nil
	}
	f := e.failures[0]
	if f.Times > 0 {
		if e.failures[0].Times--; e.failures[0].Times == 0 {
			e.failures = e.failures[1:]
		}
	}
	return &f
}

// userOf checks a grant.
func (e *Entra) userOf(form url.Values) (string, *EntraFailure) {
	switch form.Get("grant_type") {
	case "password":
		password, ok := e.opts.Users[form.Get("username")]
		if !ok {
			return "", &NoSuchUser
		}
		if password != form.Get("password") {
			return "", &BadPassword
		}
		return form.Get("username"), nil
	case "refresh_token":
		user, ok := e.refresh[form.Get("refresh_token")]
		if !ok {
			return "", &RefreshExpired
		}
		return user, nil
	case "device_code", "urn:ietf:params:oauth:grant-type:device_code":
		user, ok := e.devices[form.Get("device_code")]
		if !ok {
			return "", &EntraFailure{Status: 400, Code: "expired_token", AADSTS: 70020}
		}
		if user == "" {
			return "", &EntraFailure{Status: 400, Code: "authorization_pending", AADSTS: 70016}
		}
		return user, nil
	default:
		return "", &EntraFailure{Status: 400, Code: "unsupported_grant_type", AADSTS: 70003}
	}
}

type issue struct {
	form                  url.Values
	user, access, refresh string
}

func answerOf(i issue, o EntraOptions, v1 bool) map[string]any {
	seconds := int(o.Lifetime.Seconds())
	if v1 {
		return map[string]any{
			"token_type": "Bearer", "scope": "user_impersonation", "resource": i.form.Get("resource"), "expires_in": strconv.Itoa(seconds),
			"expires_on": strconv.FormatInt(o.Now().Add(o.Lifetime).Unix(), 10), "access_token": i.access, "refresh_token": i.refresh,
		}
	}
	scope := strings.Fields(i.form.Get("scope"))
	return map[string]any{
		"token_type": "Bearer", "scope": strings.Join(scope, " "), "expires_in": seconds, "ext_expires_in": seconds,
		"access_token": i.access, "refresh_token": i.refresh, "id_token": idToken(i.user, o.Now(), o.Lifetime),
		"client_info": base64.RawURLEncoding.EncodeToString([]byte(`{"uid":"` + i.user + `","utid":"contoso"}`)),
	}
}

// idToken is an unsigned one: nobody here checks its signature.
func idToken(user string, now time.Time, lifetime time.Duration) string {
	part := func(v map[string]any) string {
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	return part(map[string]any{"alg": "none", "typ": "JWT"}) + "." + part(map[string]any{
		"aud": "curfew", "iss": "https://login.invalid/contoso/v2.0", "sub": user, "oid": user, "tid": "contoso", "preferred_username": user,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	}) + "."
}

func (f *EntraFailure) reply(now time.Time) reply {
	if f.Code == "" {
		return text(f.Status, "application/json", f.Body)
	}
	return jsonReply(f.Status, map[string]any{
		"error": f.Code, "error_codes": []int{f.AADSTS}, "timestamp": now.UTC().Format("2006-01-02 15:04:05Z"),
		"error_description": fmt.Sprintf("AADSTS%d: simulated. Trace ID: 0 Correlation ID: 0 Timestamp: %s", f.AADSTS, now.UTC().Format("2006-01-02 15:04:05Z")),
	})
}

func jsonReply(status int, v any) reply {
	b, err := json.Marshal(v)
	if err != nil {
		return text(http.StatusInternalServerError, "text/plain", "the simulator cannot write its answer")
	}
	return text(status, "application/json; charset=utf-8", string(b))
}
