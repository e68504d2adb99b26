package store

import (
	"context"
	"fmt"
	"time"

	"curfew/lcs"
)

// pruned bounds how many rows of a table one transaction removes: passes wait for it.
const pruned = 500

// Prune removes metadata calls, and holds and sessions that ended before an instant.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	err := s.db.tx(ctx, func(q session) error {
		if _, err := q.exec(ctx, `DELETE FROM calls WHERE kind = '`+string(lcs.CallMetadata)+`' AND at < ?`, micros(before)); err != nil {
			return err
		}
		if _, err := q.exec(ctx, `DELETE FROM sessions WHERE expires_at < ?`, micros(before)); err != nil {
			return err
		}
		// Those of accounts stay until the account works again: that it is down has been reported.
		_, err := q.exec(ctx, `DELETE FROM holds WHERE until < ? AND (scope NOT LIKE 'account/%' OR scope LIKE 'account/%/start' OR scope LIKE 'account/%/stop')`, micros(before))
		return err
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
