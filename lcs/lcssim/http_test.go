package lcssim_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"curfew/lcs/lcssim"
)

// signedIn returns an access token of user for a scope.
func signedIn(t *testing.T, e *lcssim.Entra, user, scope string) string {
	t.Helper()
	_, v := post(t, e, tokenPath, url.Values{"grant_type": {"password"}, "username": {user}, "password": {"p"}, "scope": {scope}})
	token, ok := v["access_token"].(string)
	if !ok {
		t.Fatalf("sign-in = %v", v)
	}
	return token
}

// ask asks LCS, in memory.
func ask(t *testing.T, sim *lcssim.Sim, method, address, token string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := sim.Transport().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, read(t, res)
}

func TestLCSTakesATokenThatIsMeantForItsHost(t *testing.T) {
	const path = "/environmentinfo/v1/detail/project/1/?page=1"
	tests := []struct {
		name, host, scope string
		want              int
	}{
		{"its own", "lcsapi.eu.lcs.dynamics.com", "https://lcsapi.eu.lcs.dynamics.com//.default", 200},
		{"its own with one slash", "lcsapi.eu.lcs.dynamics.com", "https://lcsapi.eu.lcs.dynamics.com/user_impersonation", 200},
		{"another region's", "lcsapi.eu.lcs.dynamics.com", "https://lcsapi.lcs.dynamics.com//.default", 401},
		{"nobody's", "lcsapi.lcs.dynamics.com", "openid", 401},
		{"the government's", "lcsapi.gov.lcs.microsoftdynamics.us", "https://lcsapi.high.lcs.microsoftdynamics.us//.default", 401},
		{"any, on a host that is none of LCS's", "lcs.invalid", "openid", 200},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}})
			sim := lcssim.New(lcssim.Options{Entra: e})
			sim.AddProject(1)
			if got, _ := ask(t, sim, http.MethodGet, "https://"+tt.host+path, signedIn(t, e, "u", tt.scope)); got != tt.want {
				t.Errorf("answer = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestRefreshTokenIsGoodForEveryResource(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p"}})
	sim := lcssim.New(lcssim.Options{Entra: e})
	sim.AddProject(1)
	_, v := post(t, e, tokenPath, url.Values{"grant_type": {"password"}, "username": {"u"}, "password": {"p"}, "scope": {lcsScope + " offline_access"}})
	_, v = post(t, e, tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {v["refresh_token"].(string)}, "scope": {"https://lcsapi.lcs.dynamics.com//.default"}})
	if got, _ := ask(t, sim, http.MethodGet, "https://lcsapi.lcs.dynamics.com/environmentinfo/v1/detail/project/1/", v["access_token"].(string)); got != 200 {
		t.Errorf("the other region with a token for it = %d, want 200", got)
	}
}

func TestSomebodyWhoIsNotAMemberIsRefusedInTheProjectAlone(t *testing.T) {
	tests := []struct {
		kind   lcssim.FaultKind
		status int
		says   string
	}{
		{lcssim.Unauthorized, 401, ""},
		{lcssim.Forbidden, 403, "no access"},
		{lcssim.Refuse, 200, `"IsSuccess":false`},
	}
	for _, tt := range tests {
		t.Run(string(tt.kind), func(t *testing.T) {
			e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"in": "p", "out": "p"}})
			sim := lcssim.New(lcssim.Options{Entra: e})
			sim.AddEnvironment(1, lcssim.Environment{ID: "a", Name: "a"})
			sim.AddProject(2)
			sim.Inject(lcssim.Fault{Kind: tt.kind, Project: 1, User: "out", Message: "not a member"})
			const stop, detail = "https://lcs.invalid/environment/v1/stop/project/1/environment/a", "https://lcs.invalid/environmentinfo/v1/detail/project/"
			in, out := signedIn(t, e, "in", "openid"), signedIn(t, e, "out", "openid")
			for _, call := range [][2]string{{http.MethodPost, stop}, {http.MethodGet, detail + "1/"}} {
				if status, body := ask(t, sim, call[0], call[1], out); status != tt.status || !strings.Contains(body, tt.says) {
					t.Errorf("%s = %d %s, want %d and %q", call[0], status, body, tt.status, tt.says)
				}
			}
			if status, _ := ask(t, sim, http.MethodGet, detail+"2/", out); status != 200 {
				t.Errorf("another project = %d, want 200", status)
			}
			if status, body := ask(t, sim, http.MethodPost, stop, in); status != 200 || !strings.Contains(body, `"IsSuccess":true`) {
				t.Errorf("a member = %d %s, want it accepted", status, body)
			}
		})
	}
}

func TestQuotaIsTheUsersNotTheTokens(t *testing.T) {
	e := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"u": "p", "other": "p"}})
	sim := lcssim.New(lcssim.Options{Entra: e, Limits: &lcssim.Limits{OperationPerUser: lcssim.Limit{Calls: 1, Window: time.Hour}}})
	sim.AddEnvironment(1, lcssim.Environment{ID: "a", Name: "a"})
	for i, want := range []int{200, 429, 200} {
		token := signedIn(t, e, []string{"u", "u", "other"}[i], "openid")
		if got, _ := ask(t, sim, http.MethodPost, "https://lcs.invalid/environment/v1/start/project/1/environment/a", token); got != want {
			t.Errorf("call %d = %d, want %d", i, got, want)
		}
	}
}
