package signin

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"curfew/lcs/secret"
	"curfew/scheduler/web/access"
)

const plainAddress, safeAddress = "http://127.0.0.1:8080", "https://curfew.contoso.com"

func anna() person {
	return person{"email": "Anna@contoso.com", "email_verified": true, "preferred_username": "anna", "roles": []string{"Curfew.Operator"}, "groups": []string{"11-22"}}
}

func TestSignInGivesASession(t *testing.T) {
	for _, tt := range []struct {
		public, cookie string
		secure         bool
	}{{plainAddress, "curfew_session", false}, {safeAddress, "__Host-curfew_session", true}} {
		t.Run(tt.public, func(t *testing.T) {
			w := newWorld(t, tt.public)
			res := w.enter(anna())
			if got := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || got != "/runs" {
				t.Fatalf("callback = %d to %q %s, want 303 to /runs", res.StatusCode, got, text(t, res))
			}
			c := sessionCookie(res)
			if c == nil || c.Name != tt.cookie || !c.HttpOnly || c.Secure != tt.secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("cookie = %+v", c)
			}
			if age := time.Duration(c.MaxAge) * time.Second; age > 12*time.Hour+time.Second || age < 12*time.Hour-time.Minute {
				t.Errorf("the cookie lasts %v, want 12 h", age)
			}
			who, ok := w.who()
			if !ok || who.Role != access.Operator || who.Actor.Name != "anna@contoso.com" || who.Actor.Via != access.ViaUser || who.Actor.From != w.remote {
				t.Errorf("identity = %+v, %v", who, ok)
			}
			if len(w.cookies) != 1 {
				t.Errorf("cookies = %v, want that of the session alone", w.cookies)
			}
		})
	}
}

func TestTheProviderIsAskedAsTheProtocolWants(t *testing.T) {
	w := newWorld(t, safeAddress)
	res := w.do("GET", "/login")
	u, err := url.Parse(res.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	for name, want := range map[string]string{
		"response_type": "code", "client_id": w.provider.ClientID, "redirect_uri": safeAddress + "/login/callback", "code_challenge_method": "S256", "scope": "openid profile email groups",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if len(q.Get("state")) < 20 || len(q.Get("nonce")) < 20 || len(q.Get("code_challenge")) < 43 || q.Get("state") == q.Get("nonce") {
		t.Errorf("state, nonce or challenge is missing or short: %v", q)
	}
	for _, c := range res.Cookies() {
		if !strings.HasPrefix(c.Name, "__Host-curfew_login_") || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 600 {
			t.Errorf("cookie of the sign-in = %+v", c)
		}
		if strings.Contains(c.Value, q.Get("state")) || strings.Contains(c.Value, q.Get("nonce")) {
			t.Error("the cookie repeats what the provider is sent")
		}
	}
}

func TestTokensThatAreNotForThisSignInAreRefused(t *testing.T) {
	past := time.Now().Add(-time.Hour).Unix()
	for _, tt := range []struct {
		name, says string
		claims     person
	}{
		{"another audience", "another application", person{"aud": "someone-else"}},
		{"another audience, ours being the authorized party", "another application", person{"aud": "someone-else", "azp": "us"}},
		{"several audiences and no authorized party", "another application", person{"aud": []string{"us", "someone-else"}}},
		{"another authorized party", "another application", person{"azp": "someone-else"}},
		{"another issuer", "another provider", person{"iss": "https://evil.example"}},
		{"expired", "has expired", person{"exp": past}},
		{"not valid yet", "not valid yet", person{"nbf": time.Now().Add(time.Hour).Unix()}},
		{"another nonce", "nonce", person{"nonce": "x"}},
		{"no nonce", "nonce", person{"nonce": nil}},
		{"no user", "names no user", person{"sub": ""}},
		{"roles that are none", "claims cannot be read", person{"roles": 7}},
		{"no expiry", "has expired", person{"exp": nil}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, plainAddress)
			for name, v := range tt.claims {
				switch list, ok := v.([]string); {
				case v == "us":
					tt.claims[name] = w.provider.ClientID
				case ok:
					list[0] = w.provider.ClientID
				}
			}
			res := w.enter(tt.claims)
			if res.StatusCode != http.StatusForbidden || sessionCookie(res) != nil {
				t.Errorf("callback = %d, session %v; want 403 and none", res.StatusCode, sessionCookie(res))
			}
			if _, ok := w.who(); ok {
				t.Error("the browser is signed in")
			}
			if !strings.Contains(w.log.String(), tt.says) {
				t.Errorf("log = %s, want %q", w.log.String(), tt.says)
			}
		})
	}
}

func TestTokensThatTheProviderDidNotSignAreRefused(t *testing.T) {
	w := newWorld(t, plainAddress)
	if res := w.enter(anna()); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("callback = %d, want 303: the keys have been read", res.StatusCode)
	}
	delete(w.cookies, "curfew_session")
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	back := w.authorize(anna(), "/login")
	w.provider.Keypair.PrivateKey = other // it is not the one that is published
	res := w.do("GET", back)
	if res.StatusCode != http.StatusForbidden || !strings.Contains(w.log.String(), "its signature is not the provider's") {
		t.Errorf("callback = %d, log %s", res.StatusCode, w.log.String())
	}
}

func TestACallbackWorksOnceInTheBrowserThatBegan(t *testing.T) {
	w := newWorld(t, plainAddress)
	back := w.authorize(anna(), "/login")
	mine := w.cookies
	w.cookies = map[string]string{}
	if res := w.do("GET", back); res.StatusCode != http.StatusBadRequest || sessionCookie(res) != nil {
		t.Errorf("in another browser = %d, want 400", res.StatusCode)
	}
	w.authorize(anna(), "/login")
	if res := w.do("GET", back); res.StatusCode != http.StatusBadRequest {
		t.Errorf("in a browser with a sign-in of its own = %d, want 400", res.StatusCode)
	}
	w.cookies = maps.Clone(mine)
	if res := w.do("GET", back); res.StatusCode != http.StatusSeeOther {
		t.Errorf("in the browser that began = %d %s, want 303", res.StatusCode, text(t, res))
	}
	w.cookies = mine
	if res := w.do("GET", back); res.StatusCode != http.StatusBadRequest || sessionCookie(res) != nil {
		t.Errorf("a second time, with the cookie of the first = %d, want 400", res.StatusCode)
	}
}

func TestCallbacksWithoutASignInAreRefused(t *testing.T) {
	w := newWorld(t, plainAddress)
	back, err := url.Parse(w.authorize(anna(), "/login"))
	if err != nil {
		t.Fatal(err)
	}
	q := back.Query()
	for _, query := range []string{
		"", "code=x", "state=" + q.Get("state")[:8], "code=" + q.Get("code"),
		"code=" + q.Get("code") + "&state=" + q.Get("state")[:8] + strings.Repeat("A", 18),
		"code=" + q.Get("code") + "&state=%00",
	} {
		if res := w.do("GET", "/login/callback?"+query); res.StatusCode != http.StatusBadRequest {
			t.Errorf("callback with %q = %d, want 400", query, res.StatusCode)
		}
	}
	if res := w.do("GET", "/login/callback?"+back.RawQuery+"&iss=https://evil.example"); res.StatusCode != http.StatusBadRequest {
		t.Errorf("callback of another issuer = %d, want 400", res.StatusCode)
	}
}

func TestAProviderThatRefusesSaysWhy(t *testing.T) {
	w := newWorld(t, plainAddress)
	back, err := url.Parse(w.authorize(anna(), "/login"))
	if err != nil {
		t.Fatal(err)
	}
	res := w.do("GET", "/login/callback?error=access_denied&error_description=AADSTS50105:+not+assigned%0aPlease+ask&state="+back.Query().Get("state"))
	if got := text(t, res); res.StatusCode != http.StatusForbidden || !strings.Contains(got, "It says access_denied. AADSTS50105: not assigned Please ask") {
		t.Errorf("refusal = %d %s", res.StatusCode, got)
	}
}

func TestSeveralTabsSignInSideBySide(t *testing.T) {
	w := newWorld(t, plainAddress)
	first, second := w.authorize(anna(), "/login?next=/runs"), w.authorize(anna(), "/login?next=/savings")
	if res := w.do("GET", first); res.Header.Get("Location") != "/runs" {
		t.Errorf("first tab = %d %s, want it on /runs", res.StatusCode, text(t, res))
	}
	if res := w.do("GET", second); res.Header.Get("Location") != "/savings" {
		t.Errorf("second tab = %d %s, want it on /savings", res.StatusCode, text(t, res))
	}
}

func TestASignInTakesTenMinutesAtMost(t *testing.T) {
	w := newWorld(t, plainAddress)
	back := w.authorize(anna(), "/login")
	for name, token := range w.cookies {
		if !strings.HasPrefix(name, "curfew_login_") {
			continue
		}
		data, found, err := w.store.Sessions.Session(t.Context(), hashOf(token), time.Now().Add(9*time.Minute))
		if err != nil || !found {
			t.Fatalf("after 9 minutes: %v, %v", found, err)
		}
		if _, found, _ := w.store.Sessions.Session(t.Context(), hashOf(token), time.Now().Add(11*time.Minute)); found {
			t.Error("the sign-in is known after 11 minutes")
		}
		if err := w.store.Sessions.SaveSession(t.Context(), hashOf(token), data, time.Now().Add(-time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if res := w.do("GET", back); res.StatusCode != http.StatusBadRequest {
		t.Errorf("callback after its time = %d, want 400", res.StatusCode)
	}
}

func TestAPlantedSessionIsNotTheUsers(t *testing.T) {
	w := newWorld(t, plainAddress)
	w.cookies["curfew_session"] = "planted"
	w.enter(anna())
	first := w.cookies["curfew_session"]
	if first == "planted" || len(first) < 40 {
		t.Errorf("session token = %q, want a new one", first)
	}
	w.enter(anna())
	second := w.cookies["curfew_session"]
	if first == second {
		t.Error("the second sign-in has the token of the first, want it renewed")
	}
	w.cookies["curfew_session"] = first
	if _, ok := w.who(); ok {
		t.Error("the session before the second sign-in is still good")
	}
}

func TestLogoutEndsEveryCopyOfTheCookie(t *testing.T) {
	w := newWorld(t, plainAddress)
	w.enter(anna())
	copied := w.cookies["curfew_session"]
	res := w.do("POST", "/logout")
	if c := sessionCookie(res); res.StatusCode != http.StatusOK || c == nil || c.MaxAge >= 0 {
		t.Errorf("logout = %d, cookie %v; want 200 and the cookie taken away", res.StatusCode, c)
	}
	w.cookies["curfew_session"] = copied
	if _, ok := w.who(); ok {
		t.Error("a copy of the cookie is signed in")
	}
	if res := w.do("POST", "/logout"); res.StatusCode != http.StatusOK {
		t.Errorf("logout a second time = %d, want 200", res.StatusCode)
	}
	if res := w.do("GET", "/logout"); res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET /logout = %d, want 405", res.StatusCode)
	}
}

func TestAForgedCookieIsNobody(t *testing.T) {
	w := newWorld(t, plainAddress)
	w.enter(anna())
	good := w.cookies["curfew_session"]
	for _, forged := range []string{"", "x", good + "A", good[:len(good)-1], strings.ToLower(good), hashOf(good)} {
		w.cookies["curfew_session"] = forged
		if _, ok := w.who(); ok {
			t.Errorf("%q is signed in", forged)
		}
	}
}

func TestAnEditedFileCountsForOpenSessions(t *testing.T) {
	w := newWorld(t, plainAddress)
	w.enter(anna())
	w.rules = access.Rules{Viewer: []string{"group:11-22"}}
	if who, _ := w.who(); who.Role != access.Viewer {
		t.Errorf("role after the edit = %s, want viewer", who.Role)
	}
	w.rules = access.Rules{Operator: []string{"role:Curfew.Operator"}}
	if who, _ := w.who(); who.Role != access.Operator {
		t.Errorf("role by the app role = %s, want operator", who.Role)
	}
	before := w.settings.Load()
	for _, now := range []*Settings{nil, {"https://other.example", before.ClientID, nil}, {before.Issuer, "another", nil}} {
		w.settings.Store(now)
		if _, ok := w.who(); ok {
			t.Errorf("with the settings %+v the session is still good", now)
		}
	}
	if w.settings.Store(nil); w.do("GET", "/login").StatusCode != http.StatusNotFound || w.signIn.Enabled() {
		t.Error("without access in the file, somebody can sign in")
	}
}

func TestAProviderThatIsDownIsAskedAgain(t *testing.T) {
	down := true
	w := newWorld(t, plainAddress, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if down {
				http.Error(rw, "known-secret", http.StatusBadGateway)
				return
			}
			next.ServeHTTP(rw, r)
		})
	})
	res := w.do("GET", "/login")
	if got := text(t, res); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(got, w.provider.Issuer()+"/.well-known/openid-configuration") {
		t.Errorf("login = %d %s", res.StatusCode, got)
	}
	if got := w.log.String(); !strings.Contains(got, "502 Bad Gateway") || strings.Contains(got, "known-secret") {
		t.Errorf("log = %s", got)
	}
	down = false
	if res := w.enter(anna()); res.StatusCode != http.StatusSeeOther {
		t.Errorf("once the provider is up = %d, want 303", res.StatusCode)
	}
}

func TestAnIssuerThatIsWrittenOtherwiseIsNamed(t *testing.T) {
	w := newWorld(t, plainAddress)
	before := *w.settings.Load()
	before.Issuer += "/"
	w.settings.Store(&before)
	res := w.do("GET", "/login")
	if got := text(t, res); res.StatusCode != http.StatusServiceUnavailable || !strings.Contains(got, "Write issuer in the access section of the schedule file as the provider does: "+w.provider.Issuer()+".") {
		t.Errorf("login = %d %s", res.StatusCode, got)
	}
}

func TestSecretsGoToSafeAddressesAlone(t *testing.T) {
	for _, name := range []string{"authorization_endpoint", "token_endpoint", "jwks_uri"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, plainAddress, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if !strings.HasSuffix(r.URL.Path, "openid-configuration") {
						next.ServeHTTP(rw, r)
						return
					}
					rec := httptest.NewRecorder()
					next.ServeHTTP(rec, r)
					_, _ = rw.Write([]byte(strings.Replace(rec.Body.String(), `"`+name+`":"http://127.0.0.1`, `"`+name+`":"http://login.example`, 1)))
				})
			})
			if res := w.do("GET", "/login"); res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("login = %d, want 503", res.StatusCode)
			}
			if !strings.Contains(w.log.String(), "neither https nor on a loopback address") {
				t.Errorf("log = %s", w.log.String())
			}
		})
	}
}

func TestTheSecretIsReadAgainAtEachSignIn(t *testing.T) {
	w := newWorld(t, plainAddress)
	right := w.provider.ClientSecret
	var now secret.Secret
	var failed error
	w.settings.Store(&Settings{w.provider.Issuer(), w.provider.ClientID, func() (secret.Secret, error) { return now, failed }})
	now = secret.New("expired-secret-1")
	res := w.enter(anna())
	if got := text(t, res); res.StatusCode != http.StatusBadGateway || !strings.Contains(got, "invalid_client") || !strings.Contains(got, "Renew it at the provider") {
		t.Errorf("with an expired secret = %d %s", res.StatusCode, got)
	}
	failed = errors.New("read a secret: open /run/secrets/oidc: permission denied")
	if res := w.enter(anna()); res.StatusCode != http.StatusServiceUnavailable || strings.Contains(text(t, res), "/run/secrets") {
		t.Errorf("with a secret that cannot be read = %d, want 503 without the path", res.StatusCode)
	}
	failed, now = nil, secret.New(right)
	if res := w.enter(anna()); res.StatusCode != http.StatusSeeOther {
		t.Errorf("with the new secret = %d, want 303 without a restart", res.StatusCode)
	}
	for _, known := range []string{right, "expired-secret-1"} {
		if strings.Contains(w.log.String(), known) {
			t.Errorf("the log has a secret:\n%s", w.log.String())
		}
	}
}

func TestWithoutASecretPKCEAloneIsSent(t *testing.T) {
	var sent url.Values
	var basic bool
	w := newWorld(t, plainAddress, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/token") {
				_ = r.ParseForm()
				_, _, basic = r.BasicAuth()
				sent = maps.Clone(r.PostForm)
				r.Form.Set("client_secret", known)
			}
			next.ServeHTTP(rw, r)
		})
	})
	w.provider.ClientSecret = known
	w.settings.Store(&Settings{w.provider.Issuer(), w.provider.ClientID, nil})
	if res := w.enter(anna()); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("callback = %d %s, want 303", res.StatusCode, text(t, res))
	}
	if sent.Has("client_secret") || basic || len(sent.Get("code_verifier")) < 43 || sent.Get("client_id") == "" {
		t.Errorf("sent = %v, basic authentication %v; want a verifier and no secret", sent, basic)
	}
}

const known = "known-client-secret"

func TestSignInsOfAnAddressAreLimited(t *testing.T) {
	w := newWorld(t, plainAddress)
	last := 0
	for range 105 {
		last = w.do("GET", "/login").StatusCode
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("the 105th sign-in at once = %d, want 429", last)
	}
	w.remote = "192.0.2.2:1000"
	if got := w.do("GET", "/login").StatusCode; got != http.StatusFound {
		t.Errorf("from another address = %d, want 302", got)
	}
}

func TestAForeignNextIsRefused(t *testing.T) {
	w := newWorld(t, plainAddress)
	for _, next := range []string{"//evil.example", "https://evil.example/", "%2F%5Cevil.example", "%2F%252Fevil.example"} {
		if res := w.do("GET", "/login?next="+next); res.StatusCode != http.StatusBadRequest || res.Header.Get("Location") != "" {
			t.Errorf("next=%s = %d to %q, want 400", next, res.StatusCode, res.Header.Get("Location"))
		}
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	w := newWorld(t, plainAddress)
	back := w.authorize(anna(), "/login")
	u, err := url.Parse(back)
	if err != nil {
		t.Fatal(err)
	}
	w.do("GET", back)
	w.do("GET", back)
	w.enter(person{"aud": "other"})
	secrets := []string{w.provider.ClientSecret, u.Query().Get("code"), u.Query().Get("state"), "eyJ"}
	for _, value := range w.cookies {
		secrets = append(secrets, value)
	}
	for _, s := range secrets {
		if strings.Contains(w.log.String(), s) {
			t.Errorf("the log has %q:\n%s", s, w.log.String())
		}
	}
	if !strings.Contains(w.log.String(), "signed in") {
		t.Errorf("log = %s, want the sign-in", w.log.String())
	}
}
