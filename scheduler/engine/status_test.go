package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/plan"
)

func TestStatusSaysWhatIsHeldByHandAndWhatNothingStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{StartTime: time.Minute})
		w.long = true
		w.schedule.Uptime = []plan.Window{window(t, "mon 20:30-21:00")}
		w.sim.Set(envID(1), lcssim.Finished) // it runs, and the file is new
		until("2000-01-03 20:00:00")
		w.start()
		run := w.ask(plan.Start)
		until("2000-01-03 20:10:00")
		list, err := w.engine.Statuses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		boundary := monday(20, 30)
		if m := list[0].Manual; m == nil || m.Run != run.ID || !m.Until.Equal(boundary) || list[0].Wanted != plan.Running || list[0].Because != "started by hand on Mon 2000-01-03 20:00, which holds until Mon 2000-01-03 20:30" {
			t.Errorf("started by hand: %+v, wanted %s because %s", m, list[0].Wanted, list[0].Because)
		}
		if list[0].Unstopped != nil || list[1].Manual != nil {
			t.Errorf("of one what is of the other: %+v", list)
		}
		if u := list[1].Unstopped; u == nil || !u.At.Equal(boundary.Add(30*time.Minute)) {
			t.Errorf("running in a new file: %+v, want the next stop", u)
		}
		until("2000-01-03 21:30:00")
		w.sim.Set(envID(1), lcssim.Finished) // somebody started it after a stop that did come
		until("2000-01-03 21:40:00")
		if list, err = w.engine.Statuses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list[0].Manual != nil || list[1].Unstopped != nil {
			t.Errorf("after the boundary: %+v and %+v, want neither", list[0].Manual, list[1].Unstopped)
		}
		w.stop()
	})
}
