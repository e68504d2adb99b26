package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/web/api"
)

// TestSkipSaysWhenItStartsWhatIsStopped asks a daemon that makes the same override each time.
func TestSkipSaysWhenItStartsWhatIsStopped(t *testing.T) {
	begin := time.Now().AddDate(0, 0, 30).Truncate(24 * time.Hour).Add(21 * time.Hour)
	stop, start := &api.Fire{At: begin, Action: "stop", Schedule: "evenings"}, &api.Fire{At: begin, Action: "start", Schedule: "office-hours"}
	note := "note: sandbox-01 is stopped now; this starts it on " + begin.Format("2006-01-02 15:04") + " and keeps it running until " + begin.AddDate(0, 0, 1).Format("2006-01-02 15:04") + ". To undo: curfew release k3f9x2ab"
	tests := []struct {
		name             string
		observed, wanted string
		next             *api.Fire
		state, says      string
	}{
		{"a schedule of stops alone", "stopped", "stopped", stop, "pending", note},
		{"asked again", "stopped", "stopped", &api.Fire{At: begin, Action: "start", Schedule: "override:k3f9x2ab"}, "pending", note},
		{"a schedule that starts it", "stopped", "stopped", start, "pending", ""},
		{"it runs", "running", "stopped", stop, "pending", ""},
		{"it is wanted running", "stopped", "running", stop, "pending", ""},
		{"the override begins now", "stopped", "stopped", stop, "active", ""},
	}
	for _, tt := range tests {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost:
				_ = json.NewEncoder(w).Encode(api.Override{ID: "k3f9x2ab", Environments: []string{"sandbox-01"}, Keep: "running", From: begin, Until: begin.AddDate(0, 0, 1), State: tt.state})
			case r.URL.Path == "/api/v1/file":
				_ = json.NewEncoder(w).Encode(api.File{Digest: "d1", Timezone: "UTC"})
			default:
				_ = json.NewEncoder(w).Encode(api.List[api.Environment]{Items: []api.Environment{{Name: "sandbox-01", Observed: tt.observed, Wanted: tt.wanted, NextFire: tt.next}}})
			}
		}))
		code, out, errs := command(t, nil, "skip", "sandbox-01", "--server", server.URL)
		server.Close()
		if code != exitDone || !strings.Contains(out, "k3f9x2ab") || strings.Join(strings.Fields(errs), " ") != tt.says {
			t.Errorf("%s: exit %d, %s%swant the note %q", tt.name, code, out, errs, tt.says)
		}
	}
}
