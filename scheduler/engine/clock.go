package engine

import (
	"context"
	"time"

	"github.com/robfig/cron/v3"
)

// A clock runs robfig/cron over the active snapshot. Its jobs only ask for a tick: which
// fires are due follows from the last recorded tick.
type clock struct {
	current *snapshots
	wake    chan struct{} // a tick is to be made at once
	reset   chan struct{} // the entries are to be built again
}

func newClock(s *snapshots) *clock {
	return &clock{current: s, wake: make(chan struct{}, 1), reset: make(chan struct{}, 1)}
}

// run keeps time until ctx ends.
func (c *clock) run(ctx context.Context) error {
	for {
		jobs := c.jobs()
		jobs.Start()
		select {
		case <-c.reset:
			jobs.Stop()
		case <-ctx.Done():
			<-jobs.Stop().Done()
			return nil
		}
	}
}

// jobs has one entry per distinct trigger.
func (c *clock) jobs() *cron.Cron {
	jobs := cron.New(cron.WithLocation(time.UTC))
	for _, entry := range c.current.load().plan.Entries() {
		jobs.Schedule(entry.Schedule, cron.FuncJob(c.wakeTicker))
	}
	return jobs
}

// resetClock has the entries built again from the active snapshot.
func (c *clock) resetClock() { signal(c.reset) }

// wakeTicker has a tick made at once.
func (c *clock) wakeTicker() { signal(c.wake) }

// signal fills a channel of one; when it is full, whoever reads it sees this one too.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
