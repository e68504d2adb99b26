package signin

import (
	"bytes"
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/oauth2-proxy/mockoidc"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"curfew/lcs/secret"
	"curfew/scheduler/store"
	"curfew/scheduler/web/access"
)

// A person is a user of the provider, with the claims that it sends besides the usual ones.
// One that is nil is left out.
type person map[string]any

func (p person) ID() string { return "subject-1" }

func (p person) Userinfo([]string) ([]byte, error) { return json.Marshal(p) }

func (p person) Claims(_ []string, usual *mockoidc.IDTokenClaims) (jwt.Claims, error) {
	text, err := json.Marshal(usual)
	claims := jwt.MapClaims{}
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	maps.Copy(claims, p)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims, err
}

// A world is a provider, and curfew's sign-in at it, with a browser.
type world struct {
	t        *testing.T
	provider *mockoidc.MockOIDC
	signIn   *SignIn
	store    *store.Store
	site     http.Handler
	log      bytes.Buffer
	settings atomic.Pointer[Settings]
	rules    access.Rules
	cookies  map[string]string
	remote   string
}

// newWorld starts a provider behind middleware, and a sign-in at a public address.
func newWorld(t *testing.T, public string, middleware ...func(http.Handler) http.Handler) *world {
	t.Helper()
	m, err := mockoidc.NewServer(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range middleware {
		if err := m.AddMiddleware(one); err != nil {
			t.Fatal(err)
		}
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Start(l, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown() })
	st, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	address, err := url.Parse(public)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, provider: m, store: st, cookies: map[string]string{}, remote: "192.0.2.1:1000", rules: access.Rules{Viewer: []string{"*"}, Operator: []string{"anna@contoso.com"}}}
	w.settings.Store(&Settings{m.Issuer(), m.ClientID, func() (secret.Secret, error) { return secret.New(m.ClientSecret), nil }})
	core := zapcore.NewCore(zapcore.NewJSONEncoder(zapcore.EncoderConfig{MessageKey: "msg"}), zapcore.AddSync(&w.log), zapcore.DebugLevel)
	w.signIn = New(Options{
		PublicURL: address, Settings: w.settings.Load, Policy: access.NewPolicy(func() *access.Rules { return &w.rules }), Store: st.Sessions, Logger: zap.New(core),
		Problem: func(w http.ResponseWriter, _ *http.Request, status int, what, next string) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(what + "\n" + next))
		},
	})
	mux := http.NewServeMux()
	for pattern, handler := range w.signIn.Routes() {
		mux.HandleFunc(pattern, handler)
	}
	w.site = mux
	return w
}

// do asks curfew for an address, as a browser with its cookies.
func (w *world) do(method, target string) *http.Response {
	w.t.Helper()
	r := httptest.NewRequest(method, target, nil)
	r.RemoteAddr = w.remote
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	rec := httptest.NewRecorder()
	w.site.ServeHTTP(rec, r)
	res := rec.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(w.cookies, c.Name)
		} else {
			w.cookies[c.Name] = c.Value
		}
	}
	return res
}

// authorize begins a sign-in and lets the provider sign the person in. It returns the
// address that the provider sends the browser back to.
func (w *world) authorize(who mockoidc.User, target string) string {
	w.t.Helper()
	res := w.do("GET", target)
	if res.StatusCode != http.StatusFound {
		w.t.Fatalf("GET %s = %d, want it to go on to the provider", target, res.StatusCode)
	}
	w.provider.QueueUser(who)
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 10 * time.Second}
	back, err := client.Get(res.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer back.Body.Close()
	if back.StatusCode != http.StatusFound {
		w.t.Fatalf("the provider answers %d to %s", back.StatusCode, res.Header.Get("Location"))
	}
	return back.Header.Get("Location")
}

// enter signs a person in, and returns the answer to the callback.
func (w *world) enter(who mockoidc.User) *http.Response {
	w.t.Helper()
	return w.do("GET", w.authorize(who, "/login?next=/runs"))
}

// who returns who the browser is to curfew.
func (w *world) who() (access.Identity, bool) {
	w.t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = w.remote
	for name, value := range w.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	who, ok, err := w.signIn.Identify(httptest.NewRecorder(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return who, ok
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	var b bytes.Buffer
	if _, err := b.ReadFrom(res.Body); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// sessionCookie returns the cookie of the session in an answer, nil when there is none.
func sessionCookie(res *http.Response) *http.Cookie {
	for _, c := range res.Cookies() {
		if strings.HasSuffix(c.Name, "curfew_session") {
			return c
		}
	}
	return nil
}
