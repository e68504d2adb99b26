package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"curfew/scheduler"
	"curfew/scheduler/clock"
)

const (
	workers       = 16              // tickets at a time: a worker only starts a pass
	defaultPoll   = 5 * time.Second // for tickets that nobody was notified of
	ownPasses     = time.Second     // in which this process starts the passes of its own tickets
	fetchCooldown = 20 * time.Millisecond
	startTimeout  = time.Minute     // for a start of a pass, which returns at once
	stopTimeout   = 8 * time.Second // the daemon must be gone after 10
	startDelay    = 2 * time.Second // between attempts to start River when the database is unavailable just then
)

// Queue hands out tickets, durably.
type Queue struct {
	*database
	tickets *tickets
	worker  *worker
}

// A worker is River's side of Work. River wants it before it is known what starts a
// pass, hence the late binding.
type worker struct {
	river.WorkerDefaults[ticketArgs]
	start atomic.Pointer[func(scheduler.Ticket)]
}

// Work is called by River for each ticket.
func (w *worker) Work(_ context.Context, job *river.Job[ticketArgs]) error {
	(*w.start.Load())(scheduler.Ticket(job.Args))
	return nil
}

// A sharedClock has River go by the time that all of us go by: a ticket of a replica whose
// own clock is wrong is ready at once, too.
type sharedClock struct{ *clock.Clock }

func (c sharedClock) NowOrNil() *time.Time { t := c.Now(); return &t }

var _ rivertype.TimeGenerator = sharedClock{}

func newQueue(d *database, driver riverdriver.Driver[*sql.Tx], logger *slog.Logger, poll time.Duration) (*Queue, error) {
	w := &worker{}
	registered := river.NewWorkers()
	if err := river.AddWorkerSafely(registered, w); err != nil {
		return nil, fmt.Errorf("register the worker: %w", err)
	}
	client, err := river.NewClient(driver, &river.Config{
		ID:                          d.replica,
		Queues:                      map[string]river.QueueConfig{projectQueue: {MaxWorkers: workers}},
		Workers:                     registered,
		Logger:                      logger,
		PollOnly:                    !d.postgres, // River's listener for SQLite is itself a poll, and a more expensive one
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           cmp.Or(poll, defaultPoll),
		JobTimeout:                  startTimeout,
		RescueStuckJobsAfter:        2 * startTimeout,
		CompletedJobRetentionPeriod: time.Hour,
		CancelledJobRetentionPeriod: time.Hour,
		DiscardedJobRetentionPeriod: time.Hour,
		Test:                        river.TestConfig{Time: sharedClock{d.clock}},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare River: %w", err)
	}
	return &Queue{d, &tickets{d, client, make(chan struct{}, 1)}, w}, nil
}

// Work calls start for each ticket until ctx ends; start returns at once. Replicas take
// over then what this process has passes for: those must have ended.
func (s *Queue) Work(ctx context.Context, start func(scheduler.Ticket)) error {
	s.worker.start.Store(&start)
	// Ending the context given to River's Start would cut off what it writes.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	s.warm(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		s.keepLease(ctx)
	}()
	err := s.workAtNeed(ctx, life)
	<-kept
	s.endLease(life)
	return err
}

// workAtNeed has River run while there are tickets: between fires it would only cost
// processor time.
func (s *Queue) workAtNeed(ctx, life context.Context) error {
	for {
		if !s.startRiver(ctx, life) {
			return nil
		}
		s.untilHandedOut(ctx)
		if err := s.stopRiver(ctx); err != nil {
			return err
		}
		if !s.untilIssued(ctx) {
			return nil
		}
	}
}

// untilIssued waits until there are tickets, and reports whether there are: ctx may end
// before. A process starts the passes of its own tickets at once, so River is not
// needed in the moment of a fire. The tickets of other replicas are polled for.
func (s *Queue) untilIssued(ctx context.Context) bool {
	var others <-chan time.Time
	if s.postgres {
		poll := time.NewTicker(defaultPoll)
		defer poll.Stop()
		others = poll.C
	}
	for {
		select {
		case <-ctx.Done():
			return false
		case <-s.tickets.issued:
			select {
			case <-ctx.Done():
			case <-time.After(ownPasses):
			}
			return ctx.Err() == nil
		case <-others:
			if left, err := s.countTickets(ctx); err != nil || left > 0 {
				return ctx.Err() == nil
			}
		}
	}
}

// countTickets counts the tickets that wait to be handed out, or are just then.
func (s *Queue) countTickets(ctx context.Context) (left int, err error) {
	err = s.read().row(ctx, `SELECT COUNT(*) FROM river_job WHERE queue = ? AND state IN ('available', 'pending', 'retryable', 'running', 'scheduled')`, projectQueue).Scan(&left)
	return left, err
}

// untilHandedOut waits until no ticket is left, or ctx ends; it removes those that were
// handed out, which River does only while it runs.
func (s *Queue) untilHandedOut(ctx context.Context) {
	check := time.NewTicker(defaultPoll)
	defer check.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-check.C:
		}
		left, err := s.countTickets(ctx)
		if err == nil && left == 0 {
			_, err = s.read().exec(ctx, `DELETE FROM river_job WHERE queue = ? AND state = 'completed'`, projectQueue)
		}
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.Warn("tickets not counted; trying again", zap.Error(err))
		case err == nil && left == 0:
			return
		}
	}
}

// stopRiver stops River; what it still writes ends within a second or is cut off.
func (s *Queue) stopRiver(ctx context.Context) error {
	soft, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.tickets.river.Stop(soft)
	if errors.Is(err, context.DeadlineExceeded) {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = s.tickets.river.StopAndCancel(hard)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop River: %w", err)
	}
	return nil
}

// startRiver has River hand out tickets within life. A database that is unavailable
// does not end the daemon: it is tried again until ctx ends. It reports whether River
// runs.
func (s *Queue) startRiver(ctx, life context.Context) bool {
	for {
		err := s.tickets.river.Start(life)
		if err == nil {
			s.health.queue.Store(nil)
			return true
		}
		if ctx.Err() == nil {
			s.health.queue.Store(&err)
			s.log.Error("queue start failed; retrying", zap.Error(err), zap.Duration("in", startDelay))
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(startDelay):
		}
	}
}

// slogTo sends River's warnings and errors to the daemon's log.
func slogTo(l *zap.Logger) *slog.Logger {
	if l == nil {
		return slog.New(slog.DiscardHandler)
	}
	core := l.Named("river").Core()
	if quiet, err := zapcore.NewIncreaseLevelCore(core, zapcore.WarnLevel); err == nil {
		core = quiet
	}
	return slog.New(zapslog.NewHandler(core))
}
