package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/internal/longtest"
	"curfew/lcs"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestFireStartsAndStopsAndProvesIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.schedule.Uptime = []plan.Window{window(t, "mon-fri 07:00-08:00")}
		until("2000-01-03 06:50:07") // a Monday, and no heartbeat will fall on the hour
		w.start()
		until("2000-01-03 06:59:59")
		if got := w.sim.State(envID(0)); got != lcssim.Stopped {
			t.Errorf("before 07:00 the environment is %s, want Stopped", got)
		}
		until("2000-01-03 07:10:00")
		r := w.only()
		if r.State != scheduler.Succeeded || r.OperationActivityID == "" || r.Action != plan.Start || len(r.Attempts) != 1 {
			t.Errorf("run = %+v, want a start that succeeded with its activity id", r)
		}
		if late := r.CreatedAt.Sub(r.FireAt); late > time.Second {
			t.Errorf("the run was written %v after its fire: the clock did not wake", late)
		}
		if took := r.FinishedAt.Sub(r.AcceptedAt); took < 170*time.Second || took > 200*time.Second {
			t.Errorf("the start was proven after %v, want 170 s (LCS) and at most two reads", took)
		}
		until("2000-01-03 08:10:00")
		if got := w.sim.State(envID(0)); got != lcssim.Stopped {
			t.Errorf("after 08:00 the environment is %s, want Stopped", got)
		}
		w.stop()
		if n := w.sim.Accepted("", lcssim.Any); n != 2 {
			t.Errorf("LCS carried out %d operations, want 2", n)
		}
		if n := w.sim.Throttled(); n != 0 {
			t.Errorf("LCS answered 429 %d times, want never", n)
		}
		for _, message := range []string{"run accepted", "run succeeded"} {
			if n := w.logs.FilterMessage(message).Len(); n != 2 {
				t.Errorf("%d lines %q, want one for each run", n, message)
			}
		}
	})
}

func TestRunIsCarriedThroughEveryFault(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		faults   []lcssim.Fault
		state    scheduler.State
		accepted int // operations that LCS carried out
		within   time.Duration
	}{
		{"no fault", nil, scheduler.Succeeded, 1, 4 * time.Minute},
		{"a refusal is retried after a read of the state", []lcssim.Fault{{Kind: lcssim.Refuse, Verb: lcssim.Stop, Times: 1, Message: "no"}}, scheduler.Succeeded, 1, 10 * time.Minute},
		{"429 with seconds waits for them", []lcssim.Fault{{Kind: lcssim.Throttle, Verb: lcssim.Stop, Times: 1, RetryAfter: "267"}}, scheduler.Succeeded, 1, 9 * time.Minute},
		{"429 without Retry-After waits a while", []lcssim.Fault{{Kind: lcssim.Throttle, Verb: lcssim.Stop, Times: 2}}, scheduler.Succeeded, 1, 8 * time.Minute},
		{"an answer lost after acceptance is found out by metadata", []lcssim.Fault{{Kind: lcssim.ResetAfterAccept, Verb: lcssim.Stop, Times: 1}}, scheduler.Succeeded, 1, 5 * time.Minute},
		{"an answer that is no JSON is found out by metadata", []lcssim.Fault{{Kind: lcssim.NotJSON, Verb: lcssim.Stop, Times: 1}}, scheduler.Succeeded, 1, 5 * time.Minute},
		{"an answer beyond the time limit is found out by metadata", []lcssim.Fault{{Kind: lcssim.Slow, Verb: lcssim.Stop, Times: 1, Delay: 2 * time.Minute}}, scheduler.Succeeded, 1, 5 * time.Minute},
		{"a truncated answer is found out by metadata", []lcssim.Fault{{Kind: lcssim.Truncated, Verb: lcssim.Stop, Times: 1}}, scheduler.Succeeded, 1, 5 * time.Minute},
		{"a connection reset before acceptance is retried within the quota", []lcssim.Fault{{Kind: lcssim.ResetBeforeAccept, Verb: lcssim.Stop, Times: 1}}, scheduler.Succeeded, 1, 10 * time.Minute},
		{"a 500 page is retried within the quota", []lcssim.Fault{{Kind: lcssim.Error500HTML, Verb: lcssim.Stop, Times: 1}}, scheduler.Succeeded, 1, 10 * time.Minute},
		{"one 401 costs a fresh token, no wait", []lcssim.Fault{{Kind: lcssim.Unauthorized, Verb: lcssim.Stop, Times: 1}}, scheduler.Succeeded, 1, 4 * time.Minute},
		{"a lasting 401 waits for the account", []lcssim.Fault{{Kind: lcssim.Unauthorized, Verb: lcssim.Stop, Times: 4}}, scheduler.Succeeded, 1, 15 * time.Minute},
		{"403 fails", []lcssim.Fault{{Kind: lcssim.Forbidden, Verb: lcssim.Stop}}, scheduler.Failed, 0, time.Minute},
		{"a certificate that is not trusted fails", []lcssim.Fault{{Kind: lcssim.BadCertificate, Verb: lcssim.Stop}}, scheduler.Failed, 0, time.Minute},
		{"404 fails", []lcssim.Fault{{Kind: lcssim.NotFound, Verb: lcssim.Stop}}, scheduler.Failed, 0, time.Minute},
		{"servicing is waited for", []lcssim.Fault{{Kind: lcssim.ServicingWindow, From: monday(18, 0), Until: monday(19, 30)}}, scheduler.Succeeded, 1, 36 * time.Minute},
		{"servicing beyond the deadline fails", []lcssim.Fault{{Kind: lcssim.ServicingWindow, From: monday(18, 0)}}, scheduler.Failed, 0, 121 * time.Minute},
		{"a stuck transition fails after verify_timeout", []lcssim.Fault{{Kind: lcssim.StuckTransition}}, scheduler.Failed, 1, 47 * time.Minute},
		{"an accepted call that changes nothing fails after verify_timeout", []lcssim.Fault{{Kind: lcssim.AcceptedNoChange}}, scheduler.Failed, 1, 47 * time.Minute},
		{"an operation that ends as failed fails", []lcssim.Fault{{Kind: lcssim.EndsFailed}}, scheduler.Failed, 1, 5 * time.Minute},
		{"metadata that is unavailable for a while is waited for", []lcssim.Fault{{Kind: lcssim.Error503, Verb: lcssim.Metadata, From: monday(18, 50), Until: monday(19, 5)}}, scheduler.Succeeded, 1, 25 * time.Minute},
		{"metadata that lists nothing for ten minutes is waited for, of an environment that was listed before", []lcssim.Fault{{Kind: lcssim.EmptyData, Verb: lcssim.Metadata, From: monday(19, 0), Until: monday(19, 10)}}, scheduler.Succeeded, 1, 20 * time.Minute},
		{"one empty page of metadata is ignored", []lcssim.Fault{{Kind: lcssim.EmptyData, Verb: lcssim.Metadata, From: monday(19, 0), Times: 1}}, scheduler.Succeeded, 1, 6 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.long = tt.within > 30*time.Minute
				w.sim.Set(envID(0), lcssim.Finished)
				w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00")}
				until("2000-01-03 18:55:00")
				for _, f := range tt.faults {
					w.sim.Inject(f)
				}
				w.start()
				time.Sleep(time.Until(monday(19, 0)))
				w.finished(monday(19, 0).Add(tt.within))
				r := w.only()
				if r.State != tt.state {
					t.Errorf("run after %v = %s (%s), want %s; attempts %+v", tt.within, r.State, r.Message, tt.state, r.Attempts)
				}
				if n := w.sim.Accepted("", lcssim.Any); n != tt.accepted {
					t.Errorf("LCS carried out %d operations, want %d", n, tt.accepted)
				}
				w.stop()
				injected := 0
				for _, f := range tt.faults {
					if f.Kind == lcssim.Throttle {
						injected = f.Times
					}
				}
				if n := w.sim.Throttled(); n != injected {
					t.Errorf("LCS answered 429 %d times, want %d", n, injected)
				}
			})
		})
	}
}

func TestStopsKeepWithinQuotaMostExpensiveFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 65
		w := newWorld(t, n, lcssim.Options{})
		for i := range n {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 19:01:00")
		w.finished(monday(20, 30))
		var order []string
		for _, r := range w.sim.Requests() {
			if r.Accepted {
				order = append(order, r.Environment)
			}
		}
		if len(order) != n {
			t.Fatalf("LCS carried out %d stops, want %d", len(order), n)
		}
		if got := w.sim.Throttled(); got != 0 {
			t.Errorf("LCS answered 429 %d times, want never", got)
		}
		for begin := 0; begin < n; begin += 30 { // within a batch all slots come free together
			batch := order[begin:min(begin+30, n)]
			for i := range batch {
				if want := lcs.NormalizeID(envID(n - 1 - begin - i)); !slices.Contains(batch, want) {
					t.Errorf("batch %d leaves out %s, which is more expensive than others in it", begin/30+1, want)
				}
			}
		}
		for _, r := range w.runs() {
			if r.State != scheduler.Succeeded {
				t.Errorf("%s is %s (%s), want succeeded", r.Environment, r.State, r.Message)
			}
		}
		w.stop()
	})
}

func TestSecondAccountDoublesTheQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 60, lcssim.Options{})
		for i := range 60 {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		w.accounts = []string{"main", "second"}
		until("2000-01-03 18:30:00")
		w.start()
		until("2000-01-03 19:15:00")
		if got := w.sim.Accepted("", lcssim.Stop); got != 60 {
			t.Errorf("after 15 minutes LCS carried out %d stops, want 60 with two accounts", got)
		}
		if got := w.sim.Throttled(); got != 0 {
			t.Errorf("LCS answered 429 %d times, want never", got)
		}
		w.stop()
	})
}

func TestAlreadyInTheWantedStateNeedsNoCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:01:00")
		if r := w.only(); r.State != scheduler.Succeeded || len(r.Attempts) != 0 {
			t.Errorf("run = %s with %d attempts, want succeeded with none", r.State, len(r.Attempts))
		}
		w.stop()
	})
}

func TestDeadlineComesWhileTheEnvironmentIsBusy(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	for _, n := range []int{1, 8, 20} { // from 8 on, LCS lists them on more than one page
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, n, lcssim.Options{})
			w.long = true
			for i := range n {
				w.sim.Set(envID(i), lcssim.Finished)
			}
			w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow, From: monday(18, 0)})
			until("2000-01-03 18:55:00")
			w.start()
			until("2000-01-03 20:59:00")
			for _, r := range w.runs() {
				if r.State != scheduler.Queued {
					t.Errorf("of %d environments, before the deadline the %s of %s is %s (%s), want it queued", n, r.Action, r.Environment, r.State, r.Message)
				}
			}
			until("2000-01-03 21:05:00")
			for _, r := range w.runs() {
				if r.State != scheduler.Failed || !strings.Contains(r.Message, "deadline of 2h0m0s") || !strings.Contains(r.Message, "Servicing") {
					t.Errorf("of %d environments, after the deadline the %s of %s is %s (%s), want it failed, with what LCS showed", n, r.Action, r.Environment, r.State, r.Message)
				}
			}
			if got := w.sim.Throttled(); got != 0 {
				t.Errorf("LCS answered 429 %d times, want never", got)
			}
			w.stop()
		})
	}
}

func TestLaterFireSupersedes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		w.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow, From: monday(18, 0), Until: monday(19, 20)})
		w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00"), window(t, "mon 19:10-24:00")}
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:30:00")
		runs := w.runs()
		if len(runs) != 2 || runs[0].State != scheduler.Canceled || runs[0].SupersededBy != runs[1].ID || runs[1].State != scheduler.Succeeded {
			t.Errorf("runs = %+v, want the stop canceled by the start", runs)
		}
		if n := w.sim.Accepted("", lcssim.Any); n != 0 {
			t.Errorf("LCS carried out %d operations, want none: it runs, as the start wants", n)
		}
		w.stop()
	})
}

func TestLargeProjectIsReadPageByPage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 150 // 22 pages, of which LCS returns 6 a minute
		w := newWorld(t, n, lcssim.Options{})
		for i := range n {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		w.accounts = nil
		for i := range n / 30 {
			w.accounts = append(w.accounts, fmt.Sprintf("account-%d", i))
		}
		until("2000-01-03 18:50:00")
		w.start()
		until("2000-01-03 19:01:00")
		w.finished(monday(20, 0))
		took := time.Since(monday(19, 0))
		t.Logf("%d stops were proven after %v", n, took)
		if took > 20*time.Minute {
			t.Errorf("%d stops took %v, want 20 minutes at most: 4 to read all, and a few rounds of that to see them stopped", n, took)
		}
		if got := w.sim.Accepted("", lcssim.Stop); got != n {
			t.Errorf("LCS carried out %d stops, want %d", got, n)
		}
		if got := w.sim.Throttled(); got != 0 {
			t.Errorf("LCS answered 429 %d times, want never", got)
		}
		w.stop()
	})
}

func TestEnvironmentsThatLCSDoesNotKnowFailSoon(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 10, lcssim.Options{})
		w.sim.Set(envID(9), lcssim.Finished)
		for i := range 3 {
			w.setup.Environments[i].ID = envID(100 + i) // a mistake in the file
		}
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 19:01:00")
		w.finished(monday(19, 20))
		for _, r := range w.runs() {
			want := scheduler.Succeeded
			if r.Environment < envName(3) {
				want = scheduler.Failed
			}
			if r.State != want {
				t.Errorf("%s is %s (%s), want %s", r.Environment, r.State, r.Message, want)
			}
		}
		if took := time.Since(monday(19, 0)); took > 6*time.Minute {
			t.Errorf("it took %v, want a few minutes", took)
		}
		if n := w.sim.Throttled(); n != 0 {
			t.Errorf("LCS answered 429 %d times, want never", n)
		}
		w.stop()
	})
}
