package store_test

import (
	"testing"
	"time"

	"curfew/scheduler"
)

func TestRulesKeepTheirInstantUntilTheyChange(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		same, edited := scheduler.Rule{Name: "a", Environment: "dev-01", Fingerprint: "1"}, scheduler.Rule{Name: "b", Environment: "dev-01", Fingerprint: "1"}
		sync := func(now time.Time, rules ...scheduler.Rule) map[scheduler.Rule]time.Time {
			t.Helper()
			since, err := b.Runs.SyncRules(t.Context(), scheduler.Loading{At: now, Rules: rules})
			if err != nil {
				t.Fatal(err)
			}
			return since
		}
		sync(t0, same, edited)
		b.reopen()
		edited.Fingerprint = "2"
		later := t0.Add(time.Hour)
		since := sync(later, same, edited)
		if !since[same].Equal(t0) || !since[edited].Equal(later) {
			t.Errorf("since = %v, want the unchanged rule at %v, the edited one at %v", since, t0, later)
		}
		sync(later, same)
		if since := sync(later.Add(time.Hour), same, edited); !since[edited].Equal(later.Add(time.Hour)) {
			t.Errorf("a rule that was missing stands since %v, want its return", since[edited])
		}
	})
}
