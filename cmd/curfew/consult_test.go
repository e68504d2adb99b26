package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/web/api"
)

const consultedFile = `version: 1
timezone: Europe/Copenhagen
accounts: [{name: main, mode: static, token: {env: LCS_TOKEN}}]
projects: [{name: contoso, id: 1, account: main}]
environments: [{name: dev-01, project: contoso, id: 55eb4327-9346-4c7b-82bd-fe8ef15112c6}]
schedules: [{name: office-hours, environments: [dev-01], uptime: "mon-fri 07:00-19:00"}]
`

// A fakeDaemon answers what plan and explain ask.
type fakeDaemon struct {
	status    int // other than 200
	digest    string
	overrides []api.Override
	manual    *api.Manual
	silent    bool // never answers
}

func (d fakeDaemon) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var v any
	switch {
	case d.silent:
		<-r.Context().Done()
		return
	case d.status != 0:
		w.WriteHeader(d.status)
		v = api.Problem{Title: "refused", Status: d.status}
	case r.URL.Path == "/api/v1/file":
		v = api.File{Path: "/config/schedules.yaml", Digest: d.digest, ActiveSince: time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)}
	case r.URL.Path == "/api/v1/overrides":
		v = api.List[api.Override]{Items: append([]api.Override{}, d.overrides...)}
	case r.URL.Path == "/api/v1/environments/dev-01":
		v = api.Environment{Name: "dev-01", Manual: d.manual}
	default:
		http.NotFound(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(v)
}

func TestPlanAndExplainAskTheDaemon(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "schedules.yaml")
	if err := os.WriteFile(path, []byte(consultedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	same := config.Digest([]string{path})
	zone := time.FixedZone("CET", 3600)
	until, boundary := time.Date(2026, 11, 23, 22, 0, 0, 0, zone), time.Date(2026, 11, 24, 7, 0, 0, 0, zone)
	kept := []api.Override{
		{ID: "k3f9x2ab", Environments: []string{"dev-01", "gone-01"}, Keep: "running", From: until.Add(-4 * time.Hour), Until: until},
		{ID: "released", Environments: []string{"dev-01"}, Keep: "stopped", From: until, Until: until},
	}
	started := &api.Manual{Action: "start", At: until.Add(-time.Hour), Until: &boundary}
	explain := []string{"explain", "dev-01", "--at", "2026-11-23T21:30"}
	plan := []string{"plan", "--from", "2026-11-23", "--days", "1", "-o", "json"}
	tests := []struct {
		name         string
		daemon       fakeDaemon
		token        string
		args         []string
		says, errors string
	}{
		{"an override counts in the plan", fakeDaemon{digest: same, overrides: kept}, "", plan, `"at": "2026-11-23T22:00:00+01:00"`, ""},
		{"an override counts in explain", fakeDaemon{digest: same, overrides: kept}, "", explain, "running, until Mon 2026-11-23 22:00 CET\nbecause: override k3f9x2ab", ""},
		{"what was started by hand counts", fakeDaemon{digest: same, manual: started}, "", explain, "running, until Tue 2026-11-24 19:00 CET\nbecause: started by hand on Mon 2026-11-23 21:00, which holds until Tue 2026-11-24 07:00", ""},
		{"it shows in the whole day", fakeDaemon{digest: same, manual: started}, "", []string{"explain", "dev-01", "--at", "2026-11-23"}, "21:00  running  started by hand", ""},
		{"another file", fakeDaemon{digest: "d2", overrides: kept}, "", plan, `"at": "2026-11-23T19:00:00+01:00"`, "overrides are not considered: the daemon has another schedule file, /config/schedules.yaml, active since 2026-11-23T07:00:00Z\n"},
		{"no token", fakeDaemon{status: 401}, "", plan, `"at": "2026-11-23T19:00:00+01:00"`, "wants a token: set CURFEW_API_TOKEN here"},
		{"a wrong token", fakeDaemon{status: 401}, "unknown", explain, "stopped, until Tue 2026-11-24 07:00 CET", "refuses the token"},
		{"a daemon that fails", fakeDaemon{status: 500}, "", explain, "stopped, until", "overrides are not considered: ask the daemon"},
		{"a daemon that does not answer", fakeDaemon{silent: true}, "", explain, "stopped, until", "did not answer within 5s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.daemon)
			defer server.Close()
			var out, errs bytes.Buffer
			vars := map[string]string{"CURFEW_SERVER": server.URL, "CURFEW_API_TOKEN": tt.token, "CURFEW_CONFIG": path}
			code := run(t.Context(), env{stdout: &out, stderr: &errs, getenv: func(name string) string { return vars[name] }}, tt.args)
			if code != exitDone || !strings.Contains(out.String(), tt.says) || !strings.Contains(errs.String(), tt.errors) || tt.errors == "" && errs.Len() > 0 {
				t.Errorf("exit %d, printed\n%s\nand\n%s\nwant %q and %q", code, &out, &errs, tt.says, tt.errors)
			}
		})
	}
}
