package engine_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"curfew/internal/longtest"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestEnforceBringsBackWhatHasDrifted(t *testing.T) {
	t.Parallel()
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
			t.Parallel()
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
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.long = true
		w.sim.Set(envID(0), lcssim.Finished)
		w.setup.Enforced = map[string]string{envName(0): "office-hours"}
		until("2000-01-03 10:00:00")
		w.start()
		for range longtest.Or(3, 12) * 60 / 5 { // somebody stops it again and again
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
		if n < longtest.Or(3, 10) {
			t.Errorf("corrected %d times, want every half hour or so", n)
		}
		w.stop()
	})
}

func TestEnforceLeavesAnEnvironmentAloneThatWasStartedForItsWindow(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
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
	t.Parallel()
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
	longtest.Only(t)
	t.Parallel()
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
			t.Parallel()
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

func TestWhatAPersonDidHoldsUntilTheNextBoundary(t *testing.T) {
	t.Parallel()
	const evening, night, nextEvening = "2000-01-04 04:00:00", "2000-01-04 05:00:00", "2000-01-04 08:10:00"
	const day, noon, nextMorning = "2000-01-04 06:30:00", "2000-01-04 07:30:00", "2000-01-04 09:10:00"
	hours := []plan.Window{window(t, "mon-fri 06:00-08:00"), window(t, "mon-fri 09:00-19:00")}
	tests := []struct {
		name      string
		from      string
		steps     func(w *world)
		until     string
		want      lcssim.State
		afterward string
		then      lcssim.State
	}{
		{"a start after hours", evening, func(w *world) { w.ask(plan.Start) }, night, lcssim.Finished, nextEvening, lcssim.Stopped},
		{"a stop during hours", day, func(w *world) { w.ask(plan.Stop) }, noon, lcssim.Stopped, nextMorning, lcssim.Finished},
		{"a restart of the daemon keeps it", evening, func(w *world) {
			w.ask(plan.Start)
			time.Sleep(time.Minute)
			w.stop()
			w.start()
		}, night, lcssim.Finished, nextEvening, lcssim.Stopped},
		{"a boundary that a reload puts into the past never came", evening, func(w *world) {
			w.ask(plan.Start)
			until("2000-01-04 04:30:00")
			w.schedule.Uptime = append(slices.Clone(hours), window(w.t, "tue 02:00-04:15"))
			w.reload()
		}, night, lcssim.Finished, nextEvening, lcssim.Stopped},
		{"one that was canceled does not hold", evening, func(w *world) {
			w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
			r := w.ask(plan.Start)
			time.Sleep(time.Minute)
			if _, err := w.engine.Cancel(w.t.Context(), r.ID, scheduler.ByToken); err != nil {
				w.t.Fatal(err)
			}
			w.sim.ClearFaults()
			w.sim.Set(envID(0), lcssim.Finished)
		}, night, lcssim.Stopped, night, lcssim.Stopped},
		{"the one before a canceled one holds again", evening, func(w *world) {
			w.ask(plan.Start)
			until("2000-01-04 04:10:00")
			w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
			r := w.ask(plan.Stop)
			if _, err := w.engine.Cancel(w.t.Context(), r.ID, scheduler.ByToken); err != nil {
				w.t.Fatal(err)
			}
			w.sim.ClearFaults()
		}, night, lcssim.Finished, nextEvening, lcssim.Stopped},
		{"one that failed does not hold", evening, func(w *world) {
			w.sim.Inject(lcssim.Fault{Kind: lcssim.NotFound, Verb: lcssim.Start, Times: 1})
			w.ask(plan.Start)
			time.Sleep(time.Minute)
			w.sim.Set(envID(0), lcssim.Finished)
		}, night, lcssim.Stopped, night, lcssim.Stopped},
		{"an environment that drifts from what the schedules and the person want is brought back", day, func(w *world) {
			w.ask(plan.Start)
			time.Sleep(time.Minute)
			w.sim.Set(envID(0), lcssim.Stopped)
		}, noon, lcssim.Finished, noon, lcssim.Finished},
	}
	for _, tt := range tests[:longtest.Or(2, len(tests))] { // a start and a stop; the others take long
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{StartTime: time.Minute, StopTime: time.Minute})
				w.long = true
				w.schedule.Uptime = hours
				w.setup.Enforced = map[string]string{envName(0): "office-hours"}
				if tt.from == day {
					w.sim.Set(envID(0), lcssim.Finished)
				}
				from, err := time.Parse(time.DateTime, tt.from)
				if err != nil {
					t.Fatal(err)
				}
				until(from.Add(-2 * time.Minute).Format(time.DateTime))
				w.start()
				until(tt.from)
				tt.steps(w)
				until(tt.until)
				w.state(0, tt.want)
				until(tt.afterward)
				w.state(0, tt.then)
				w.stop()
			})
		})
	}
}
