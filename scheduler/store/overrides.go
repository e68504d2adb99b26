package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"curfew/scheduler"
)

// Overrides keeps the overrides. The tick after a change sees it.
type Overrides struct{ *database }

const overrideColumns = `id, environments, keep, from_at, until_at, reason, by_name, by_via, created_at, released_at`

// Add keeps an override and returns it as it was kept: it starts after the last tick,
// so that the next one sees its start. ErrOver: it would end before.
func (s *Overrides) Add(ctx context.Context, o scheduler.Override, emit func(scheduler.Override) []scheduler.Event) (scheduler.Override, error) {
	err := s.afterTick(ctx, func(q session, tick time.Time) error { return addOverride(ctx, q, &o, tick, emit) })
	if err != nil {
		return o, fmt.Errorf("write override %s: %w", o.ID, err)
	}
	return o, nil
}

func addOverride(ctx context.Context, q session, o *scheduler.Override, tick time.Time, emit func(scheduler.Override) []scheduler.Event) error {
	names, err := json.Marshal(o.Environments)
	if err != nil {
		return err
	}
	if o.From = later(o.From, tick); !o.From.Before(o.Until) {
		return scheduler.ErrOver // this clock is behind the one that ticked
	}
	_, err = q.exec(ctx, `INSERT INTO overrides (`+overrideColumns+`) VALUES (`+placeholders(10)+`)`,
		o.ID, string(names), string(o.Keep), micros(o.From), micros(o.Until), o.Reason, o.By.Name, o.By.Via, micros(o.CreatedAt), micros(o.ReleasedAt))
	if err != nil || emit == nil {
		return err
	}
	return addEvents(ctx, q, emit(*o))
}

// End ends an override now, in the sense of Add. ErrNoOverride, ErrOver.
func (s *Overrides) End(ctx context.Context, id string, now time.Time, emit func(scheduler.Override) []scheduler.Event) (scheduler.Override, error) {
	var o scheduler.Override
	err := s.afterTick(ctx, func(q session, tick time.Time) error {
		found, err := queryOverrides(ctx, q, `SELECT `+overrideColumns+` FROM overrides WHERE id = ?`, id)
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return scheduler.ErrNoOverride
		}
		o = found[0]
		end := later(now, tick)
		if !o.Until.After(end) {
			return scheduler.ErrOver
		}
		o.Until, o.ReleasedAt = end, now
		_, err = q.exec(ctx, `UPDATE overrides SET until_at = ?, released_at = ? WHERE id = ?`, micros(o.Until), micros(o.ReleasedAt), id)
		if err != nil || emit == nil {
			return err
		}
		return addEvents(ctx, q, emit(o))
	})
	if err != nil {
		return o, fmt.Errorf("end override %s: %w", id, err)
	}
	return o, nil
}

// afterTick calls f with the last tick while no other is recorded; the next tick
// will see that the overrides have changed.
func (s *database) afterTick(ctx context.Context, f func(q session, tick time.Time) error) error {
	return s.tx(ctx, func(q session) error {
		at, revision, err := cursor(ctx, q)
		if err != nil {
			return err
		}
		if err := f(q, at); err != nil {
			return err
		}
		return setTick(ctx, q, "overrides", revision+1)
	}, lockJournal)
}

// later returns an instant that no tick has seen yet.
func later(t, tick time.Time) time.Time {
	if first := tick.Add(time.Microsecond); t.Before(first) {
		return first
	}
	return t
}

// Since returns those that end at since or later, in the order they were made.
func (s *Overrides) Since(ctx context.Context, since time.Time) ([]scheduler.Override, error) {
	list, err := overridesSince(ctx, s.read(), since)
	if err != nil {
		return nil, fmt.Errorf("read the overrides: %w", err)
	}
	return list, nil
}

func overridesSince(ctx context.Context, q session, since time.Time) ([]scheduler.Override, error) {
	return queryOverrides(ctx, q, `SELECT `+overrideColumns+` FROM overrides WHERE until_at >= ? ORDER BY created_at, id`, micros(since))
}

func queryOverrides(ctx context.Context, q session, query string, args ...any) ([]scheduler.Override, error) {
	var list []scheduler.Override
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var o scheduler.Override
		var names string
		var from, until, created, released int64
		if err := rows.Scan(&o.ID, &names, &o.Keep, &from, &until, &o.Reason, &o.By.Name, &o.By.Via, &created, &released); err != nil {
			return err
		}
		if (o.By == scheduler.Actor{}) { // an older version wrote it
			o.By = scheduler.ByToken
		}
		o.From, o.Until, o.CreatedAt, o.ReleasedAt = instant(from), instant(until), instant(created), instant(released)
		err := json.Unmarshal([]byte(names), &o.Environments)
		list = append(list, o)
		return err
	})
	return list, err
}
