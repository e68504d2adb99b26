package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/scheduler"
)

// SyncRules replaces the known rules and returns for each the instant since which it
// is unchanged: now for a new or changed one. The rules of a file that is older than the
// one by which other replicas tick replace nothing.
func (s *Runs) SyncRules(ctx context.Context, l scheduler.Loading, events ...scheduler.Event) (map[scheduler.Rule]time.Time, error) {
	since := make(map[scheduler.Rule]time.Time, len(l.Rules))
	err := s.tx(ctx, func(q session) error {
		older, err := s.takeFile(ctx, q, l)
		if err != nil {
			return err
		}
		known, err := knownRules(ctx, q)
		if err != nil {
			return err
		}
		var fresh []scheduler.Rule
		for _, r := range l.Rules {
			at, ok := known[r]
			delete(known, r)
			if !ok {
				at = l.At
				fresh = append(fresh, r)
			}
			since[r] = at
		}
		if older {
			return addEvents(ctx, q, events)
		}
		if err := addRules(ctx, q, fresh, l.At); err != nil {
			return err
		}
		for r := range known {
			_, err := q.exec(ctx, `DELETE FROM rules WHERE name = ? AND environment = ? AND fingerprint = ?`, r.Name, r.Environment, r.Fingerprint)
			if err != nil {
				return err
			}
		}
		return addEvents(ctx, q, events)
	}, lockJournal)
	if err != nil {
		return nil, fmt.Errorf("record the active rules: %w", err)
	}
	return since, nil
}

// addRules writes rules that are new or changed. No name and environment is twice
// among them: the schedule file has each once.
func addRules(ctx context.Context, q session, rules []scheduler.Rule, now time.Time) error {
	return sizes(q, rules, func(part []scheduler.Rule) error {
		cells := make([]any, 0, len(part)*4)
		for _, r := range part {
			cells = append(cells, r.Name, r.Environment, r.Fingerprint, micros(now))
		}
		v, args := q.values(4, cells)
		_, err := q.exec(ctx, `INSERT INTO rules (name, environment, fingerprint, since) `+v+`
			ON CONFLICT (name, environment) DO UPDATE SET fingerprint = excluded.fingerprint, since = excluded.since`, args...)
		return err
	})
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
