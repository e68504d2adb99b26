package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"curfew/scheduler/web/api"
)

func TestFilterThatNothingInTheFileHasIsRefused(t *testing.T) {
	known := []api.Environment{{Name: "dev-00", Project: "contoso", Tags: []string{"dev"}, Observed: "running"}, {Name: "test-00", Project: "fabrikam", Tags: []string{"test", "dev"}, Observed: "busy"}}
	past := []api.Run{{ID: "019ac36b-1000-7000-8000-0000a1b2c3d4", Environment: "old-00", Project: "old"}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/api/v1/environments":
			_ = json.NewEncoder(w).Encode(api.List[api.Environment]{Items: known})
		case "/api/v1/runs":
			_ = json.NewEncoder(w).Encode(api.List[api.Run]{Items: past})
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for _, tt := range []struct {
		name, args string
		code       int
		says       string
	}{
		{"a tag", "status --tag dev", exitDone, "test-00"},
		{"a tag that no environment has", "status --tag devs", exitUsage, `--tag: no environment of the daemon's schedule file has the tag "devs"; want one of dev or test`},
		{"a project", "status --project fabrikam", exitDone, "test-00"},
		{"a project that the file does not have", "status --project fabrikan", exitUsage, `--project: no environment of the daemon's schedule file has the project "fabrikan"; want one of contoso or fabrikam`},
		{"a state that nothing is in", "status --state stopped", exitDone, "[]"},
		{"a state that there is not", "status --state bogus", exitUsage, `--state: unknown state "bogus"; want one of running, stopped, starting, stopping, busy, unsupported or unknown`},
		{"runs of a project that the file had", "history --project old", exitDone, "old-00"},
		{"runs of a project without any", "history --project contoso", exitDone, "[]"},
		{"runs of a project that there never was", "history --project nobody", exitUsage, `the project "nobody"; want one of contoso or fabrikam`},
	} {
		code, out, errs := command(t, nil, append(strings.Fields(tt.args), "-o", "json", "--server", server.URL)...)
		if code != tt.code || !strings.Contains(out+errs, tt.says) {
			t.Errorf("%s: exit %d, want %d and %q:\n%s%s", tt.name, code, tt.code, tt.says, out, errs)
		}
	}
}
