package main

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/lcs/lcssim"
)

func TestBinaryOnTheRealHostNamesSignsInAndStops(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	h := newHosts(t, lcssim.EntraOptions{Lifetime: time.Hour}) // one sign-in is enough
	_, cron := nextMinute(15 * time.Second)
	s := h.site(passwordAccount(), "eu", fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	s.start()
	if runs := s.finished(1); len(runs) != 1 || runs[0].State != "succeeded" {
		t.Errorf("runs = %+v, want the stop, succeeded", runs)
	}
	s.calledOnce()
	shown := s.shown()
	if got, want := h.reached(), []string{loginHost, lcsHostEU}; !slices.Equal(got, want) {
		t.Errorf("hosts reached = %v, want %v", got, want)
	}
	h.checkLogin()
	h.checkLCS(lcsHostEU)
	secrets := append(h.entra.Secrets(), hostsPassword, e2eAPI)
	showsNone(t, shown, secrets)
	showsNone(t, h.wire(), secrets)
}

// checkLogin checks what was asked of Entra by an account with a password.
func (h *hosts) checkLogin() {
	h.t.Helper()
	want := map[string]string{
		"GET /" + hostsTenant + "/v2.0/.well-known/openid-configuration": "",
		"GET /common/discovery/instance":                                 `api-version=1\.1&authorization_endpoint=.*`,
		"GET /common/UserRealm/" + hostsUser:                             `api-version=1\.0`,
		"POST /" + hostsTenant + "/oauth2/v2.0/token":                    "",
	}
	seen := map[string]int{}
	for _, r := range h.requests(loginHost) {
		call := r.Method + " " + r.Path
		seen[call]++
		query, known := want[call]
		if !known || !regexp.MustCompile("^"+query+"$").MatchString(r.Query) || r.Header.Get("Authorization") != "" {
			h.t.Errorf("Entra was asked %s?%s with %v", call, r.Query, slices.Sorted(maps.Keys(r.Header)))
		}
		if r.Method == http.MethodPost {
			h.checkToken(r)
		}
	}
	for call := range want {
		if seen[call] != 1 {
			h.t.Errorf("Entra was asked %s %d times, want once", call, seen[call])
		}
	}
}

// checkToken checks a token request of a password.
func (h *hosts) checkToken(r recorded) {
	h.t.Helper()
	form, err := url.ParseQuery(r.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	want := map[string]string{
		"client_id": hostsApp, "grant_type": "password", "username": hostsUser, "password": hostsPassword, "client_info": "1",
		"scope": "https://" + lcsHostEU + "//.default openid offline_access profile",
	}
	got := map[string]string{}
	for key, values := range form {
		got[key] = strings.Join(values, " and ")
	}
	if kind := r.Header.Get("Content-Type"); !maps.Equal(got, want) || !strings.HasPrefix(kind, "application/x-www-form-urlencoded") {
		h.t.Errorf("token request of %s = %q, want %q", kind, got, want)
	}
}

// checkLCS checks what was asked of LCS over a stop that succeeded.
func (h *hosts) checkLCS(host string) {
	h.t.Helper()
	stop := fmt.Sprintf("/environment/v1/stop/project/%d/environment/%s", e2eProject, e2eID(0))
	detail := fmt.Sprintf("/environmentinfo/v1/detail/project/%d/", e2eProject)
	query := regexp.MustCompile("^(page=[1-9][0-9]*|environmentId=" + e2eID(0) + ")$")
	reads, stops := 0, 0
	for _, r := range h.requests(host) {
		switch {
		case r.Method == http.MethodPost && r.Path == stop && r.Query == "":
			stops++
			if length := r.Header.Values("Content-Length"); !slices.Equal(length, []string{"0"}) {
				h.t.Errorf("the stop has Content-Length %q, want 0", length)
			}
		case r.Method == http.MethodGet && r.Path == detail && query.MatchString(r.Query):
			reads++
		default:
			h.t.Errorf("LCS was asked %s %s?%s", r.Method, r.Path, r.Query)
		}
		token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !bearer || !slices.Contains(h.entra.Tokens(), token) {
			h.t.Errorf("%s %s carries no token that Entra has issued", r.Method, r.Path)
		}
		for key, want := range map[string]string{"X-Ms-Version": "2017-09-15", "Content-Type": "application/json"} {
			if got := r.Header.Values(key); !slices.Equal(got, []string{want}) {
				h.t.Errorf("%s %s has %s %q, want %q", r.Method, r.Path, key, got, want)
			}
		}
		if r.Body != "" || r.Status != http.StatusOK {
			h.t.Errorf("%s %s has the body %q and was answered %d, want no body and 200", r.Method, r.Path, r.Body, r.Status)
		}
	}
	if stops != 1 || reads == 0 {
		h.t.Errorf("LCS was asked for %d stops and %d pages, want one and some", stops, reads)
	}
}

// secretFields are those in which a token request must carry a secret.
var secretFields = []string{"password", "refresh_token", "device_code", "code", "code_verifier"}

// wire returns the requests without what is in its place there: a token in a header
// to LCS, a secret in a token request to Entra.
func (h *hosts) wire() map[string]string {
	h.t.Helper()
	places := map[string]string{}
	for i, r := range h.requests("") {
		header, body := r.Header.Clone(), r.Body
		if !slices.Contains(loginHosts, r.Host) {
			header.Del("Authorization")
		} else if strings.HasSuffix(r.Path, "/token") && r.Method == http.MethodPost {
			form, err := url.ParseQuery(body)
			if err != nil {
				h.t.Fatal(err)
			}
			for _, key := range secretFields {
				form.Del(key)
			}
			body = form.Encode()
		}
		places[fmt.Sprintf("request %d, %s %s%s,", i, r.Method, r.Host, r.Path)] = fmt.Sprintln(r.Path, r.Query, header, body)
	}
	return places
}

func TestBinarySignsInAtTheCloudOfItsRegion(t *testing.T) {
	t.Parallel()
	logins := map[string]string{"gov": loginHostUS, "high": loginHostUS, "cn": "login.chinacloudapi.cn"}
	for _, region := range lcs.Regions() {
		t.Run(region, func(t *testing.T) {
			t.Parallel()
			h := newHosts(t, lcssim.EntraOptions{})
			s := h.site(passwordAccount(), region, "")
			out, errs, code := s.run("environments")
			if code != exitDone || !strings.Contains(out, e2eID(0)) {
				t.Errorf("curfew environments exited %d: %s%s", code, out, errs)
			}
			endpoint, _ := lcs.Endpoint(region)
			login := loginHost
			if other, is := logins[region]; is {
				login = other
			}
			if got, want := h.reached(), []string{login, strings.TrimPrefix(endpoint, "https://")}; !slices.Equal(got, want) {
				t.Errorf("hosts reached = %v, want %v", got, want)
			}
		})
	}
}

func TestProxyLeadsToEntraAndLCSAlone(t *testing.T) {
	h := newHosts(t, lcssim.EntraOptions{})
	remote := h.client()
	for address, want := range map[string]bool{
		"https://" + loginHost + "/contoso/v2.0/.well-known/openid-configuration": true,
		"https://" + lcsHostEU + "/":                        true,
		"https://example.com/":                              false,
		"http://" + lcsHostEU + "/":                         false,
		"https://169.254.169.254/metadata/instance/compute": false,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := remote.Do(req)
		if err == nil {
			_ = res.Body.Close()
		}
		if got := err == nil && res.StatusCode != http.StatusForbidden; got != want {
			t.Errorf("%s: reached %t (%v), want %t", address, got, err, want)
		}
		if refused := h.refused(); len(refused) == 0 != want {
			t.Errorf("%s: refused %v", address, refused)
		}
	}
	if login, eu := h.requests(loginHost), h.requests(lcsHostEU); len(login) != 1 || login[0].Status != 200 || len(eu) != 1 || eu[0].Status != 404 {
		t.Errorf("recorded %+v and %+v, want one request each", login, eu)
	}
}

func TestBinaryAsksNoHostButTheOneInItsFile(t *testing.T) {
	t.Parallel()
	h := newHosts(t, lcssim.EntraOptions{})
	s := h.site(strings.Replace(passwordAccount(), "mode:", "authority: https://login.example.com, mode:", 1), "eu", "")
	if out, errs, code := s.run("environments"); code == exitDone {
		t.Errorf("with a sign-in host that is not there it printed %s%s", out, errs)
	}
	refused := h.refused()
	if len(refused) == 0 || slices.ContainsFunc(refused, func(target string) bool { return target != "CONNECT login.example.com:443" }) {
		t.Errorf("the proxy refused %q, want the sign-in host", refused)
	}
	if asked := h.requests(""); len(asked) != 0 {
		t.Errorf("it asked %+v, want nothing", asked)
	}
}

func TestBinaryShowsNoSecretOverSignInsThatFail(t *testing.T) {
	t.Parallel()
	for name, failure := range map[string]lcssim.EntraFailure{
		"a bad password": lcssim.BadPassword, "MFA": lcssim.MFARequired, "an undecodable answer": lcssim.Undecodable,
		"a page": lcssim.SignInPage, "a busy host": lcssim.SignInThrottled, "a dropped connection": lcssim.Dropped, "an app that is not public": lcssim.NotPublic,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHosts(t, lcssim.EntraOptions{})
			h.entra.Fail(failure)
			s := h.site(passwordAccount(), "eu", "")
			out, errs, code := s.run("environments")
			if code != exitFailed || !strings.Contains(errs, "sign in account main") {
				t.Errorf("curfew environments exited %d: %s%s, want a failed sign-in", code, out, errs)
			}
			if len(h.requests(lcsHostEU)) != 0 {
				t.Error("LCS was asked without a token")
			}
			secrets := append(h.entra.Secrets(), hostsPassword)
			showsNone(t, map[string]string{"stdout": out, "stderr": errs}, secrets)
			showsNone(t, h.wire(), secrets)
		})
	}
}
