package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/lcs"
)

// pruned bounds how many rows one transaction removes: steps wait for it.
const pruned = 500

// Prune removes metadata calls and holds that ended before an instant.
func (s *Store) Prune(ctx context.Context, before time.Time) error {
	err := s.do(ctx, func(q session) error {
		if _, err := q.exec(ctx, `DELETE FROM calls WHERE kind = ? AND at < ?`, string(lcs.CallMetadata), micros(before)); err != nil {
			return err
		}
		_, err := q.exec(ctx, `DELETE FROM holds WHERE until < ?`, micros(before))
		return err
	})
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

// PruneHistory removes a batch of what is old: see scheduler.Journal.
func (s *Store) PruneHistory(ctx context.Context, before time.Time) (int, error) {
	gone := 0
	err := s.do(ctx, func(q session) error {
		var ids []any
		rows, err := q.query(ctx, `SELECT id FROM runs WHERE finished_at > 0 AND finished_at < ? ORDER BY finished_at LIMIT ?`, micros(before), pruned)
		err = eachRow(rows, err, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			ids = append(ids, id)
			return err
		})
		if err != nil {
			return err
		}
		in := ` IN (` + placeholders(len(ids)) + `)`
		for _, statement := range []string{`DELETE FROM calls WHERE run` + in, `DELETE FROM runs WHERE id` + in} {
			n, err := q.exec(ctx, statement, ids...)
			if err != nil {
				return err
			}
			gone += n
		}
		n, err := q.exec(ctx, `DELETE FROM overrides WHERE until_at < ?`, micros(before))
		gone += n
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("prune the history: %w", err)
	}
	return gone, nil
}
