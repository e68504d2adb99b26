package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/scheduler"
)

// Months keeps the sums of the savings of each month, for longer than what they come from.
type Months struct{ *database }

const savingsSummed = "savings"

// Summed returns until when the savings are summed. At first that is when the oldest
// observation begins, the zero instant when there is none.
func (m *Months) Summed(ctx context.Context) (time.Time, error) {
	var at int64
	row := m.read().row(ctx, `SELECT COALESCE((SELECT until_at FROM summed WHERE what = ?), MIN(at), 0) FROM (
		SELECT MIN(from_at) AS at FROM spans UNION ALL SELECT MIN(`+spanFrom+`) FROM observations o) oldest`, savingsSummed)
	if err := row.Scan(&at); err != nil {
		return time.Time{}, wrap("read until when the savings are summed", err)
	}
	return instant(at), nil
}

// Add adds sums of the time from from, until which the savings were summed, to until. It
// reports whether it did: another process can have been first.
func (m *Months) Add(ctx context.Context, from, until time.Time, list []scheduler.MonthSums) (added bool, err error) {
	err = m.tx(ctx, func(q session) error {
		n, err := q.exec(ctx, `INSERT INTO summed (what, until_at) VALUES (?, ?) ON CONFLICT (what) DO UPDATE SET until_at = excluded.until_at WHERE summed.until_at = ?`,
			savingsSummed, micros(until), micros(from))
		if err != nil || n == 0 {
			return err
		}
		added = true
		return sizes(q, list, func(part []scheduler.MonthSums) error {
			cells := make([]any, 0, len(part)*6)
			for _, s := range part {
				cells = append(cells, s.Month, s.Environment, s.HoursOff, s.Saved, s.LostFailed, s.LostOverrides)
			}
			v, args := q.values(6, cells)
			_, err := q.exec(ctx, `INSERT INTO months (month, environment, hours_off, saved, lost_failed, lost_overrides) `+v+`
				ON CONFLICT (month, environment) DO UPDATE SET hours_off = months.hours_off + excluded.hours_off, saved = months.saved + excluded.saved,
				lost_failed = months.lost_failed + excluded.lost_failed, lost_overrides = months.lost_overrides + excluded.lost_overrides`, args...)
			return err
		})
	})
	return added, wrap("add to the savings of the months", err)
}

// Sums returns the sums of the months from one to another, both inclusive, by month and
// environment. A month is written 2026-11.
func (m *Months) Sums(ctx context.Context, first, last string) ([]scheduler.MonthSums, error) {
	var list []scheduler.MonthSums
	rows, err := m.read().query(ctx, `SELECT month, environment, hours_off, saved, lost_failed, lost_overrides FROM months
		WHERE month >= ? AND month <= ? ORDER BY month, environment`, first, last)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var s scheduler.MonthSums
		err := rows.Scan(&s.Month, &s.Environment, &s.HoursOff, &s.Saved, &s.LostFailed, &s.LostOverrides)
		list = append(list, s)
		return err
	})
	return list, wrap("read the savings of the months", err)
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
