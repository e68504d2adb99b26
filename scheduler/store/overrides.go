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
// so that the next one sees its start. ErrOver: it would end before. When the request
// repeats an override that has not ended, that one is returned, and made is false: of
// requests at the same time, on whichever replica, one alone makes it.
func (s *Overrides) Add(ctx context.Context, o scheduler.Override, repeats scheduler.Repeats, emit func(scheduler.Override) []scheduler.Event) (kept scheduler.Override, made bool, err error) {
	kept = o
	err = s.afterTick(ctx, func(q session, tick time.Time) error {
		kept, made, err = addOverride(ctx, q, o, adding{tick, repeats, emit})
		return err
	})
	if err != nil {
		return o, false, fmt.Errorf("write override %s: %w", o.ID, err)
	}
	return kept, made, nil
}

// repeated returns the override that has not ended and that o repeats.
func repeated(ctx context.Context, q session, o scheduler.Override, repeats scheduler.Repeats) (old scheduler.Override, found bool, err error) {
	if repeats == nil {
		return old, false, nil
	}
	all, err := queryOverrides(ctx, q, `SELECT `+overrideColumns+` FROM overrides WHERE until_at = ? AND keep = ? AND released_at = 0 ORDER BY created_at, id`, micros(o.Until), string(o.Keep))
	for _, old := range all {
		if repeats(old, o) {
			return old, true, err
		}
	}
	return old, false, err
}

// An adding is how an override is added.
type adding struct {
	tick    time.Time         // the last one
	repeats scheduler.Repeats // nil: none is
	emit    func(scheduler.Override) []scheduler.Event
}

func addOverride(ctx context.Context, q session, o scheduler.Override, a adding) (kept scheduler.Override, made bool, err error) {
	names, err := json.Marshal(o.Environments)
	if err != nil {
		return o, false, err
	}
	if o.From = later(o.From, a.tick); !o.From.Before(o.Until) {
		return o, false, scheduler.ErrOver // this clock is behind the one that ticked
	}
	if old, found, err := repeated(ctx, q, o, a.repeats); err != nil || found {
		return old, false, err
	}
	_, err = q.exec(ctx, `INSERT INTO overrides (`+overrideColumns+`) VALUES (`+placeholders(10)+`)`,
		o.ID, string(names), string(o.Keep), micros(o.From), micros(o.Until), o.Reason, o.By.Name, o.By.Via, micros(o.CreatedAt), micros(o.ReleasedAt))
	if err != nil || a.emit == nil {
		return o, true, err
	}
	return o, true, addEvents(ctx, q, a.emit(o))
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
		c, err := cursor(ctx, q)
		if err != nil {
			return err
		}
		if err := f(q, c.At); err != nil {
			return err
		}
		return setTick(ctx, q, overridesRow, c.Revision+1)
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
