package engine_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// warnedOf lists the stops that people were warned of: "dev-00 Mon 19:00 at 18:30".
func (w *world) warnedOf() []string {
	var list []string
	for _, e := range w.events(scheduler.EventStopping) {
		list = append(list, e.Environment+" "+e.FireAt.Format("Mon 15:04")+" at "+e.At.Format("15:04"))
	}
	return list
}

// warnings has people warned of the stops of the world's schedule.
func (w *world) warnings(ahead time.Duration) {
	w.setup.Warnings = map[string]scheduler.Warning{}
	for _, e := range w.setup.Environments {
		w.setup.Warnings[e.Name] = scheduler.Warning{Schedules: map[string]time.Duration{w.schedule.Name: ahead}, Otherwise: ahead}
	}
}

func TestStopIsWarnedOfAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		w.sim.Set(envID(1), lcssim.Finished)
		w.warnings(30 * time.Minute)
		delete(w.setup.Warnings, envName(1))
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 18:29:59")
		if got := w.warnedOf(); len(got) > 0 {
			t.Errorf("warned of %q before it was time", got)
		}
		until("2000-01-03 18:30:02")
		want := []string{"dev-00 Mon 19:00 at 18:30"}
		if got := w.warnedOf(); !slices.Equal(got, want) {
			t.Errorf("warned of %q, want %q", got, want)
		}
		w.stop()
		until("2000-01-03 18:45:00")
		w.start() // a restart warns no second time
		until("2000-01-04 18:20:00")
		if got := w.warnedOf(); !slices.Equal(got, want) {
			t.Errorf("after a restart warned of %q, want %q", got, want)
		}
		w.stop()
		until("2000-01-04 18:50:00")
		w.start() // what was missed meanwhile is said at once: the stop is still to come
		until("2000-01-04 18:50:10")
		if got, want := w.warnedOf(), append(want, "dev-00 Tue 19:00 at 18:50"); !slices.Equal(got, want) {
			t.Errorf("after downtime warned of %q, want %q", got, want)
		}
		w.stop()
	})
}

func TestMovedStopIsWarnedOfAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		w.warnings(30 * time.Minute)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 18:40:00")
		w.keep(0, plan.Running, monday(21, 0))
		until("2000-01-03 21:10:00")
		if got, want := w.warnedOf(), []string{"dev-00 Mon 19:00 at 18:30", "dev-00 Mon 21:00 at 20:30"}; !slices.Equal(got, want) {
			t.Errorf("warned of %q, want %q", got, want)
		}
		w.stop()
	})
}

func TestWhatIsStoppedIsWarnedOfOnceItRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		w.warnings(30 * time.Minute)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 18:40:00")
		want := []string{"dev-00 Mon 19:00 at 18:30"}
		if got := w.warnedOf(); !slices.Equal(got, want) {
			t.Errorf("warned of %q, want %q: the other is stopped", got, want)
		}
		if _, err := w.engine.Request(t.Context(), envName(1), plan.Start, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 18:59:00")
		w.state(1, lcssim.Finished)
		got := w.warnedOf()
		if len(got) != 2 || got[0] != want[0] || !strings.HasPrefix(got[1], "dev-01 Mon 19:00 at 18:4") {
			t.Errorf("warned of %q, want dev-01 too, once it starts", got)
		}
		w.stop()
	})
}
