package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/scheduler"
)

// SyncRules replaces the known rules: see scheduler.Journal.
func (s *Store) SyncRules(ctx context.Context, now time.Time, rules []scheduler.Rule) (map[scheduler.Rule]time.Time, error) {
	since := make(map[scheduler.Rule]time.Time, len(rules))
	err := s.do(ctx, func(q session) error {
		if err := q.lock(ctx, lockJournal); err != nil {
			return err
		}
		known, err := knownRules(ctx, q)
		if err != nil {
			return err
		}
		var fresh []scheduler.Rule
		for _, r := range rules {
			at, ok := known[r]
			delete(known, r)
			if !ok {
				at = now
				fresh = append(fresh, r)
			}
			since[r] = at
		}
		if err := addRules(ctx, q, fresh, now); err != nil {
			return err
		}
		for r := range known {
			_, err := q.exec(ctx, `DELETE FROM rules WHERE name = ? AND environment = ? AND fingerprint = ?`, r.Name, r.Environment, r.Fingerprint)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("record the rules in force: %w", err)
	}
	return since, nil
}

// addRules writes rules that are new or changed. No name and environment is twice
// among them: the schedule file has each once.
func addRules(ctx context.Context, q session, rules []scheduler.Rule, now time.Time) error {
	for len(rules) > 0 {
		some := rules[:min(batch, len(rules))]
		rules = rules[len(some):]
		var values []any
		for _, r := range some {
			values = append(values, r.Name, r.Environment, r.Fingerprint, micros(now))
		}
		_, err := q.exec(ctx, `INSERT INTO rules (name, environment, fingerprint, since) VALUES `+rowsOf(len(some), 4)+`
			ON CONFLICT (name, environment) DO UPDATE SET fingerprint = excluded.fingerprint, since = excluded.since`, values...)
		if err != nil {
			return err
		}
	}
	return nil
}

func knownRules(ctx context.Context, q session) (map[scheduler.Rule]time.Time, error) {
	known := map[scheduler.Rule]time.Time{}
	rows, err := q.query(ctx, `SELECT name, environment, fingerprint, since FROM rules`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var r scheduler.Rule
		var since int64
		err := rows.Scan(&r.Name, &r.Environment, &r.Fingerprint, &since)
		known[r] = instant(since)
		return err
	})
	return known, err
}
