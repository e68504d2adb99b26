package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestLargeStopWaitsForAnApproval(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, lcssim.Options{})
		w.long = true
		for i := range 4 {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00"), window(t, "mon 20:00-20:30"), window(t, "mon 21:00-24:00")}
		w.setup.Defaults.MaxStops, w.setup.Defaults.Deadline = 3, 30*time.Minute
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:45:00") // longer than the deadline: it is a person who is waited for
		if n := w.sim.Accepted("", lcssim.Stop); n != 0 {
			t.Fatalf("LCS carried out %d stops before the approval, want none", n)
		}
		if _, err := w.engine.Approve(t.Context(), w.runs()[2].ID, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 19:55:00")
		for i := range 4 {
			w.state(i, lcssim.Stopped)
		}
		until("2000-01-03 20:10:00") // starts are not held
		w.state(3, lcssim.Finished)
		until("2000-01-03 20:40:00") // held again
		until("2000-01-03 21:10:00") // nobody approved: superseded
		for _, r := range w.runs()[8:12] {
			if r.Action == plan.Stop && (r.State != scheduler.Canceled || r.SupersededBy == "") {
				t.Errorf("a stop that nobody approved is %s (%s), want it canceled by the start", r.State, r.Message)
			}
		}
		w.stop()
	})
}

func TestPersonStartsAndStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow, Environment: envID(1)})
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:00:20")
		r, err := w.engine.Request(t.Context(), envName(0), plan.Start, scheduler.ByToken)
		if err != nil || r.Trigger != scheduler.TriggerManual {
			t.Fatalf("Request = %+v, %v", r, err)
		}
		until("2000-01-03 10:10:00")
		w.state(0, lcssim.Finished)
		first, err := w.engine.Request(t.Context(), envName(1), plan.Start, scheduler.ByToken)
		if err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 10:11:00")
		second, err := w.engine.Request(t.Context(), envName(1), plan.Stop, scheduler.ByToken)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := w.engine.FindRun(t.Context(), first.ID); err != nil || got.State != scheduler.Canceled || got.SupersededBy != second.ID {
			t.Errorf("first run = %+v, %v; want it superseded by the second", got, err)
		}
		if _, err := w.engine.Cancel(t.Context(), second.ID, scheduler.ByToken); err != nil {
			t.Error(err)
		}
		if _, err := w.engine.Cancel(t.Context(), second.ID, scheduler.ByToken); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("canceling again = %v, want ErrFinished", err)
		}
		if _, err := w.engine.Request(t.Context(), "dev-99", plan.Start, scheduler.ByToken); !errors.Is(err, scheduler.ErrNoEnvironment) {
			t.Errorf("an unknown environment = %v, want ErrNoEnvironment", err)
		}
		w.stop()
	})
}

func TestPersonsRunGoesBeforeScheduledOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 70 // two windows and a bit
		w := newWorld(t, n, lcssim.Options{})
		w.long = true
		for i := range n {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		w.schedule.Environments = w.schedule.Environments[1:] // the cheapest is not scheduled
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:20:00") // 30 are stopped, 39 wait
		if _, err := w.engine.Request(t.Context(), envName(0), plan.Stop, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 19:45:00")
		w.state(0, lcssim.Stopped)
		w.state(1, lcssim.Finished) // the cheapest of the scheduled ones waits for the third window
		w.stop()
	})
}
