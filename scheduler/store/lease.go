package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

const (
	forgotten = time.Hour        // a replica that was silent for so long is no longer listed
	orphaned  = 30 * time.Second // a ticket that this process got so long ago and does not have any more
	microsNow = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
)

// Recover settles what dead processes left: see scheduler.Journal. The lock of a
// SQLite file says that every other process is dead; replicas on PostgreSQL are
// taken for dead when their lease has run out by the clock of the database.
func (s *Store) Recover(ctx context.Context, now time.Time) (runs, calls int, err error) {
	err = s.do(ctx, func(q session) error {
		if err := q.lock(ctx, lockLeases); err != nil {
			return err
		}
		open, err := s.abandoned(ctx, q)
		if err != nil {
			return err
		}
		runs = len(open)
		if !s.postgres { // calls of runs that were superseded are cut off too
			if calls, err = cutOff(ctx, q, now, ``); err != nil {
				return err
			}
		}
		for len(open) > 0 {
			some := open[:min(batch, len(open))]
			open = open[len(some):]
			n, err := s.takeOver(ctx, q, some, now)
			if err != nil {
				return err
			}
			calls += n
		}
		return nil
	})
	if err != nil {
		return 0, 0, fmt.Errorf("take up unfinished runs: %w", err)
	}
	return runs, calls, nil
}

// abandoned gives the unfinished runs whose tickets nobody holds any more.
func (s *Store) abandoned(ctx context.Context, q session) ([]scheduler.Run, error) {
	open, err := queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE `+unfinished+` ORDER BY rank, id`)
	if err != nil || !s.postgres {
		return open, err
	}
	dead, err := s.deadTickets(ctx, q)
	if err != nil {
		return nil, err
	}
	var left []scheduler.Run
	for _, r := range open {
		if dead[scheduler.Ticket{Run: r.ID, Generation: r.Generation}] {
			left = append(left, r)
		}
	}
	return left, nil
}

// deadTickets renews this replica's lease and gives the tickets that replicas
// without one were at, and those that this one was given and does not have.
func (s *Store) deadTickets(ctx context.Context, q session) (map[scheduler.Ticket]bool, error) {
	_, err := q.exec(ctx, `INSERT INTO replicas (id, seen_at) VALUES (?, `+microsNow+`) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, s.replica)
	if err != nil {
		return nil, err
	}
	if _, err := q.exec(ctx, `DELETE FROM replicas WHERE seen_at < `+microsNow+` - ?`, forgotten.Microseconds()); err != nil {
		return nil, err
	}
	dead, err := tickets(ctx, q, `SELECT args->>'run', CAST(args->>'generation' AS BIGINT) FROM river_job WHERE kind = 'run' AND state = 'running'
		AND attempted_by[array_upper(attempted_by, 1)] NOT IN (SELECT id FROM replicas WHERE seen_at >= `+microsNow+` - ?)`, s.lease.Microseconds())
	if err != nil {
		return nil, err
	}
	own, err := tickets(ctx, q, `SELECT args->>'run', CAST(args->>'generation' AS BIGINT) FROM river_job WHERE kind = 'run' AND state = 'running'
		AND attempted_by[array_upper(attempted_by, 1)] = ? AND attempted_at < clock_timestamp() - CAST(? AS BIGINT) * INTERVAL '1 microsecond'`,
		s.replica, orphaned.Microseconds())
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for t := range own {
		if !s.inHand[t] {
			dead[t] = true
		}
	}
	return dead, nil
}

// takeOver gives runs new tickets, which void the old ones, and makes their calls
// in flight ambiguous.
func (s *Store) takeOver(ctx context.Context, q session, runs []scheduler.Run, now time.Time) (calls int, err error) {
	if err := q.lock(ctx, lockJournal); err != nil {
		return 0, err
	}
	ids := make([]any, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	in := ` IN (` + placeholders(len(ids)) + `)`
	if calls, err = cutOff(ctx, q, now, ` AND run`+in, ids...); err != nil {
		return 0, err
	}
	_, err = s.reticket(ctx, q, ``, `id`+in, ids...)
	return calls, err
}

// cutOff makes calls in flight ambiguous.
func cutOff(ctx context.Context, q session, now time.Time, where string, args ...any) (int, error) {
	return q.exec(ctx, `UPDATE calls SET outcome = ?, done = ?, message = ? WHERE outcome = ?`+where,
		append([]any{string(scheduler.OutcomeAmbiguous), micros(now), "curfew stopped while the call was in flight", string(scheduler.OutcomePending)}, args...)...)
}

// keepLease renews the lease of this replica and looks after the others, until
// ctx ends.
func (s *Store) keepLease(ctx context.Context) {
	if !s.postgres {
		return
	}
	beat := time.NewTicker(s.lease / 3)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		switch runs, calls, err := s.Recover(ctx, time.Now()); {
		case err != nil && ctx.Err() == nil:
			s.log.Warn("the lease was not renewed; other replicas may take over", zap.Error(err))
		case runs > 0:
			s.log.Warn("took over runs of a replica that is gone", zap.Int("runs", runs), zap.Int("calls_cut_off", calls))
		}
	}
}

// endLease lets the others take over at once what this replica left.
func (s *Store) endLease(ctx context.Context) {
	if !s.postgres {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if _, err := s.read().exec(ctx, `DELETE FROM replicas WHERE id = ?`, s.replica); err != nil {
		s.log.Warn("the lease was not given back; it runs out by itself", zap.Error(err))
	}
}

func tickets(ctx context.Context, q session, query string, args ...any) (map[scheduler.Ticket]bool, error) {
	found := map[scheduler.Ticket]bool{}
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var t scheduler.Ticket
		err := rows.Scan(&t.Run, &t.Generation)
		found[t] = true
		return err
	})
	return found, err
}
