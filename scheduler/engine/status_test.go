package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/plan"
)

func TestStatusSaysWhatIsHeldByHandAndWhatNothingStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{StartTime: time.Minute})
		w.long = true
		w.sim.Set(envID(1), lcssim.Finished) // it runs, and the file is new
		until("2000-01-03 20:00:00")
		w.start()
		run := w.ask(plan.Start)
		until("2000-01-03 20:10:00")
		list, err := w.engine.Statuses(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		boundary := time.Date(2000, 1, 4, 7, 0, 0, 0, time.UTC)
		if m := list[0].Manual; m == nil || m.Run != run.ID || !m.Until.Equal(boundary) || list[0].Wanted != plan.Running || list[0].Because != "started by hand on Mon 2000-01-03 20:00, which holds until Tue 2000-01-04 07:00" {
			t.Errorf("started by hand: %+v, wanted %s because %s", m, list[0].Wanted, list[0].Because)
		}
		if list[0].Unstopped != nil || list[1].Manual != nil {
			t.Errorf("of one what is of the other: %+v", list)
		}
		if u := list[1].Unstopped; u == nil || !u.At.Equal(boundary.Add(12*time.Hour)) {
			t.Errorf("running in a new file: %+v, want the next stop", u)
		}
		until("2000-01-04 19:30:00")
		w.sim.Set(envID(1), lcssim.Finished) // somebody started it after a stop that did come
		until("2000-01-04 19:40:00")
		if list, err = w.engine.Statuses(t.Context()); err != nil {
			t.Fatal(err)
		}
		if list[0].Manual != nil || list[1].Unstopped != nil {
			t.Errorf("after the boundary: %+v and %+v, want neither", list[0].Manual, list[1].Unstopped)
		}
		w.stop()
	})
}
