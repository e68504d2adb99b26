package lcssim_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/public"

	"curfew/lcs/lcssim"
)

const (
	appID    = "11111111-2222-3333-4444-555555555555"
	svc      = "svc@contoso.com"
	resource = "https://lcsapi.eu.lcs.dynamics.com/"
	lcsScope = resource + "/.default"
)

func newEntra(o lcssim.EntraOptions) *lcssim.Entra {
	o.Users, o.ClientID = map[string]string{svc: "known-password"}, appID
	return lcssim.NewEntra(o)
}

// newPublic is MSAL's client, whose requests stay in memory.
func newPublic(t *testing.T, e *lcssim.Entra, o ...public.Option) public.Client {
	t.Helper()
	c, err := public.New(appID, append([]public.Option{public.WithAuthority("https://login.microsoftonline.com/contoso"), public.WithHTTPClient(e)}, o...)...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// granted fails the test unless a sign-in gave svc a token of e.
func granted(t *testing.T, e *lcssim.Entra, r public.AuthResult, err error) {
	t.Helper()
	if err != nil || !slices.Contains(e.Tokens(), r.AccessToken) || r.Account.PreferredUsername != svc || !slices.Contains(r.GrantedScopes, lcsScope) {
		t.Fatalf("sign-in = account %q, scopes %v, %v", r.Account.PreferredUsername, r.GrantedScopes, err)
	}
}

func byPassword(t *testing.T, c public.Client) (public.AuthResult, error) {
	t.Helper()
	return c.AcquireTokenByUsernamePassword(t.Context(), []string{lcsScope}, svc, "known-password") //nolint:staticcheck // SA1019: deprecated, but what azidentity does for LCS's documented way
}

func byDeviceCode(t *testing.T, c public.Client, then func(userCode string)) (public.AuthResult, error) {
	t.Helper()
	code, err := c.AcquireTokenByDeviceCode(t.Context(), []string{lcsScope})
	if err != nil {
		t.Fatal(err)
	}
	then(code.Result.UserCode)
	return code.AuthenticationResult(t.Context())
}

func byBrowser(t *testing.T, c public.Client, open func(string) error) (public.AuthResult, error) {
	t.Helper()
	return c.AcquireTokenInteractive(t.Context(), []string{lcsScope}, public.WithOpenURL(open))
}

func silently(t *testing.T, c public.Client, a public.Account) (public.AuthResult, error) {
	t.Helper()
	return c.AcquireTokenSilent(t.Context(), []string{lcsScope}, public.WithSilentAccount(a))
}

func TestMSALSignsInByPasswordAndByDeviceCodeAndRefreshes(t *testing.T) {
	tests := []struct {
		name string
		in   func(*testing.T, *lcssim.Entra, public.Client) (public.AuthResult, error)
	}{
		{"password", func(t *testing.T, _ *lcssim.Entra, c public.Client) (public.AuthResult, error) {
			return byPassword(t, c)
		}},
		{"device code", func(t *testing.T, e *lcssim.Entra, c public.Client) (public.AuthResult, error) {
			return byDeviceCode(t, c, func(userCode string) {
				time.AfterFunc(time.Minute, func() { e.EnterUserCode(userCode, svc) })
			})
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEntra(lcssim.EntraOptions{})
				c := newPublic(t, e)
				first, err := tt.in(t, e, c)
				granted(t, e, first, err)
				again, err := silently(t, c, first.Account)
				granted(t, e, again, err)
				if again.AccessToken != first.AccessToken {
					t.Error("a valid token was asked for again")
				}
				time.Sleep(2 * time.Hour)
				later, err := silently(t, c, first.Account)
				granted(t, e, later, err)
				if later.AccessToken == first.AccessToken {
					t.Error("after its end the same token was returned")
				}
				for _, secret := range []string{first.AccessToken, later.AccessToken, first.IDToken.RawToken, later.IDToken.RawToken} {
					if !slices.Contains(e.Secrets(), secret) {
						t.Errorf("Secrets lacks %.12s…", secret)
					}
				}
			})
		})
	}
}

func TestMSALSignsInAtTheBrowserUnlessThePersonSaysNo(t *testing.T) {
	e := newEntra(lcssim.EntraOptions{MFA: map[string]bool{svc: true}})
	c := newPublic(t, e)
	if _, err := byBrowser(t, c, e.Browse); err == nil || !strings.Contains(err.Error(), "Sign in to your account") {
		t.Errorf("with nobody at the browser: %v, want its page", err)
	}
	e.SignInAs(svc)
	r, err := byBrowser(t, c, e.Browse)
	granted(t, e, r, err)
	refused := lcssim.AccessDenied
	refused.Times = 1
	e.Fail(refused)
	if _, err := byBrowser(t, c, e.Browse); err == nil || !strings.Contains(err.Error(), "AADSTS65004") {
		t.Errorf("when the person says no: %v, want AADSTS65004", err)
	}
	r, err = byBrowser(t, c, e.Browse)
	granted(t, e, r, err)
}

func TestMSALSignsInOverTLS(t *testing.T) {
	e := newEntra(lcssim.EntraOptions{})
	server := httptest.NewTLSServer(e.Handler())
	defer server.Close()
	c := newPublic(t, e, public.WithAuthority(server.URL+"/contoso"), public.WithHTTPClient(server.Client()), public.WithInstanceDiscovery(false))
	r, err := byPassword(t, c)
	granted(t, e, r, err)
	r, err = byDeviceCode(t, c, func(string) { e.EnterCode(svc) })
	granted(t, e, r, err)
	e.SignInAs(svc)
	r, err = byBrowser(t, c, func(address string) error { return lcssim.Browse(server.Client().Do, address) })
	granted(t, e, r, err)
	dropped := lcssim.Dropped
	dropped.Times = 2 // net/http asks a second time on a connection that it has used before
	e.Fail(dropped)
	if _, err := byPassword(t, c); err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("on a dropped connection: %v, want EOF", err)
	}
}

func TestMFANeedsAPersonAtTheFirstSignInOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra(lcssim.EntraOptions{})
		before := newPublic(t, e)
		r, err := byPassword(t, before)
		granted(t, e, r, err)
		e.RequireMFA(svc)
		time.Sleep(2 * time.Hour)
		if _, err := silently(t, before, r.Account); err == nil || !strings.Contains(err.Error(), "AADSTS50076") {
			t.Errorf("refresh of a sign-in before MFA: %v, want AADSTS50076", err)
		}
		if _, err := byPassword(t, before); err == nil || !strings.Contains(err.Error(), `"suberror":"basic_action"`) {
			t.Errorf("password: %v, want AADSTS50076 with its suberror", err)
		}
		c := newPublic(t, e)
		r, err = byDeviceCode(t, c, func(string) { e.EnterCode(svc) })
		granted(t, e, r, err)
		time.Sleep(2 * time.Hour)
		r, err = silently(t, c, r.Account)
		granted(t, e, r, err)
	})
}

func TestConditionalAccessOnTheDeviceCodeHitsRefreshesToo(t *testing.T) {
	e := newEntra(lcssim.EntraOptions{Lifetime: time.Second}) // MSAL renews what has less than five minutes left
	e.SignInAs(svc)
	device, browser := newPublic(t, e), newPublic(t, e)
	d, err := byDeviceCode(t, device, func(string) { e.EnterCode(svc) })
	granted(t, e, d, err)
	b, err := byBrowser(t, browser, e.Browse)
	granted(t, e, b, err)
	e.BlockDeviceCode(true)
	if _, err := silently(t, device, d.Account); err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("refresh of a device code sign-in: %v, want AADSTS53003", err)
	}
	if _, err := byDeviceCode(t, device, func(string) { e.EnterCode(svc) }); err == nil || !strings.Contains(err.Error(), "AADSTS53003") {
		t.Errorf("a new device code sign-in: %v, want AADSTS53003", err)
	}
	b, err = silently(t, browser, b.Account)
	granted(t, e, b, err)
}

func TestDeviceCodeIsDeclinedOrRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra(lcssim.EntraOptions{})
		slow := lcssim.SlowDown
		slow.Times = 3
		e.Fail(slow)
		c := newPublic(t, e)
		_, err := byDeviceCode(t, c, func(string) { time.AfterFunc(time.Minute, e.DeclineCode) })
		if err == nil || !strings.Contains(err.Error(), "authorization_declined") {
			t.Errorf("declined after a minute = %v, want authorization_declined", err)
		}
		began := time.Now()
		_, err = byDeviceCode(t, c, func(string) {})
		if err == nil || time.Since(began) != 15*time.Minute {
			t.Errorf("a code that nobody enters = %v after %v, want an error after 15 minutes", err, time.Since(began))
		}
	})
}

func TestInstanceDiscoveryKnowsTheNationalClouds(t *testing.T) {
	for _, host := range []string{"login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn"} {
		e := newEntra(lcssim.EntraOptions{})
		var asked []string
		c := newPublic(t, e, public.WithAuthority("https://"+host+"/contoso"), public.WithHTTPClient(listening{e, &asked}))
		r, err := byPassword(t, c)
		granted(t, e, r, err)
		r, err = silently(t, c, r.Account) // asks which hosts it may search
		granted(t, e, r, err)
		if !slices.Contains(asked, host+"/common/discovery/instance") || slices.ContainsFunc(asked, func(a string) bool { return !strings.HasPrefix(a, host+"/") }) {
			t.Errorf("%s: asked %v, want instance discovery, and that host alone", host, asked)
		}
	}
	e := newEntra(lcssim.EntraOptions{})
	if _, err := byPassword(t, newPublic(t, e, public.WithAuthority("https://login.invalid/contoso"))); err == nil || !strings.Contains(err.Error(), "invalid_instance") {
		t.Errorf("a host that is none of Entra's = %v, want invalid_instance", err)
	}
}

// listening notes what is asked.
type listening struct {
	*lcssim.Entra
	asked *[]string
}

func (l listening) Do(req *http.Request) (*http.Response, error) {
	*l.asked = append(*l.asked, req.URL.Host+req.URL.Path)
	return l.Entra.Do(req)
}

func TestAuthorizePage(t *testing.T) {
	const back = "http://localhost:40123"
	good := url.Values{
		"client_id": {appID}, "response_type": {"code"}, "redirect_uri": {back}, "scope": {lcsScope + " openid offline_access"}, "state": {"s"},
		"code_challenge": {"c"}, "code_challenge_method": {"S256"},
	}
	tests := []struct {
		name, key, value string
		status           int
		says             string // in the page, or in the address that the browser is sent to
	}{
		{"a code is sent back in the query", "", "", 302, back + "?code="},
		{"a code is sent back in a form", "response_mode", "form_post", 200, `action="` + back + `"`},
		{"another app is shown to the person", "client_id", "other", 400, "AADSTS700016"},
		{"an address elsewhere is shown to the person", "redirect_uri", "http://evil.example", 400, "AADSTS50011"},
		{"another response type is reported to the app", "response_type", "token", 302, "error=unsupported_response_type"},
		{"a request without PKCE is reported to the app", "code_challenge", "", 302, "error=invalid_request"},
		{"a plain challenge is reported to the app", "code_challenge_method", "plain", 302, "error=invalid_request"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEntra(lcssim.EntraOptions{})
			e.SignInAs(svc)
			query := maps.Clone(good)
			query.Set(tt.key, tt.value)
			res, body := get(t, e, "/contoso/oauth2/v2.0/authorize?"+query.Encode())
			if said := res.Header.Get("Location") + body; res.StatusCode != tt.status || !strings.Contains(said, tt.says) {
				t.Errorf("authorize = %d %s, want %d and %q", res.StatusCode, said, tt.status, tt.says)
			}
			if to := res.Header.Get("Location"); to != "" && !strings.Contains(to, "state=s") {
				t.Errorf("%s lacks the state", to)
			}
		})
	}
}

func get(t *testing.T, e *lcssim.Entra, path string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://login.microsoftonline.com"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := e.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res, read(t, res)
}
