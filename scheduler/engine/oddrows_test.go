package engine_test

import (
	"testing"
	"testing/synctest"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

// TestOddRowHoldsOnlyItsOwnRun has one row of a page of metadata be odd while all
// environments are to stop.
func TestOddRowHoldsOnlyItsOwnRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		rows   func(row map[string]any) []any
		state  scheduler.State // of its own run, ten minutes after the fire
		calls  int             // for it
		unseen bool            // the first of them
	}{
		{"flags as text are read", func(row map[string]any) []any {
			row["CanStop"], row["CanStart"], row["ProjectId"] = "true", "false", "1234567"
			if row["DeploymentState"] != "Finished" {
				row["CanStop"] = "false"
			}
			return []any{row}
		}, scheduler.Succeeded, 1, false},
		{"a NUL in the name is no harm", func(row map[string]any) []any {
			row["EnvironmentName"] = "a\x00b"
			return []any{row}
		}, scheduler.Succeeded, 1, false},
		{"a row without a readable id is asked for by id, and called for unseen after two minutes", func(row map[string]any) []any {
			row["EnvironmentId"] = []string{"?"}
			return []any{row}
		}, scheduler.Verifying, 1, true},
		{"a row that is a text, likewise", func(map[string]any) []any { return []any{"dev-03"} }, scheduler.Verifying, 1, true},
		{"contradictory rows of one id are unknown, and no call is made", func(row map[string]any) []any {
			other := map[string]any{"EnvironmentId": row["EnvironmentId"], "DeploymentState": "Stopped", "DeploymentStatusDisplay": "Stopped", "CanStart": true, "CanStop": false}
			return []any{row, other}
		}, scheduler.Queued, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const n, odd = 10, 3
				w := newWorld(t, n, lcssim.Options{})
				for i := range n {
					w.sim.Set(envID(i), lcssim.Finished)
				}
				w.sim.Rows(envID(odd), tt.rows)
				until("2000-01-03 18:30:00")
				w.start()
				until("2000-01-03 19:10:00")
				for _, r := range w.runs() {
					if r.Environment != envName(odd) {
						if r.State != scheduler.Succeeded {
							t.Errorf("the stop of %s is %s (%s), want succeeded", r.Environment, r.State, r.Message)
						}
						continue
					}
					if r.State != tt.state || len(r.Attempts) != tt.calls || tt.calls > 0 && r.Attempts[0].Unseen != tt.unseen {
						t.Errorf("its own stop is %s (%s) with attempts %+v, want %s with %d calls, unseen %t", r.State, r.Message, r.Attempts, tt.state, tt.calls, tt.unseen)
					}
				}
				w.stop()
			})
		})
	}
}
