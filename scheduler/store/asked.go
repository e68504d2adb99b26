package store

import (
	"context"
	"fmt"
	"time"

	"curfew/scheduler"
)

// Asked returns what somebody asked for that keeps environments running: the overrides that
// end at since or later, and the starts by hand since then, whatever became of them.
func (s *Store) Asked(ctx context.Context, by scheduler.Actor, since time.Time) ([]scheduler.Override, []scheduler.Run, error) {
	q := s.db.read()
	overrides, err := queryOverrides(ctx, q, `SELECT `+overrideColumns+` FROM overrides WHERE by_name = ? AND by_via = ? AND until_at >= ? AND keep = 'running' ORDER BY created_at, id`,
		by.Name, by.Via, micros(since))
	if err != nil {
		return nil, nil, fmt.Errorf("read the overrides of %s: %w", by, err)
	}
	starts, err := queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE by_name = ? AND by_via = ? AND fire_at >= ? AND cause = 'manual' AND action = 'start' ORDER BY fire_at, id`,
		by.Name, by.Via, micros(since))
	if err != nil {
		return nil, nil, fmt.Errorf("read the starts of %s: %w", by, err)
	}
	return overrides, starts, nil
}
