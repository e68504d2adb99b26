package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
)

func TestReloadByItselfStartsAndStopsNothing(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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
			t.Parallel()
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
	t.Parallel()
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

func TestStaleOverrideIsReportedOnceForEachFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.setup.File = "first"
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:00:20")
		w.keep(1, plan.Running, monday(22, 0))
		w.stop()
		w.setup.Environments, w.schedule.Environments = w.setup.Environments[:1], w.schedule.Environments[:1]
		for _, start := range []struct {
			file string
			want int
		}{{"second", 1}, {"second", 1}, {"third", 2}, {"third", 2}} {
			w.setup.File = start.file
			w.start()
			time.Sleep(20 * time.Second)
			synctest.Wait()
			events, err := w.store.Events.After(t.Context(), "", 1000)
			if err != nil {
				t.Fatal(err)
			}
			reported := slices.DeleteFunc(events, func(e scheduler.Event) bool { return !strings.Contains(e.Reason, "override without effect") })
			if len(reported) != start.want {
				t.Errorf("after a start with the %s file there are %d reports, want %d", start.file, len(reported), start.want)
			}
			w.stop()
		}
	})
}

func TestRunOfAnEnvironmentThatOnlyAnotherReplicaKnowsIsLeftToIt(t *testing.T) {
	t.Parallel()
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
