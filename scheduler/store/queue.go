package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
	"go.uber.org/zap/zapcore"

	"curfew/scheduler"
)

const (
	workers       = 32                     // steps at a time: enough to wait for that many slow answers of LCS
	defaultPoll   = 250 * time.Millisecond // SQLite tells nobody of a new row
	listeningPoll = time.Second            // PostgreSQL does; this is for what is missed
	fetchCooldown = 20 * time.Millisecond
	stepTimeout   = 3 * time.Minute // above the LCS client's own
	stopTimeout   = 8 * time.Second // the daemon must be gone after 10
	retryDelay    = 5 * time.Second // after a step that could not read or write the database
	startDelay    = 2 * time.Second // between attempts to start River when the database goes away just then
	maxAttempts   = 1000
)

// ticketArgs is a ticket as River keeps it.
type ticketArgs scheduler.Ticket

// Kind names the job in River's table.
func (ticketArgs) Kind() string { return "run" }

// A worker is River's side of Work. River wants it before it is known what a
// step does, hence the late binding.
type worker struct {
	river.WorkerDefaults[ticketArgs]
	step atomic.Pointer[stepFunc]
	hand func(t scheduler.Ticket, has bool) // told when a step begins and ends
}

type stepFunc func(context.Context, scheduler.Ticket) (time.Duration, error)

// Work is called by River for each ticket.
func (w *worker) Work(ctx context.Context, job *river.Job[ticketArgs]) error {
	ticket := scheduler.Ticket(job.Args)
	w.hand(ticket, true)
	defer w.hand(ticket, false)
	again, err := (*w.step.Load())(ctx, ticket)
	switch {
	case err != nil:
		return err
	case again > 0:
		return river.JobSnooze(again) //nolint:wrapcheck // River tells a snooze by its type
	default:
		return nil
	}
}

// NextRetry is River's wait after a step that gave an error.
func (w *worker) NextRetry(*river.Job[ticketArgs]) time.Time { return time.Now().Add(retryDelay) }

// A wallClock gives River this process's clock. By default River asks SQLite
// for the time, which would be a second clock.
type wallClock struct{}

func (wallClock) Now() time.Time       { return time.Now() }
func (wallClock) NowOrNil() *time.Time { t := time.Now(); return &t }

// hand notes which tickets the steps of this process have.
func (s *Store) hand(t scheduler.Ticket, has bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if has {
		s.inHand[t] = true
	} else {
		delete(s.inHand, t)
	}
}

func (s *Store) newQueue(driver riverdriver.Driver[*sql.Tx], logger *slog.Logger, poll time.Duration) (*river.Client[*sql.Tx], error) {
	switch {
	case poll == 0 && s.postgres:
		poll = listeningPoll
	case poll == 0:
		poll = defaultPoll
	}
	registered := river.NewWorkers()
	if err := river.AddWorkerSafely(registered, s.worker); err != nil {
		return nil, fmt.Errorf("register the worker: %w", err)
	}
	client, err := river.NewClient(driver, &river.Config{
		ID:                          s.replica,
		Queues:                      map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: workers}},
		Workers:                     registered,
		Logger:                      logger,
		PollOnly:                    !s.postgres, // River's listener for SQLite is itself a poll, and a dearer one
		FetchCooldown:               fetchCooldown,
		FetchPollInterval:           poll,
		JobTimeout:                  stepTimeout,
		RescueStuckJobsAfter:        2 * stepTimeout,
		MaxAttempts:                 maxAttempts,
		CompletedJobRetentionPeriod: time.Hour,
		CancelledJobRetentionPeriod: time.Hour,
		DiscardedJobRetentionPeriod: time.Hour,
		Test:                        river.TestConfig{Time: wallClock{}},
	})
	if err != nil {
		return nil, fmt.Errorf("prepare River: %w", err)
	}
	return client, nil
}

// issue inserts tickets that are ready at once: River wakes future ones only
// every five seconds.
func (s *Store) issue(ctx context.Context, q session, tickets []scheduler.Ticket) error {
	if len(tickets) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(tickets))
	for i, t := range tickets {
		params[i] = river.InsertManyParams{Args: ticketArgs(t)}
	}
	if _, err := s.queue.InsertManyFastTx(ctx, q.tx, params); err != nil {
		return fmt.Errorf("issue %d tickets: %w", len(tickets), err)
	}
	return nil
}

// reticket gives the unfinished runs that match a new generation, which voids
// their tickets, and new tickets, best rank first. The caller has the journal's
// lock: two that change many runs could otherwise each wait for the other.
func (s *Store) reticket(ctx context.Context, q session, set, where string, args ...any) ([]scheduler.Run, error) {
	runs, err := queryRuns(ctx, q, `UPDATE runs SET generation = generation + 1`+set+` WHERE `+where+` AND `+unfinished+` RETURNING `+runColumns, args...)
	if err != nil {
		return nil, fmt.Errorf("void tickets: %w", err)
	}
	slices.SortFunc(runs, func(a, b scheduler.Run) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), strings.Compare(a.ID, b.ID))
	})
	fresh := make([]scheduler.Ticket, len(runs))
	for i, r := range runs {
		fresh[i] = scheduler.Ticket{Run: r.ID, Generation: r.Generation}
	}
	return runs, s.issue(ctx, q, fresh)
}

// live are the states of a River job that will still be worked.
const live = `state IN ('available', 'pending', 'retryable', 'running', 'scheduled')`

// Reissue gives a ticket to every unfinished run that has none: see scheduler.Queue.
func (s *Store) Reissue(ctx context.Context) (int, error) {
	args := `json_extract(args, '$.run'), json_extract(args, '$.generation')`
	if s.postgres {
		args = `args->>'run', CAST(args->>'generation' AS BIGINT)`
	}
	var lost []scheduler.Ticket
	err := s.do(ctx, func(q session) error {
		if err := q.lock(ctx, lockLeases); err != nil {
			return err
		}
		// Runs first: one that is written between the two has its ticket already.
		wanted, err := tickets(ctx, q, `SELECT id, generation FROM runs WHERE `+unfinished)
		if err != nil {
			return err
		}
		held, err := tickets(ctx, q, `SELECT `+args+` FROM river_job WHERE kind = 'run' AND `+live)
		if err != nil {
			return err
		}
		for t := range wanted {
			if !held[t] {
				lost = append(lost, t)
			}
		}
		return s.issue(ctx, q, lost)
	})
	if err != nil {
		return 0, fmt.Errorf("look for lost tickets: %w", err)
	}
	return len(lost), nil
}

// Work hands tickets to step until ctx ends, then waits for the steps under way;
// those that last too long have their context ended.
func (s *Store) Work(ctx context.Context, step func(context.Context, scheduler.Ticket) (time.Duration, error)) error {
	f := stepFunc(step)
	s.worker.step.Store(&f)
	// Ending the context given to Start would cut off the calls in flight.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	if !s.startQueue(ctx, life) {
		return nil
	}
	s.keepLease(ctx)
	<-ctx.Done()
	defer s.endLease(life)
	soft, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.queue.Stop(soft)
	if errors.Is(err, context.DeadlineExceeded) {
		hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = s.queue.StopAndCancel(hard)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("stop River: %w", err)
	}
	return nil
}

// startQueue has River hand out tickets within life. A database that is away does
// not end the daemon: it is tried again until ctx ends. It tells whether River runs.
func (s *Store) startQueue(ctx, life context.Context) bool {
	for {
		err := s.queue.Start(life)
		if err == nil {
			return true
		}
		if ctx.Err() == nil {
			s.log.Error("no run is worked on yet; trying again", zap.Error(err), zap.Duration("in", startDelay))
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

var _ rivertype.TimeGenerator = wallClock{}
