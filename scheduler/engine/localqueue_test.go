package engine_test

import (
	"context"
	"sync"
	"time"

	"curfew/scheduler"
)

// A localQueue hands out tickets without River, which asks its tables every few
// seconds: weeks of simulated time would be hours of that. What River does is
// tested by itself and in shorter simulations; everything else here is real.
type localQueue struct {
	scheduler.Store

	mu     sync.Mutex // guards what follows; written by the engine and by Work
	issued []scheduler.Ticket
	wake   chan struct{}
}

func newLocalQueue(s scheduler.Store) *localQueue {
	return &localQueue{Store: s, wake: make(chan struct{}, 1)}
}

func (q *localQueue) issue(runs ...scheduler.Run) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range runs {
		if !r.State.Finished() {
			q.issued = append(q.issued, scheduler.Ticket{Run: r.ID, Generation: r.Generation})
		}
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *localQueue) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run) (scheduler.TickResult, error) {
	res, err := q.Store.CommitTick(ctx, from, to, runs)
	q.issue(res.Written...)
	return res, err
}

func (q *localQueue) Insist(ctx context.Context, r scheduler.Run) (scheduler.TickResult, error) {
	res, err := q.Store.Insist(ctx, r)
	q.issue(res.Written...)
	return res, err
}

func (q *localQueue) Enforce(ctx context.Context, r scheduler.Run, quietSince time.Time) (scheduler.TickResult, error) {
	res, err := q.Store.Enforce(ctx, r, quietSince)
	q.issue(res.Written...)
	return res, err
}

func (q *localQueue) Approve(ctx context.Context, id string, now time.Time) ([]scheduler.Run, error) {
	runs, err := q.Store.Approve(ctx, id, now)
	q.issue(runs...)
	return runs, err
}

// Release looks for the runs that got a new generation: the store tells how many.
func (q *localQueue) Release(ctx context.Context, now time.Time, scopes, projects []string) (int, error) {
	before, err := q.generations(ctx)
	if err != nil {
		return 0, err
	}
	n, err := q.Store.Release(ctx, now, scopes, projects)
	if err != nil {
		return n, err
	}
	open, err := q.Unfinished(ctx)
	for _, r := range open {
		if old, ok := before[r.ID]; ok && r.Waiting == scheduler.WaitAccount && r.Generation != old {
			q.issue(r)
		}
	}
	return n, err
}

func (q *localQueue) generations(ctx context.Context) (map[string]int64, error) {
	open, err := q.Unfinished(ctx)
	known := make(map[string]int64, len(open))
	for _, r := range open {
		known[r.ID] = r.Generation
	}
	return known, err
}

func (q *localQueue) Reissue(context.Context) (int, error) { return 0, nil }

// Work calls step for each ticket in a goroutine of its own, again after the delay
// that it asks for, or 5 s after an error, until ctx ends.
func (q *localQueue) Work(ctx context.Context, step func(context.Context, scheduler.Ticket) (time.Duration, error)) error {
	open, err := q.Unfinished(ctx)
	if err != nil {
		return err
	}
	q.mu.Lock()
	q.issued = nil
	q.mu.Unlock()
	q.issue(open...)
	var steps sync.WaitGroup
	defer steps.Wait()
	lasting := context.WithoutCancel(ctx)
	for {
		q.mu.Lock()
		issued := q.issued
		q.issued = nil
		q.mu.Unlock()
		for _, t := range issued {
			steps.Go(func() { follow(ctx, lasting, t, step) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-q.wake:
		}
	}
}

func follow(ctx, lasting context.Context, t scheduler.Ticket, step func(context.Context, scheduler.Ticket) (time.Duration, error)) {
	for ctx.Err() == nil {
		again, err := step(lasting, t)
		switch {
		case err != nil:
			again = 5 * time.Second
		case again == 0:
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}
