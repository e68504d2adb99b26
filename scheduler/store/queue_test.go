package store_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// workUntil works until each of the tickets was handed out.
func (b *bench) workUntil(want ...scheduler.Ticket) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var got []scheduler.Ticket
	if len(want) == 0 {
		return
	}
	err := b.Queue.Work(ctx, func(ticket scheduler.Ticket) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, ticket)
		want = slices.DeleteFunc(want, func(t scheduler.Ticket) bool { return t == ticket })
		if len(want) == 0 {
			cancel()
		}
	})
	if err != nil || len(want) > 0 {
		b.t.Fatalf("Work = %v; tickets %v never came, only %v", err, want, got)
	}
}

func TestEachTicketIsHandedOutOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
		first := scheduler.Ticket{Project: "contoso", Generation: 1}
		b.workUntil(first)
		b.tick(t0, t0.Add(time.Minute), newRun("dev-02", plan.Stop, t0))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := b.Queue.Work(ctx, func(ticket scheduler.Ticket) {
			if ticket == first {
				t.Errorf("ticket %v was handed out again", ticket)
			}
			cancel()
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// discard does to a project's tickets what River does with a job that failed too
// often.
func (b *bench) discard(project string) {
	b.t.Helper()
	where := `json_extract(args, '$.project') = '` + project + `'`
	if b.shared() {
		where = `args->>'project' = '` + project + `'`
	}
	b.exec(`UPDATE river_job SET state = 'discarded', finalized_at = '2026-01-01' WHERE ` + where)
}

func TestProjectThatLostItsTicketGetsANewOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		kept, lost, passed := newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0), newRun("dev-03", plan.Stop, t0)
		lost.Project, passed.Project = "fabrikam", "northwind"
		b.tick(time.Time{}, t0, kept, lost, passed)
		b.pass("northwind")
		if got, err := b.Queue.Reissue(t.Context()); len(got) != 0 || err != nil {
			t.Fatalf("Reissue = %v, %v; want nothing to do", got, err)
		}
		b.discard("fabrikam")
		b.discard("northwind")
		want := scheduler.Ticket{Project: "fabrikam", Generation: 2}
		if got, err := b.Queue.Reissue(t.Context()); !slices.Equal(got, []scheduler.Ticket{want}) || err != nil {
			t.Errorf("Reissue = %v, %v; want one new ticket, and none for the project that has a pass", got, err)
		}
		b.workUntil(scheduler.Ticket{Project: "contoso", Generation: 1}, want)
	})
}

func TestTicketThatWasHandedOutJustNowIsNotLost(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.lease = time.Minute
		b.reopen()
		b.recover(t0)
		b.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
		ctx, cancel := context.WithCancel(t.Context())
		handed := make(chan struct{})
		var work sync.WaitGroup
		work.Go(func() {
			if err := b.Queue.Work(ctx, func(scheduler.Ticket) { close(handed) }); err != nil {
				t.Error(err)
			}
		})
		<-handed
		for b.count(`SELECT COUNT(*) FROM river_job WHERE state <> 'completed'`) > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		if got, err := b.Queue.Reissue(t.Context()); len(got) != 0 || err != nil {
			t.Errorf("Reissue = %v, %v; want none: the pass is about to begin", got, err)
		}
		cancel()
		work.Wait()
	})
}
