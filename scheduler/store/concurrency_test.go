package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"curfew/internal/longtest"
	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// TestNoTwoTransactionsWaitForEachOther has two processes do at once all that changes
// runs of the same projects: PostgreSQL would end one of two that wait for each other.
func TestNoTwoTransactionsWaitForEachOther(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		b := newBench(t, filepath.Join(t.TempDir(), "curfew.db"))
		workTogether(t, b, b)
	})
	t.Run("postgres", func(t *testing.T) {
		a, b := two(t)
		workTogether(t, a, b)
	})
}

func workTogether(t *testing.T, replicas ...*bench) {
	ctx, cancel := context.WithTimeout(t.Context(), longtest.Or(time.Second, 3*time.Second))
	defer cancel()
	names := []string{"contoso", "fabrikam", "northwind"}
	var work sync.WaitGroup
	for _, b := range replicas {
		for _, name := range names {
			work.Go(func() {
				for ctx.Err() == nil {
					b.passOnce(ctx, t, name)
				}
			})
		}
		work.Go(func() {
			for ctx.Err() == nil {
				b.changeOnce(ctx, t, names)
			}
		})
	}
	work.Wait()
}

// fine reports an error that no other process explains.
func fine(ctx context.Context, t *testing.T, what string, err error) bool {
	t.Helper()
	expected := errors.Is(err, scheduler.ErrStale) || errors.Is(err, scheduler.ErrFinished) || ctx.Err() != nil
	if err != nil && !expected {
		t.Errorf("%s = %v", what, err)
	}
	return err == nil
}

// changeOnce does one of what people, ticks and housekeeping do.
func (b *bench) changeOnce(ctx context.Context, t *testing.T, names []string) {
	var runs []scheduler.Run
	for i := range 12 {
		r := newRun(fmt.Sprintf("%s-%d", names[i%3], i), plan.Stop, t0.Add(time.Duration(rand.Int64N(1e9))*time.Microsecond))
		r.Project = names[(i+rand.IntN(2))%3] // as an environment that the file has in another project now
		if i%4 == 0 {
			r.Waiting = scheduler.WaitApproval
		}
		runs = append(runs, r)
	}
	last, err := b.Runs.Cursor(ctx)
	if fine(ctx, t, "Cursor", err) {
		_, err = b.Runs.CommitTick(ctx, last, last.At.Add(time.Second), runs, emit)
		fine(ctx, t, "CommitTick", err)
	}
	open, err := b.Runs.Unfinished(ctx)
	if !fine(ctx, t, "Unfinished", err) || len(open) == 0 {
		return
	}
	_, err = b.Runs.Cancel(ctx, open[rand.IntN(len(open))].ID, t0, "", emit)
	fine(ctx, t, "Cancel", err)
	_, err = b.Runs.Approve(ctx, open[rand.IntN(len(open))].ID, t0, "", emit)
	fine(ctx, t, "Approve", err)
	_, err = b.Passes.Wake(ctx, names...)
	fine(ctx, t, "Wake", err)
	fine(ctx, t, "Hold", b.Holds.Hold(ctx, []scheduler.Hold{{Scope: "account/main", Until: t0.Add(time.Minute)}}))
	_, err = b.Holds.Free(ctx, t0, []string{"account/main"}, names)
	fine(ctx, t, "Free", err)
	if b.shared() {
		_, err = b.Queue.Recover(ctx, t0)
		fine(ctx, t, "Recover", err)
	}
	_, err = b.Queue.Reissue(ctx)
	fine(ctx, t, "Reissue", err)
}

// passOnce takes a pass over a project, makes the calls that it is granted, and ends it.
func (b *bench) passOnce(ctx context.Context, t *testing.T, name string) {
	tickets, err := b.Passes.Wake(ctx, name)
	if !fine(ctx, t, "Wake", err) || len(tickets) == 0 {
		return
	}
	work, err := b.Passes.Load(ctx, tickets[0], projectID(name), nil)
	if !fine(ctx, t, "Load", err) {
		return
	}
	project := scheduler.Contender{Name: name, ID: projectID(name), Accounts: []string{"main", name}}
	res, err := b.Ledger.Reserve(ctx, scheduler.Reservation{Ticket: tickets[0], Now: t0, Kind: lcs.CallStop, Project: project, Contenders: []scheduler.Contender{project}, Requests: requests(work.Runs)})
	if !fine(ctx, t, "Reserve", err) {
		return
	}
	var ends []scheduler.Settlement
	for _, c := range res.Calls {
		c.Call.Done, c.Call.Outcome, c.Run.State, c.Run.FinishedAt = t0, scheduler.OutcomeThrottled, scheduler.Succeeded, t0
		ends = append(ends, scheduler.Settlement{Call: c.Call, Run: &c.Run})
	}
	_, err = b.Ledger.Settle(ctx, ends, emit)
	fine(ctx, t, "Settle", err)
	_, err = b.Passes.Save(ctx, tickets[0], work.Runs, emit)
	fine(ctx, t, "Save", err)
	_, err = b.Passes.End(ctx, tickets[0])
	fine(ctx, t, "End", err)
}
