package engine_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// TestRunFailsWhereLCSRejectsItsMetadata has LCS answer 403 or 404 to metadata of which all
// that is known is older than two minutes.
func TestRunFailsWhereLCSRejectsItsMetadata(t *testing.T) {
	t.Parallel()
	all := func(*http.Request) bool { return true }
	query := func(text string) func(*http.Request) bool {
		return func(r *http.Request) bool { return strings.Contains(r.URL.RawQuery, text) }
	}
	tests := []struct {
		name     string
		accounts []string
		status   int
		rejects  func(*http.Request) bool
		failed   int // of the runs
		message  string
	}{
		{"403 fails all runs of the project", []string{"main"}, http.StatusForbidden, all, 9, "the account lacks the role"},
		{"404 of the first page fails all runs of the project", []string{"main"}, http.StatusNotFound, all, 9, "LCS does not know the project"},
		{"404 of another page has its environments asked for by id", []string{"main"}, http.StatusNotFound, query("page=2"), 0, ""},
		{"404 by id fails that run", []string{"main"}, http.StatusNotFound, func(r *http.Request) bool {
			return strings.Contains(r.URL.RawQuery, "page=2") || strings.Contains(r.URL.RawQuery, envID(8))
		}, 1, "LCS does not know the project or environment"},
		{"403 to one account leaves it to another", []string{"main", "second"}, http.StatusForbidden, func(r *http.Request) bool {
			return r.Header.Get("Authorization") == "Bearer good-main"
		}, 0, ""},
		{"403 to every account fails all runs", []string{"main", "second"}, http.StatusForbidden, all, 9, "the account lacks the role"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n = 9 // two pages
				w, g := stopping(t, n, func(r *http.Request) bool {
					return isMetadata(r) && time.Now().After(monday(18, 40)) && time.Now().Before(monday(19, 20)) && tt.rejects(r)
				})
				g.status, w.accounts = tt.status, tt.accounts
				w.schedule.Uptime = []plan.Window{window(t, "mon 07:00-19:00"), window(t, "mon 19:30-21:00")}
				until("2000-01-03 18:30:00")
				w.start()
				until("2000-01-03 19:10:00")
				failed := 0
				for _, r := range w.runs() {
					switch {
					case r.State == scheduler.Failed:
						failed++
						if !strings.Contains(r.Message, tt.message) || len(r.Attempts) > 0 || r.FinishedAt.After(monday(19, 1)) {
							t.Errorf("the stop of %s failed at %s after %d calls: %s; want %q within a minute, and no call", r.Environment, r.FinishedAt.Format(time.TimeOnly), len(r.Attempts), r.Message, tt.message)
						}
					case r.State != scheduler.Succeeded:
						t.Errorf("the stop of %s is %s: %s", r.Environment, r.State, r.Message)
					}
				}
				if failed != tt.failed {
					t.Errorf("%d runs failed, want %d", failed, tt.failed)
				}
				until("2000-01-03 19:45:00")
				for _, r := range w.runs()[n:] {
					if r.State != scheduler.Succeeded {
						t.Errorf("the start of %s is %s once LCS answers again: %s", r.Environment, r.State, r.Message)
					}
				}
				w.stop()
			})
		})
	}
}

// TestAcceptedRunIsVerifiedAfterARejection has LCS answer 403 to metadata for a while after
// it accepted the stops.
func TestAcceptedRunIsVerifiedAfterARejection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, g := stopping(t, 1, func(r *http.Request) bool {
			return isMetadata(r) && time.Now().After(monday(19, 0).Add(5*time.Second)) && time.Now().Before(monday(19, 20))
		})
		g.status = http.StatusForbidden
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 19:19:00")
		if r := w.only(); r.State != scheduler.Verifying || len(r.Attempts) != 1 {
			t.Errorf("run = %s after %d calls (%s), want verifying after one", r.State, len(r.Attempts), r.Message)
		}
		w.finished(monday(19, 40))
		if r := w.only(); r.State != scheduler.Succeeded {
			t.Errorf("run = %s (%s), want succeeded once LCS answers again", r.State, r.Message)
		}
		w.stop()
	})
}
