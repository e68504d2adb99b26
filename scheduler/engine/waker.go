package engine

import (
	"context"
	"time"

	"github.com/robfig/cron/v3"

	"curfew/scheduler/clock"
)

// A waker runs robfig/cron over the active snapshot. Its jobs only ask for a tick: which
// fires are due follows from the last recorded tick.
type waker struct {
	clock   *clock.Clock
	current *snapshots
	wake    chan struct{} // a tick is to be made at once
	reset   chan struct{} // the entries are to be built again
}

func newWaker(c *clock.Clock, s *snapshots) *waker {
	return &waker{clock: c, current: s, wake: make(chan struct{}, 1), reset: make(chan struct{}, 1)}
}

// run keeps time until ctx ends.
func (w *waker) run(ctx context.Context) error {
	for {
		jobs := w.jobs()
		jobs.Start()
		select {
		case <-w.reset:
			jobs.Stop()
		case <-ctx.Done():
			<-jobs.Stop().Done()
			return nil
		}
	}
}

// jobs has one entry per distinct trigger.
func (w *waker) jobs() *cron.Cron {
	jobs := cron.New(cron.WithLocation(time.UTC))
	for _, entry := range w.current.load().plan.Entries() {
		jobs.Schedule(shared{entry.Schedule, w.clock}, cron.FuncJob(w.wakeTicker))
	}
	return jobs
}

// restart has the entries built again from the active snapshot.
func (w *waker) restart() { signal(w.reset) }

// wakeTicker has a tick made at once.
func (w *waker) wakeTicker() { signal(w.wake) }

// A shared schedule comes at the instants of the shared time, which robfig/cron does not
// know: it goes by the clock of the process.
type shared struct {
	cron.Schedule
	clock *clock.Clock
}

// Next returns the next instant as the clock of the process will show it, which shows at
// now.
func (s shared) Next(at time.Time) time.Time {
	now := s.clock.Now().UTC()
	next := s.Schedule.Next(now)
	if next.IsZero() {
		return next
	}
	return at.Add(next.Sub(now))
}

// signal fills a channel of one; when it is full, whoever reads it sees this one too.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
