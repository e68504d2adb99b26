package store

import (
	"context"
	"time"

	"go.uber.org/zap"
)

const (
	forgotten = time.Hour // a replica that was silent for so long is no longer listed
	microsNow = `CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)`
	living    = `SELECT id FROM replicas WHERE seen_at >= ` + microsNow + ` - ?`
)

// renewLease says that this replica lives, by the clock of the database, and forgets
// those that have been silent for long.
func (s *Queue) renewLease(ctx context.Context, q session) error {
	_, err := q.exec(ctx, `INSERT INTO replicas (id, seen_at) VALUES (?, `+microsNow+`) ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at`, s.replica)
	if err != nil {
		return err
	}
	_, err = q.exec(ctx, `DELETE FROM replicas WHERE seen_at < `+microsNow+` - ?`, forgotten.Microseconds())
	return err
}

// Replicas returns the names of the replicas that live, sorted; none on SQLite, which one
// process has for itself.
func (s *Queue) Replicas(ctx context.Context) ([]string, error) {
	if !s.postgres {
		return nil, nil
	}
	names, err := column(ctx, s.read(), living+` ORDER BY id`, s.lease.Microseconds())
	return names, wrap("read the replicas", err)
}

// keepLease renews the lease of this replica and takes over from the others, until
// ctx ends.
func (s *Queue) keepLease(ctx context.Context) {
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
		if s.db.Stats().InUse == 0 {
			s.warm(ctx)
		}
		switch r, err := s.Recover(ctx, s.clock.Now()); {
		case err != nil && ctx.Err() == nil:
			s.log.Warn("renewing the lease failed; other replicas may take over", zap.Error(err))
		case r.Runs+r.Calls > 0:
			s.log.Warn("took over from a replica that is gone", zap.Int("runs", r.Runs), zap.Int("calls_cut_off", r.Calls))
		}
	}
}

// endLease lets the others take over at once what this replica has passes for.
func (s *Queue) endLease(ctx context.Context) {
	if !s.postgres {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	err := s.tx(ctx, func(q session) error {
		owned, err := column(ctx, q, `SELECT name FROM projects WHERE owner = ?`, s.replica)
		if err != nil {
			return err
		}
		if _, err := s.tickets.renew(ctx, q, owned); err != nil {
			return err
		}
		_, err = q.exec(ctx, `DELETE FROM replicas WHERE id = ?`, s.replica)
		return err
	}, lockLeases, lockJournal)
	if err != nil {
		s.log.Warn("giving back the lease failed; it runs out by itself", zap.Error(err))
	}
}
