package lcs_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs"
	"curfew/lcs/lcssim"
)

const (
	project = 1234567
	dashed  = "55eb4327-9346-4c7b-82bd-fe8ef15112c6"
	bare    = "c6566087 23bd4561 82474d7f 4efd3172"
	secret  = "known-token"
)

// credential returns a stale token until it is asked for a fresh one.
type credential struct {
	token, fresh string
	err          error
	asked        []string // claims
}

func (c *credential) GetToken(_ context.Context, o policy.TokenRequestOptions) (azcore.AccessToken, error) {
	c.asked = append(c.asked, o.Claims)
	if o.Claims != "" && c.fresh != "" {
		c.token = c.fresh
	}
	return azcore.AccessToken{Token: c.token, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

func newSim(o lcssim.Options) *lcssim.Sim {
	sim := lcssim.New(o)
	sim.AddEnvironment(project, lcssim.Environment{ID: dashed, Name: "dev-01"})
	sim.AddEnvironment(project, lcssim.Environment{ID: strings.ReplaceAll(bare, " ", ""), Name: "dev-02", State: lcssim.Stopped})
	return sim
}

func newClient(t *testing.T, sim *lcssim.Sim, o lcs.ClientOptions) *lcs.Client {
	t.Helper()
	o.Transport = sim.Transport()
	c, err := lcs.NewClient("https://lcs.invalid", &credential{token: secret}, &o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryFaultHasItsKind(t *testing.T) {
	later := time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
	tests := []struct {
		name     string
		fault    lcssim.Fault
		kind     lcs.Kind
		accepted int
		says     string
	}{
		{"a refusal keeps LCS's words", lcssim.Fault{Kind: lcssim.Refuse, Message: "Another operation\nis in progress."}, lcs.Refused, 0, "Another operation is in progress."},
		{"429 with seconds", lcssim.Fault{Kind: lcssim.Throttle, RetryAfter: "267"}, lcs.Throttled, 0, "it asks to wait 4m27s"},
		{"429 with a date", lcssim.Fault{Kind: lcssim.Throttle, RetryAfter: later}, lcs.Throttled, 0, "it asks to wait"},
		{"429 without Retry-After", lcssim.Fault{Kind: lcssim.Throttle}, lcs.Throttled, 0, "limit of calls is reached (HTTP 429)"},
		{"401", lcssim.Fault{Kind: lcssim.Unauthorized}, lcs.Unauthorized, 0, "does not accept the account"},
		{"401 with a page", lcssim.Fault{Kind: lcssim.UnauthorizedHTML}, lcs.Unauthorized, 0, "does not accept the account"},
		{"403 keeps the message of the other form", lcssim.Fault{Kind: lcssim.Forbidden}, lcs.Forbidden, 0, "The user has no access to the project."},
		{"404", lcssim.Fault{Kind: lcssim.NotFound}, lcs.NotFound, 0, "Not found."},
		{"a 500 page", lcssim.Fault{Kind: lcssim.Error500HTML}, lcs.Ambiguous, 0, "may or may not have been carried out (HTTP 500)"},
		{"503", lcssim.Fault{Kind: lcssim.Error503}, lcs.Ambiguous, 0, "HTTP 503"},
		{"a reset before", lcssim.Fault{Kind: lcssim.ResetBeforeAccept}, lcs.Ambiguous, 0, "connection reset"},
		{"a reset after", lcssim.Fault{Kind: lcssim.ResetAfterAccept}, lcs.Ambiguous, 1, "connection reset"},
		{"an answer too late", lcssim.Fault{Kind: lcssim.Slow, Delay: 2 * time.Minute}, lcs.Ambiguous, 1, "no answer within 1m0s"},
		{"200 that is no JSON", lcssim.Fault{Kind: lcssim.NotJSON}, lcs.Ambiguous, 1, "it is not a JSON object"},
		{"a truncated answer", lcssim.Fault{Kind: lcssim.Truncated}, lcs.Ambiguous, 1, "the connection broke off"},
		{"an endless answer", lcssim.Fault{Kind: lcssim.HugeBody}, lcs.Ambiguous, 1, "it is longer than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if strings.Contains(tt.name, "a date") {
					tt.fault.RetryAfter = time.Now().Add(2 * time.Minute).UTC().Format(http.TimeFormat)
				}
				core, logs := observer.New(zap.DebugLevel)
				sim := newSim(lcssim.Options{})
				sim.Inject(tt.fault)
				_, err := newClient(t, sim, lcs.ClientOptions{Logger: zap.New(core)}).Stop(t.Context(), project, dashed)
				var e *lcs.Error
				if !errors.As(err, &e) || e.Kind != tt.kind || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("Stop = %v, want %s and %q", err, tt.kind, tt.says)
				}
				if n := sim.Accepted(dashed, lcssim.Stop); n != tt.accepted {
					t.Errorf("LCS carried out %d stops, want %d", n, tt.accepted)
				}
				sends := 1
				if tt.kind == lcs.Unauthorized {
					sends = 2 // once more with a fresh token
				}
				if n := len(sim.Requests()); n != sends {
					t.Errorf("the POST was sent %d times, want %d", n, sends)
				}
				if n := logs.FilterMessage("LCS request").Len(); n != sends {
					t.Errorf("%d requests are logged, want %d", n, sends)
				}
				if shown := fmt.Sprintf("%v %+v %#v %v", err, e, *e, logs.All()); strings.Contains(shown, secret) {
					t.Errorf("the token shows: %s", shown)
				}
			})
		})
	}
}

func TestStopAndStartOnTheWire(t *testing.T) {
	sim := newSim(lcssim.Options{})
	c := newClient(t, sim, lcs.ClientOptions{})
	op, err := c.Stop(t.Context(), project, dashed)
	if err != nil || len(op.ActivityID) != 36 {
		t.Fatalf("Stop = %+v, %v; want an activity id", op, err)
	}
	if _, err := c.Start(t.Context(), project, bareID()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Start(t.Context(), project, dashed); kindOf(err) != lcs.Refused {
		t.Errorf("a start while it stops = %v, want refused", err)
	}
	for i, path := range []string{"/environment/v1/stop/project/1234567/environment/" + dashed, "/environment/v1/start/project/1234567/environment/" + bareID()} {
		r := sim.Requests()[i]
		if r.Method != http.MethodPost || r.Path != path || r.MSVersion != "2017-09-15" || r.ContentType != "application/json" || r.ContentLength != 0 {
			t.Errorf("request %d = %+v, want a POST without a body to %s", i, r, path)
		}
	}
}

func bareID() string { return strings.ReplaceAll(bare, " ", "") }

func kindOf(err error) lcs.Kind {
	if e, ok := errors.AsType[*lcs.Error](err); ok {
		return e.Kind
	}
	return ""
}

func TestMetadataOfAllPages(t *testing.T) {
	sim := newSim(lcssim.Options{Limits: &lcssim.Limits{}})
	for i := range 18 {
		sim.AddEnvironment(project, lcssim.Environment{ID: fmt.Sprintf("%032d", i), Name: fmt.Sprintf("more-%d", i)})
	}
	c := newClient(t, sim, lcs.ClientOptions{})
	all, err := c.Environments(t.Context(), project, nil)
	if err != nil || len(all) != 20 || len(sim.Requests()) != 3 {
		t.Fatalf("Environments = %d of 20 in %d pages of 7, %v", len(all), len(sim.Requests()), err)
	}
	if q := sim.Requests()[2]; q.Path != "/environmentinfo/v1/detail/project/1234567/" || q.Query != "page=3" {
		t.Errorf("third request = %s?%s", q.Path, q.Query)
	}
	env, ok, err := c.Environment(t.Context(), project, strings.ToUpper(bareID()))
	if err != nil || !ok || env.Name != "dev-02" || env.Condition() != lcs.Stopped || env.DeployedOnUTC != "7/5/2021 11:19 AM" {
		t.Errorf("Environment = %+v, %t, %v", env, ok, err)
	}
	if _, ok, err := c.Environment(t.Context(), project, "nobody"); ok || err != nil {
		t.Errorf("an unknown id = %t, %v; want neither found nor an error (LCS answers null)", ok, err)
	}
	if page, err := c.EnvironmentsPage(t.Context(), project, 9); err != nil || page.More || len(page.Environments) != 0 {
		t.Errorf("a page beyond the last = %+v, %v", page, err)
	}
}

func TestHistoryListsOperations(t *testing.T) {
	sim := newSim(lcssim.Options{})
	c := newClient(t, sim, lcs.ClientOptions{})
	if _, err := c.Stop(t.Context(), project, dashed); err != nil {
		t.Fatal(err)
	}
	page, err := c.History(t.Context(), project, dashed, 1)
	if err != nil || len(page.Actions) != 1 || page.Actions[0].Status != "Completed" || page.Actions[0].Start == "" {
		t.Errorf("History = %+v, %v", page, err)
	}
}

func TestOneFreshTokenAfterA401(t *testing.T) {
	sim := newSim(lcssim.Options{Tokens: []string{"fresh"}})
	cred := &credential{token: "stale", fresh: "fresh"}
	c, err := lcs.NewClient("https://lcs.invalid", cred, &lcs.ClientOptions{Transport: sim.Transport()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stop(t.Context(), project, dashed); err != nil {
		t.Errorf("Stop with a stale token = %v, want success with a fresh one", err)
	}
	if len(cred.asked) != 2 || cred.asked[1] == "" {
		t.Errorf("the credential was asked with claims %q, want once without and once with", cred.asked)
	}
}

// A peer, LCS or a gateway before it, may repeat the headers of a request wherever it writes text.
func TestTextOfPeersIsKeptWithoutCredentials(t *testing.T) {
	const token = "kn0wn-token/with+signs=="
	echoed := "Authorization: Bearer " + token
	tests := []struct{ name, answer string }{
		{"the message of a refusal", `{"IsSuccess":false,"ErrorMessage":"headers were ` + echoed + `"}`},
		{"the token alone", `{"IsSuccess":false,"ErrorMessage":"` + token + `"}`},
		{"escaped as in an address", `{"IsSuccess":false,"ErrorMessage":"?token=` + url.QueryEscape(token) + `"}`},
		{"in base64", `{"IsSuccess":false,"ErrorMessage":"` + base64.StdEncoding.EncodeToString([]byte(echoed)) + `"}`},
		{"an id of an operation", `{"IsSuccess":true,"OperationActivityId":"` + token + `","ResultPageCurrent":1}`},
		{"the end of the version", `{"IsSuccess":true,"VersionEOL":"` + token + `"}`},
		{"what describes an environment", `{"IsSuccess":true,"ResultPageCurrent":1,"Data":[{"EnvironmentId":"` + token + `","EnvironmentName":"` + echoed + `","EnvironmentType":"` + token + `","DeploymentState":"` + token + `","DeploymentStatusDisplay":"` + token + `","DeployedOnUTC":"` + token + `"}]}`},
		{"what describes an operation", `{"IsSuccess":true,"ResultPageCurrent":1,"Data":[{"Name":"` + token + `","Type":"` + token + `","TypeDisplay":"` + echoed + `","StartDateTimeUTC":"` + token + `","EndDateTimeUTC":"` + token + `","Status":"` + token + `","ActivityId":"` + token + `"}]}`},
	}
	for _, tt := range tests {
		for _, status := range []int{http.StatusOK, http.StatusForbidden} {
			t.Run(fmt.Sprintf("%s, HTTP %d", tt.name, status), func(t *testing.T) {
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Activity-Id", token)
					w.WriteHeader(status)
					_, _ = io.WriteString(w, tt.answer)
				}))
				defer server.Close()
				shown := map[string]string{}
				c, err := lcs.NewClient(server.URL, &credential{token: token}, &lcs.ClientOptions{OnVersionEOL: func(date string) { shown["the date"] = date }})
				if err != nil {
					t.Fatal(err)
				}
				op, err := c.Stop(t.Context(), project, dashed)
				page, perr := c.EnvironmentsPage(t.Context(), project, 1)
				history, herr := c.History(t.Context(), project, dashed, 1)
				e := &lcs.Error{}
				_ = errors.As(err, &e)
				shown["what the client returns"] = fmt.Sprintf("%+v %v %+v %+v %v %+v %v", op, err, *e, page, perr, history, herr)
				for _, leak := range lcssim.Leaks(shown, []string{token}) {
					t.Errorf("%s: %s", leak, shown)
				}
			})
		}
	}
}

// What a proxy answers instead of a connection left nothing for LCS to count, and its words
// may repeat the credentials that it was sent.
func TestRefusedProxyIsNoCallAndShowsNoCredentials(t *testing.T) {
	basic := base64.StdEncoding.EncodeToString([]byte("svc-proxy:pr0xy-passw0rd"))
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = fmt.Fprintf(conn, "HTTP/1.1 407 wrong credentials: %s\r\nContent-Length: 0\r\n\r\n", r.Header.Get("Proxy-Authorization"))
		_ = conn.Close()
	}))
	defer proxy.Close()
	transport := lcs.NewTransport()
	address, err := url.Parse("http://svc-proxy:pr0xy-passw0rd@" + strings.TrimPrefix(proxy.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	transport.Transport.(*http.Transport).Proxy = http.ProxyURL(address)
	c, err := lcs.NewClient("https://lcs.invalid", &credential{token: secret}, &lcs.ClientOptions{Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Stop(t.Context(), project, dashed)
	if kindOf(err) != lcs.NotSent || !strings.Contains(err.Error(), "the proxy 127.0.0.1:") || !strings.Contains(err.Error(), "HTTP 407") {
		t.Errorf("Stop = %v, want %s and which proxy refused", err, lcs.NotSent)
	}
	for _, leak := range lcssim.Leaks(map[string]string{"the error": fmt.Sprint(err)}, []string{basic, "pr0xy-passw0rd"}) {
		t.Errorf("%s: %v", leak, err)
	}
}

// A certificate does not become trusted by asking again.
func TestCertificateErrorsArePermanentAndSaySo(t *testing.T) {
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	c, err := lcs.NewClient(server.URL, &credential{token: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Stop(t.Context(), project, dashed)
	if kindOf(err) != lcs.Untrusted || strings.Contains(err.Error(), "x509") ||
		!strings.Contains(err.Error(), "not trusted") || !strings.Contains(err.Error(), "asking again does not help") {
		t.Errorf("Stop = %v, want %s and what to do", err, lcs.Untrusted)
	}
}

// Only what changes something can be left half done.
func TestUnansweredReadIsNotSaidToBeCarriedOut(t *testing.T) {
	sim := newSim(lcssim.Options{})
	sim.Inject(lcssim.Fault{Kind: lcssim.Error503})
	c := newClient(t, sim, lcs.ClientOptions{})
	const doubt = "may or may not have been carried out"
	if _, err := c.EnvironmentsPage(t.Context(), project, 1); kindOf(err) != lcs.Ambiguous || strings.Contains(err.Error(), doubt) {
		t.Errorf("EnvironmentsPage = %v, want %s without doubt about what it did", err, lcs.Ambiguous)
	}
	if _, err := c.Stop(t.Context(), project, dashed); kindOf(err) != lcs.Ambiguous || !strings.Contains(err.Error(), doubt) {
		t.Errorf("Stop = %v, want %s and the doubt", err, lcs.Ambiguous)
	}
}

func TestWhatNeverLeftIsNotSent(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	plain := httptest.NewServer(nil)
	defer plain.Close()
	tests := []struct {
		name, endpoint string
		cred           *credential
	}{
		{"no token", "https://lcs.invalid", &credential{err: errors.New("signed out")}},
		{"nobody listens", closed.URL, &credential{token: secret}},
		{"no such host", "https://nosuchhost.invalid", &credential{token: secret}},
		{"a port that answers no handshake", "https://" + strings.TrimPrefix(plain.URL, "http://"), &credential{token: secret}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := lcs.NewClient(tt.endpoint, tt.cred, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.Stop(t.Context(), project, dashed); kindOf(err) != lcs.NotSent || strings.Contains(err.Error(), secret) {
				t.Errorf("Stop = %v, want %s", err, lcs.NotSent)
			}
		})
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	c, err := lcs.NewClient(server.URL, &credential{token: secret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stop(t.Context(), project, dashed); kindOf(err) != lcs.Invalid || elsewhere != 0 {
		t.Errorf("Stop = %v with %d requests elsewhere, want %s and none", err, elsewhere, lcs.Invalid)
	}
}

func TestTokenGoesOverTLSOrLoopbackOnly(t *testing.T) {
	tests := []struct {
		endpoint string
		ok       bool
	}{
		{"https://lcsapi.eu.lcs.dynamics.com", true},
		{"http://127.0.0.1:9000/", true},
		{"http://[::1]:9000", true},
		{"http://localhost:9000", true},
		{"http://LOCALHOST:9000", true},
		{"http://[::ffff:127.0.0.1]:9000", true},
		{"http://[::1%25eth0]:9000", false},
		{"http://127.0.0.1:99999", false},
		{"https://lcs.invalid:0", false},
		{"https://lcs.invalid:", false},
		{"http://lcsapi.lcs.dynamics.com", false},
		{"http://127.0.0.1.evil.example", false},
		{"https://user:password@lcs.invalid", false},
		{"ftp://127.0.0.1", false},
		{"lcs.invalid", false},
		{"", false},
	}
	for _, tt := range tests {
		if _, err := lcs.NewClient(tt.endpoint, &credential{}, nil); (err == nil) != tt.ok {
			t.Errorf("NewClient(%q) = %v, want accepted: %t", tt.endpoint, err, tt.ok)
		}
	}
}

func TestEndOfTheVersionIsReported(t *testing.T) {
	sim := newSim(lcssim.Options{})
	var reported []string
	c := newClient(t, sim, lcs.ClientOptions{OnVersionEOL: func(date string) { reported = append(reported, date) }})
	if _, err := c.EnvironmentsPage(t.Context(), project, 1); err != nil || reported != nil {
		t.Errorf("9999 was reported as an end: %v, %v", reported, err)
	}
	sim.Inject(lcssim.Fault{Kind: lcssim.NearEOL})
	if _, err := c.EnvironmentsPage(t.Context(), project, 1); err != nil || len(reported) != 1 || !strings.HasPrefix(reported[0], "2027-06-30") {
		t.Errorf("reported = %v, %v; want the date", reported, err)
	}
}
