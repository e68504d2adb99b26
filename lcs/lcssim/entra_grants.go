package lcssim

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A deviceCode belongs to one request for it.
type deviceCode struct {
	client, scope string
	userCode      string
	ends          time.Time
	user          string // who has entered it, "" for nobody yet
	declined      bool
	used          bool
}

// deviceCode hands one out.
func (e *Entra) deviceCode(r entraRequest) reply {
	client := r.form.Get("client_id")
	if failure := e.app(client); failure != nil {
		return failure.reply(r.now)
	}
	code, userCode := e.secret("device"), e.userCode()
	e.devices[code] = &deviceCode{client: client, scope: r.form.Get("scope"), userCode: userCode, ends: r.now.Add(deviceCodeLifetime)}
	const page = "https://microsoft.com/devicelogin"
	return jsonReply(http.StatusOK, map[string]any{
		"user_code": userCode, "device_code": code, "verification_uri": page, "expires_in": int(deviceCodeLifetime.Seconds()), "interval": 5,
		"message": "To sign in, use a web browser to open the page " + page + " and enter the code " + userCode + " to authenticate.",
	})
}

// userCode makes a code for a person to type.
func (e *Entra) userCode() string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, 9)
	for i := range b {
		b[i] = letters[e.sim.rand.IntN(len(letters))]
	}
	return string(b)
}

// EnterCode is what a person does with every device code that nobody has entered
// yet.
func (e *Entra) EnterCode(user string) { e.enter("", func(d *deviceCode) { d.user = user }) }

// EnterUserCode is what a person does with the device code that goes by userCode.
func (e *Entra) EnterUserCode(userCode, user string) {
	e.enter(userCode, func(d *deviceCode) { d.user = user })
}

// DeclineCode is what a person does who did not ask for the code: it declines each
// one that nobody has entered yet.
func (e *Entra) DeclineCode() { e.enter("", func(d *deviceCode) { d.declined = true }) }

func (e *Entra) enter(userCode string, do func(*deviceCode)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.opts.Now()
	for _, d := range e.devices {
		if d.user == "" && !d.declined && now.Before(d.ends) && (userCode == "" || d.userCode == userCode) {
			do(d)
		}
	}
}

// app checks that the app is registered.
func (e *Entra) app(client string) *EntraFailure {
	if e.opts.ClientID != "" && client != e.opts.ClientID {
		return &NoSuchApp
	}
	return nil
}

// token answers a token request.
func (e *Entra) token(r entraRequest) reply {
	failure := e.app(r.form.Get("client_id"))
	var s session
	if failure == nil {
		s, failure = e.redeem(r)
	}
	if failure != nil {
		return failure.reply(r.now)
	}
	return e.issue(r, s)
}

// plainGrant is the short name of a grant type, which MSAL uses for the device code.
func plainGrant(grant string) string {
	return strings.TrimPrefix(grant, "urn:ietf:params:oauth:grant-type:")
}

// redeem checks a grant, and uses it up where it can be used once.
func (e *Entra) redeem(r entraRequest) (session, *EntraFailure) {
	switch plainGrant(r.form.Get("grant_type")) {
	case "password":
		return e.redeemPassword(r)
	case "refresh_token":
		return e.redeemRefresh(r)
	case "device_code":
		return e.redeemDevice(r)
	case "authorization_code":
		return e.redeemCode(r)
	default:
		return session{}, &EntraFailure{Status: 400, Code: "unsupported_grant_type", AADSTS: 70003}
	}
}

func (e *Entra) redeemPassword(r entraRequest) (session, *EntraFailure) {
	user := r.form.Get("username")
	password, ok := e.users[user]
	switch {
	case !ok:
		return session{}, &NoSuchUser
	case password != r.form.Get("password"):
		return session{}, &BadPassword
	case e.mfa[user]:
		return session{}, &MFARequired
	}
	return session{user: user, client: r.form.Get("client_id"), grant: "password"}, nil
}

// redeemRefresh does not use a refresh token up: a public client may use it again
// until its end.
func (e *Entra) redeemRefresh(r entraRequest) (session, *EntraFailure) {
	t := e.refresh[r.form.Get("refresh_token")]
	switch {
	case t == nil, t.client != r.form.Get("client_id"):
		return session{}, &BadGrant
	case t.revoked:
		return session{}, &RefreshRevoked
	case !r.now.Before(t.ends):
		return session{}, &RefreshExpired
	case e.noDevice && t.grant == "device_code":
		return session{}, &ConditionalAccess
	case e.mfa[t.user] && !t.mfa:
		return session{}, &MFARequired
	}
	return t.session, nil
}

func (e *Entra) redeemDevice(r entraRequest) (session, *EntraFailure) {
	d := e.devices[r.form.Get("device_code")]
	switch {
	case d == nil, d.client != r.form.Get("client_id"):
		return session{}, &EntraFailure{Status: 400, Code: "bad_verification_code", AADSTS: 70018}
	case d.used:
		return session{}, &CodeUsed
	case !r.now.Before(d.ends):
		return session{}, &CodeExpired
	case d.declined:
		return session{}, &CodeDeclined
	case d.user == "":
		return session{}, &CodePending
	}
	d.used = true
	if e.noDevice {
		return session{}, &ConditionalAccess
	}
	return session{user: d.user, client: d.client, grant: "device_code", mfa: true, scope: d.scope}, nil
}

func (e *Entra) redeemCode(r entraRequest) (session, *EntraFailure) {
	c := e.codes[r.form.Get("code")]
	if c == nil || c.client != r.form.Get("client_id") || c.redirect != r.form.Get("redirect_uri") {
		return session{}, &BadGrant
	}
	used := c.used
	c.used = true
	sum := sha256.Sum256([]byte(r.form.Get("code_verifier")))
	switch {
	case used:
		return session{}, &CodeUsed
	case !r.now.Before(c.ends):
		return session{}, &CodeTooOld
	case base64.RawURLEncoding.EncodeToString(sum[:]) != c.challenge:
		return session{}, &BadVerifier
	}
	return c.session, nil
}

// issue returns the tokens of a session.
func (e *Entra) issue(r entraRequest, s session) reply {
	scope := cmp.Or(r.form.Get("scope"), s.scope)
	asked := strings.Fields(scope)
	access := e.secret("access")
	e.issued[access] = accessToken{s.user, audienceOf(r, asked), r.now.Add(e.opts.Lifetime)}
	seconds := int(e.opts.Lifetime.Seconds())
	fields := map[string]any{"token_type": "Bearer", "access_token": access, "expires_in": seconds, "ext_expires_in": seconds}
	if r.v1 {
		fields["scope"], fields["resource"], fields["expires_in"] = "user_impersonation", r.form.Get("resource"), strconv.Itoa(seconds)
		fields["ext_expires_in"], fields["expires_on"] = strconv.Itoa(seconds), strconv.FormatInt(r.now.Add(e.opts.Lifetime).Unix(), 10)
	} else {
		fields["scope"] = strings.Join(slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return s == "offline_access" }), " ")
	}
	if r.v1 || slices.Contains(asked, "offline_access") {
		refresh := e.secret("refresh")
		e.refresh[refresh] = &refreshToken{session: s, ends: r.now.Add(e.opts.RefreshLifetime)}
		fields["refresh_token"] = refresh
	}
	if slices.Contains(asked, "openid") {
		fields["id_token"] = e.remember(e.idToken(r, s))
	}
	if r.form.Get("client_info") == "1" {
		fields["client_info"] = encode(map[string]any{"uid": objectID(s.user), "utid": objectID(r.tenant)})
	}
	return jsonReply(http.StatusOK, fields)
}

// audienceOf returns the resource that a token is asked for: the address before
// /.default, or before the name of a permission. It ends in a slash when the scope
// has two.
func audienceOf(r entraRequest, scope []string) string {
	if r.v1 {
		return r.form.Get("resource")
	}
	for _, s := range scope {
		if u, err := url.Parse(s); err == nil && u.Host != "" {
			return s[:strings.LastIndexByte(s, '/')]
		}
	}
	return ""
}

// idToken is one that nobody's key has signed: nobody here checks that.
func (e *Entra) idToken(r entraRequest, s session) string {
	return encode(map[string]any{"alg": "none", "typ": "JWT"}) + "." + encode(map[string]any{
		"aud": s.client, "iss": r.host + "/" + r.tenant + "/v2.0", "sub": objectID("sub " + s.user), "oid": objectID(s.user), "tid": objectID(r.tenant),
		"preferred_username": s.user, "name": s.user, "ver": "2.0", "uti": e.sim.activityID(),
		"iat": r.now.Unix(), "nbf": r.now.Unix(), "exp": r.now.Add(e.opts.Lifetime).Unix(),
	}) + "."
}

// objectID returns the GUID of a user or tenant; one that is a GUID is its own.
func objectID(name string) string {
	if len(name) == 36 && strings.Count(name, "-") == 4 {
		return name
	}
	b := sha256.Sum256([]byte(name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

func encode(v map[string]any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(b)
}
