package engine_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

var anna = scheduler.Actor{Name: "anna@contoso.com", Via: "session"}

// lines returns the lines of the log with a message, from index from on; of one run when
// its id is given.
func (w *world) lines(from int, message, run string) []observer.LoggedEntry {
	var list []observer.LoggedEntry
	for _, e := range w.logs.All()[from:] {
		if e.Message == message && (run == "" || e.ContextMap()["run_id"] == run) {
			list = append(list, e)
		}
	}
	return list
}

// counter reads a counter of the engine that runs now: the sum over the label values that
// are given, "name=value".
func (w *world) counter(name string, labels ...string) int {
	w.t.Helper()
	families, err := w.metrics.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	sum := 0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			have := map[string]bool{}
			for _, l := range m.GetLabel() {
				have[l.GetName()+"="+l.GetValue()] = true
			}
			all := true
			for _, want := range labels {
				all = all && have[want]
			}
			if all {
				sum += int(m.GetCounter().GetValue())
			}
		}
	}
	return sum
}

// endKinds are the kinds of events that are the end of a run, by its state.
var endKinds = map[scheduler.State]scheduler.EventKind{
	scheduler.Succeeded: scheduler.EventSucceeded, scheduler.Failed: scheduler.EventFailed, scheduler.Canceled: scheduler.EventCanceled,
	scheduler.Skipped: scheduler.EventSkipped, scheduler.Missed: scheduler.EventMissed,
}

// ends returns the events that say that a run has ended.
func (w *world) ends(run string) []scheduler.Event {
	w.t.Helper()
	var list []scheduler.Event
	for _, e := range w.events(scheduler.EventSucceeded, scheduler.EventFailed, scheduler.EventCanceled, scheduler.EventSkipped, scheduler.EventMissed) {
		if e.Run == run {
			list = append(list, e)
		}
	}
	return list
}

// endedOnce checks that the end of each run there is was logged, counted and emitted
// once, and no end of a run that has not ended.
func (w *world) endedOnce() {
	w.t.Helper()
	counted := map[string]int{}
	for _, r := range w.runs() {
		lines, want := 0, 0
		if r.State.Finished() {
			want = 1
			if !r.FinishedAt.Before(w.began) {
				counted[string(r.Action)+" "+string(r.State)]++
			}
		}
		for state := range endKinds {
			n := len(w.lines(0, "run "+string(state), r.ID))
			if lines += n; n > 0 && state != r.State {
				w.t.Errorf("the log says that the %s of %s is %s, and it is %s", r.Action, r.Environment, state, r.State)
			}
		}
		if lines != want {
			w.t.Errorf("the %s of %s is %s (%s): its end was logged %d times, want %d", r.Action, r.Environment, r.State, r.Message, lines, want)
		}
		events := w.ends(r.ID)
		if len(events) != want {
			w.t.Errorf("the %s of %s is %s (%s): its end has %d events, want %d: %+v", r.Action, r.Environment, r.State, r.Message, len(events), want, events)
			continue
		}
		for _, e := range events {
			if e.Kind != endKinds[r.State] || e.Environment != r.Environment || e.Reason == "" || e.Reason != r.Message || !e.At.Equal(r.FinishedAt) || e.Override != "" || e.Account != "" {
				w.t.Errorf("event = %+v, want one of the end of %+v", e, r)
			}
			if person := r.State == scheduler.Failed || r.State == scheduler.Missed; person != (e.NextStep != "") {
				w.t.Errorf("the next step after a run that is %s is %q", r.State, e.NextStep)
			}
		}
	}
	for state := range endKinds {
		for _, action := range []plan.Action{plan.Start, plan.Stop} {
			got := w.counter("curfew_runs_total", "action="+string(action), "state="+string(state))
			if want := counted[string(action)+" "+string(state)]; got != want {
				w.t.Errorf("curfew_runs_total counts %d %ss that are %s, want %d", got, action, state, want)
			}
		}
	}
}

// struck is a world of one environment that runs and is to stop on Monday at 19:00, five
// seconds after that, with faults of LCS.
func struck(t *testing.T, faults ...lcssim.Fault) *world {
	w := newWorld(t, 1, lcssim.Options{})
	w.long = true
	w.sim.Set(envID(0), lcssim.Finished)
	w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00")}
	for _, f := range faults {
		w.sim.Inject(f)
	}
	until("2000-01-03 18:55:00")
	w.start()
	until("2000-01-03 19:00:05")
	return w
}

func inService() lcssim.Fault { return lcssim.Fault{Kind: lcssim.ServicingWindow, From: monday(18, 0)} }

// TestEachEndOfARunIsRecordedOnce goes through each way in which a run can end: each is
// logged once, counted once and emitted once.
func TestEachEndOfARunIsRecordedOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		state  scheduler.State
		by     scheduler.Actor // who caused the end
		reason string          // is part of it
		next   string          // is the next step, or part of it
		// end makes a world with the run, and returns where it is among the runs.
		end func(t *testing.T) (*world, int)
	}{
		{"succeeded without a call", scheduler.Succeeded, scheduler.BySchedule, "no call was needed", "", func(t *testing.T) (*world, int) {
			w := newWorld(t, 1, lcssim.Options{})
			until("2000-01-03 18:59:00")
			w.start()
			until("2000-01-03 19:01:00")
			return w, 0
		}},
		{"succeeded after a call", scheduler.Succeeded, scheduler.BySchedule, "metadata shows Stopped", "", func(t *testing.T) (*world, int) {
			w := struck(t)
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"succeeded after a call whose answer was lost", scheduler.Succeeded, scheduler.BySchedule, "metadata shows Stopped", "", func(t *testing.T) (*world, int) {
			w := struck(t, lcssim.Fault{Kind: lcssim.ResetAfterAccept, Verb: lcssim.Stop, Times: 1})
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"failed by a call that LCS rejected", scheduler.Failed, scheduler.BySchedule, "403", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := struck(t, lcssim.Fault{Kind: lcssim.Forbidden, Verb: lcssim.Stop})
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"failed by LCS's report", scheduler.Failed, scheduler.BySchedule, "reports that it failed", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := struck(t, lcssim.Fault{Kind: lcssim.EndsFailed})
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"failed at verify_timeout", scheduler.Failed, scheduler.BySchedule, "did not arrive within 45m", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := struck(t, lcssim.Fault{Kind: lcssim.StuckTransition})
			until("2000-01-03 19:50:00")
			return w, 0
		}},
		{"failed at the deadline", scheduler.Failed, scheduler.BySchedule, "deadline of 2h", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := struck(t, inService())
			until("2000-01-03 21:10:00")
			return w, 0
		}},
		{"failed since LCS does not list the environment", scheduler.Failed, scheduler.BySchedule, "does not list the environment", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := newWorld(t, 1, lcssim.Options{})
			w.setup.Environments[0].ID = envID(99)
			until("2000-01-03 18:59:00")
			w.start()
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"canceled by a person", scheduler.Canceled, anna, "canceled by anna@contoso.com", "", func(t *testing.T) (*world, int) {
			w := struck(t, inService())
			if _, err := w.engine.Cancel(t.Context(), w.only().ID, anna); err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:05:00")
			return w, 0
		}},
		{"canceled with a call that LCS is carrying out", scheduler.Canceled, anna, "canceled by anna@contoso.com", "", func(t *testing.T) (*world, int) {
			w := struck(t)
			if _, err := w.engine.Cancel(t.Context(), w.only().ID, anna); err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"canceled with a call in flight", scheduler.Canceled, anna, "canceled by anna@contoso.com", "", func(t *testing.T) (*world, int) {
			w := struck(t, lcssim.Fault{Kind: lcssim.Slow, Verb: lcssim.Stop, Delay: 30 * time.Second})
			if _, err := w.engine.Cancel(t.Context(), w.only().ID, anna); err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:10:00")
			return w, 0
		}},
		{"canceled by a later fire", scheduler.Canceled, scheduler.BySchedule, "superseded by the start of 2000-01-03T19:10:00Z", "", func(t *testing.T) (*world, int) {
			w := newWorld(t, 1, lcssim.Options{})
			w.sim.Set(envID(0), lcssim.Finished)
			w.sim.Inject(inService())
			w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00"), window(t, "mon 19:10-24:00")}
			until("2000-01-03 18:59:00")
			w.start()
			until("2000-01-03 19:15:00")
			return w, 0
		}},
		{"canceled by a run by hand", scheduler.Canceled, anna, "superseded by the start of", "", func(t *testing.T) (*world, int) {
			w := struck(t, inService())
			if _, err := w.engine.Request(t.Context(), envName(0), plan.Start, anna); err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:05:00")
			return w, 0
		}},
		{"canceled by an override", scheduler.Canceled, scheduler.BySchedule, "superseded by the start of", "", func(t *testing.T) (*world, int) {
			w := struck(t, inService())
			w.keep(0, plan.Running, monday(21, 0))
			until("2000-01-03 19:05:00")
			return w, 0
		}},
		{"canceled since the environment left the file", scheduler.Canceled, scheduler.BySchedule, "no longer in the schedule file", "", func(t *testing.T) (*world, int) {
			w := newWorld(t, 2, lcssim.Options{})
			w.sim.Inject(inService())
			until("2000-01-03 18:59:00")
			w.start()
			until("2000-01-03 19:00:20")
			w.setup.Environments, w.schedule.Environments = w.setup.Environments[1:], w.schedule.Environments[1:]
			w.reload()
			until("2000-01-03 19:15:00")
			for i, r := range w.runs() {
				if r.Environment == envName(0) {
					return w, i
				}
			}
			return w, 0
		}},
		{"canceled since the environment is not in this file, and no reload said so", scheduler.Canceled, scheduler.BySchedule, "no longer in the schedule file", "", func(t *testing.T) (*world, int) {
			w := struck(t, inService())
			w.stop()
			w.setup.Environments[0].Name, w.schedule.Environments[0] = "renamed", "renamed"
			w.start()
			until("2000-01-03 19:15:00")
			return w, 0
		}},
		{"canceled since the environment has moved to another project", scheduler.Canceled, scheduler.BySchedule, "no longer in this project", "", func(t *testing.T) (*world, int) {
			w := struck(t, inService())
			w.sim.AddProject(otherProject)
			w.others = []scheduler.Project{{Name: "other", ID: otherProject, Accounts: []scheduler.Account{{Name: "other"}}}}
			w.setup.Environments[0].Project = "other"
			w.reload()
			until("2000-01-03 19:05:00")
			return w, 0
		}},
		{"canceled since a later run was there already", scheduler.Canceled, scheduler.BySchedule, "a later run of the environment was there already", "", func(t *testing.T) (*world, int) {
			w := newWorld(t, 1, lcssim.Options{})
			w.sim.Set(envID(0), lcssim.Finished)
			until("2000-01-03 18:50:00")
			ctx, cancel := context.WithCancel(t.Context())
			w.cancel = cancel
			stores := storesOf(w.open())
			stores.Ticks = &slowTicks{stores.Ticks, monday(19, 0).Add(5 * time.Second)}
			w.runWith(ctx, stores)
			until("2000-01-03 19:00:03")
			if _, err := w.engine.Request(t.Context(), envName(0), plan.Start, anna); err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:05:00")
			for i, r := range w.runs() {
				if r.Trigger == scheduler.TriggerSchedule {
					return w, i
				}
			}
			return w, 0
		}},
		{"missed, since a later fire came due too", scheduler.Missed, scheduler.BySchedule, "a later fire came due too", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := newWorld(t, 1, lcssim.Options{})
			w.sim.Set(envID(0), lcssim.Finished)
			until("2000-01-03 18:50:00")
			w.start()
			until("2000-01-03 18:51:00")
			w.stop()
			until("2000-01-04 07:30:00")
			w.start()
			until("2000-01-04 07:40:00")
			return w, 0
		}},
		{"missed, since it was too long ago", scheduler.Missed, scheduler.BySchedule, "more than catch_up", "curfew stop dev-00", func(t *testing.T) (*world, int) {
			w := newWorld(t, 1, lcssim.Options{})
			w.sim.Set(envID(0), lcssim.Finished)
			until("2000-01-03 18:50:00")
			w.start()
			until("2000-01-03 18:51:00")
			w.stop()
			until("2000-01-03 22:00:00")
			w.start()
			until("2000-01-03 22:05:00")
			return w, 0
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, i := tt.end(t)
				r := w.runs()[i]
				if r.State != tt.state || !strings.Contains(r.Message, tt.reason) {
					t.Errorf("run = %s (%s), want %s (%s)", r.State, r.Message, tt.state, tt.reason)
				}
				w.endedOnce()
				for _, e := range w.ends(r.ID) {
					if e.By != tt.by || !strings.Contains(e.NextStep, tt.next) {
						t.Errorf("event = %+v, want it by %v, with the next step %q", e, tt.by, tt.next)
					}
				}
				w.stop()
			})
		})
	}
}
