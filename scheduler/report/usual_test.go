package report_test

import (
	"maps"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

func TestUsualDurationIsTheMedianOfWhatWasProven(t *testing.T) {
	began := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	run := func(action plan.Action, state scheduler.State, took time.Duration) scheduler.Run {
		return scheduler.Run{Action: action, State: state, FireAt: began.Add(-time.Hour), AcceptedAt: began, FinishedAt: began.Add(took)}
	}
	noCall := run(plan.Stop, scheduler.Succeeded, 0)
	noCall.AcceptedAt = time.Time{}
	got := report.Usual([]scheduler.Run{
		run(plan.Stop, scheduler.Succeeded, 9*time.Minute), run(plan.Stop, scheduler.Succeeded, 4*time.Minute), run(plan.Stop, scheduler.Succeeded, 5*time.Minute),
		run(plan.Stop, scheduler.Failed, 45*time.Minute), noCall, run(plan.Start, scheduler.Succeeded, 12*time.Minute),
	})
	if want := map[plan.Action]time.Duration{plan.Stop: 5 * time.Minute, plan.Start: 12 * time.Minute}; !maps.Equal(got, want) {
		t.Errorf("Usual = %v, want %v", got, want)
	}
	if got := report.Usual(nil); len(got) != 0 {
		t.Errorf("Usual without runs = %v, want nothing", got)
	}
}
