package store

import (
	"context"
	"fmt"
	"time"

	"curfew/lcs"
)

// pruned bounds how many rows of a table one transaction removes: passes wait for it.
const pruned = 500

// deliveriesKept is how long deliveries are kept after they ended, and what links did.
const deliveriesKept = 7 * 24 * time.Hour

// Prune removes metadata calls, holds and sessions that ended before an instant, and deliveries
// that ended a week before it.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	err := s.db.tx(ctx, func(q session) error {
		if _, err := q.exec(ctx, `DELETE FROM calls WHERE kind = '`+string(lcs.CallMetadata)+`' AND at < ?`, micros(before)); err != nil {
			return err
		}
		if _, err := q.exec(ctx, `DELETE FROM sessions WHERE expires_at < ?`, micros(before)); err != nil {
			return err
		}
		// Those of accounts and unreachable projects stay until these work again: that they do not has been reported.
		_, err := q.exec(ctx, `DELETE FROM holds WHERE until < ? AND (scope NOT LIKE 'account/%' AND scope NOT LIKE 'project/%' OR scope LIKE 'account/%/start' OR scope LIKE 'account/%/stop')`, micros(before))
		if err != nil {
			return err
		}
		return pruneDeliveries(ctx, q, before.Add(-deliveriesKept))
	})
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// PruneHistory removes a batch of the runs that ended before an instant, with their
// calls, and of the overrides, spans and events; it returns how many rows it removed.
func (s *Store) PruneHistory(ctx context.Context, before time.Time) (int, error) {
	gone := 0
	err := s.db.tx(ctx, func(q session) error {
		old, err := column(ctx, q, `SELECT id FROM runs WHERE finished_at > 0 AND finished_at < ? ORDER BY finished_at LIMIT ?`, micros(before), pruned)
		if err != nil {
			return err
		}
		if gone, err = removeRuns(ctx, q, old); err != nil {
			return err
		}
		n, err := q.exec(ctx, `DELETE FROM events WHERE id IN (SELECT id FROM events WHERE at < ? ORDER BY at LIMIT ?)`, micros(before), pruned)
		if err != nil {
			return err
		}
		gone += n
		for _, statement := range []string{`DELETE FROM overrides WHERE until_at < ?`, `DELETE FROM spans WHERE until_at < ?`} {
			n, err := q.exec(ctx, statement, micros(before))
			if err != nil {
				return err
			}
			gone += n
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("prune the history: %w", err)
	}
	return gone, nil
}

func removeRuns(ctx context.Context, q session, runs []string) (gone int, err error) {
	if len(runs) == 0 {
		return 0, nil
	}
	these, ids := in(q, runs)
	for _, statement := range []string{`DELETE FROM calls WHERE run` + these, `DELETE FROM runs WHERE id` + these} {
		n, err := q.exec(ctx, statement, ids)
		if err != nil {
			return 0, err
		}
		gone += n
	}
	return gone, nil
}

func pruneDeliveries(ctx context.Context, q session, before time.Time) error {
	old, err := column(ctx, q, `SELECT id FROM deliveries WHERE done_at > 0 AND done_at < ? ORDER BY done_at LIMIT ?`, micros(before), pruned)
	if err != nil {
		return err
	}
	if len(old) > 0 {
		these, ids := in(q, old)
		for _, statement := range []string{`DELETE FROM delivery_events WHERE delivery` + these, `DELETE FROM deliveries WHERE id` + these} {
			if _, err := q.exec(ctx, statement, ids); err != nil {
				return err
			}
		}
	}
	for _, statement := range []string{`DELETE FROM warned WHERE stop_at < ?`, `DELETE FROM links WHERE used_at < ?`} {
		if _, err := q.exec(ctx, statement, micros(before)); err != nil {
			return err
		}
	}
	return nil
}
