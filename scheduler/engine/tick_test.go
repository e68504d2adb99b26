package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestStepsOfTheClockNeitherLoseNorDoubleAFire(t *testing.T) {
	t.Parallel()
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
			t.Parallel()
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

func TestWorstLatenessIsReported(t *testing.T) {
	t.Parallel()
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

func TestDowntimeIsCaughtUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		down, up  string
		wantState []scheduler.State
		trigger   scheduler.Trigger
	}{
		{"a fire missed a short while ago is run", "2000-01-03 18:00:00", "2000-01-03 20:30:00", []scheduler.State{scheduler.Succeeded}, scheduler.TriggerCatchUp},
		{"an old one is missed", "2000-01-03 18:00:00", "2000-01-03 21:00:01", []scheduler.State{scheduler.Missed}, scheduler.TriggerSchedule},
		{"only the latest of several is run", "2000-01-03 18:00:00", "2000-01-05 19:30:00", []scheduler.State{scheduler.Missed, scheduler.Missed, scheduler.Missed, scheduler.Missed, scheduler.Succeeded}, scheduler.TriggerCatchUp},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.sim.Set(envID(0), lcssim.Finished)
				until("2000-01-03 17:50:00")
				w.start()
				until(tt.down)
				w.stop()
				until(tt.up)
				w.start()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				runs := w.runs()
				var states []scheduler.State
				for _, r := range runs {
					states = append(states, r.State)
				}
				if !slices.Equal(states, tt.wantState) {
					t.Fatalf("states = %v, want %v", states, tt.wantState)
				}
				if got := runs[len(runs)-1].Trigger; got != tt.trigger {
					t.Errorf("trigger of the last = %s, want %s", got, tt.trigger)
				}
				w.stop()
			})
		})
	}
}

func TestNewAndEditedSchedulesNeverFireForThePast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 17:50:00")
		w.start()
		until("2000-01-03 18:00:00")
		w.stop()
		until("2000-01-03 18:45:00")
		w.schedule.Uptime = []plan.Window{window(t, "mon-fri 07:00-18:30")} // edited while the daemon was down
		w.start()
		until("2000-01-03 18:59:00")
		if runs := w.runs(); len(runs) != 0 {
			t.Errorf("runs = %+v, want none", runs)
		}
		w.stop()
	})
}

// A tick of a process whose clock is ahead writes a run from the future. It is made when its
// fire comes, and not before.
func TestTickFromTheFutureMakesNoCallBeforeItsFire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 18:05:00")
		if err := w.engine.Tick(t.Context(), time.Now().Add(56*time.Minute)); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 18:59:59")
		if n := w.sim.Accepted("", lcssim.Any); n != 0 {
			t.Errorf("LCS took %d calls before the fire, want none", n)
		}
		until("2000-01-03 19:10:00")
		if run := w.only(); run.State != scheduler.Succeeded || len(run.Attempts) != 1 {
			t.Errorf("run = %+v, want it proven with one call", run)
		}
		w.stop()
	})
}
