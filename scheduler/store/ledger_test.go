package store_test

import (
	"slices"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestSettleWritesTheCallEvenIfTheRunIsStale(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		stop := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, stop)
		g := b.reserve(stop, t0)
		b.tick(t0, t0.Add(time.Minute), newRun("dev-01", plan.Start, t0.Add(time.Minute)))
		call, run := *g.Call, b.run(stop.ID)
		call.Outcome, call.Done, call.ActivityID = scheduler.OutcomeAccepted, t0.Add(2*time.Minute), "activity"
		run.Generation = 1 // as the pass has it
		stale, err := b.Ledger.Settle(t.Context(), []scheduler.Settlement{{Call: call, Run: &run}}, emit)
		if err != nil || !slices.Equal(stale, []string{stop.ID}) || len(b.events()) != 0 {
			t.Errorf("Settle = %v, %v with the events %v; want the run stale, and none", stale, err, b.events())
		}
		got := b.run(stop.ID)
		if got.State != scheduler.Canceled || len(got.Attempts) != 1 || got.Attempts[0].OperationActivityID != "activity" {
			t.Errorf("run = %+v, want it canceled, with its accepted attempt", got)
		}
	})
}
