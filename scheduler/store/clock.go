package store

import (
	"context"
	"fmt"
)

// setClock reads the clock of the database for the first time, where it has one, and has
// the ids to come sort after all that are there: those of a process whose clock was ahead
// too.
func (d *database) setClock(ctx context.Context) error {
	if d.postgres {
		begin := d.clock.Begin()
		var now int64
		if err := d.read().row(ctx, `SELECT `+microsNow).Scan(&now); err != nil {
			return fmt.Errorf("read the database's clock: %w", err)
		}
		d.clock.Compare(begin, instant(now))
	}
	for _, table := range []string{"runs", "events"} {
		var last string
		if err := d.read().row(ctx, `SELECT COALESCE(MAX(id), '') FROM `+table).Scan(&last); err != nil {
			return fmt.Errorf("read the last of the %s: %w", table, err)
		}
		d.clock.After(last)
	}
	return nil
}
