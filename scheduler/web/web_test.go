package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web"
)

var cet = time.FixedZone("CET", 3600)

// fixed is an engine with one environment and three runs.
type fixed struct{ down error }

func (f fixed) Ready(context.Context) error { return f.down }

func (f fixed) Runs(_ context.Context, q scheduler.RunFilter) ([]scheduler.Run, string, error) {
	if f.down != nil {
		return nil, "", f.down
	}
	all := []scheduler.Run{finished, {ID: "01a20a66-0000-7000-8000-000000000002", Environment: "dev-01", Action: plan.Stop, State: scheduler.Queued, FireAt: fireAt}, {ID: "01a20a66-0000-7000-8000-000000000001", Environment: "dev-02", State: scheduler.Missed, FireAt: fireAt}}
	all = slices.DeleteFunc(all, func(r scheduler.Run) bool {
		return q.Environment != "" && r.Environment != q.Environment || q.State != "" && r.State != q.State || q.Cursor != "" && r.ID >= q.Cursor
	})
	if q.Limit > 0 && len(all) > q.Limit {
		return all[:q.Limit], all[q.Limit-1].ID, nil
	}
	return all, "", nil
}

func (f fixed) FindRun(_ context.Context, id string) (scheduler.Run, error) {
	if id == finished.ID {
		return finished, nil
	}
	return scheduler.Run{}, scheduler.ErrNoRun
}

func (f fixed) Statuses(context.Context) ([]scheduler.EnvironmentStatus, error) {
	return []scheduler.EnvironmentStatus{{
		Environment: scheduler.Environment{Name: "dev-01", Project: "contoso", ID: "55eb", Tags: []string{"dev"}, CostPerHour: 1.25},
		Wanted:      plan.Running, Because: "window mon-fri 07:00-19:00",
		Observation: scheduler.Observation{At: fireAt, Name: "DevBox", Condition: lcs.Running, DeploymentState: "Finished"},
	}}, nil
}

func (f fixed) Fires(from, _ time.Time) []plan.Fire {
	return []plan.Fire{{At: from.In(cet), Action: plan.Stop, Environment: "dev-01", Schedule: "office-hours", Reason: "window ends"}}
}

var (
	fireAt   = time.Date(2026, 11, 23, 19, 0, 0, 0, cet)
	finished = scheduler.Run{
		ID: "01a20a66-0000-7000-8000-000000000003", Environment: "dev-01", Project: "contoso", Schedule: "office-hours", Action: plan.Stop, Trigger: scheduler.TriggerSchedule,
		State: scheduler.Succeeded, FireAt: fireAt, AcceptedAt: fireAt.Add(time.Second).UTC(), FinishedAt: fireAt.Add(3 * time.Minute).UTC(),
		OperationActivityID: "activity", Message: "metadata shows Stopped (Stopped)",
		Attempts: []scheduler.Attempt{{At: fireAt.UTC(), Account: "main", Outcome: scheduler.OutcomeAccepted, OperationActivityID: "activity"}},
	}
)

var (
	onLoopback  = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	onAnAddress = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 8080}
)

func handler(addr net.Addr, token string, down error) http.Handler {
	return web.New(web.Options{Engine: fixed{down}, Gatherer: prometheus.NewRegistry(), Version: "1.2.3", Token: auth.NewSecret(token)}).Handler(addr)
}

func ask(h http.Handler, method, host, path, token string) *http.Response {
	req := httptest.NewRequest(method, "http://"+host+path, nil)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return w.Result()
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRunHasTheContractsFields(t *testing.T) {
	got := body(t, ask(handler(onLoopback, "", nil), "GET", "localhost:8080", "/api/v1/runs/01a20a66-0000-7000-8000-000000000003", ""))
	want := `{"id":"01a20a66-0000-7000-8000-000000000003","environment":"dev-01","project":"contoso","schedule":"office-hours","action":"stop","trigger":"schedule","state":"succeeded",` +
		`"fire_at":"2026-11-23T19:00:00+01:00","accepted_at":"2026-11-23T19:00:01+01:00","finished_at":"2026-11-23T19:03:00+01:00","operation_activity_id":"activity",` +
		`"attempts":[{"at":"2026-11-23T19:00:00+01:00","account":"main","outcome":"accepted","message":null,"operation_activity_id":"activity"}],` +
		`"message":"metadata shows Stopped (Stopped)","superseded_by":null}` + "\n"
	if got != want {
		t.Errorf("run =\n%s\nwant\n%s", got, want)
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name, method, path string
		status             int
		says               string
	}{
		{"health", "GET", "/healthz", 200, "ok\n"},
		{"readiness", "GET", "/readyz", 200, "ready\n"},
		{"metrics", "GET", "/metrics", 200, ""},
		{"the start page", "GET", "/", 200, "Version 1.2.3"},
		{"a page of runs with its cursor", "GET", "/api/v1/runs?limit=1", 200, `"next_cursor":"01a20a66-0000-7000-8000-000000000003"`},
		{"the last page", "GET", "/api/v1/runs?cursor=01a20a66-0000-7000-8000-000000000003", 200, `"next_cursor":null`},
		{"a filter", "GET", "/api/v1/runs?state=missed", 200, `"items":[{"id":"01a20a66-0000-7000-8000-000000000001"`},
		{"no match is an empty list", "GET", "/api/v1/runs?environment=nobody", 200, `{"items":[],"next_cursor":null}`},
		{"an unfinished run has nulls", "GET", "/api/v1/runs?state=queued", 200, `"accepted_at":null,"finished_at":null,"operation_activity_id":null,"attempts":[]`},
		{"an environment", "GET", "/api/v1/environments/dev-01", 200, `"observed":"running","observed_at":"2026-11-23T18:00:00Z","deployment_state":"Finished","lcs_name":"DevBox","next_fire":null,"run":null`},
		{"fires", "GET", "/api/v1/fires?from=2026-11-23T19:00:00Z", 200, `{"items":[{"at":"2026-11-23T20:00:00+01:00","action":"stop","environment":"dev-01","schedule":"office-hours","reason":"window ends"}],"next_cursor":null}`},
		{"an unknown run", "GET", "/api/v1/runs/9", 404, `"title":"no such run"`},
		{"an unknown environment", "GET", "/api/v1/environments/nobody", 404, `"title":"no such environment"`},
		{"an unknown address", "GET", "/api/v1/nothing", 404, `"title":"no such address"`},
		{"a change", "POST", "/api/v1/runs", 405, `"title":"this version only reads"`},
		{"an unknown state", "GET", "/api/v1/runs?state=done", 400, `state: want one of`},
		{"an unknown parameter never widens", "GET", "/api/v1/runs?enviroment=dev-01", 400, `enviroment: want one of the parameters`},
		{"an instant without an offset", "GET", "/api/v1/fires?from=2026-11-23T19:00:00", 400, `from: want RFC 3339 with an offset`},
		{"a query that cannot be read never widens", "GET", "/api/v1/runs?environment=nobody;x", 400, `the query: want name=value pairs`},
		{"an escape that cannot be read never widens", "GET", "/api/v1/runs?state=%zz", 400, `the query: want name=value pairs`},
		{"a cursor that nobody gave out", "GET", "/api/v1/runs?cursor=zzz", 400, `cursor: want the next_cursor`},
		{"a parameter where there is none", "GET", "/api/v1/environments/dev-01?verbose=1", 400, `verbose: want one of the parameters of this address, which has none`},
		{"a limit out of range", "GET", "/api/v1/runs?limit=0", 400, `limit: want a number from 1 to 1000`},
		{"an end before the begin", "GET", "/api/v1/fires?from=2026-11-23T19:00:00Z&to=2026-11-22T19:00:00Z", 400, `to: want an instant after from`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := ask(handler(onLoopback, "", nil), tt.method, "127.0.0.1:8080", tt.path, "")
			got := body(t, res)
			if res.StatusCode != tt.status || !strings.Contains(got, tt.says) {
				t.Errorf("%s %s = %d %s, want %d and %q", tt.method, tt.path, res.StatusCode, got, tt.status, tt.says)
			}
			if tt.status >= 400 && res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("content type of a problem = %q", res.Header.Get("Content-Type"))
			}
			if res.Header.Get("Content-Security-Policy") == "" || res.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("security headers are missing: %v", res.Header)
			}
		})
	}
}

func TestWhoMayRead(t *testing.T) {
	tests := []struct {
		name   string
		addr   net.Addr
		host   string
		set    string // the daemon's token
		sent   string
		status int
	}{
		{"on loopback everybody of the machine", onLoopback, "localhost:8080", "", "", 200},
		{"on loopback by IPv6", onLoopback, "[::1]:8080", "", "", 200},
		{"on loopback not under another site's name", onLoopback, "evil.example:8080", "", "", 421},
		{"under another name with the token", onLoopback, "curfew.internal", "known", "known", 200},
		{"off loopback not without a token", onAnAddress, "10.0.0.7:8080", "", "", 403},
		{"off loopback not by a loopback name", onAnAddress, "localhost:8080", "", "", 403},
		{"off loopback with the token", onAnAddress, "10.0.0.7:8080", "known", "known", 200},
		{"off loopback with a wrong token", onAnAddress, "10.0.0.7:8080", "known", "unknown", 401},
		{"off loopback with no token sent", onAnAddress, "10.0.0.7:8080", "known", "", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := handler(tt.addr, tt.set, nil)
			if res := ask(h, "GET", tt.host, "/api/v1/runs", tt.sent); res.StatusCode != tt.status {
				t.Errorf("runs = %d, want %d", res.StatusCode, tt.status)
			}
			for _, path := range []string{"/healthz", "/metrics"} {
				if res := ask(h, "GET", tt.host, path, ""); res.StatusCode != 200 {
					t.Errorf("%s = %d, want 200 for everybody", path, res.StatusCode)
				}
			}
		})
	}
}

func TestTokenNeedsItsScheme(t *testing.T) {
	req := httptest.NewRequest("GET", "http://10.0.0.7:8080/api/v1/runs", nil)
	req.Header.Set("Authorization", "known")
	w := httptest.NewRecorder()
	handler(onAnAddress, "known", nil).ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("a token without Bearer = %d, want 401", w.Code)
	}
}

func TestLostDatabaseIsNotReadyAndSaysNothingOfItself(t *testing.T) {
	h := handler(onLoopback, "", errors.New("dial postgres://user:known-password@db"))
	for path, status := range map[string]int{"/readyz": 503, "/api/v1/runs": 500} {
		res := ask(h, "GET", "localhost", path, "")
		if got := body(t, res); res.StatusCode != status || strings.Contains(got, "known-password") {
			t.Errorf("%s = %d %s, want %d and no detail", path, res.StatusCode, got, status)
		}
	}
}

func TestOpenAPINamesExactlyWhatIsServed(t *testing.T) {
	h := handler(onLoopback, "", nil)
	var doc struct {
		Paths      map[string]any
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(body(t, ask(h, "GET", "localhost", "/api/v1/openapi.json", ""))), &doc); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(doc.Paths)), web.Routes(); !slices.Equal(got, want) {
		t.Errorf("the document names %v, served is %v", got, want)
	}
	for path := range doc.Paths {
		path = strings.NewReplacer("{name}", "dev-01", "{id}", "01a20a66-0000-7000-8000-000000000003").Replace(path)
		if res := ask(h, "GET", "localhost", path, ""); res.StatusCode != 200 {
			t.Errorf("%s is in the document and answers %d", path, res.StatusCode)
		}
	}
	for name, v := range map[string]any{"Run": web.Run{}, "Attempt": web.Attempt{}, "Fire": web.Fire{}, "Environment": web.Environment{}, "Problem": web.Problem{}} {
		var fields []string
		for f := range reflect.TypeOf(v).Fields() {
			fields = append(fields, f.Tag.Get("json"))
		}
		var described []string
		for p := range doc.Components.Schemas[name].Properties {
			described = append(described, p)
		}
		slices.Sort(fields)
		slices.Sort(described)
		if !slices.Equal(fields, described) {
			t.Errorf("%s is described with %v, and has %v", name, described, fields)
		}
	}
}

func TestClient(t *testing.T) {
	server := httptest.NewServer(handler(onLoopback, "", nil))
	defer server.Close()
	c, err := web.NewClient(server.URL, auth.NewSecret(""))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := c.Runs(t.Context(), web.RunQuery{Max: 2})
	if err != nil || len(runs) != 2 || runs[0].ID != "01a20a66-0000-7000-8000-000000000003" {
		t.Errorf("Runs = %+v, %v; want the newest two", runs, err)
	}
	if _, err := c.Runs(t.Context(), web.RunQuery{State: "done"}); err == nil || !strings.Contains(err.Error(), "state: want one of") {
		t.Errorf("Runs with a bad state = %v, want the problem's words", err)
	}
	if list, err := c.Environments(t.Context()); err != nil || len(list) != 1 || list[0].Name != "dev-01" {
		t.Errorf("Environments = %+v, %v", list, err)
	}
	server.Close()
	if _, err := c.Environments(t.Context()); err == nil || !strings.Contains(err.Error(), "is it running? --server or CURFEW_SERVER") {
		t.Errorf("without a daemon: %v, want a hint", err)
	}
	if _, err := web.NewClient("localhost:8080", auth.NewSecret("")); err == nil {
		t.Error("a server without a scheme was taken")
	}
}
