package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
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
	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/api"
)

var cet = time.FixedZone("CET", 3600)

// fixed is an engine with one environment and three runs.
type fixed struct{ down error }

func (fixed) Accounts(context.Context) ([]scheduler.AccountStatus, error) {
	at := time.Date(2026, 11, 1, 7, 0, 0, 0, time.UTC)
	return []scheduler.AccountStatus{
		{
			Name: "main", Mode: "password", Projects: []string{"contoso"}, State: scheduler.AccountDown, Since: at, Message: "wrong user name or password", NextTry: at.Add(time.Hour),
			Holds: []scheduler.HoldStatus{{Subject: scheduler.HoldsCalls, Kind: lcs.CallStop, Until: at.Add(time.Hour), Reason: "LCS answered 429"}},
		},
		{Name: "second", Mode: "delegated", Projects: []string{"contoso"}, State: scheduler.AccountUp, Since: at, Login: &auth.Login{User: "svc@contoso.com", SignedInAt: at, RefreshedAt: at}},
	}, nil
}

func (f fixed) Ready(context.Context) error { return f.down }

func (f fixed) Runs(_ context.Context, q scheduler.RunFilter) ([]scheduler.Run, string, error) {
	if f.down != nil {
		return nil, "", f.down
	}
	all := []scheduler.Run{finished, {ID: "01a20a66-0000-7000-8000-000000000002", Environment: "dev-01", Action: plan.Stop, Trigger: scheduler.TriggerSchedule, State: scheduler.Queued, FireAt: fireAt}, {ID: "01a20a66-0000-7000-8000-000000000001", Environment: "dev-02", Action: plan.Stop, Trigger: scheduler.TriggerSchedule, State: scheduler.Missed, FireAt: fireAt}}
	all = slices.DeleteFunc(all, func(r scheduler.Run) bool {
		return q.Environment != "" && r.Environment != q.Environment || q.State != "" && r.State != q.State || q.Cursor != "" && r.ID >= q.Cursor
	})
	if q.Limit > 0 && len(all) > q.Limit {
		return all[:q.Limit], all[q.Limit-1].ID, nil
	}
	return all, "", nil
}

func (f fixed) FindRun(_ context.Context, id string) (scheduler.Run, error) {
	switch id {
	case finished.ID, "00000003": // its short form
		return finished, nil
	case "8":
		return scheduler.Run{ID: id, Action: plan.Stop, Trigger: scheduler.TriggerSchedule, State: scheduler.Queued}, nil
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

func (f fixed) LastCall(context.Context, plan.Action, ...string) (time.Time, error) {
	return fireAt, nil
}

func (f fixed) Fires(from, _ time.Time) iter.Seq[plan.Fire] {
	return slices.Values([]plan.Fire{{At: from.In(cet), Action: plan.Stop, Environment: "dev-01", Schedule: "office-hours", Reason: "window ends"}})
}

func (f fixed) Request(_ context.Context, name string, action plan.Action, by scheduler.Actor) (scheduler.Run, error) {
	if name != "dev-01" {
		return scheduler.Run{}, fmt.Errorf("%w: %q", scheduler.ErrNoEnvironment, name)
	}
	return scheduler.Run{ID: "01a20a66-0000-7000-8000-000000000004", Environment: name, Action: action, Trigger: scheduler.TriggerManual, State: scheduler.Queued, FireAt: fireAt, By: by}, nil
}

func (f fixed) Cancel(_ context.Context, id string, _ scheduler.Actor) (scheduler.Run, error) {
	return scheduler.Run{ID: id, Action: plan.Stop, Trigger: scheduler.TriggerSchedule, State: scheduler.Canceled}, f.unlessFinished(id)
}

func (f fixed) Approve(_ context.Context, id string, _ scheduler.Actor) ([]scheduler.Run, error) {
	return []scheduler.Run{{ID: "other"}, {ID: id, Action: plan.Stop, Trigger: scheduler.TriggerSchedule, State: scheduler.Queued}}, f.unlessFinished(id)
}

func (f fixed) unlessFinished(id string) error {
	if id == finished.ID {
		return scheduler.ErrFinished
	}
	return nil
}

func (f fixed) Override(_ context.Context, o scheduler.Override) (scheduler.Override, bool, error) {
	if o.Until.IsZero() {
		return o, false, &scheduler.InvalidError{Message: "until: an override must have an end"}
	}
	o.ID, o.From = "k3f9x2ab", fireAt
	return o, o.Reason != "again", nil
}

func (f fixed) Skip(_ context.Context, name string, _ scheduler.Actor) (scheduler.Override, bool, error) {
	switch name {
	case "dev-01":
		return kept.Override, true, nil
	case "skipped":
		return kept.Override, false, nil
	}
	return scheduler.Override{}, false, fmt.Errorf("%w: %q", scheduler.ErrNoEnvironment, name)
}

func (f fixed) Release(_ context.Context, id string, _ scheduler.Actor) (scheduler.Override, error) {
	switch id {
	case "k3f9x2ab":
		return kept.Override, nil
	case "over":
		return scheduler.Override{}, scheduler.ErrOver
	}
	return scheduler.Override{}, scheduler.ErrNoOverride
}

func (f fixed) ReleaseAccount(_ context.Context, name string, _ scheduler.Actor) (scheduler.AccountStatus, error) {
	if name != "main" {
		return scheduler.AccountStatus{}, fmt.Errorf("%w: %q", scheduler.ErrNoAccount, name)
	}
	return scheduler.AccountStatus{Name: name, Projects: []string{"contoso"}, State: scheduler.AccountUp}, nil
}

func (f fixed) Overrides(context.Context) ([]scheduler.OverrideStatus, error) {
	return []scheduler.OverrideStatus{kept}, nil
}

var kept = scheduler.OverrideStatus{
	Override: scheduler.Override{
		ID: "k3f9x2ab", Environments: []string{"dev-01", "gone-01"}, Keep: plan.Running, From: fireAt, Until: fireAt.Add(time.Hour), CreatedAt: fireAt, Reason: "a demo", By: scheduler.ByToken,
	},
	State: "active", Stale: []string{"gone-01"},
}

var (
	fireAt   = time.Date(2026, 11, 23, 19, 0, 0, 0, cet)
	finished = scheduler.Run{
		ID: "01a20a66-0000-7000-8000-000000000003", Environment: "dev-01", Project: "contoso", Schedule: "office-hours", Action: plan.Stop, Trigger: scheduler.TriggerSchedule, By: scheduler.BySchedule,
		State: scheduler.Succeeded, FireAt: fireAt, AcceptedAt: fireAt.Add(time.Second).UTC(), FinishedAt: fireAt.Add(3 * time.Minute).UTC(),
		OperationActivityID: "activity", Message: "metadata shows Stopped (Stopped)",
		Attempts: []scheduler.Attempt{{At: fireAt.UTC(), Account: "main", Outcome: scheduler.OutcomeAccepted, OperationActivityID: "activity"}},
	}
)

var active = api.File{Path: "schedules.yaml", Digest: "d1", Timezone: "Europe/Copenhagen", ActiveSince: fireAt}

var (
	onLoopback  = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}
	onAnAddress = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 8080}
)

func handler(addr net.Addr, token string, down error) http.Handler {
	shown := shownPages(down)
	return described.handler(served(api.Options{Engine: fixed{down}, Reports: past{}, File: func(context.Context) api.File { return active }}, web.Options{
		Ready: fixed{down}.Ready, Pages: shown.Routes(), Open: shown.Open(), Problem: shown.Problem, Token: tokenIs(token),
	}).Handler(addr))
}

// served is the API in a server.
func served(a api.Options, o web.Options) *web.Server {
	a.Changes = access.NewChanges(fixed{}, nil) // the token has no hours
	o.API, o.Gatherer = api.New(a), prometheus.NewRegistry()
	return web.New(o)
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
		`"attempts":[{"at":"2026-11-23T19:00:00+01:00","account":"main","outcome":"accepted","message":null,"operation_activity_id":"activity","unseen":false}],` +
		`"message":"metadata shows Stopped (Stopped)","superseded_by":null,"by":"schedule"}` + "\n"
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
		{"the start page", "GET", "/", 200, "curfew 1.2.3"},
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
		{"a method that an address does not take", "POST", "/api/v1/runs", 405, `"detail":"it takes GET"`},
		{"a change where there is no token", "POST", "/api/v1/environments/dev-01/start", 403, `"title":"changes are refused"`},
		{"overrides", "GET", "/api/v1/overrides", 200, `"items":[{"id":"k3f9x2ab","environments":["dev-01","gone-01"],"keep":"running","from":"2026-11-23T19:00:00+01:00","until":"2026-11-23T20:00:00+01:00","reason":"a demo","by":"token",` +
			`"created_at":"2026-11-23T19:00:00+01:00","released_at":null,"state":"active","stale":["gone-01"]}]`},
		{"an unknown state", "GET", "/api/v1/runs?state=done", 400, `state: want one of`},
		{"an unknown parameter never widens", "GET", "/api/v1/runs?enviroment=dev-01", 400, `enviroment: want one of the parameters`},
		{"an instant without an offset", "GET", "/api/v1/fires?from=2026-11-23T19:00:00", 400, `from: want RFC 3339 with an offset`},
		{"a query that cannot be read never widens", "GET", "/api/v1/runs?environment=nobody;x", 400, `the query: want name=value pairs`},
		{"an escape that cannot be read never widens", "GET", "/api/v1/runs?state=%zz", 400, `the query: want name=value pairs`},
		{"a cursor that was never issued", "GET", "/api/v1/runs?cursor=zzz", 400, `cursor: want the next_cursor`},
		{"a parameter where there is none", "GET", "/api/v1/environments/dev-01?verbose=1", 400, `verbose: want one of the parameters of this address, which has none`},
		{"NUL in a filter", "GET", "/api/v1/runs?environment=dev%00", 400, `want UTF-8 text without NUL`},
		{"a filter that is not UTF-8", "GET", "/api/v1/runs?environment=%ff%fe", 400, `want UTF-8 text without NUL`},
		{"NUL in the name of a filter", "GET", "/api/v1/runs?%00=1", 400, `want UTF-8 text without NUL`},
		{"NUL in an id", "GET", "/api/v1/runs/%00", 400, `want UTF-8 text without NUL`},
		{"an id that is not UTF-8", "GET", "/api/v1/runs/%c3%28", 400, `want UTF-8 text without NUL`},
		{"NUL in the address of a page", "GET", "/environments/%00", 400, `want UTF-8 text without NUL`},
		{"NUL in the filter of a page", "GET", "/?name=%00", 400, `want UTF-8 text without NUL`},
		{"a limit out of range", "GET", "/api/v1/runs?limit=0", 400, `limit: want a number from 1 to 1000`},
		{"an end before the start", "GET", "/api/v1/fires?from=2026-11-23T19:00:00Z&to=2026-11-22T19:00:00Z", 400, `to: want an instant after from`},
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

func TestLostDatabaseIsNotReadyAndSaysNothingOfItself(t *testing.T) {
	h := handler(onLoopback, "", errors.New("dial postgres://user:known-password@db"))
	for path, status := range map[string]int{"/readyz": 503, "/api/v1/runs": 500} {
		res := ask(h, "GET", "localhost", path, "")
		if got := body(t, res); res.StatusCode != status || strings.Contains(got, "known-password") {
			t.Errorf("%s = %d %s, want %d and no detail", path, res.StatusCode, got, status)
		}
	}
}

func TestReadyzSaysWhichConditionFailsAndNoDetail(t *testing.T) {
	down := &scheduler.UnreadyError{Reason: scheduler.UnreadyDisk, Err: errors.New("write /srv/known-place/curfew.db")}
	res := ask(handler(onLoopback, "", down), "GET", "localhost", "/readyz", "")
	if got := body(t, res); res.StatusCode != 503 || got != scheduler.UnreadyDisk+"\n" {
		t.Errorf("/readyz = %d %q, want 503 and %q alone", res.StatusCode, got, scheduler.UnreadyDisk)
	}
}

func TestOpenAPINamesExactlyWhatIsServed(t *testing.T) {
	h := handler(onLoopback, "", nil)
	var doc struct {
		Paths      map[string]map[string]any
		Components struct {
			Schemas map[string]struct{ Properties map[string]any }
		}
	}
	if err := json.Unmarshal([]byte(body(t, ask(h, "GET", "localhost", "/api/v1/openapi.json", ""))), &doc); err != nil {
		t.Fatal(err)
	}
	var described []string
	for path, methods := range doc.Paths {
		for method := range methods {
			described = append(described, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(described)
	if got, want := described, api.Routes(); !slices.Equal(got, want) {
		t.Errorf("the document names %v, served is %v", got, want)
	}
	for path, methods := range doc.Paths {
		if methods["get"] == nil || path == api.EventsPath { // it has no end, and tests of its own
			continue
		}
		path = strings.NewReplacer("{name}", "dev-01", "{id}", "01a20a66-0000-7000-8000-000000000003").Replace(path)
		if res := ask(h, "GET", "localhost", path, ""); res.StatusCode != 200 {
			t.Errorf("%s is in the document and answers %d", path, res.StatusCode)
		}
	}
	for name, v := range map[string]any{"Run": api.Run{}, "Attempt": api.Attempt{}, "Fire": api.Fire{}, "Environment": api.Environment{}, "Problem": api.Problem{}, "Override": api.Override{}, "OverrideRequest": api.OverrideRequest{}, "Manual": api.Manual{}, "File": api.File{}, "Refused": api.Refused{}, "Account": api.Account{}, "EventData": api.EventData{}} {
		var fields []string
		for f := range reflect.TypeOf(v).Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			fields = append(fields, name)
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

var none = api.Names{Added: []string{}, Removed: []string{}, Changed: []string{}}

const known = "a token that is known"

// tokenIs reads a token, nil for none.
func tokenIs(token string) func() (secret.Secret, error) {
	if token == "" {
		return nil
	}
	return func() (secret.Secret, error) { return secret.New(token), nil }
}

// withToken is a server whose token is known.
var withToken = web.Options{Token: tokenIs(known)}

func TestChanges(t *testing.T) {
	const run = "/api/v1/runs/01a20a66-0000-7000-8000-000000000003"
	override := `{"environments":["dev-01"],"keep":"running","until":"2026-11-24T19:00:00Z"}`
	tests := []struct {
		name, method, path, body string
		status                   int
		says                     string
	}{
		{"a start", "POST", "/api/v1/environments/dev-01/start", "", 202, `"action":"start","trigger":"manual","state":"queued"`},
		{"a stop", "POST", "/api/v1/environments/dev-01/stop", "", 202, `"action":"stop","trigger":"manual"`},
		{"of nothing", "POST", "/api/v1/environments/dev-99/stop", "", 404, `does not have \"dev-99\"`},
		{"a parameter that nobody reads", "POST", "/api/v1/environments/dev-01/stop?force=1", "", 400, "force: want one of"},
		{"a cancellation", "POST", "/api/v1/runs/8/cancel", "", 200, `"state":"canceled"`},
		{"of a finished run", "POST", run + "/cancel", "", 409, "does not wait for that"},
		{"an approval answers with the run that was named", "POST", "/api/v1/runs/8/approve", "", 200, `"id":"8"`},
		{"of a run that waits for none", "POST", run + "/approve", "", 409, "does not wait for that"},
		{"the short form of a run's id is as good", "POST", "/api/v1/runs/00000003/cancel", "", 409, "does not wait for that"},
		{"a release of an account", "POST", "/api/v1/accounts/main/release", "", 200, `"state":"up"`},
		{"of no account", "POST", "/api/v1/accounts/other/release", "", 404, `uses \"other\"`},
		{"an override", "POST", "/api/v1/overrides", override, 201, `"id":"k3f9x2ab"`},
		{"the same again", "POST", "/api/v1/overrides", strings.Replace(override, "{", `{"reason":"again",`, 1), 200, `"id":"k3f9x2ab"`},
		{"an override without an end", "POST", "/api/v1/overrides", `{"environments":["dev-01"],"keep":"running"}`, 400, "must have an end"},
		{"a misspelt field", "POST", "/api/v1/overrides", `{"enviroments":["dev-01"]}`, 400, "enviroments"},
		{"a field of another kind", "POST", "/api/v1/overrides", `{"environments":"dev-01"}`, 400, "environments cannot be a JSON string"},
		{"an instant without an offset", "POST", "/api/v1/overrides", `{"until":"2026-11-24T19:00:00"}`, 400, "RFC 3339 with an offset"},
		{"a list in place of the body", "POST", "/api/v1/overrides", `[]`, 400, "the body cannot be read: it is a JSON array; want an object"},
		{"a number in place of an instant", "POST", "/api/v1/overrides", strings.Replace(override, `"until":`, `"until":5,"x":`, 1), 400, "the body cannot be read: an instant in it is not text; want RFC 3339"},
		{"a key that nobody reads", "POST", "/api/v1/overrides", strings.Replace(override, "{", `{"untill":"x",`, 1), 400, `the body cannot be read: it has no field \"untill\"`},
		{"text that is not JSON", "POST", "/api/v1/overrides", `{keep}`, 400, "the body cannot be read: it is not JSON: invalid character 'k'"},
		{"a key that is there twice", "POST", "/api/v1/overrides", strings.Replace(override, "{", `{"keep":"stopped",`, 1), 400, "the body cannot be read: keep is there twice"},
		{"a key that is there in two cases", "POST", "/api/v1/overrides", strings.Replace(override, "{", `{"Keep":"stopped",`, 1), 400, "keep is there twice"},
		{"NUL in a reason", "POST", "/api/v1/overrides", strings.Replace(override, "{", `{"reason":"a\u0000b",`, 1), 400, "a text in it has NUL"},
		{"NUL in a name", "POST", "/api/v1/overrides", strings.Replace(override, "dev-01", `dev-01\u0000`, 1), 400, "a text in it has NUL"},
		{"an escape of NUL that is none", "POST", "/api/v1/overrides", strings.Replace(override, "{", `{"reason":"a\\u0000b",`, 1), 201, ""},
		{"a reason that is not UTF-8", "POST", "/api/v1/overrides", strings.Replace(override, "{", "{\"reason\":\"\xff\",", 1), 400, "it is not UTF-8 text"},
		{"NUL in an environment's name", "POST", "/api/v1/environments/dev%00/start", "", 400, "the address cannot be read"},
		{"NUL in an id", "POST", "/api/v1/runs/8%00/cancel", "", 400, "the address cannot be read"},
		{"an id that is not UTF-8", "DELETE", "/api/v1/overrides/%ff", "", 400, "the address cannot be read"},
		{"two bodies", "POST", "/api/v1/overrides", override + override, 400, "something after"},
		{"no body", "POST", "/api/v1/overrides", "", 400, "the body"},
		{"a body beyond all bounds", "POST", "/api/v1/overrides", `{"reason":"` + strings.Repeat("x", 2<<20) + `"}`, 400, "larger than 1 MiB"},
		{"a release", "DELETE", "/api/v1/overrides/k3f9x2ab", "", 200, `"id":"k3f9x2ab"`},
		{"a skip", "POST", "/api/v1/environments/dev-01/skip", "", 201, `"id":"k3f9x2ab"`},
		{"the same skip again", "POST", "/api/v1/environments/skipped/skip", "", 200, `"id":"k3f9x2ab"`},
		{"a skip of nobody", "POST", "/api/v1/environments/nobody/skip", "", 404, "no such environment"},
		{"of one that has ended", "DELETE", "/api/v1/overrides/over", "", 409, "has ended"},
		{"of one that never was", "DELETE", "/api/v1/overrides/nobody", "", 404, "no such override"},
		{"a reload", "POST", "/api/v1/reload", "", 200, `"status":"reloaded"`},
		{"a reload as others call it", "POST", "/-/reload", "", 200, `"status":"reloaded"`},
	}
	reload := func(context.Context) (api.Reloaded, error) {
		return api.Reloaded{Status: "reloaded", Environments: none, Schedules: none, Lost: 2}, nil
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := described.handler(served(api.Options{Engine: fixed{}, Reload: reload}, withToken).Handler(onLoopback))
			req := httptest.NewRequest(tt.method, "http://localhost"+tt.path, strings.NewReader(tt.body))
			req.Header.Set("Authorization", "Bearer "+known)
			req.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("%s %s = %d %s, want %d and %q", tt.method, tt.path, w.Code, w.Body, tt.status, tt.says)
			}
			req = httptest.NewRequest(tt.method, "http://localhost"+tt.path, strings.NewReader(tt.body))
			req.Header.Set("Authorization", "Bearer unknown")
			w = httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("with a wrong token, on loopback = %d, want 401", w.Code)
			}
		})
	}
}

func TestFormOfABrowserIsNoOverride(t *testing.T) {
	req := httptest.NewRequest("POST", "http://localhost/api/v1/overrides", strings.NewReader("keep=running"))
	req.Header.Set("Authorization", "Bearer "+known)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	handler(onLoopback, known, nil).ServeHTTP(w, req)
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "application/json") {
		t.Errorf("a form = %d %s, want 400", w.Code, w.Body)
	}
}

func TestFileThatIsNotLoadedIsAProblemWithItsErrors(t *testing.T) {
	h := described.handler(served(api.Options{Engine: fixed{}, Reload: func(context.Context) (api.Reloaded, error) {
		return api.Reloaded{}, &api.BadFile{Message: "schedules.yaml:3:9: unknown time zone"}
	}}, withToken).Handler(onLoopback))
	for _, path := range []string{"/-/reload", "/api/v1/reload"} {
		res := ask(h, "POST", "localhost", path, known)
		if got := body(t, res); res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got, "schedules.yaml:3:9: unknown time zone") {
			t.Errorf("%s = %d %s, want 422 with the error", path, res.StatusCode, got)
		}
	}
}

func TestEnvironmentThatNothingStopsIsPointedOut(t *testing.T) {
	s := scheduler.EnvironmentStatus{Environment: scheduler.Environment{Name: "dev-07"}, Unstopped: &scheduler.Unstopped{At: fireAt}}
	got := api.EnvironmentOf(s).Note
	if want := "dev-07 is running; nothing stops it before Mon 2026-11-23 19:00, since loading a file never stops anything: curfew stop dev-07"; got == nil || *got != want {
		t.Errorf("note = %v, want %q", got, want)
	}
}
