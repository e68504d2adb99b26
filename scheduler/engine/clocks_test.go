package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
)

// wrongBy is the clock of a process that is ahead of the right time for a while.
func wrongBy(ahead time.Duration, from, to time.Time) *clock.Clock {
	return clock.New(func() time.Time {
		if now := time.Now(); now.Before(from) || !now.Before(to) {
			return now
		}
		return time.Now().Add(ahead)
	})
}

func TestWrongClockOfAWhileLosesNoFireAndMakesNoneEarly(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		ahead time.Duration
		start time.Time // of the daemon
		from  time.Time
		lasts time.Duration
	}{
		{"an hour ahead for 25 seconds", time.Hour, monday(17, 50), monday(18, 20), 25 * time.Second},
		{"an hour ahead from its first start on", time.Hour, monday(18, 20), monday(18, 0), 20*time.Minute + 25*time.Second},
		{"a month ahead from its first start on", 30 * 24 * time.Hour, monday(18, 20), monday(18, 0), 20*time.Minute + 25*time.Second},
		{"an hour behind for 25 seconds before the fire", -time.Hour, monday(17, 50), monday(18, 59), 25 * time.Second},
		{"an hour ahead for 8 seconds", time.Hour, monday(17, 50), monday(18, 44), 8 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.sim.Set(envID(0), lcssim.Finished)
				time.Sleep(time.Until(tt.start))
				w.clock = wrongBy(tt.ahead, tt.from, tt.from.Add(tt.lasts))
				w.start()
				until("2000-01-03 18:58:00")
				if n := w.sim.Accepted("", lcssim.Any); n != 0 {
					t.Errorf("LCS took %d calls before the fire, want none", n)
				}
				if c := w.cursor(); c.At.After(time.Now()) {
					t.Errorf("the last tick is %v in the future", time.Until(c.At))
				}
				until("2000-01-03 19:10:00")
				r := w.only()
				if r.State != scheduler.Succeeded || len(r.Attempts) != 1 || !r.FireAt.Equal(monday(19, 0)) {
					t.Errorf("run = %+v, want the stop of 19:00 with one call", r)
				}
				if late := r.Attempts[0].At.Sub(r.FireAt); late < 0 || late > time.Minute {
					t.Errorf("LCS was called %v after the fire", late)
				}
				w.stop()
			})
		})
	}
}

// On SQLite nothing tells a clock that is ahead at a start from a daemon that was down for
// long. The fire is made early then, and not once more when it comes.
func TestFireOfAClockThatWasAheadAtARestartIsMadeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 17:50:00")
		w.start()
		until("2000-01-03 18:10:00")
		w.stop()
		until("2000-01-03 18:20:00")
		w.clock = wrongBy(time.Hour, monday(18, 0), monday(18, 20).Add(25*time.Second))
		w.start()
		until("2000-01-03 19:10:00")
		if r := w.only(); r.State != scheduler.Succeeded || w.sim.Accepted("", lcssim.Any) != 1 {
			t.Errorf("run = %+v, want it made with one call", r)
		}
		if late := time.Since(w.cursor().At); late < 0 || late > time.Minute {
			t.Errorf("the last tick was %v ago, want ticks to go on", late)
		}
		w.stop()
	})
}

// cursor returns the last tick.
func (w *world) cursor() scheduler.Cursor {
	w.t.Helper()
	c, err := w.store.Runs.Cursor(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// What LCS showed while a clock was ahead is older than the fire that it is dated after.
func TestObservationFromTheFutureProvesNothing(t *testing.T) {
	t.Parallel()
	for _, lasts := range []time.Duration{8 * time.Second, 10 * time.Minute} {
		t.Run(lasts.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{}) // stopped
				until("2000-01-03 18:20:00")
				w.clock = wrongBy(time.Hour, monday(18, 0), monday(18, 20).Add(lasts))
				w.start() // everything is read at the start
				until("2000-01-03 18:50:00")
				w.sim.Set(envID(0), lcssim.Finished)
				until("2000-01-03 19:10:00")
				if n := w.sim.Accepted(envID(0), lcssim.Stop); n != 1 {
					t.Errorf("LCS was asked for %d stops of the running environment, want 1: %+v", n, w.runs())
				}
				w.stop()
			})
		})
	}
}

// A start that was under way goes on when the run was withdrawn that superseded it.
func TestRunSupersededByOneFromTheFutureGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{StartTime: 25 * time.Minute})
		w.schedule.Uptime = []plan.Window{window(t, "mon-fri 07:00-08:00")}
		until("2000-01-03 06:50:00")
		w.start()
		until("2000-01-03 07:05:00") // the start is being verified
		if err := w.engine.Tick(t.Context(), monday(8, 1)); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 07:30:00")
		runs := w.runs()
		if len(runs) != 1 || runs[0].State != scheduler.Succeeded || runs[0].SupersededBy != "" || len(runs[0].Attempts) != 1 {
			t.Errorf("runs = %+v, want the start, succeeded", runs)
		}
		until("2000-01-03 08:10:00")
		if runs := w.runs(); len(runs) != 2 || runs[1].Action != plan.Stop || runs[1].CreatedAt.Before(monday(8, 0)) {
			t.Errorf("runs = %+v, want the stop when its fire came", runs)
		}
		w.stop()
	})
}

// A simulated replica is an engine on the world's database with a clock and a schedule of its own.
type simulated struct {
	clock  *clock.Clock
	engine *engine.Engine
	end    context.CancelFunc
	done   chan error
}

// comparedTicks are those of a database with a right clock.
type comparedTicks struct {
	engine.TickStore
	clock *clock.Clock
}

func (s comparedTicks) Cursor(ctx context.Context) (scheduler.Cursor, error) {
	begin := s.clock.Begin()
	c, err := s.TickStore.Cursor(ctx)
	s.clock.Compare(begin, time.Now())
	return c, err
}

// replica starts one more engine on the open database.
func (w *world) replica(file string, own func() time.Time) *simulated {
	w.t.Helper()
	w.build()
	w.setup.File = file
	setup := w.setup
	r := &simulated{clock: clock.New(own), done: make(chan error, 1)}
	r.clock.Compare(r.clock.Begin(), time.Now())
	stores := storesOf(w.store)
	stores.Ticks, stores.Queue = comparedTicks{stores.Ticks, r.clock}, localQueue{stores.Queue}
	e, err := engine.New(engine.Options{Stores: stores, Logger: w.log, Setup: &setup, Clock: r.clock})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	r.engine, r.end = e, cancel
	go func() { r.done <- e.Run(ctx) }()
	return r
}

// stop ends a replica.
func (r *simulated) stop(t *testing.T) {
	t.Helper()
	r.end()
	if err := <-r.done; err != nil {
		t.Fatal(err)
	}
}

// exact reports which fires of the file between two instants have no run, more than one, or
// one that was written early or late.
func (w *world) exact(p *plan.Plan, from, to time.Time) (wrong []string) {
	w.t.Helper()
	runs := w.runs()
	for _, f := range p.Fires(from, to) {
		var found []scheduler.Run
		for _, r := range runs {
			if r.Environment == f.Environment && r.Action == f.Action && r.FireAt.Equal(f.At) {
				found = append(found, r)
			}
		}
		if len(found) != 1 {
			wrong = append(wrong, fmt.Sprintf("the %s of %s at %s has %d runs", f.Action, f.Environment, f.At.Format("Mon 15:04"), len(found)))
			continue
		}
		if late := found[0].CreatedAt.Sub(f.At); late < 0 || late > 20*time.Second || found[0].State != scheduler.Succeeded {
			wrong = append(wrong, fmt.Sprintf("the %s of %s at %s was written %v late and is %s: %s", f.Action, f.Environment, f.At.Format("Mon 15:04"), late, found[0].State, found[0].Message))
		}
	}
	return wrong
}

func TestReplicasWithDifferentClocksMakeEachFireOnceAndInTime(t *testing.T) {
	t.Parallel()
	ahead := func(d time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(d) } }
	tests := []struct {
		name string
		own  []func() time.Time
	}{
		{"90 s ahead, right, 400 s behind", []func() time.Time{ahead(90 * time.Second), time.Now, ahead(-400 * time.Second)}},
		{"30 days ahead, right, an hour ahead now and then", []func() time.Time{ahead(30 * 24 * time.Hour), time.Now, func() time.Time {
			if now := time.Now(); now.Minute()%7 != 0 {
				return now
			}
			return time.Now().Add(time.Hour)
		}}},
		{"3 s ahead and 3 s behind", []func() time.Time{ahead(3 * time.Second), ahead(-3 * time.Second)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, lcssim.Options{StartTime: 3 * time.Minute, StopTime: 2 * time.Minute})
				w.schedule.Uptime = []plan.Window{window(t, "06:00-06:30"), window(t, "07:15-08:00"), window(t, "08:30-09:10")}
				until("2000-01-03 05:30:00")
				w.open()
				var all []*simulated
				for i, own := range tt.own {
					all = append(all, w.replica("", own))
					time.Sleep(time.Duration(i+1) * 4 * time.Second)
				}
				w.engine = all[0].engine
				until("2000-01-03 07:31:00")
				all[0].stop(t) // and again: a start is as much of an occasion as any
				all[0] = w.replica("", tt.own[0])
				until("2000-01-03 09:30:00")
				for _, wrong := range w.exact(w.setup.Plan, monday(5, 30), monday(9, 20)) {
					t.Error(wrong)
				}
				for _, q := range w.sim.Requests() {
					if q.Status == 429 {
						t.Errorf("LCS answered 429: %+v", q)
					}
				}
				if n, want := w.sim.Accepted("", lcssim.Any), 18; n != want {
					t.Errorf("LCS took %d calls, want %d", n, want)
				}
				for _, r := range all {
					r.stop(t)
				}
				if err := w.store.Close(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A rolling change of the file: one replica has the new one at once, another minutes later.
func TestReplicasWithDifferentFilesLoseNoFireOfTheNewerOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{StartTime: time.Minute, StopTime: time.Minute})
		w.schedule.Uptime = []plan.Window{window(t, "06:00-08:00")}
		until("2000-01-03 05:50:00")
		w.open()
		older := w.replica("first", time.Now)
		newer := w.replica("first", time.Now)
		w.engine = newer.engine
		until("2000-01-03 06:30:00")
		w.schedule.Uptime = []plan.Window{window(t, "06:00-07:00"), window(t, "07:30-08:30")} // a stop more, and one later
		reload := func(r *simulated) {
			w.build()
			w.setup.File = "second"
			setup := w.setup
			if err := r.engine.Reload(t.Context(), &setup, engine.Reloading{By: scheduler.BySchedule}); err != nil {
				t.Fatal(err)
			}
		}
		reload(newer)
		until("2000-01-03 08:05:00")
		if c := w.cursor(); len(c.Files) != 2 || c.Files[0].Digest != "second" {
			t.Errorf("files = %+v, want the second to be the newest of two", c.Files)
		} else if f, ok := c.Older(time.Now()); !ok || f.Digest != "first" {
			t.Errorf("the older file is %+v, %t, want the first", f, ok)
		}
		reload(older)
		until("2000-01-03 08:40:00")
		if f, ok := w.cursor().Older(time.Now()); ok {
			t.Errorf("the older file is %+v, want none: both have the second", f)
		}
		for _, wrong := range w.exact(w.setup.Plan, monday(6, 30), monday(8, 40)) {
			t.Error(wrong)
		}
		if n := len(w.runs()); n != 4 {
			t.Errorf("there are %d runs, want the 4 of the second file: %+v", n, w.runs())
		}
		older.stop(t)
		newer.stop(t)
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// The replica with the newer file is gone for a while: the other one goes on by the older
// file, and what only the newer one has is made up for.
func TestOlderFileTakesOverWhenTheNewerIsSilent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{StartTime: time.Minute, StopTime: time.Minute})
		older := []plan.Window{window(t, "06:00-07:00")}
		newer := []plan.Window{window(t, "06:00-07:03")}
		w.schedule.Uptime = older
		until("2000-01-03 05:50:00")
		w.open()
		first := w.replica("first", time.Now)
		until("2000-01-03 06:50:00")
		w.schedule.Uptime = newer
		second := w.replica("second", time.Now)
		w.engine = first.engine
		until("2000-01-03 06:58:00")
		second.stop(t)
		until("2000-01-03 07:02:00")
		if n := w.sim.Accepted("", lcssim.Stop); n != 2 {
			t.Errorf("LCS was asked for %d stops, want the 2 of the older file", n)
		}
		until("2000-01-03 07:04:03") // no two replicas tick at the very same instant
		w.schedule.Uptime = newer
		second = w.replica("second", time.Now)
		until("2000-01-03 07:06:00")
		late := slices.DeleteFunc(w.runs(), func(r scheduler.Run) bool { return !r.FireAt.Equal(monday(7, 3)) })
		if len(late) != 2 {
			t.Errorf("the fire of 07:03, which only the newer file has, has %d runs, want 2: %+v", len(late), w.runs())
		}
		first.stop(t)
		second.stop(t)
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A clock that is an hour behind is set right while a stop waits for LCS.
func TestForwardStepOfTheClockIsNoPartOfTheDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.clock = wrongBy(-time.Hour, time.Now(), monday(20, 10))
		w.setup.Defaults.Deadline = 30 * time.Minute
		w.sim.Set(envID(0), lcssim.Finished)
		w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
		until("2000-01-03 19:50:00")
		w.start()
		until("2000-01-03 20:28:00")
		if r := w.only(); r.State.Finished() || r.StartedAt.IsZero() {
			t.Errorf("the run is %s (%s) before its deadline", r.State, r.Message)
		}
		until("2000-01-03 20:32:00")
		if r := w.only(); r.State != scheduler.Failed || !strings.Contains(r.Message, "deadline") {
			t.Errorf("the run is %s (%s), want it to fail at its deadline", r.State, r.Message)
		}
		w.stop()
	})
}
