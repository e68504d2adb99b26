package store_test

import (
	"errors"
	"maps"
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

func TestRecoverLeavesAloneWhatLivingReplicasHave(t *testing.T) {
	a, b := two(t)
	dead := newBench(t, a.dsn)
	dead.recover(t0)
	a.exec(`UPDATE replicas SET seen_at = seen_at + 3600000000`) // none falls silent while the test lasts
	var runs []scheduler.Run
	for _, project := range []string{"contoso", "fabrikam", "northwind", "idle"} {
		r := newRun("dev-of-"+project, plan.Stop, t0)
		r.Project = project
		runs = append(runs, r)
	}
	a.tick(time.Time{}, t0, runs...)
	living, gone := a.reserve(runs[0], t0), dead.reserve(runs[1], t0)
	second := dead.reserve(newStopOf(dead, "northwind"), t0)
	metadata, _, err := dead.Observations.ReserveMetadata(t.Context(), t0, scheduler.Contender{ID: 9, Accounts: []string{"main"}})
	if err != nil || living.Call == nil || gone.Call == nil || second.Call == nil || metadata == nil {
		t.Fatal("a call was not granted", err)
	}
	a.wake("northwind") // which takes it from the one that dies
	if res := b.recover(t0); res.Runs+res.Calls+len(res.Tickets) != 0 {
		t.Errorf("Recover while all live = %+v, want nothing done", res)
	}
	a.exec(`UPDATE replicas SET seen_at = 0 WHERE id = (SELECT owner FROM projects WHERE name = 'fabrikam')`)
	before := b.generations()
	res := b.recover(t0.Add(time.Minute))
	var projects []string
	for _, ticket := range res.Tickets {
		projects = append(projects, ticket.Project)
		before[ticket.Project]++
	}
	if want := []string{"fabrikam", "northwind"}; !slices.Equal(projects, want) || res.Calls != 3 || res.Runs != 3 {
		t.Errorf("Recover = %+v, want 3 calls, 3 runs and tickets of %v: a call of the other was in flight", res, want)
	}
	if after := b.generations(); !maps.Equal(after, before) {
		t.Errorf("generations = %v, want %v", after, before)
	}
	if got := b.run(runs[0].ID); got.Attempts[0].Outcome != scheduler.OutcomePending || got.Generation != 1 {
		t.Errorf("run of a living replica = %+v, want its call in flight", got)
	}
	if got := b.run(runs[1].ID); got.Attempts[0].Outcome != scheduler.OutcomeAmbiguous || got.Generation != 2 {
		t.Errorf("run of the dead replica = %+v, want its call ambiguous", got)
	}
	if again := b.recover(t0.Add(time.Minute)); again.Runs+again.Calls+len(again.Tickets) != 0 {
		t.Errorf("Recover again = %+v, want nothing done", again)
	}
	if _, err := dead.load(scheduler.Ticket{Project: "fabrikam", Generation: before["fabrikam"] - 1}); !errors.Is(err, scheduler.ErrStale) {
		t.Errorf("the dead replica's pass = %v, want ErrStale", err)
	}
}

// newStopOf writes one more stop of a project.
func newStopOf(b *bench, project string) scheduler.Run {
	b.t.Helper()
	r := newRun("another-of-"+project, plan.Stop, t0)
	r.Project = project
	return b.writeWaiting(r)
}

// generations returns those of the tickets of all projects.
func (b *bench) generations() map[string]int64 {
	b.t.Helper()
	of := map[string]int64{}
	for _, name := range []string{"contoso", "fabrikam", "northwind", "idle"} {
		of[name] = int64(b.count(`SELECT generation FROM projects WHERE name = '` + name + `'`))
	}
	return of
}

func TestRecoverIssuesTheTicketThatTheQueueLost(t *testing.T) {
	a, b := two(t)
	a.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
	a.discard("contoso")
	want := scheduler.Ticket{Project: "contoso", Generation: 2}
	if res := b.recover(t0); !slices.Equal(res.Tickets, []scheduler.Ticket{want}) || res.Runs != 1 {
		t.Errorf("Recover = %+v, want %v", res, want)
	}
	a.exec(`UPDATE river_job SET state = 'running', attempted_at = now(), attempted_by = ARRAY['nobody'] WHERE args->>'generation' = '2'`)
	if res := b.recover(t0); len(res.Tickets) != 1 || res.Tickets[0].Generation != 3 {
		t.Errorf("Recover = %+v, want a third ticket: a dead replica was handed the second", res)
	}
	a.exec(`UPDATE replicas SET seen_at = seen_at + 3600000000`, `UPDATE river_job SET state = 'running', attempted_at = now(), attempted_by = ARRAY[(SELECT MIN(id) FROM replicas)] WHERE args->>'generation' = '3'`)
	if res := b.recover(t0); len(res.Tickets) != 0 {
		t.Errorf("Recover = %+v, want nothing: a living replica was handed the third just now", res)
	}
	a.exec(`UPDATE river_job SET attempted_at = now() - INTERVAL '1 minute' WHERE args->>'generation' = '3'`)
	if res := b.recover(t0); len(res.Tickets) != 1 || res.Tickets[0].Generation != 4 {
		t.Errorf("Recover = %+v, want a fourth ticket: nobody has taken up the third for a minute", res)
	}
}

func TestReplicasAreThoseThatLive(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.recover(t0) // takes the lease, where there is one
		want := 0
		if b.shared() {
			want = 1
			b.exec(`UPDATE replicas SET seen_at = seen_at + 3600000000`) // none falls silent while the test lasts
		}
		got, err := b.Queue.Replicas(t.Context())
		if err != nil || len(got) != want {
			t.Errorf("Replicas = %v, %v; want %d", got, err, want)
		}
		if b.shared() {
			b.expire()
		}
		if got, err := b.Queue.Replicas(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("Replicas whose lease has ended = %v, %v; want none", got, err)
		}
	})
}
