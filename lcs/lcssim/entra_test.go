package lcssim_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
)

func post(t *testing.T, e *lcssim.Entra, path string, form url.Values) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "https://login.invalid"+path, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := e.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	var v map[string]any
	if text := read(t, res); json.Unmarshal([]byte(text), &v) != nil {
		t.Fatalf("%s = %q, want JSON", path, text)
	}
	return res.StatusCode, v
}

func read(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

const tokenPath = "/contoso/oauth2/v2.0/token"

// number returns Entra's own number of a failure, 0 for none.
func number(v map[string]any) int {
	codes, ok := v["error_codes"].([]any)
	if !ok {
		return 0
	}
	return int(codes[0].(float64))
}

func TestTokenEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}, Lifetime: time.Hour})
		sim := lcssim.New(lcssim.Options{Entra: e})
		sim.AddProject(1)
		ask := func(token string) int {
			status, _ := ask(t, sim, http.MethodGet, "https://lcs.invalid/environmentinfo/v1/detail/project/1/?page=1", token)
			return status
		}
		password := url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {"offline_access"}}
		status, v2 := post(t, e, "/contoso/oauth2/v2.0/token", password)
		if _, number := v2["expires_in"].(float64); status != 200 || !number {
			t.Errorf("v2 = %d %v, want a number of seconds", status, v2)
		}
		_, v1 := post(t, e, "/common/oauth2/token", password)
		if _, text := v1["expires_in"].(string); !text || v1["expires_on"] == nil {
			t.Errorf("v1 = %v, want numbers as strings", v1)
		}
		access := v2["access_token"].(string)
		if got := ask(access); got != 200 {
			t.Errorf("LCS with a good token = %d", got)
		}
		time.Sleep(time.Hour)
		if got := ask(access); got != 401 {
			t.Errorf("LCS with an expired token = %d, want 401", got)
		}
		refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v2["refresh_token"].(string)}}
		if status, _ := post(t, e, "/contoso/oauth2/v2.0/token", refresh); status != 200 {
			t.Errorf("refresh = %d", status)
		}
		e.Revoke()
		if status, v := post(t, e, "/contoso/oauth2/v2.0/token", refresh); status != 400 || v["error"] != "invalid_grant" {
			t.Errorf("refresh after a revocation = %d %v", status, v)
		}
	})
}

func TestDeviceCodeWaitsForThePerson(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{})
	_, device := post(t, e, "/contoso/oauth2/v2.0/devicecode", url.Values{"client_id": {"x"}})
	form := url.Values{"grant_type": {"device_code"}, "device_code": {device["device_code"].(string)}, "client_id": {"x"}}
	if status, v := post(t, e, "/contoso/oauth2/v2.0/token", form); status != 400 || v["error"] != "authorization_pending" {
		t.Errorf("before the code was entered = %d %v", status, v)
	}
	e.EnterCode("u")
	if status, v := post(t, e, "/contoso/oauth2/v2.0/token", form); status != 200 || v["access_token"] == nil {
		t.Errorf("after the code was entered = %d %v", status, v)
	}
}

func TestDeviceCodeBelongsToOneRequestAndIsUsedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := lcssim.NewEntra(lcssim.EntraOptions{})
		ask := func() (userCode string, form url.Values) {
			_, v := post(t, e, "/contoso/oauth2/v2.0/devicecode", url.Values{"client_id": {"x"}})
			return v["user_code"].(string), url.Values{"client_id": {"x"}, "grant_type": {"device_code"}, "device_code": {v["device_code"].(string)}}
		}
		check := func(when string, form url.Values, want string) {
			t.Helper()
			_, v := post(t, e, tokenPath, form)
			if got, _ := v["error"].(string); got != want {
				t.Errorf("%s: error %q, want %q", when, got, want)
			}
		}
		code, first := ask()
		_, second := ask()
		e.EnterUserCode(code, "u")
		check("the other request's code", second, "authorization_pending")
		other := url.Values{"client_id": {"y"}, "grant_type": {"device_code"}, "device_code": first["device_code"]}
		check("another app", other, "bad_verification_code")
		check("entered", first, "")
		check("used already", first, "invalid_grant")
		time.Sleep(15 * time.Minute)
		check("15 minutes later", second, "expired_token")
	})
}

func TestRefreshTokens(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name   string
		wait   time.Duration
		do     func(*lcssim.Entra)
		client string
		want   int // Entra's number, 0 for a new token
	}{
		{name: "lasts 90 days", wait: 90*day - time.Second, client: "x"},
		{name: "ends after them", wait: 90 * day, client: "x", want: 700082},
		{name: "is the app's own", client: "y", want: 70000},
		{name: "is revoked with all", do: (*lcssim.Entra).Revoke, client: "x", want: 50173},
		{name: "is revoked with its user", do: func(e *lcssim.Entra) { e.RevokeUser("u") }, client: "x", want: 50173},
		{name: "is left when another user is revoked", do: func(e *lcssim.Entra) { e.RevokeUser("other") }, client: "x"},
		{name: "is revoked by a new password", do: func(e *lcssim.Entra) { e.SetPassword("u", "new") }, client: "x", want: 50173},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}})
				_, v := post(t, e, tokenPath, url.Values{"client_id": {"x"}, "grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {"offline_access"}})
				time.Sleep(tt.wait)
				if tt.do != nil {
					tt.do(e)
				}
				form := url.Values{"client_id": {tt.client}, "grant_type": {"refresh_token"}, "refresh_token": {v["refresh_token"].(string)}, "scope": {"offline_access"}}
				_, again := post(t, e, tokenPath, form)
				if number(again) != tt.want {
					t.Fatalf("refresh = %v, want AADSTS%d", again, tt.want)
				}
				if tt.want != 0 {
					return
				}
				// It rolls: the new one lasts from now on, and the old one is left alone.
				if status, _ := post(t, e, tokenPath, form); status != 200 {
					t.Errorf("the old token = %d after a new one was issued, want 200", status)
				}
				time.Sleep(90*day - time.Second)
				form.Set("refresh_token", again["refresh_token"].(string))
				if status, _ := post(t, e, tokenPath, form); status != 200 {
					t.Errorf("the new token = %d after 90 days, want 200", status)
				}
			})
		})
	}
}

func TestTokenHasWhatItsScopeAsksFor(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}})
	for scope, want := range map[string][]string{lcsScope: nil, "offline_access": {"refresh_token"}, "openid": {"id_token"}} {
		_, v := post(t, e, tokenPath, url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {scope}})
		for _, key := range []string{"refresh_token", "id_token"} {
			if _, has := v[key]; has != slices.Contains(want, key) {
				t.Errorf("scope %s: %s is there: %t", scope, key, has)
			}
		}
	}
}

func TestAuthorizationCodeIsProvedAndUsedOnceAndSoon(t *testing.T) {
	const back = "http://localhost:1"
	sum := sha256.Sum256([]byte("verifier"))
	tests := []struct {
		name       string
		wait       time.Duration
		key, value string
		want       int
	}{
		{"a good one", 10*time.Minute - time.Second, "", "", 0},
		{"after ten minutes", 10 * time.Minute, "", "", 70008},
		{"with another verifier", 0, "code_verifier", "other", 501481},
		{"for another app", 0, "client_id", "y", 70000},
		{"for another address", 0, "redirect_uri", "http://localhost:2", 70000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := lcssim.NewEntra(lcssim.EntraOptions{})
				e.SignInAs("u")
				res, _ := get(t, e, "/contoso/oauth2/v2.0/authorize?"+url.Values{
					"client_id": {"x"}, "response_type": {"code"}, "redirect_uri": {back}, "scope": {lcsScope},
					"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
				}.Encode())
				to, err := res.Location()
				if err != nil {
					t.Fatal(err)
				}
				form := url.Values{
					"grant_type": {"authorization_code"}, "client_id": {"x"}, "redirect_uri": {back}, "code": {to.Query().Get("code")}, "code_verifier": {"verifier"},
				}
				form.Set(tt.key, tt.value)
				time.Sleep(tt.wait)
				if _, v := post(t, e, tokenPath, form); number(v) != tt.want {
					t.Errorf("redeemed = %v, want AADSTS%d", v, tt.want)
				}
				if tt.want != 0 {
					return
				}
				if _, v := post(t, e, tokenPath, form); number(v) != 54005 {
					t.Errorf("redeemed again = %v, want AADSTS54005", v)
				}
			})
		})
	}
}

func TestFailuresAreAnsweredWhereTheyStrike(t *testing.T) {
	instance := "/common/discovery/instance?api-version=1.1&authorization_endpoint=https%3A%2F%2Flogin.microsoftonline.com%2Fcontoso"
	tests := []struct {
		name    string
		failure lcssim.EntraFailure
		path    string // POST to the token endpoint when ""
		status  int
		says    string
	}{
		{"an interaction", lcssim.NeedsInteraction, "", 400, "interaction_required"},
		{"a resource that is not there", lcssim.NoSuchResource, "", 400, "AADSTS500011"},
		{"a locked account", lcssim.AccountLocked, "", 400, "AADSTS50053"},
		{"missing consent", lcssim.NoConsent, "", 400, `"suberror":"consent_required"`},
		{"a busy host", lcssim.SignInThrottled, "", 429, "temporarily_unavailable"},
		{"a page", lcssim.SignInPage, "", 200, "<html>"},
		{"tokens that cannot be decoded", lcssim.Undecodable, "", 200, `"expires_in":{}`},
		{"another grant's failure does not strike", lcssim.SlowDown, "", 200, "access_token"},
		{"another endpoint's failure does not strike", lcssim.EntraFailure{At: lcssim.AtRealm, Status: 503}, "", 200, "access_token"},
		{"the user realm", lcssim.EntraFailure{At: lcssim.AtRealm, Status: 503}, "/common/UserRealm/u?api-version=1.0", 503, ""},
		{"tenant discovery", lcssim.NoSuchTenant, "/contoso/v2.0/.well-known/openid-configuration", 400, "AADSTS90002"},
		{"instance discovery", lcssim.EntraFailure{At: lcssim.AtInstance, Status: 500}, instance, 500, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}})
			e.Fail(tt.failure)
			req, err := http.NewRequest(http.MethodGet, "https://login.microsoftonline.com"+tt.path, nil)
			if tt.path == "" {
				form := url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {"openid offline_access"}}
				req, err = http.NewRequest(http.MethodPost, "https://login.microsoftonline.com"+tokenPath, strings.NewReader(form.Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			}
			if err != nil {
				t.Fatal(err)
			}
			res, err := e.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if body := read(t, res); res.StatusCode != tt.status || !strings.Contains(body, tt.says) || res.Header.Get("Retry-After") != tt.failure.RetryAfter {
				t.Errorf("answer = %d %v %s, want %d and %q", res.StatusCode, res.Header, body, tt.status, tt.says)
			}
			e.Fail(lcssim.EntraFailure{At: tt.failure.At, Grant: tt.failure.Grant, Drop: true})
			e.Recover()
			if status, v := post(t, e, tokenPath, url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}}); status != 200 {
				t.Errorf("after Recover = %d %v", status, v)
			}
		})
	}
}

func TestUndecodableAnswerHoldsTokensThatAreRemembered(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}})
	e.Fail(lcssim.Undecodable)
	_, v := post(t, e, tokenPath, url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {"openid offline_access"}})
	e.Revoke()
	for _, key := range []string{"access_token", "refresh_token", "id_token"} {
		if token, _ := v[key].(string); !slices.Contains(e.Secrets(), token) {
			t.Errorf("Secrets lacks the %s of an answer that was spoiled and revoked", key)
		}
	}
}

func TestDroppedConnectionHasNoAnswer(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{})
	e.Fail(lcssim.Dropped)
	req, err := http.NewRequest(http.MethodPost, "https://login.invalid"+tokenPath, strings.NewReader(""))
	if err != nil {
		t.Fatal(err)
	}
	if res, err := e.Do(req); err == nil {
		t.Errorf("a dropped connection = %d, want an error", res.StatusCode)
	}
}

func TestAppThatIsNotRegisteredIsToldSo(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{ClientID: appID})
	for _, path := range []string{tokenPath, "/contoso/oauth2/v2.0/devicecode"} {
		if _, v := post(t, e, path, url.Values{"client_id": {"other"}}); v["error"] != "unauthorized_client" || number(v) != 700016 {
			t.Errorf("%s = %v, want unauthorized_client", path, v)
		}
	}
}
