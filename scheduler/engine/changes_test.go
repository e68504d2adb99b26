package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
)

// state fails the test unless the environment is in a state.
func (w *world) state(i int, want lcssim.State) {
	w.t.Helper()
	if got := w.sim.State(envID(i)); got != want {
		w.t.Errorf("at %s %s is %s, want %s", time.Now().UTC().Format("Mon 15:04:05"), envName(i), got, want)
	}
}

// keep makes an override of one environment.
func (w *world) keep(i int, keep plan.Wanted, until time.Time) scheduler.Override {
	w.t.Helper()
	o, err := w.engine.Override(w.t.Context(), scheduler.Override{Environments: []string{envName(i)}, Keep: keep, Until: until, Reason: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return o
}

// stopsByHand has a person stop the first environment.
func (w *world) stopsByHand() {
	w.t.Helper()
	if _, err := w.engine.Request(w.t.Context(), envName(0), plan.Stop, scheduler.ByToken); err != nil {
		w.t.Fatal(err)
	}
}

// idle gives an engine on the open database that does nothing by itself.
func (w *world) idle() *engine.Engine {
	w.t.Helper()
	w.build()
	setup := w.setup
	e, err := engine.New(engine.Options{Stores: storesOf(w.store), Setup: &setup})
	if err != nil {
		w.t.Fatal(err)
	}
	return e
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

// reload puts the world's schedule in force again.
func (w *world) reload() {
	w.t.Helper()
	w.build()
	setup := w.setup
	if err := w.engine.Reload(w.t.Context(), &setup); err != nil {
		w.t.Fatal(err)
	}
}

// triggers lists what was written, oldest first: "stop override".
func (w *world) triggers() []string {
	var list []string
	for _, r := range w.runs() {
		list = append(list, string(r.Action)+" "+string(r.Trigger))
	}
	return list
}

func TestOverrideHoldsAndItsEndBringsBackWhatTheSchedulesWant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		w.sim.Set(envID(1), lcssim.Finished)
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 18:01:00")
		w.keep(0, plan.Running, monday(20, 30))
		until("2000-01-03 19:10:00")
		w.state(0, lcssim.Finished)
		w.state(1, lcssim.Stopped)
		until("2000-01-03 20:29:59")
		w.state(0, lcssim.Finished)
		until("2000-01-03 20:40:00")
		w.state(0, lcssim.Stopped)
		if got, want := w.triggers(), []string{"start override", "stop schedule", "stop override"}; !slices.Equal(got, want) {
			t.Errorf("runs = %v, want %v", got, want)
		}
		if n := w.logs.FilterMessageSnippet("override expired").Len(); n != 1 {
			t.Errorf("%d lines tell that the override expired, want 1", n)
		}
		w.stop()
	})
}

func TestOverrideThatEndsWhileTheDaemonIsDownIsCaughtUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:01:00")
		w.keep(0, plan.Stopped, monday(12, 0))
		until("2000-01-03 10:10:00")
		w.state(0, lcssim.Stopped)
		until("2000-01-03 11:59:59")
		w.stop()
		until("2000-01-03 12:00:00") // the very instant
		w.start()
		until("2000-01-03 12:10:00")
		w.state(0, lcssim.Finished)
		if got, want := w.triggers(), []string{"stop override", "start override"}; !slices.Equal(got, want) {
			t.Errorf("runs = %v, want %v", got, want)
		}
		w.stop()
	})
}

func TestReleaseEndsAnOverrideAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:01:00")
		o := w.keep(0, plan.Stopped, monday(18, 0))
		until("2000-01-03 10:10:00")
		if _, err := w.engine.Release(t.Context(), o.ID, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 10:20:00")
		w.state(0, lcssim.Finished)
		list, err := w.engine.Overrides(t.Context())
		if err != nil || len(list) != 1 || list[0].State != "released" {
			t.Errorf("overrides = %+v, %v; want it listed as released", list, err)
		}
		w.stop()
	})
}

func TestOverrideIsRefusedWithoutWhatItNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.start()
		synctest.Wait()
		good := scheduler.Override{Environments: []string{envName(0)}, Keep: plan.Running, Until: time.Now().Add(time.Hour)}
		tests := []struct {
			name string
			ask  func(o *scheduler.Override)
			says string
		}{
			{"no end", func(o *scheduler.Override) { o.Until = time.Time{} }, "must have an end"},
			{"an end before now", func(o *scheduler.Override) { o.Until = time.Now().Add(-time.Second) }, "not after its start"},
			{"an end too far away", func(o *scheduler.Override) { o.Until = time.Now().Add(31*24*time.Hour + time.Minute) }, "more than 31 days"},
			{"no environment", func(o *scheduler.Override) { o.Environments = nil }, "at least one"},
			{"an unknown environment", func(o *scheduler.Override) { o.Environments = []string{"dev-99"} }, `"dev-99"`},
			{"an unknown state", func(o *scheduler.Override) { o.Keep = "on" }, "want running or stopped"},
		}
		for _, tt := range tests {
			o := good
			tt.ask(&o)
			if _, err := w.engine.Override(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want it to say %q", tt.name, err, tt.says)
			}
		}
		w.stop()
	})
}

func TestReloadByItselfStartsAndStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:00:20")
		w.schedule.Uptime = []plan.Window{window(t, "mon-fri 12:00-13:00")} // wants it stopped now
		w.reload()
		until("2000-01-03 11:59:00")
		w.state(0, lcssim.Finished)
		if runs := w.runs(); len(runs) != 0 {
			t.Errorf("runs = %+v, want none", runs)
		}
		until("2000-01-03 13:10:00")
		w.state(0, lcssim.Stopped)
		if late := w.runs()[1].CreatedAt.Sub(monday(13, 0)); late > time.Second {
			t.Errorf("the stop of the new file was written %v late: the clock was not reset", late)
		}
		w.stop()
	})
}

// slowTicks keeps ticks from being written until an instant, as a database does that is
// down.
type slowTicks struct {
	engine.TickStore
	back time.Time
}

var errDown = errors.New("the database is down")

func (s *slowTicks) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run, emit engine.Emit) (scheduler.Written, error) {
	if at := monday(18, 59); to.After(at) && time.Now().Before(s.back) {
		return scheduler.Written{}, errDown
	}
	return s.TickStore.CommitTick(ctx, from, to, runs, emit)
}

func TestReloadLosesNoFireOfTheFileBefore(t *testing.T) {
	tests := []struct {
		name   string
		uptime string // of the new file
		want   []string
	}{
		{"the window ended at a time that the new file does not have", "mon-fri 07:00-20:00", []string{"stop schedule"}},
		{"it ended with the new file's too", "mon-fri 08:00-19:00", []string{"stop schedule"}},
		{"it did not end", "mon-fri 07:00-19:00", []string{"stop schedule"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.sim.Set(envID(0), lcssim.Finished)
				until("2000-01-03 18:50:00")
				ctx, cancel := context.WithCancel(t.Context())
				w.cancel = cancel
				stores := storesOf(w.open())
				stores.Ticks = &slowTicks{stores.Ticks, monday(19, 0).Add(5 * time.Second)}
				w.runWith(ctx, stores)
				until("2000-01-03 19:00:05") // the fire is 5 seconds old, and the next tick comes after 15
				w.schedule.Uptime = []plan.Window{window(t, tt.uptime)}
				w.reload()
				until("2000-01-03 19:50:00")
				w.state(0, lcssim.Stopped)
				if got := w.triggers(); !slices.Equal(got, tt.want) {
					t.Errorf("runs = %v, want %v", got, tt.want)
				}
				w.stop()
			})
		})
	}
}

func TestReloadCancelsRunsOfEnvironmentsThatAreGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:01:00")
		o := w.keep(1, plan.Running, monday(22, 0))
		until("2000-01-03 19:01:20")
		w.setup.Environments, w.schedule.Environments = w.setup.Environments[:1], w.schedule.Environments[:1]
		w.reload()
		for _, r := range w.runs() {
			if gone := r.Environment == envName(1); gone != (r.State == scheduler.Canceled) || gone && !strings.Contains(r.Message, "schedule file") && r.SupersededBy == "" {
				t.Errorf("%s of %s is %s (%s)", r.Action, r.Environment, r.State, r.Message)
			}
		}
		list, err := w.engine.Overrides(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != o.ID || !slices.Equal(list[0].Stale, []string{envName(1)}) {
			t.Errorf("overrides = %+v, %v; want the environment reported as stale", list, err)
		}
		w.stop()
	})
}

func TestRunOfAnEnvironmentThatOnlyAnotherReplicaKnowsIsLeftToIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:00:20")
		_, err := w.store.Runs.InsertManual(t.Context(), scheduler.Run{
			ID: "01a20a66-0000-7000-8000-000000000001", Environment: "dev-99", Project: "contoso", Action: plan.Stop, Trigger: scheduler.TriggerManual,
			State: scheduler.Queued, FireAt: time.Now(), CreatedAt: time.Now(),
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 10:05:00")
		if r := w.only(); r.State != scheduler.Queued {
			t.Errorf("after five minutes the run is %s, want it queued", r.State)
		}
		until("2000-01-03 10:12:00")
		if r := w.only(); r.State != scheduler.Canceled {
			t.Errorf("after ten minutes the run is %s, want it canceled", r.State)
		}
		w.stop()
	})
}

func TestEnforceBringsBackWhatHasDrifted(t *testing.T) {
	tests := []struct {
		name   string
		always bool
		drift  func(w *world)
		within time.Duration
		want   lcssim.State
	}{
		{"seen stopped twice, it is started", true, func(w *world) { w.sim.Set(envID(0), lcssim.Stopped) }, 17 * time.Minute, lcssim.Finished},
		{"not before it was seen twice", true, func(w *world) { w.sim.Set(envID(0), lcssim.Stopped) }, 4 * time.Minute, lcssim.Stopped},
		{"with enforce: edges it is left", false, func(w *world) { w.sim.Set(envID(0), lcssim.Stopped) }, 40 * time.Minute, lcssim.Stopped},
		{"an override lets it be", true, func(w *world) {
			w.keep(0, plan.Running, monday(18, 0))
			time.Sleep(time.Minute)
			w.sim.Set(envID(0), lcssim.Stopped)
		}, 40 * time.Minute, lcssim.Stopped},
		{"servicing lets it be", true, func(w *world) {
			w.sim.Set(envID(0), lcssim.Stopped)
			w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
		}, 40 * time.Minute, lcssim.Stopped},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.long = true
				w.sim.Set(envID(0), lcssim.Finished)
				if tt.always {
					w.setup.Enforced = map[string]string{envName(0): "office-hours"}
				}
				until("2000-01-03 10:00:00")
				w.start()
				until("2000-01-03 10:07:00")
				tt.drift(w)
				time.Sleep(tt.within)
				synctest.Wait()
				w.state(0, tt.want)
				w.stop()
			})
		})
	}
}

func TestEnforceWaitsHalfAnHourBetweenTwoCorrections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.long = true
		w.sim.Set(envID(0), lcssim.Finished)
		w.setup.Enforced = map[string]string{envName(0): "office-hours"}
		until("2000-01-03 10:00:00")
		w.start()
		for range 12 * 60 / 5 { // somebody stops it again and again
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if w.sim.State(envID(0)) == lcssim.Finished {
				w.sim.Set(envID(0), lcssim.Stopped)
			}
		}
		var last time.Time
		n := 0
		for _, r := range w.runs() {
			if r.Trigger != scheduler.TriggerEnforce {
				continue
			}
			if n++; !last.IsZero() && r.CreatedAt.Sub(last) < 30*time.Minute {
				t.Errorf("corrected at %v and at %v, want half an hour between", last, r.CreatedAt)
			}
			last = r.CreatedAt
		}
		if n < 10 {
			t.Errorf("corrected %d times in nine hours of uptime, want every half hour or so", n)
		}
		w.stop()
	})
}

func TestEnforceLeavesAnEnvironmentAloneThatWasStartedForItsWindow(t *testing.T) {
	for _, n := range []int{1, 65} { // 65 are three windows of LCS's quota
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, n, lcssim.Options{})
			w.long = true
			w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Auto: true}}
			w.setup.Enforced = map[string]string{}
			for i := range n {
				w.setup.Enforced[envName(i)] = "office-hours"
			}
			until("2000-01-03 00:00:30")
			w.start()
			until("2000-01-03 06:45:00")
			w.stop() // what the next process must know of is in the database
			w.start()
			until("2000-01-03 07:00:00")
			for i := range n {
				w.state(i, lcssim.Finished)
			}
			until("2000-01-03 07:30:00")
			if stops, starts := w.sim.Accepted("", lcssim.Stop), w.sim.Accepted("", lcssim.Start); stops != 0 || starts != n {
				t.Errorf("LCS carried out %d stops and %d starts of %d environments, want one start of each", stops, starts, n)
			}
			w.stop()
		})
	}
}

func TestEnforceLeavesAPersonsStartAloneThatTookThePlaceOfTheEarlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{StartTime: time.Minute})
		w.long = true
		w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Auto: true}}
		w.setup.Enforced = map[string]string{envName(0): "office-hours"}
		until("2000-01-03 06:00:00")
		w.start()
		until("2000-01-03 06:40:00") // started at about 06:39
		if _, err := w.engine.Request(t.Context(), envName(0), plan.Start, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 07:10:00")
		if got, want := w.triggers(), []string{"start schedule", "start manual", "start schedule"}; !slices.Equal(got, want) {
			t.Errorf("runs = %v, want %v", got, want)
		}
		w.state(0, lcssim.Finished)
		w.stop()
	})
}

func TestEnforceStillStopsWhatRunsWithoutAWindowToCome(t *testing.T) {
	tests := []struct {
		name  string
		steps func(w *world)
	}{
		{"after its window", func(w *world) {
			until("2000-01-03 20:00:00")
			w.state(0, lcssim.Stopped)
			w.sim.Set(envID(0), lcssim.Finished)
		}},
		{"when the window that it was started for is no longer in the file", func(w *world) {
			until("2000-01-03 08:00:00")
			w.state(0, lcssim.Finished)
			w.schedule.Uptime = []plan.Window{window(w.t, "mon-fri 12:00-13:00")}
			w.reload()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.long = true
				w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Auto: true}}
				w.setup.Enforced = map[string]string{envName(0): "office-hours"}
				until("2000-01-03 06:00:00")
				w.start()
				tt.steps(w)
				time.Sleep(30 * time.Minute)
				synctest.Wait()
				w.state(0, lcssim.Stopped)
				w.stop()
			})
		})
	}
}

func TestLargeStopWaitsForAnApproval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 4, lcssim.Options{})
		w.long = true
		for i := range 4 {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		w.setup.Defaults.MaxStops = 3
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 22:30:00") // longer than the deadline: it is a person who is waited for
		if n := w.sim.Accepted("", lcssim.Stop); n != 0 {
			t.Fatalf("LCS carried out %d stops before the approval, want none", n)
		}
		if _, err := w.engine.Approve(t.Context(), w.runs()[2].ID, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 22:40:00")
		for i := range 4 {
			w.state(i, lcssim.Stopped)
		}
		until("2000-01-04 07:10:00") // starts are not held
		w.state(3, lcssim.Finished)
		until("2000-01-04 19:10:00") // held again
		until("2000-01-05 07:10:00") // nobody approved: superseded
		for _, r := range w.runs()[8:12] {
			if r.Action == plan.Stop && (r.State != scheduler.Canceled || r.SupersededBy == "") {
				t.Errorf("a stop that nobody approved is %s (%s), want it canceled by the start", r.State, r.Message)
			}
		}
		w.stop()
	})
}

func TestPersonStartsAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow, Environment: envID(1)})
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:00:20")
		r, err := w.engine.Request(t.Context(), envName(0), plan.Start, scheduler.ByToken)
		if err != nil || r.Trigger != scheduler.TriggerManual {
			t.Fatalf("Act = %+v, %v", r, err)
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

func TestLeadAutoHasAllUpWhenTheWindowBegins(t *testing.T) {
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
	for _, lead := range []scheduler.Lead{{Auto: true}, {Fixed: 10 * time.Minute}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, lcssim.Options{StartTime: 30 * time.Minute})
			w.setup.Leads = map[string]scheduler.Lead{"office-hours": lead}
			w.schedule.Lead = lead.Fixed
			until("2000-01-03 05:00:00")
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

func TestStepsOfTheClockNeitherLoseNorDoubleAFire(t *testing.T) {
	tests := []struct {
		name  string
		ticks []time.Duration // from 18:30
	}{
		{"steady", []time.Duration{0, 20 * time.Minute, 40 * time.Minute, 2 * time.Hour}},
		{"an hour forward", []time.Duration{0, 10 * time.Minute, 70 * time.Minute, 80 * time.Minute}},
		{"an hour back after the fire", []time.Duration{0, 40 * time.Minute, -20 * time.Minute, 0, 20 * time.Minute, 40 * time.Minute, 2 * time.Hour}},
		{"back and forward round the fire", []time.Duration{0, 29 * time.Minute, 31 * time.Minute, 29 * time.Minute, 31 * time.Minute, 2 * time.Hour}},
		{"suspended for an hour and a half", []time.Duration{0, 90 * time.Minute, 91 * time.Minute}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				until("2000-01-03 18:00:00")
				w.start()
				until("2000-01-03 18:00:01")
				w.stop()
				w.open()
				w.engine = w.idle()
				for _, at := range tt.ticks {
					if err := w.engine.Tick(t.Context(), monday(18, 30).Add(at)); err != nil {
						t.Fatal(err)
					}
				}
				if r := w.only(); !r.FireAt.Equal(monday(19, 0)) || r.State != scheduler.Queued {
					t.Errorf("run = %+v, want the stop of 19:00, once", r)
				}
				if err := w.store.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

func TestWorstLatenessIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 18:50:00")
		w.stop()
		until("2000-01-03 19:30:00")
		w.start()
		until("2000-01-03 19:31:00")
		late := w.logs.FilterMessage("the latest fire so far").All()
		if len(late) != 1 || late[0].ContextMap()["late"] != 30*time.Minute {
			t.Errorf("lines = %+v, want one that says 30 minutes", late)
		}
		w.stop()
	})
}

func TestFireThatCannotBeDoneAtOnceSaysSo(t *testing.T) {
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
		if _, err := w.engine.Override(t.Context(), some); err != nil {
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
