package store

import (
	"context"
	"fmt"
	"time"

	"curfew/scheduler"
)

// filesKept is how long it is known of a schedule file that it was active.
const filesKept = 30 * 24 * time.Hour

// takeFile makes a schedule file the newest one, unless it is one that others have left
// already for a newer one, by which they tick: it reports whether it is.
func (s *Runs) takeFile(ctx context.Context, q session, l scheduler.Loading) (older bool, err error) {
	c, err := cursor(ctx, q)
	if err != nil || len(c.Files) > 0 && c.Files[0].Digest == l.File {
		return false, err
	}
	known := false
	for _, f := range c.Files {
		known = known || f.Digest == l.File && !f.LoadedAt.IsZero()
	}
	if known && l.Before != c.Files[0].Digest { // else this process knew the newest one, and went back
		if _, ticks := c.Newer(l.File, l.At); ticks {
			others, err := s.others(ctx, q)
			if err != nil || others {
				return others, err
			}
		}
	}
	for _, f := range c.Files {
		if l.At.Sub(f.LoadedAt) < filesKept || l.At.Sub(f.TickedAt) < filesKept {
			continue
		}
		if _, err := q.exec(ctx, `DELETE FROM ticks WHERE name IN (?, ?, ?)`, fileRow(loadedRow, f.Digest), fileRow(tickedRow, f.Digest), fileRow(heldRow, f.Digest)); err != nil {
			return false, err
		}
	}
	return false, setTick(ctx, q, fileRow(loadedRow, l.File), micros(l.At))
}

// others reports whether other replicas live.
func (s *Runs) others(ctx context.Context, q session) (bool, error) {
	if !s.postgres {
		return false, nil
	}
	var n int
	err := q.row(ctx, `SELECT COUNT(*) FROM replicas WHERE id <> ? AND id IN (`+living+`)`, s.replica, s.lease.Microseconds()).Scan(&n)
	return n > 0, err
}

// HoldTick records that a replica has a schedule file by which it makes no tick, since
// others have a newer one.
func (s *Runs) HoldTick(ctx context.Context, file string, now time.Time) error {
	if err := setTick(ctx, s.read(), fileRow(heldRow, file), micros(now)); err != nil {
		return fmt.Errorf("leave the tick to a newer schedule file: %w", err)
	}
	return nil
}
