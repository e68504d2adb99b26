package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestFireThatCannotBeDoneAtOnceSaysSo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 65, lcssim.Options{})
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:00:05")
		lines := w.logs.FilterMessageSnippet("cannot be done at once").All()
		if len(lines) != 1 {
			t.Fatalf("%d lines, want 1", len(lines))
		}
		got := lines[0].ContextMap()
		if got["accounts_for_at_once"] != int64(3) || got["calls"] != int64(65) || !got["last_call"].(time.Time).Equal(monday(20, 0).Add(2*time.Second)) {
			t.Errorf("line = %v, want 65 calls, the last at 20:00:02, 3 accounts", got)
		}
		w.stop()
	})
}

func TestFireAfterAnotherSaysHowLongBothTake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 65, lcssim.Options{})
		for i := range 65 {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		until("2000-01-03 18:30:00")
		w.start()
		until("2000-01-03 18:40:00")
		some := scheduler.Override{Keep: plan.Stopped, Until: monday(20, 0), Reason: "test"}
		for i := range 40 {
			some.Environments = append(some.Environments, envName(i))
		}
		if _, _, err := w.engine.Override(t.Context(), some); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 19:00:05")
		lines := w.logs.FilterMessageSnippet("cannot be done at once").FilterField(zap.Int("calls", 25)).All()
		if len(lines) != 1 {
			t.Fatalf("%d lines of %v, want 1", len(lines), w.logs.FilterMessageSnippet("cannot be done at once").All())
		}
		got := lines[0].ContextMap()
		if got["calls_before"] != int64(40) || got["accounts_for_at_once"] != int64(3) {
			t.Errorf("line = %v, want 25 calls after 30 that were made and 10 that wait, 3 accounts", got)
		}
		w.stop()
	})
}
