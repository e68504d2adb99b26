package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"curfew/internal/longtest"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// stopsByHand has a person stop the first environment.
func (w *world) stopsByHand() {
	w.t.Helper()
	if _, err := w.engine.Request(w.t.Context(), envName(0), plan.Stop, scheduler.ByToken); err != nil {
		w.t.Fatal(err)
	}
}

// took writes a start of the past that was verified after so long.
func (w *world) took(i int, at time.Time, d time.Duration) {
	w.t.Helper()
	_, err := w.store.Runs.InsertManual(w.t.Context(), scheduler.Run{
		ID: uuid.Must(uuid.NewV7()).String(), Environment: envName(i), Project: "contoso", Action: plan.Start, Trigger: scheduler.TriggerManual,
		State: scheduler.Succeeded, FireAt: at, CreatedAt: at, AcceptedAt: at, FinishedAt: at.Add(d),
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
}

func TestLeadAutoHasAllUpWhenTheWindowBegins(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 65 // three windows of LCS's quota
		w := newWorld(t, n, lcssim.Options{StartTime: 6 * time.Minute})
		w.long = true
		w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Auto: true}}
		until("2000-01-03 00:00:30")
		w.start()
		var firsts []time.Duration
		for day := range 4 {
			morning := monday(7, 0).AddDate(0, 0, day)
			time.Sleep(time.Until(morning))
			synctest.Wait()
			for i := range n {
				w.state(i, lcssim.Finished)
			}
			first := morning
			for _, r := range w.sim.Requests() {
				if r.Accepted && r.Verb == lcssim.Start && r.At.After(morning.Add(-7*time.Hour)) && r.At.Before(first) {
					first = r.At
				}
			}
			firsts = append(firsts, morning.Sub(first).Round(time.Minute))
		}
		t.Logf("the first start of each day was made so long before the window: %v", firsts)
		if firsts[0] < 80*time.Minute || firsts[3] >= firsts[0] || firsts[3] < 66*time.Minute {
			t.Errorf("first starts %v before the window, want two windows and 20 minutes at first, less when the start time is known", firsts)
		}
		for _, miss := range w.logs.FilterMessageSnippet("was not up when").All() {
			t.Errorf("missed: %v", miss.ContextMap())
		}
		for _, r := range w.runs() {
			if r.Action == plan.Start && r.FireAt.Hour() != 7 {
				t.Errorf("a start has its fire at %v, want the begin of the window", r.FireAt)
			}
		}
		if got := w.sim.Throttled(); got != 0 {
			t.Errorf("LCS answered 429 %d times, want never", got)
		}
		w.stop()
		starts := 0
		for _, r := range w.sim.Requests() {
			if r.Accepted && r.Verb == lcssim.Start {
				starts++
			}
		}
		if starts != 4*n {
			t.Errorf("LCS carried out %d starts, want %d: one for each window", starts, 4*n)
		}
	})
}

func TestMissedLeadIsAWarning(t *testing.T) {
	t.Parallel()
	for _, lead := range []scheduler.Lead{{Auto: true}, {Fixed: 10 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, lcssim.Options{StartTime: 30 * time.Minute})
			w.setup.Leads = map[string]scheduler.Lead{"office-hours": lead}
			w.schedule.Lead = lead.Fixed
			until("2000-01-03 06:20:00")
			w.start()
			until("2000-01-03 07:45:00")
			w.state(0, lcssim.Finished)
			if n := w.logs.FilterMessageSnippet("was not up when its window began").Len(); n != 1 {
				t.Errorf("lead %+v: %d warnings, want 1", lead, n)
			}
			w.stop()
		})
	}
}

func TestEarlyStartGivesWayToAnOverride(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Auto: true}}
		until("2000-01-03 06:00:00")
		w.start()
		until("2000-01-03 06:45:00") // started at about 06:39
		w.state(0, lcssim.Finished)
		w.keep(0, plan.Stopped, monday(6, 55))
		until("2000-01-03 06:54:00")
		w.state(0, lcssim.Stopped)
		until("2000-01-03 07:10:00")
		w.state(0, lcssim.Finished)
		w.stop()
	})
}

func TestPersonsStopDuringTheLeadStandsUntilTheWindowBegins(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		steps func(w *world)
	}{
		{"and a restart changes nothing", func(w *world) {
			until("2000-01-03 06:45:00")
			w.state(0, lcssim.Finished)
			w.stopsByHand()
			until("2000-01-03 06:50:00")
			w.stop()
			w.start()
		}},
		{"and a replica that joins changes nothing", func(w *world) {
			until("2000-01-03 06:39:50") // the start is under way
			w.stopsByHand()
			until("2000-01-03 06:50:07")
			if err := w.idle().Tick(w.t.Context(), time.Now()); err != nil {
				w.t.Error(err)
			}
		}},
		{"also when it came before the early start was written", func(w *world) {
			w.stop()
			until("2000-01-03 06:39:40")
			w.open()
			w.engine = w.idle()
			w.stopsByHand()
			if err := w.store.Close(); err != nil {
				w.t.Error(err)
			}
			w.start()
		}},
		{"also when starts turn out to be shorter meanwhile", func(w *world) {
			until("2000-01-03 06:45:00")
			w.stopsByHand()
			until("2000-01-03 06:50:00")
			w.stop()
			w.open()
			for i := range 5 {
				w.took(0, monday(1, i).AddDate(0, 0, -7), 2*time.Minute)
			}
			if err := w.store.Close(); err != nil {
				w.t.Error(err)
			}
			w.start()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.long = true
				w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Auto: true}}
				until("2000-01-03 06:00:00")
				w.start()
				tt.steps(w)
				until("2000-01-03 06:59:59")
				w.state(0, lcssim.Stopped)
				until("2000-01-03 07:10:00")
				w.state(0, lcssim.Finished)
				w.stop()
			})
		})
	}
}
