package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"curfew/scheduler"
)

// Links keeps which links of notices were followed, and the key that signs them.
type Links struct{ *database }

// Key returns the key of a name: fresh, when there was none.
func (s *Links) Key(ctx context.Context, name, fresh string) (string, error) {
	var key string
	err := s.tx(ctx, func(q session) error {
		if _, err := q.exec(ctx, `INSERT INTO keys (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING`, name, fresh); err != nil {
			return err
		}
		return q.row(ctx, `SELECT secret FROM keys WHERE name = ?`, name).Scan(&key)
	})
	if err != nil {
		return "", fmt.Errorf("read the key of %s: %w", name, err)
	}
	return key, nil
}

// Follow records that a link was followed, and adds its overrides, as Overrides.Add does.
// ErrLinkUsed: it was followed before.
func (s *Links) Follow(ctx context.Context, u scheduler.LinkUse, now time.Time, overrides []scheduler.Override, emit func(scheduler.Override) []scheduler.Event) ([]scheduler.Override, error) {
	err := s.afterTick(ctx, func(q session, tick time.Time) error {
		ids := make([]string, len(overrides))
		for i, o := range overrides {
			ids[i] = o.ID
		}
		n, err := q.exec(ctx, `INSERT INTO links (delivery, choice, environment, used_at, overrides) VALUES (?, ?, ?, ?, ?) ON CONFLICT (delivery, choice, environment) DO NOTHING`,
			u.Delivery, string(u.Choice), u.Environment, micros(now), strings.Join(ids, "\n"))
		if err != nil {
			return err
		}
		if n == 0 {
			return scheduler.ErrLinkUsed
		}
		for i := range overrides {
			if overrides[i], _, err = addOverride(ctx, q, overrides[i], adding{tick: tick, emit: emit}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("follow a link: %w", err)
	}
	return overrides, nil
}

// Followed reports whether a link was followed, and returns the overrides that the links
// of its delivery made.
func (s *Links) Followed(ctx context.Context, u scheduler.LinkUse) (used bool, overrides []string, err error) {
	rows, err := s.read().query(ctx, `SELECT choice, environment, overrides FROM links WHERE delivery = ?`, u.Delivery)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var choice scheduler.LinkChoice
		var environment, made string
		err := rows.Scan(&choice, &environment, &made)
		used = used || choice == u.Choice && environment == u.Environment
		overrides = append(overrides, strings.Split(made, "\n")...)
		return err
	})
	if err != nil {
		return false, nil, fmt.Errorf("read the links of delivery %s: %w", u.Delivery, err)
	}
	return used, overrides, nil
}
