package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestCancelEndsAnUnfinishedRunOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		res, err := b.Runs.Cancel(t.Context(), r.ID, t0.Add(time.Minute), "canceled by a person", nil)
		if err != nil || len(res.Runs) != 1 || len(res.Superseded) != 0 {
			t.Fatalf("Cancel = %+v, %v; want the run", res, err)
		}
		got := res.Runs[0]
		if kept := b.run(r.ID); kept.State != got.State || kept.Message != got.Message || kept.Generation != 2 || got.Generation != 2 {
			t.Errorf("kept is %+v, want what was returned: %+v", kept, got)
		}
		if got.State != scheduler.Canceled || got.FinishedAt.IsZero() || got.Message != "canceled by a person" {
			t.Errorf("Cancel = %+v", got)
		}
		if _, err := b.Runs.Cancel(t.Context(), r.ID, t0, "", nil); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("again = %v, want ErrFinished", err)
		}
		if _, err := b.Runs.Cancel(t.Context(), "nobody", t0, "", nil); !errors.Is(err, scheduler.ErrNoRun) {
			t.Errorf("of nothing = %v, want ErrNoRun", err)
		}
	})
}

func TestApprovalOfOneRunLetsItsFireGo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var held []scheduler.Run
		for i := range 3 {
			r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
			r.Waiting = scheduler.WaitApproval
			held = append(held, r)
		}
		b.tick(time.Time{}, t0, held...)
		if g := b.reserve(newStart(b, "dev-09"), t0); g.Call == nil {
			t.Errorf("a start while stops wait for an approval = %+v, want a call", g)
		}
		ticket := b.pass("contoso")
		res, err := b.Runs.Approve(t.Context(), held[1].ID, t0.Add(time.Hour), "approved by anna", nil)
		if err != nil || len(res.Runs) != 3 {
			t.Fatalf("Approve = %+v, %v; want the 3 of the fire", res, err)
		}
		if !slices.Equal(res.Tickets, []scheduler.Ticket{ticket}) {
			t.Errorf("tickets = %v, want that of the pass, %v", res.Tickets, ticket)
		}
		for _, r := range held {
			if got := b.run(r.ID); got.Waiting != "" || got.Generation != 2 || got.Message != "approved by anna" {
				t.Errorf("%s waits for %q in generation %d, want nothing, 2", r.Environment, got.Waiting, got.Generation)
			}
		}
		if _, err := b.Runs.Approve(t.Context(), held[0].ID, t0, "approved", nil); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("again = %v, want ErrFinished", err)
		}
		if err := b.save(held[0]); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("what a pass writes that does not know of the approval = %v, want ErrStale", err)
		}
	})
}

func TestApprovalByARunThatDoesNotWaitLetsNothingGo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		held := []scheduler.Run{newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0)}
		for i := range held {
			held[i].Waiting = scheduler.WaitApproval
		}
		b.tick(time.Time{}, t0, held...)
		if _, err := b.Runs.Cancel(t.Context(), held[0].ID, t0, "by a person", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Runs.Approve(t.Context(), held[0].ID, t0, "approved", nil); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("Approve of a canceled run = %v, want ErrFinished", err)
		}
		if got := b.run(held[1].ID); got.Waiting != scheduler.WaitApproval {
			t.Errorf("the other run of the fire waits for %q, want an approval still", got.Waiting)
		}
	})
}

func TestOfApprovalsAtOnceOneLetsTheFireGo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		replicas := b.replicas()
		r := newRun("dev-01", plan.Stop, t0)
		r.Waiting = scheduler.WaitApproval
		b.writeWaiting(r)
		var errs [2]error
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() { _, errs[i] = replicas[i].Runs.Approve(t.Context(), r.ID, t0, "approved", nil) })
		}
		done.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), scheduler.ErrFinished) {
			t.Errorf("two approvals at once = %v, want one to be done and ErrFinished for the other", errs)
		}
		if got := b.run(r.ID); got.Generation != 2 {
			t.Errorf("generation = %d, want 2", got.Generation)
		}
	})
}
