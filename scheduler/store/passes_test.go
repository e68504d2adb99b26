package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// two returns two processes on one PostgreSQL database, both with a lease.
func two(t *testing.T) (a, b *bench) {
	t.Helper()
	dsn := postgresDSN(t)
	a, b = newBench(t, dsn), newBench(t, dsn)
	a.recover(t0)
	b.recover(t0)
	return a, b
}

func TestLoadReturnsTheWorkOfTheProject(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		low, high, other, done := newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0), newRun("dev-03", plan.Stop, t0), newRun("dev-04", plan.Stop, t0)
		low.Rank, high.Rank = 2, 1
		low.By = scheduler.Actor{Name: "anna", Via: "page"}
		other.Project = "fabrikam"
		done.State, done.FinishedAt = scheduler.Missed, t0
		unknown := newRun("dev-05", plan.Stop, t0)
		unknown.Rank = 3
		res := b.tick(time.Time{}, t0, low, high, other, done, unknown)
		want := []scheduler.Ticket{{Project: "contoso", Generation: 1}, {Project: "fabrikam", Generation: 1}}
		if !slices.Equal(res.Tickets, want) {
			t.Fatalf("tickets = %v, want %v", res.Tickets, want)
		}
		ids := map[string]string{"dev-01": "e1", "dev-02": "e2", "dev-03": "e3", "dev-04": "e4"}
		load := func() scheduler.Work {
			t.Helper()
			w, err := b.Passes.Load(t.Context(), want[0], 1, ids)
			if err != nil {
				t.Fatal(err)
			}
			return w
		}
		w := load()
		if len(w.Runs) != 3 || w.Runs[0].ID != high.ID || w.Runs[1].ID != low.ID || w.Runs[2].ID != unknown.ID || w.Runs[1].By != low.By {
			t.Errorf("runs = %+v, want the unfinished ones of the project by their rank", w.Runs)
		}
		if len(w.LastCalls) != 0 || len(w.Observations) != 0 {
			t.Errorf("work = %+v, want no calls and no observations yet", w)
		}
		for i, outcome := range []scheduler.Outcome{scheduler.OutcomeAccepted, scheduler.OutcomeThrottled} { // the second does not count
			at := t0.Add(time.Duration(i) * 10 * time.Minute)
			reserved, err := b.Ledger.Reserve(t.Context(), scheduler.Reservation{
				Ticket: want[0], Now: at, Kind: lcs.CallStop, Project: scheduler.Contender{Name: "contoso", ID: 1, Accounts: []string{"main"}},
				Requests: []scheduler.Request{{Run: load().Runs[1], Environment: "e1", Ready: true, Unseen: true}},
			})
			if err != nil || len(reserved.Calls) != 1 {
				t.Fatalf("Reserve = %+v, %v; want a call", reserved, err)
			}
			b.settle(&reserved.Calls[0].Call, outcome, at)
		}
		seen := []scheduler.Observation{{Project: 1, ID: "e1", At: t0, Condition: lcs.Running}, {Project: 2, ID: "e2", At: t0}, {Project: 1, ID: "e4", At: t0}}
		if err := b.Observations.Record(t.Context(), scheduler.Call{}, seen); err != nil {
			t.Fatal(err)
		}
		w = load()
		if c := w.LastCalls["e1"]; len(w.LastCalls) != 1 || c.Outcome != scheduler.OutcomeAccepted || !c.At.Equal(t0) || c.Run != low.ID || !c.Unseen || c.Project != 1 || c.Kind != lcs.CallStop || c.Account != "main" {
			t.Errorf("last calls = %+v, want the accepted one of e1", w.LastCalls)
		}
		if o := w.Observations["e1"]; len(w.Observations) != 1 || o != seen[0] {
			t.Errorf("observations = %+v, want that of e1", w.Observations)
		}
	})
}

func TestVoidTicketChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		now := b.run(r.ID)
		for _, ticket := range []scheduler.Ticket{{Project: "contoso", Generation: 1}, {Project: "contoso", Generation: 2}, {Project: "nobody", Generation: 1}} {
			b.isVoid(t, ticket, now, false)
		}
	})
}

// isVoid checks that a ticket changes nothing; one that can be loaded has no pass yet.
func (b *bench) isVoid(t *testing.T, ticket scheduler.Ticket, r scheduler.Run, loads bool) {
	t.Helper()
	changed := r
	changed.State, changed.Message = scheduler.Verifying, "written by a void ticket"
	_, err := b.Passes.Save(t.Context(), ticket, []scheduler.Run{changed}, emit)
	wantStale(t, "Save", err)
	_, err = b.Passes.End(t.Context(), ticket)
	wantStale(t, "End", err)
	_, err = b.Ledger.Reserve(t.Context(), scheduler.Reservation{
		Ticket: ticket, Now: t0, Kind: lcs.CallStop, Project: scheduler.Contender{Name: r.Project, ID: 1, Accounts: []string{"main"}},
		Requests: []scheduler.Request{{Run: r, Environment: r.Environment, Ready: true}},
	})
	wantStale(t, "Reserve", err)
	if loads {
		_, err = b.load(ticket)
		wantStale(t, "Load", err)
	}
	if got := b.run(r.ID); got.State != r.State || got.Message != r.Message || len(got.Attempts) != len(r.Attempts) {
		t.Errorf("run = %+v, want it as it was: %+v", got, r)
	}
	if got := b.events(); len(got) != 0 {
		t.Errorf("events = %v, want none", got)
	}
}

func TestPassIsClaimedByExactlyOneOfTwoProcesses(t *testing.T) {
	a, b := two(t)
	for i := range 20 {
		r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
		r.Project = fmt.Sprintf("project-%02d", i)
		res, err := a.Runs.InsertManual(t.Context(), r, nil)
		if err != nil {
			t.Fatal(err)
		}
		var errs [2]error
		var done sync.WaitGroup
		for n, s := range []*bench{a, b} {
			done.Go(func() { _, errs[n] = s.Passes.Load(t.Context(), res.Tickets[0], 1, nil) })
		}
		done.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), scheduler.ErrStale) {
			t.Fatalf("two claims at once = %v, want one to win and ErrStale for the other", errs)
		}
		winner := []*bench{a, b}[slices.Index(errs[:], nil)]
		winner.claim(res.Tickets[0]) // again, as often as it likes
	}
}

func TestChangeByAnotherProcessTakesThePassAway(t *testing.T) {
	var run scheduler.Run // of dev-01, which has a call in flight
	tests := []struct {
		name   string
		change func(t *testing.T, b *bench) ([]scheduler.Ticket, error)
		stale  bool // what the old pass settles
	}{
		{"a wake", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) { return b.Passes.Wake(t.Context(), "contoso") }, false},
		{"a run of the next tick", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			return b.tick(t0, t0.Add(time.Minute), newRun("dev-02", plan.Start, t0.Add(time.Minute))).Tickets, nil
		}, false},
		{"a run that supersedes", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			return b.tick(t0, t0.Add(time.Minute), newRun("dev-01", plan.Start, t0.Add(time.Minute))).Tickets, nil
		}, true},
		{"a run that a person asked for", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			res, err := b.Runs.InsertManual(t.Context(), newRun("dev-02", plan.Start, t0.Add(time.Minute)), nil)
			return res.Tickets, err
		}, false},
		{"a run that corrects drift", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			res, err := b.Runs.InsertEnforced(t.Context(), newRun("dev-09", plan.Start, t0.Add(time.Minute)), t0, nil)
			return res.Tickets, err
		}, false},
		{"a cancel", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			res, err := b.Runs.Cancel(t.Context(), run.ID, t0, "canceled", nil)
			return res.Tickets, err
		}, true},
		{"an approval", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			res, err := b.Runs.Approve(t.Context(), b.runs(t, scheduler.RunFilter{Environment: "dev-03"})[0].ID, t0, "approved", nil)
			return res.Tickets, err
		}, false},
		{"an account that is free", func(t *testing.T, b *bench) ([]scheduler.Ticket, error) {
			b.hold(scheduler.AccountHold("main"))
			return b.Holds.Free(t.Context(), t0, []string{scheduler.AccountHold("main")}, []string{"contoso"})
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, b := two(t)
			r, held := newRun("dev-01", plan.Stop, t0), newRun("dev-03", plan.Stop, t0)
			held.Waiting = scheduler.WaitApproval
			a.tick(time.Time{}, t0, r, newRun("dev-02", plan.Stop, t0), held)
			g := a.reserve(r, t0)
			old := a.pass("contoso")
			run = a.run(r.ID)
			got, err := tt.change(t, b)
			want := scheduler.Ticket{Project: "contoso", Generation: old.Generation + 1}
			if err != nil || !slices.Equal(got, []scheduler.Ticket{want}) {
				t.Fatalf("tickets = %v, %v; want %v", got, err, want)
			}
			a.isVoid(t, old, a.run(r.ID), true)
			b.claim(want)
			_, err = a.load(want)
			wantStale(t, "Load by the process that had the pass before", err)
			g.Call.Done, g.Call.Outcome, run.State = t0.Add(time.Second), scheduler.OutcomeAccepted, scheduler.Verifying
			stale, err := a.Ledger.Settle(t.Context(), []scheduler.Settlement{{Call: *g.Call, Run: &run}}, nil)
			if err != nil || (len(stale) > 0) != tt.stale {
				t.Errorf("Settle = %v, %v; want the run stale: %v", stale, err, tt.stale)
			}
			after := a.run(r.ID)
			if len(after.Attempts) != 1 || after.Attempts[0].Outcome != scheduler.OutcomeAccepted || (after.State == scheduler.Verifying) == tt.stale {
				t.Errorf("run = %+v, want its call accepted", after)
			}
		})
	}
}

func TestChangeByTheProcessOfThePassLeavesItItsTicket(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
		ticket := b.pass("contoso")
		jobs := b.count(`SELECT COUNT(*) FROM river_job`)
		want := []scheduler.Ticket{{Project: "contoso", Generation: ticket.Generation}}
		fabrikam := newRun("dev-02", plan.Stop, t0.Add(time.Minute))
		fabrikam.Project = "fabrikam"
		if got := b.tick(t0, t0.Add(time.Minute), newRun("dev-03", plan.Stop, t0.Add(time.Minute)), fabrikam).Tickets; !slices.Equal(got, append(want, scheduler.Ticket{Project: "fabrikam", Generation: 1})) {
			t.Errorf("tickets of a tick = %v, want that of the pass, and a new one of the other project", got)
		}
		if got := b.wake("contoso", "contoso"); !slices.Equal(got, want) {
			t.Errorf("tickets of a wake = %v, want %v", got, want)
		}
		if n := b.count(`SELECT COUNT(*) FROM river_job`); n != jobs+1 {
			t.Errorf("%d tickets were put into the queue, want that of the other project", n-jobs)
		}
		if got := b.claim(ticket).Runs; len(got) != 2 {
			t.Errorf("the pass has the runs %+v, want both", got)
		}
	})
}

func TestWakeOfAProjectWithoutWorkIssuesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		if _, err := b.Runs.Cancel(t.Context(), r.ID, t0, "", nil); err != nil {
			t.Fatal(err)
		}
		if got := b.wake("contoso", "nobody"); len(got) != 0 {
			t.Errorf("Wake = %v, want nothing", got)
		}
	})
}

func TestEndRefusesWhileRunsAreUnfinished(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		ticket := b.pass("contoso")
		r = b.run(r.ID)
		if ended, err := b.Passes.End(t.Context(), ticket); ended || err != nil {
			t.Errorf("End = %v, %v; want it refused", ended, err)
		}
		r.State, r.FinishedAt = scheduler.Succeeded, t0
		if stale, err := b.Passes.Save(t.Context(), ticket, []scheduler.Run{r}, emit); len(stale) > 0 || err != nil {
			t.Fatalf("Save = %v, %v", stale, err)
		}
		if ended, err := b.Passes.End(t.Context(), ticket); !ended || err != nil {
			t.Errorf("End = %v, %v; want it ended", ended, err)
		}
		if _, err := b.Passes.End(t.Context(), ticket); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("again = %v, want ErrStale", err)
		}
		next := b.tick(t0, t0.Add(time.Hour), newRun("dev-01", plan.Start, t0.Add(time.Hour))).Tickets
		if want := (scheduler.Ticket{Project: "contoso", Generation: ticket.Generation + 1}); !slices.Equal(next, []scheduler.Ticket{want}) {
			t.Errorf("tickets after the end = %v, want %v", next, want)
		}
	})
}

func TestSaveReturnsWhatSomebodyElseChanged(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var runs []scheduler.Run
		for i := range 300 {
			runs = append(runs, newRun(fmt.Sprintf("dev-%03d", i), plan.Stop, t0))
		}
		b.tick(time.Time{}, t0, runs...)
		ticket := b.pass("contoso")
		work := b.claim(ticket).Runs
		if _, err := b.Runs.Cancel(t.Context(), runs[7].ID, t0, "canceled", nil); err != nil {
			t.Fatal(err)
		}
		for i := range work {
			work[i].State, work[i].Waiting, work[i].Message, work[i].NotBefore, work[i].Tries = scheduler.Running, scheduler.WaitBusy, "busy", t0.Add(time.Minute), i
		}
		stale, err := b.Passes.Save(t.Context(), ticket, work, emit)
		if err != nil || !slices.Equal(stale, []string{runs[7].ID}) {
			t.Errorf("Save = %v, %v; want the canceled one alone", stale, err)
		}
		if got := b.count(`SELECT COUNT(*) FROM events WHERE run <> '` + runs[7].ID + `'`); got != 299 || len(b.events()) != 299 {
			t.Errorf("%d events of the others, want 299", got)
		}
		for _, r := range b.claim(ticket).Runs {
			want := work[slices.IndexFunc(work, func(w scheduler.Run) bool { return w.ID == r.ID })]
			if r.State != want.State || r.Waiting != want.Waiting || r.Message != want.Message || !r.NotBefore.Equal(want.NotBefore) || r.Tries != want.Tries {
				t.Fatalf("run = %+v, want %+v", r, want)
			}
		}
	})
}

func TestPassesOfAProcessThatStopsAreTakenOverAtOnce(t *testing.T) {
	a, b := two(t)
	a.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
	old := a.pass("contoso")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Queue.Work(ctx, func(scheduler.Ticket) {}); err != nil {
		t.Fatal(err)
	}
	next := scheduler.Ticket{Project: "contoso", Generation: old.Generation + 1}
	b.workUntil(next)
	b.claim(next)
}
