package engine_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestPersonsRunSupersedesOneWhoseCallIsInFlight(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name          string
		before        lcssim.State
		at            time.Time // of the fire
		action        plan.Action
		want          lcssim.State
		starts, stops int // that LCS carries out
	}{
		{"a stop, while a start is in flight", lcssim.Stopped, monday(7, 0), plan.Stop, lcssim.Stopped, 1, 1},
		{"a start, while a stop is in flight", lcssim.Finished, monday(19, 0), plan.Start, lcssim.Finished, 1, 1},
		{"a stop, while a stop is in flight", lcssim.Finished, monday(19, 0), plan.Stop, lcssim.Stopped, 0, 1},
		{"a start, while a start is in flight", lcssim.Stopped, monday(7, 0), plan.Start, lcssim.Finished, 1, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.sim.Set(envID(0), tt.before)
				for _, verb := range []lcssim.Verb{lcssim.Start, lcssim.Stop} {
					w.sim.Inject(lcssim.Fault{Kind: lcssim.Slow, Verb: verb, Delay: 40 * time.Second})
				}
				time.Sleep(time.Until(tt.at.Add(-time.Minute)))
				w.start()
				time.Sleep(time.Until(tt.at.Add(10 * time.Second)))
				r, err := w.engine.Request(t.Context(), envName(0), tt.action, anna)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(15 * time.Minute)
				synctest.Wait()
				w.state(0, tt.want)
				runs := w.runs()
				if len(runs) != 2 || runs[0].State != scheduler.Canceled || runs[0].SupersededBy != r.ID || runs[1].State != scheduler.Succeeded {
					t.Errorf("runs = %+v, want the fire's canceled by the person's, which succeeded", runs)
				}
				if starts, stops := w.sim.Accepted("", lcssim.Start), w.sim.Accepted("", lcssim.Stop); starts != tt.starts || stops != tt.stops {
					t.Errorf("LCS carried out %d starts and %d stops, want %d and %d", starts, stops, tt.starts, tt.stops)
				}
				if n := w.sim.Throttled(); n != 0 {
					t.Errorf("LCS answered 429 %d times, want never", n)
				}
				w.endedOnce()
				w.stop()
			})
		})
	}
}

func TestApprovalWakesThePassAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		held(t, r)
		w := r.w
		until("2000-01-03 20:03:07")
		if n := len(w.calls()); n != 0 {
			t.Fatalf("%d calls before the approval, want none", n)
		}
		approved := time.Now()
		if _, err := w.engine.Approve(t.Context(), w.runs()[0].ID, anna); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if calls := w.calls(); len(calls) != 2 {
			t.Errorf("%d calls within a second of the approval at %s, want 2", len(calls), approved.Format(time.TimeOnly))
		}
		w.stop()
	})
}

func TestRunGoesOnWithin20SecondsOfItsAccountsNewSecret(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Duration{0, 7 * time.Second, 13 * time.Second, 19 * time.Second} {
		t.Run(fmt.Sprintf("%v after a pass of housekeeping", at), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, auth.ModePassword)
				o.setPassword("wrong")
				until("2000-01-03 18:58:00")
				o.start()
				until("2000-01-03 19:12:00")
				o.isDown("wrong user name or password")
				time.Sleep(at)
				rewritten := time.Now()
				o.setPassword(knownPassword)
				time.Sleep(5 * time.Minute)
				synctest.Wait()
				o.recovered()
				if took := o.only().AcceptedAt.Sub(rewritten); took < 0 || took > 20*time.Second {
					t.Errorf("the call was accepted %v after the secret was rewritten, want 20 s at most", took)
				}
				o.stop()
			})
		})
	}
}

func TestWaitingRunsFollowTheDeadlineOfANewFile(t *testing.T) {
	t.Parallel()
	for _, deadline := range []time.Duration{5 * time.Minute, 30 * time.Minute, 2*time.Hour + 10*time.Minute} {
		t.Run(deadline.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := struck(t, inService())
				until("2000-01-03 19:10:00")
				w.setup.Defaults.Deadline = deadline
				w.reload()
				end := monday(19, 0).Add(max(deadline, 10*time.Minute)) // at once, when it has passed already
				if before := end.Add(-time.Minute); before.After(time.Now()) {
					time.Sleep(time.Until(before))
					synctest.Wait()
					if r := w.only(); r.State.Finished() {
						t.Errorf("a minute before the deadline the run is %s: %s", r.State, r.Message)
					}
				}
				time.Sleep(time.Until(end.Add(20 * time.Second)))
				synctest.Wait()
				if r := w.only(); r.State != scheduler.Failed || !strings.Contains(r.Message, "deadline of "+deadline.String()) || r.FinishedAt.Sub(end) > 15*time.Second {
					t.Errorf("run = %s at %s: %s; want it failed at %s", r.State, r.FinishedAt.Format(time.TimeOnly), r.Message, end.Format(time.TimeOnly))
				}
				w.endedOnce()
				w.stop()
			})
		})
	}
}

// TestSlowProjectDoesNotDelayTheCallsOfAnother has LCS take a minute over each answer of
// one project.
func TestSlowProjectDoesNotDelayTheCallsOfAnother(t *testing.T) {
	t.Parallel()
	for _, account := range []string{"other", "main"} {
		for _, verb := range []lcssim.Verb{lcssim.Stop, lcssim.Metadata, lcssim.Any} {
			t.Run(fmt.Sprintf("%q slow, account %s", verb, account), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					const n = 10
					w := newWorld(t, n, lcssim.Options{})
					w.others = []scheduler.Project{{Name: "other", ID: otherProject, Accounts: []scheduler.Account{{Name: account}}}}
					for i := range n {
						w.sim.Set(envID(i), lcssim.Finished)
						w.sim.AddEnvironment(otherProject, lcssim.Environment{ID: envID(n + i), Name: envName(n + i)})
						w.setup.Environments = append(w.setup.Environments, scheduler.Environment{Name: envName(n + i), Project: "other", ID: envID(n + i)})
						w.schedule.Environments = append(w.schedule.Environments, envName(n+i))
					}
					w.sim.Inject(lcssim.Fault{Kind: lcssim.Slow, Project: project, Verb: verb, Delay: time.Minute})
					until("2000-01-03 18:30:00")
					w.start()
					until("2000-01-03 19:00:01")
					called := 0
					for _, r := range w.sim.Requests() {
						if r.Project == otherProject && r.Accepted {
							called++
						}
					}
					if called != n {
						t.Errorf("%d calls of the other project within a second of the fire, want %d", called, n)
					}
					until("2000-01-03 19:30:00")
					for _, r := range w.runs() {
						if r.State != scheduler.Succeeded {
							t.Errorf("the stop of %s is %s: %s", r.Environment, r.State, r.Message)
						}
					}
					if got := w.sim.Throttled(); got != 0 {
						t.Errorf("LCS answered 429 %d times, want never", got)
					}
					w.stop()
				})
			})
		}
	}
}

// TestSlowProjectsLeaveRoomForAnother has LCS take a minute over each answer of some
// projects that together have more to do than there may be calls in flight.
func TestSlowProjectsLeaveRoomForAnother(t *testing.T) {
	t.Parallel()
	for _, verb := range []lcssim.Verb{lcssim.Stop, lcssim.Any} {
		t.Run(fmt.Sprintf("%q slow", verb), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const each, slow, atOnce, n = 20, 2, 20, 3
				w := newWorld(t, each, lcssim.Options{})
				w.atOnce = atOnce
				for i := range each {
					w.sim.Set(envID(i), lcssim.Finished)
				}
				add := func(project int64, name string, n int) {
					w.others = append(w.others, scheduler.Project{Name: name, ID: project, Accounts: []scheduler.Account{{Name: name}}})
					for range n {
						i := len(w.setup.Environments)
						w.sim.AddEnvironment(project, lcssim.Environment{ID: envID(i), Name: envName(i)})
						w.setup.Environments = append(w.setup.Environments, scheduler.Environment{Name: envName(i), Project: name, ID: envID(i)})
						w.schedule.Environments = append(w.schedule.Environments, envName(i))
					}
				}
				for i := range slow - 1 {
					add(int64(100+i), fmt.Sprint("slow-", i), each)
				}
				add(otherProject, "other", n)
				for i := range slow {
					w.sim.Inject(lcssim.Fault{Kind: lcssim.Slow, Project: []int64{project, 100}[i], Verb: verb, Delay: 50 * time.Second})
				}
				until("2000-01-03 18:30:00")
				w.start()
				until("2000-01-03 19:00:05")
				called, flying := 0, 0
				for _, r := range w.sim.Requests() {
					switch {
					case r.Project == otherProject && r.Accepted:
						called++
					case r.Accepted:
						flying++
					}
				}
				if called != n || flying > atOnce {
					t.Errorf("%d calls of the other project within seconds of the fire, want %d; of the slow ones %d, want %d at most", called, n, flying, atOnce)
				}
				until("2000-01-03 19:45:00")
				for _, r := range w.runs() {
					if r.State != scheduler.Succeeded {
						t.Errorf("the stop of %s is %s: %s", r.Environment, r.State, r.Message)
					}
				}
				w.stop()
			})
		})
	}
}
