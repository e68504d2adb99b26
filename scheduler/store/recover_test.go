package store_test

import (
	"slices"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func (b *bench) recover(at time.Time) scheduler.Recovered {
	b.t.Helper()
	res, err := b.Queue.Recover(b.t.Context(), at)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func TestCallsThatADeadProcessLeftBecomeAmbiguousAndItsProjectsGetNewTickets(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.recover(t0) // takes the lease, where there is one
		b.tick(time.Time{}, t0, r, newRun("dev-02", plan.Stop, t0))
		old, call, run := b.abandon(r)
		want := scheduler.Ticket{Project: "contoso", Generation: old.Generation + 1}
		res := b.recover(t0.Add(time.Minute))
		if res.Runs != 2 || res.Calls != 1 || !slices.Equal(res.Tickets, []scheduler.Ticket{want}) {
			t.Fatalf("Recover = %+v; want 2 runs, 1 call, %v", res, want)
		}
		if got := b.runs(t, scheduler.RunFilter{Environment: "dev-01"}); len(got) != 1 || got[0].Generation != 2 {
			t.Fatalf("runs = %+v, want one of generation 2", got)
		}
		if got := b.runs(t, scheduler.RunFilter{Environment: "dev-02"}); len(got) != 1 || got[0].Generation != 1 {
			t.Fatalf("runs = %+v, want the one without a call as it was", got)
		}
		last, ok := b.lastCall("dev-01")
		if !ok || last.Outcome != scheduler.OutcomeAmbiguous || last.Run != r.ID {
			t.Errorf("last call = %+v, %v; want it ambiguous", last, ok)
		}
		got := b.run(r.ID)
		if got.State != scheduler.Running || got.Tries != 1 || len(got.Attempts) != 1 {
			t.Errorf("run = %+v, want it running, with one attempt", got)
		}
		if g := b.reserve(got, t0.Add(2*time.Minute)); g.Call != nil {
			t.Error("a second call was granted right after one of unknown end")
		}
		call.Outcome, call.Done, run.State = scheduler.OutcomeAccepted, t0, scheduler.Verifying
		if stale, err := b.Ledger.Settle(t.Context(), []scheduler.Settlement{{Call: call, Run: &run}}, nil); err != nil || len(stale) != 1 {
			t.Errorf("what the dead process settles late = %v, %v; want its run stale", stale, err)
		}
	})
}

// abandon reserves the run's call in a process that is taken for dead then; another
// one takes over. It returns the ticket of the pass, the call and the run.
func (b *bench) abandon(r scheduler.Run) (scheduler.Ticket, scheduler.Call, scheduler.Run) {
	b.t.Helper()
	g := b.reserve(r, t0)
	if g.Call == nil {
		b.t.Fatalf("call = %+v, want it granted", g)
	}
	ticket, run, dead := b.pass(r.Project), b.run(r.ID), b.Store
	if !b.shared() { // the lock is all that says who lives; no process can have it twice
		b.reopen()
		return ticket, *g.Call, run
	}
	b.t.Cleanup(func() { _ = dead.Close() })
	b.expire()
	b.open()
	return ticket, *g.Call, run
}

// expire ends every lease, as silence does.
func (b *bench) expire() { b.exec(`UPDATE replicas SET id = 'gone', seen_at = 0`) }
