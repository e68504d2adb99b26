package store

import (
	"context"
	"database/sql"
	"fmt"

	"curfew/scheduler"
)

// CalendarKeys keeps the keys of calendars by their hashes: a copy of the database opens none.
type CalendarKeys struct{ *database }

const keyColumns = `id, hash, by_name, by_via, claims, created_at`

// AddKey keeps a key. An InvalidError says that its owner has too many.
func (s *CalendarKeys) AddKey(ctx context.Context, k scheduler.CalendarKey, e scheduler.Event) error {
	err := s.tx(ctx, func(q session) error {
		var n int
		if err := q.row(ctx, `SELECT COUNT(*) FROM calendar_keys WHERE by_name = ? AND by_via = ?`, k.Owner.Name, k.Owner.Via).Scan(&n); err != nil {
			return err
		}
		if n >= scheduler.MostCalendarKeys {
			return &scheduler.InvalidError{Message: fmt.Sprintf("you have %d calendar keys, which is the most: revoke one that you do not use", n)}
		}
		_, err := q.exec(ctx, `INSERT INTO calendar_keys (`+keyColumns+`) VALUES (`+placeholders(6)+`)`, k.ID, k.Hash, k.Owner.Name, k.Owner.Via, string(k.Claims), micros(k.CreatedAt))
		if err != nil {
			return err
		}
		return addEvents(ctx, q, []scheduler.Event{e})
	}, lockNamed("calendar keys", k.Owner.Name))
	if err != nil {
		return fmt.Errorf("write a calendar key: %w", err)
	}
	return nil
}

// CalendarKeys returns the keys of somebody, of everybody when the actor is empty, oldest first.
func (s *CalendarKeys) CalendarKeys(ctx context.Context, of scheduler.Actor) ([]scheduler.CalendarKey, error) {
	list, err := queryKeys(ctx, s.read(), `SELECT `+keyColumns+` FROM calendar_keys WHERE ? = '' OR by_name = ? AND by_via = ? ORDER BY created_at, id`, of.Via, of.Name, of.Via)
	if err != nil {
		return nil, fmt.Errorf("read the calendar keys: %w", err)
	}
	return list, nil
}

// KeyOf returns the key that has a hash. ErrNoCalendarKey.
func (s *CalendarKeys) KeyOf(ctx context.Context, hash string) (scheduler.CalendarKey, error) {
	list, err := queryKeys(ctx, s.read(), `SELECT `+keyColumns+` FROM calendar_keys WHERE hash = ?`, hash)
	if err == nil && len(list) == 0 {
		err = scheduler.ErrNoCalendarKey
	}
	if err != nil {
		return scheduler.CalendarKey{}, fmt.Errorf("read a calendar key: %w", err)
	}
	return list[0], nil
}

// RevokeKey removes a key, of its owner alone unless the actor is empty. ErrNoCalendarKey.
func (s *CalendarKeys) RevokeKey(ctx context.Context, id string, of scheduler.Actor, emit func(scheduler.CalendarKey) scheduler.Event) error {
	err := s.tx(ctx, func(q session) error {
		list, err := queryKeys(ctx, q, `SELECT `+keyColumns+` FROM calendar_keys WHERE id = ? AND (? = '' OR by_name = ? AND by_via = ?)`, id, of.Via, of.Name, of.Via)
		if err != nil {
			return err
		}
		n := 0
		if len(list) > 0 {
			n, err = q.exec(ctx, `DELETE FROM calendar_keys WHERE id = ?`, id)
		}
		switch {
		case err != nil:
			return err
		case n == 0:
			return scheduler.ErrNoCalendarKey
		}
		return addEvents(ctx, q, []scheduler.Event{emit(list[0])})
	})
	if err != nil {
		return fmt.Errorf("revoke a calendar key: %w", err)
	}
	return nil
}

func queryKeys(ctx context.Context, q session, query string, args ...any) ([]scheduler.CalendarKey, error) {
	var list []scheduler.CalendarKey
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var k scheduler.CalendarKey
		var claims string
		var created int64
		err := rows.Scan(&k.ID, &k.Hash, &k.Owner.Name, &k.Owner.Via, &claims, &created)
		k.Claims, k.CreatedAt = []byte(claims), instant(created)
		list = append(list, k)
		return err
	})
	return list, err
}
