package daemon

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
	"go.uber.org/zap"

	"curfew/scheduler/config"
	"curfew/scheduler/store"
	"curfew/scheduler/web/access"
)

const (
	accessFile = `version: 1
timezone: Europe/Copenhagen
accounts: [{name: a, mode: static, token: {env: T}}]
projects: [{name: p, id: 1, account: a, endpoint: "http://127.0.0.1:9"}]
environments:
- {name: dev-01, project: p, id: 00000000-0000-0000-0000-000000000001, tags: [team-a]}
- {name: dev-02, project: p, id: 00000000-0000-0000-0000-000000000002, tags: [team-b]}
schedules:
- {name: office, environments: "*", uptime: 07:00-19:00}
access:
  issuer: ISSUER
  client_id: CLIENT
  client_secret: {env: OIDC_SECRET}
  viewer: [vera@contoso.com]
  requester: [{who: ["role:TeamA"], environments: ["tag:team-a"], hours_per_week: 10000}]
  operator: ["role:Curfew.Operator"]
`
	publicURL = "http://127.0.0.1:8080"
	knownAPI  = "known-api-token-987654"
)

// A need is what a route asks for.
type need int

const (
	open      need = iota // everybody
	viewing               // a role
	asking                // an environment of one's own
	releasing             // an override of one's own
	operating             // everything
)

// needs says who may have each route, and how it answers those who may.
var needs = map[string]struct {
	need need
	ok   []int
}{
	"GET /healthz":                           {open, []int{200}},
	"GET /readyz":                            {open, []int{200, 503}},
	"GET /metrics":                           {open, []int{200}},
	"GET /static/{file}":                     {open, []int{404}},
	"GET /login":                             {open, []int{302}},
	"GET /login/callback":                    {open, []int{400}},
	"POST /logout":                           {open, []int{200}},
	"/api/":                                  {viewing, []int{404}},
	"GET /api/v1/environments":               {viewing, []int{200}},
	"GET /api/v1/environments/{name}":        {viewing, []int{200}},
	"GET /api/v1/runs":                       {viewing, []int{200}},
	"GET /api/v1/runs/{id}":                  {viewing, []int{200}},
	"GET /api/v1/fires":                      {viewing, []int{200}},
	"GET /api/v1/overrides":                  {viewing, []int{200}},
	"GET /api/v1/timeline":                   {viewing, []int{200}},
	"GET /api/v1/savings":                    {viewing, []int{200}},
	"GET /api/v1/audit":                      {viewing, []int{200}},
	"GET /api/v1/events":                     {viewing, []int{503}}, // who may have them, and comes after their end
	"GET /api/v1/accounts":                   {viewing, []int{200}},
	"GET /api/v1/receivers":                  {viewing, []int{200}},
	"GET /api/v1/file":                       {viewing, []int{200}},
	"GET /api/v1/daemon":                     {viewing, []int{200}},
	"GET /api/v1/openapi.json":               {viewing, []int{200}},
	"POST /api/v1/environments/{name}/start": {asking, []int{202}},
	"POST /api/v1/environments/{name}/skip":  {asking, []int{200, 201}},
	"POST /api/v1/overrides":                 {asking, []int{201, 200}},
	"DELETE /api/v1/overrides/{id}":          {releasing, []int{200}},
	"POST /api/v1/environments/{name}/stop":  {operating, []int{202}},
	"POST /api/v1/runs/{id}/cancel":          {operating, []int{200, 409}},
	"POST /api/v1/runs/{id}/approve":         {operating, []int{409}},
	"POST /api/v1/accounts/{name}/release":   {operating, []int{200}},
	"POST /api/v1/reload":                    {operating, []int{200}},
	"POST /-/reload":                         {operating, []int{200}},
	"GET /{$}":                               {viewing, []int{200}},
	"GET /environments/{name}":               {viewing, []int{200}},
	"GET /runs":                              {viewing, []int{200}},
	"GET /runs/{id}":                         {viewing, []int{200}},
	"GET /savings":                           {viewing, []int{200}},
	"GET /savings.csv":                       {viewing, []int{200}},
	"GET /health":                            {viewing, []int{200}},
	"GET /plan":                              {viewing, []int{200}},
	"POST /plan":                             {viewing, []int{200}}, // it changes nothing
	"GET /me":                                {viewing, []int{200}},
	"GET /selected":                          {viewing, []int{400}}, // nothing is selected
	"POST /selected":                         {asking, []int{303}},
	"POST /environments/{name}/start":        {asking, []int{303}},
	"POST /environments/{name}/keep":         {asking, []int{303}},
	"POST /environments/{name}/skip":         {asking, []int{303}},
	"POST /environments/{name}/release":      {releasing, []int{303}},
	"POST /environments/{name}/stop":         {operating, []int{303}},
	"POST /runs/{id}/cancel":                 {operating, []int{303, 409}},
	"POST /runs/{id}/approve":                {operating, []int{409}},
	"POST /me/keys":                          {viewing, []int{200, 403}}, // 403 to the API token, which is no user
	"POST /me/keys/{id}/revoke":              {viewing, []int{404}},      // the key of nobody
	"GET /calendar.ics":                      {open, []int{404}},         // without a key
	"GET /link/{token}":                      {open, []int{404}},         // with a token that is none
	"POST /link/{token}":                     {open, []int{404}},
}

// A person is a user of the provider, with what its tokens say.
type person map[string]any

func (p person) ID() string { return fmt.Sprint(p["email"]) }

func (p person) Userinfo([]string) ([]byte, error) { return json.Marshal(p) }

func (p person) Claims(_ []string, usual *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	text, err := json.Marshal(usual)
	claims := jwt.MapClaims{}
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	maps.Copy(claims, p)
	return claims, err
}

// A site is the daemon's own parts, served to a test, with a provider.
type site struct {
	t        *testing.T
	provider *mockoidc.MockOIDC
	store    *store.Store
	parts    parts
	path     string // of the schedule file
	handler  http.Handler
	requests int
}

func newSite(t *testing.T, addr net.Addr) *site {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	s := &site{t: t, provider: m, path: filepath.Join(t.TempDir(), "schedules.yaml")}
	s.write(accessFile)
	vars := map[string]string{"T": "lcs-token", "OIDC_SECRET": m.ClientSecret, "CURFEW_API_TOKEN": knownAPI}
	o := Options{Path: s.path, Listen: "127.0.0.1:0", PublicURL: publicURL, Database: Database{DSN: filepath.Join(t.TempDir(), "curfew.db")}, Retention: 400 * 24 * time.Hour, Getenv: func(name string) string { return vars[name] }, Logger: zap.NewNop(), Version: "test"}
	cfg, p, _, err := Load(s.path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDaemon(o, loaded{cfg, p})
	if err != nil {
		t.Fatal(err)
	}
	if s.store, err = store.Open(t.Context(), store.Options{DSN: o.Database.DSN}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.store.Close() })
	if s.parts, err = d.build(t.Context(), s.store, nil); err != nil {
		t.Fatal(err)
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if err := s.parts.events.Run(stopped); err != nil { // a stream would have no end
		t.Fatal(err)
	}
	s.handler = s.parts.site.Handler(addr)
	return s
}

func (s *site) write(file string) {
	s.t.Helper()
	file = strings.NewReplacer("ISSUER", s.provider.Issuer(), "CLIENT", s.provider.ClientID).Replace(file)
	if err := os.WriteFile(s.path, []byte(file), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// A credential is what a request carries, and what it is worth.
type credential struct {
	who, kind string
	cookie    string
	bearer    string
	role      access.Role // Nobody with valid for somebody who is known and has none
	valid     bool
}

// ask sends a request, each from an address of its own.
func (s *site) ask(method, target, body string, c credential) *http.Response {
	s.t.Helper()
	r := httptest.NewRequest(method, "http://10.0.0.7:8080"+target, strings.NewReader(body))
	s.requests++
	r.RemoteAddr = fmt.Sprintf("192.%d.%d.%d:1000", s.requests>>16&255, s.requests>>8&255, s.requests&255)
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	} else if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.cookie != "" {
		r.AddCookie(&http.Cookie{Name: "curfew_session", Value: c.cookie})
	}
	if c.bearer != "" {
		r.Header.Set("Authorization", "Bearer "+c.bearer)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Result()
}

// enter signs a person in, and returns the session's cookie and what the callback was.
func (s *site) enter(who person) (cookie, callback string, login []*http.Cookie) {
	s.t.Helper()
	begun := s.ask("GET", "/login", "", credential{})
	s.provider.QueueUser(who)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	back, err := client.Get(begun.Header.Get("Location"))
	if err != nil {
		s.t.Fatal(err)
	}
	_ = back.Body.Close()
	callback, login = strings.TrimPrefix(back.Header.Get("Location"), publicURL), begun.Cookies()
	return s.finish(callback, login), callback, login
}

// finish is the callback, and returns the session's cookie, "" when there is none.
func (s *site) finish(callback string, login []*http.Cookie) string {
	r := httptest.NewRequest("GET", "http://10.0.0.7:8080"+callback, nil)
	for _, c := range login {
		r.AddCookie(c)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		if c.Name == "curfew_session" {
			return c.Value
		}
	}
	return ""
}

// credentials are those of each kind of user: good, and worthless in each way.
func (s *site) credentials() []credential {
	s.t.Helper()
	all := []credential{
		{who: "nobody known", kind: "none"},
		{who: "token", kind: "valid", bearer: knownAPI, role: access.Operator, valid: true},
		{who: "token", kind: "forged", bearer: knownAPI + "x"},
		{who: "token", kind: "as a cookie", cookie: knownAPI},
	}
	for _, p := range []struct {
		role   access.Role
		claims person
	}{
		{access.Nobody, person{"email": "nina@contoso.com"}},
		{access.Viewer, person{"email": "vera@contoso.com"}},
		{access.Requester, person{"email": "rita@contoso.com", "roles": []string{"TeamA"}}},
		{access.Operator, person{"email": "anna@contoso.com", "roles": []string{"Curfew.Operator"}}},
	} {
		who := p.role.String()
		valid, callback, login := s.enter(p.claims)
		if valid == "" {
			s.t.Fatalf("%s could not sign in", who)
		}
		expired, _, _ := s.enter(p.claims)
		s.expire(expired)
		gone, _, _ := s.enter(p.claims)
		if res := s.ask("POST", "/logout", "", credential{cookie: gone}); res.StatusCode != http.StatusOK {
			s.t.Fatalf("logout = %d", res.StatusCode)
		}
		other := maps.Clone(p.claims)
		other["aud"] = "another-application"
		refused, _, loginOfOther := s.enter(other)
		if again := s.finish(callback, login); again != "" || refused != "" {
			s.t.Errorf("%s: a callback a second time gives the session %q, a token for another audience %q; want none", who, again, refused)
		}
		all = append(all,
			credential{who: who, kind: "valid", cookie: valid, role: p.role, valid: true},
			credential{who: who, kind: "forged", cookie: valid[:len(valid)-2] + "zz"},
			credential{who: who, kind: "expired", cookie: expired},
			credential{who: who, kind: "logged out", cookie: gone},
			credential{who: who, kind: "callback replayed", cookie: login[0].Value},
			credential{who: who, kind: "another audience", cookie: loginOfOther[0].Value},
			credential{who: who, kind: "session as a token", bearer: valid},
		)
	}
	return all
}

// expire lets the time of a session pass.
func (s *site) expire(cookie string) {
	s.t.Helper()
	sum := sha256.Sum256([]byte(cookie))
	hash := base64.RawURLEncoding.EncodeToString(sum[:])
	data, found, err := s.store.Sessions.Session(s.t.Context(), hash, time.Now())
	if err != nil || !found {
		s.t.Fatalf("session not found: %v", err)
	}
	if err := s.store.Sessions.SaveSession(s.t.Context(), hash, data, time.Now().Add(-time.Second)); err != nil {
		s.t.Fatal(err)
	}
}

// keep makes an override of an environment, and returns its id.
func (s *site) keep(c credential, environment string) string {
	s.t.Helper()
	res := s.ask("POST", "/api/v1/overrides", s.override(environment), c)
	var made struct{ ID string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.ID == "" {
		s.t.Fatalf("no override of %s by %s: %d, %v", environment, c.who, res.StatusCode, err)
	}
	return made.ID
}

func (s *site) override(environment string) string {
	s.requests++ // no two are alike
	return fmt.Sprintf(`{"environments":[%q],"keep":"running","until":%q}`, environment, time.Now().Add(time.Hour+time.Duration(s.requests)*time.Second).UTC().Format(time.RFC3339))
}

// target is a request to a route: of an environment, and of a run and an override of it.
func (s *site) target(pattern, environment, run, override string) (method, path, body string) {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = "GET", pattern+"nothing"
	}
	id := run
	if strings.Contains(path, "overrides") {
		id = override
	}
	path = strings.NewReplacer("accounts/{name}", "accounts/a", "{name}", environment, "{id}", id, "{$}", "", "{file}", "x.css").Replace(path)
	switch pattern {
	case "POST /api/v1/overrides":
		body = s.override(environment)
	case "POST /environments/{name}/keep", "POST /selected":
		s.requests++
		until := time.Now().Add(time.Hour + time.Duration(s.requests)*time.Second).UTC().Format(time.RFC3339)
		body = url.Values{"do": {"keep"}, "environment": {environment}, "until": {until}}.Encode()
	case "POST /environments/{name}/release":
		body = url.Values{"override": {override}}.Encode()
	case "POST /plan":
		body = "file=" + url.QueryEscape("version: 1\ntimezone: UTC\nschedules: []\n")
	}
	return method, path, body
}

var (
	tokenHolder = credential{who: "token", bearer: knownAPI}
	onNetwork   = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 8080}
	onMachine   = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
)

// TestWhoMayHaveEachRoute is the matrix of all routes, roles and credentials.
func TestWhoMayHaveEachRoute(t *testing.T) {
	s := newSite(t, onNetwork)
	run := s.start()
	all := s.credentials()
	cells := 0
	patterns := slices.DeleteFunc(s.parts.site.Patterns(), func(pattern string) bool { return pattern == "POST /logout" })
	for _, pattern := range append(patterns, "POST /logout") { // which ends the sessions
		rule, known := needs[pattern]
		if !known {
			t.Errorf("%s is served, and nothing says who may have it", pattern)
			continue
		}
		for _, c := range all {
			for _, environment := range []string{"dev-01", "dev-02"} {
				cells++
				override := "none"
				if rule.need == releasing {
					by := tokenHolder
					if c.role == access.Requester && environment == "dev-01" {
						by = c
					}
					override = s.keep(by, environment)
				}
				method, path, body := s.target(pattern, environment, run, override)
				got := s.ask(method, path, body, c)
				want := wanted(pattern, rule.need, c, environment)
				if want == 0 && !slices.Contains(rule.ok, got.StatusCode) || want != 0 && got.StatusCode != want {
					t.Errorf("%s for %s (%s), %s = %d, want %v", pattern, c.who, c.kind, environment, got.StatusCode, wantedText(want, rule.ok))
				}
				if want == http.StatusSeeOther && got.Header.Get("Location") != "/login?next="+url.QueryEscape(path) {
					t.Errorf("%s for %s (%s) goes on to %q", pattern, c.who, c.kind, got.Header.Get("Location"))
				}
			}
		}
	}
	for pattern := range needs {
		if !slices.Contains(s.parts.site.Patterns(), pattern) {
			t.Errorf("%s is in the matrix, and is not served", pattern)
		}
	}
	t.Logf("%d cells: %d routes, %d credentials, an environment of the requester's own and one of others", cells, len(s.parts.site.Patterns()), len(all))
}

// wanted is the status of a request that is refused, 0 for one that is not.
func wanted(pattern string, n need, c credential, environment string) int {
	may := map[need]bool{
		open: true, viewing: c.role >= access.Viewer, operating: c.role == access.Operator,
		asking:    c.role == access.Operator || c.role == access.Requester && environment == "dev-01",
		releasing: c.role == access.Operator || c.role == access.Requester && environment == "dev-01",
	}
	isPage := !strings.Contains(pattern, "/api/") && !strings.Contains(pattern, "/-/")
	switch {
	case may[n]:
		return 0
	case c.valid:
		return http.StatusForbidden
	case isPage && strings.HasPrefix(pattern, "GET ") && c.bearer == "":
		return http.StatusSeeOther
	}
	return http.StatusUnauthorized
}

func wantedText(want int, ok []int) any {
	if want == 0 {
		return ok
	}
	return want
}

// start asks for a run, and returns its id.
func (s *site) start() string {
	s.t.Helper()
	res := s.ask("POST", "/api/v1/environments/dev-01/start", "", tokenHolder)
	var run struct{ ID string }
	if err := json.NewDecoder(res.Body).Decode(&run); err != nil || run.ID == "" {
		s.t.Fatalf("no run: %d, %v", res.StatusCode, err)
	}
	return run.ID
}

func TestReadingIsOpenOnTheMachineItself(t *testing.T) {
	s := newSite(t, onMachine)
	operator, _, _ := s.enter(person{"email": "anna@contoso.com", "roles": []string{"Curfew.Operator"}})
	nobody, _, _ := s.enter(person{"email": "nina@contoso.com"})
	for _, tt := range []struct {
		name, method, path, host string
		header                   [2]string
		credential               credential
		status                   int
	}{
		{"a page", "GET", "/runs", "127.0.0.1:8080", [2]string{}, credential{}, 200},
		{"the API", "GET", "/api/v1/runs", "localhost:8080", [2]string{}, credential{}, 200},
		{"a pasted file, which changes nothing", "POST", "/plan", "localhost:8080", [2]string{}, credential{}, 200},
		{"not a change", "POST", "/api/v1/environments/dev-01/start", "localhost:8080", [2]string{}, credential{}, 401},
		{"a change by an operator", "POST", "/api/v1/environments/dev-01/start", "localhost:8080", [2]string{}, credential{cookie: operator}, 202},
		{"not to a user without a role", "GET", "/runs", "localhost:8080", [2]string{}, credential{cookie: nobody}, 403},
		{"with a wrong token, too", "GET", "/api/v1/runs", "localhost:8080", [2]string{}, credential{bearer: "wrong"}, 200},
		{"a wrong token by a proxy", "GET", "/api/v1/runs", "localhost:8080", [2]string{"Via", "1.1 proxy"}, credential{bearer: "wrong"}, 401},
		{"not under the name of another site", "GET", "/api/v1/runs", "evil.example", [2]string{}, credential{}, 401},
		{"not by a proxy: Forwarded", "GET", "/api/v1/runs", "localhost:8080", [2]string{"Forwarded", "for=192.0.2.1"}, credential{}, 401},
		{"not by a proxy: Via", "GET", "/api/v1/runs", "localhost:8080", [2]string{"Via", "1.1 proxy"}, credential{}, 401},
		{"not by a proxy: X-Forwarded-For", "GET", "/api/v1/runs", "localhost:8080", [2]string{"X-Forwarded-For", "192.0.2.1"}, credential{}, 401},
		{"not by a proxy: X-Forwarded-Proto, in any case", "GET", "/api/v1/runs", "localhost:8080", [2]string{"x-forwarded-proto", "https"}, credential{}, 401},
		{"a page by a proxy asks to sign in", "GET", "/runs", "localhost:8080", [2]string{"X-Forwarded-For", ""}, credential{}, 303},
		{"by a proxy with a session", "GET", "/runs", "curfew.contoso.com", [2]string{"X-Forwarded-For", "192.0.2.1"}, credential{cookie: operator}, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := ""
			if tt.path == "/plan" {
				body = "file="
			}
			r := httptest.NewRequest(tt.method, "http://"+tt.host+tt.path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			if tt.header[0] != "" {
				r.Header.Set(tt.header[0], tt.header[1])
			}
			if tt.credential.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "curfew_session", Value: tt.credential.cookie})
			}
			if tt.credential.bearer != "" {
				r.Header.Set("Authorization", "Bearer "+tt.credential.bearer)
			}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("%s %s = %d %s, want %d", tt.method, tt.path, w.Code, w.Body, tt.status)
			}
		})
	}
}

func TestAChangeFromAnotherSiteIsRefusedWhateverItCarries(t *testing.T) {
	s := newSite(t, onNetwork)
	operator, _, _ := s.enter(person{"email": "anna@contoso.com", "roles": []string{"Curfew.Operator"}})
	const start = "/api/v1/environments/dev-01/start"
	for _, tt := range []struct {
		name, method, path string
		header             map[string]string
		refused            bool
	}{
		{"from no browser", "POST", start, nil, false},
		{"from curfew's own page", "POST", start, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://10.0.0.7:8080"}, false},
		{"from the address bar", "POST", start, map[string]string{"Sec-Fetch-Site": "none"}, false},
		{"behind a proxy that changes the host", "POST", start, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": publicURL}, false},
		{"cross-site", "POST", start, map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"same-site is another host", "POST", start, map[string]string{"Sec-Fetch-Site": "same-site"}, true},
		{"a foreign origin", "POST", start, map[string]string{"Origin": "https://evil.example"}, true},
		{"a foreign origin that claims to be the same", "POST", start, map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "https://evil.example"}, true},
		{"another port", "POST", start, map[string]string{"Origin": "http://10.0.0.7:9999"}, true},
		{"an origin that is hidden", "POST", start, map[string]string{"Origin": "null"}, true},
		{"logout", "POST", "/logout", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"DELETE", "DELETE", "/api/v1/overrides/x", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"a link to a page", "GET", "/runs", map[string]string{"Sec-Fetch-Site": "cross-site"}, false},
	} {
		for _, c := range []credential{{who: "token", bearer: knownAPI}, {who: "operator", cookie: operator}, {who: "nobody"}} {
			r := httptest.NewRequest(tt.method, "http://10.0.0.7:8080"+tt.path, nil)
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			if c.cookie != "" {
				r.AddCookie(&http.Cookie{Name: "curfew_session", Value: c.cookie})
			}
			if c.bearer != "" {
				r.Header.Set("Authorization", "Bearer "+c.bearer)
			}
			w := httptest.NewRecorder()
			s.handler.ServeHTTP(w, r)
			if refused := w.Code == http.StatusForbidden && strings.Contains(w.Body.String(), "another site"); refused != tt.refused {
				t.Errorf("%s, with %s = %d %s, want refused: %v", tt.name, c.who, w.Code, w.Body, tt.refused)
			}
		}
	}
}

func TestAReloadedFileCountsAtOnce(t *testing.T) {
	s := newSite(t, onNetwork)
	rita, _, _ := s.enter(person{"email": "rita@contoso.com", "roles": []string{"TeamA"}})
	status := func(environment string) int {
		return s.ask("POST", "/api/v1/environments/"+environment+"/start", "", credential{cookie: rita}).StatusCode
	}
	reload := func(file string, want int) {
		t.Helper()
		s.write(file)
		if res := s.ask("POST", "/api/v1/reload", "", tokenHolder); res.StatusCode != want {
			t.Fatalf("reload = %d, want %d", res.StatusCode, want)
		}
	}
	if got := []int{status("dev-01"), status("dev-02")}; !slices.Equal(got, []int{202, 403}) {
		t.Errorf("starts = %v, want 202 and 403", got)
	}
	reload(strings.Replace(accessFile, `"tag:team-a"`, `"tag:team-b"`, 1), 200)
	if got := []int{status("dev-01"), status("dev-02")}; !slices.Equal(got, []int{403, 202}) {
		t.Errorf("starts after the edit = %v, want 403 and 202", got)
	}
	reload(strings.Replace(accessFile, `"tag:team-a"`, `"tag:team-x"`, 1), 422)
	if got := status("dev-02"); got != 202 {
		t.Errorf("a start after a bad file = %d, want 202: the old one is active", got)
	}
	reload(accessFile[:strings.Index(accessFile, "access:")], 200)
	if got := status("dev-02"); got != 401 {
		t.Errorf("a start once the file has no access = %d, want 401", got)
	}
}

func TestTheAuditNamesTheUser(t *testing.T) {
	s := newSite(t, onNetwork)
	rita, _, _ := s.enter(person{"email": "Rita@contoso.com", "roles": []string{"TeamA"}})
	s.keep(credential{cookie: rita}, "dev-01")
	s.ask("POST", "/api/v1/environments/dev-01/start", "", credential{cookie: rita})
	s.ask("POST", "/api/v1/environments/dev-01/start", "", tokenHolder)
	events, err := s.store.Events.Audit(t.Context(), time.Time{}, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, fmt.Sprintf("%s by %s (%s)", e.Change.Action, e.By, e.By.Via))
		if !strings.HasPrefix(e.By.From, "192.") {
			t.Errorf("from = %q, want the address", e.By.From)
		}
	}
	if want := "start by token (token), start by rita@contoso.com (user), keep by rita@contoso.com (user)"; strings.Join(got, ", ") != want {
		t.Errorf("audit = %s, want %s", strings.Join(got, ", "), want)
	}
}

func TestHoursAreCountedFromTheDatabase(t *testing.T) {
	s := newSite(t, onNetwork)
	s.write(strings.NewReplacer("10000", "3", "uptime: 07:00-19:00", "uptime: 03:00-03:01").Replace(accessFile))
	if res := s.ask("POST", "/api/v1/reload", "", tokenHolder); res.StatusCode != 200 {
		t.Fatalf("reload = %d", res.StatusCode)
	}
	rita, _, _ := s.enter(person{"email": "rita@contoso.com", "roles": []string{"TeamA"}})
	c := credential{cookie: rita}
	first := s.keep(c, "dev-01") // about an hour
	keep := func(hours int) (int, string) {
		body := fmt.Sprintf(`{"environments":["dev-01"],"keep":"running","from":%q,"until":%q}`, time.Now().Add(2*time.Hour).UTC().Format(time.RFC3339), time.Now().Add(time.Duration(2+hours)*time.Hour).UTC().Format(time.RFC3339))
		res := s.ask("POST", "/api/v1/overrides", body, c)
		var p struct{ Detail string }
		_ = json.NewDecoder(res.Body).Decode(&p)
		return res.StatusCode, p.Detail
	}
	if status, detail := keep(30); status != 403 || !strings.Contains(detail, "may use 3 h a week beyond the schedule for dev-01") {
		t.Errorf("30 h more = %d %s, want 403 and the hours", status, detail)
	}
	if res := s.ask("DELETE", "/api/v1/overrides/"+first, "", c); res.StatusCode != 200 {
		t.Errorf("release of their own = %d, want 200", res.StatusCode)
	}
}

func TestWrongTokensAreCountedAndSlowed(t *testing.T) {
	s := newSite(t, onNetwork)
	count := func() string {
		res := s.ask("GET", "/metrics", "", credential{})
		b := new(strings.Builder)
		if _, err := io.Copy(b, res.Body); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(b.String()) {
			if n, ok := strings.CutPrefix(line, "curfew_http_unauthorized_total "); ok {
				return strings.TrimSpace(n)
			}
		}
		return "absent"
	}
	if got := count(); got != "0" {
		t.Errorf("wrong tokens at the start = %s, want 0", got)
	}
	send := func(token, remote string) int {
		r := httptest.NewRequest("GET", "http://10.0.0.7:8080/api/v1/runs", nil)
		r.RemoteAddr = remote
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		s.handler.ServeHTTP(w, r)
		if w.Code == http.StatusTooManyRequests && w.Header().Get("Retry-After") == "" {
			t.Error("429 without Retry-After")
		}
		return w.Code
	}
	for i := range 10 {
		if got := send("wrong", "203.0.113.1:1"); got != http.StatusUnauthorized {
			t.Errorf("wrong token %d = %d, want 401", i+1, got)
		}
	}
	if got := send("wrong", "203.0.113.1:2"); got != http.StatusTooManyRequests {
		t.Errorf("one more at once = %d, want 429", got)
	}
	if got := send(knownAPI, "203.0.113.1:3"); got != http.StatusTooManyRequests {
		t.Errorf("the right one from the same address = %d, want 429: guesses are not checked", got)
	}
	if got := send(knownAPI, "203.0.113.2:1"); got != http.StatusOK {
		t.Errorf("the right one from another address = %d, want 200", got)
	}
	if got := count(); got != "12" {
		t.Errorf("wrong tokens counted = %s, want 12", got)
	}
}

func TestSettingsOfWhoMay(t *testing.T) {
	for _, tt := range []struct{ name, token, public, says string }{
		{"a short token", "fifteen-letters", publicURL, "CURFEW_API_TOKEN has 15 characters; want 16 at least"},
		{"no public address", knownAPI, "", "the schedule file has access, and the address that people use is not known; set --public-url"},
		{"plain http", knownAPI, "http://curfew.contoso.com", "plain http would show credentials to the network"},
		{"a path", knownAPI, "https://contoso.com/curfew", "it has a path"},
		{"no scheme", knownAPI, "curfew.contoso.com", "it begins with neither https:// nor http://"},
		{"a user", knownAPI, "https://user:known-password@curfew.contoso.com", "it holds a user or a password"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "schedules.yaml")
			file := strings.NewReplacer("ISSUER", "https://login.example", "CLIENT", "us").Replace(accessFile)
			if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
				t.Fatal(err)
			}
			vars := map[string]string{"T": "lcs-token", "OIDC_SECRET": "x", "CURFEW_API_TOKEN": tt.token}
			err := Run(t.Context(), Options{Path: path, Listen: "127.0.0.1:0", PublicURL: tt.public, Database: Database{DSN: filepath.Join(t.TempDir(), "curfew.db")}, Getenv: func(name string) string { return vars[name] }, Logger: zap.NewNop()})
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "known-password") || strings.Contains(err.Error(), "fifteen") {
				t.Errorf("Run() = %v, want %q", err, tt.says)
			}
		})
	}
}
