package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"curfew/scheduler"
)

const (
	unfinished = `state IN ('queued', 'running', 'verifying')`
	runColumns = `id, environment, project, schedule, action, cause, state, fire_at, zone, created_at, started_at, accepted_at, finished_at, activity_id, message, superseded_by, generation, rank, not_before, waiting, tries`
	addRun     = `INSERT INTO runs (` + runColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (schedule, environment, action, fire_at) DO NOTHING`
	defaultLimit = 100
	maxLimit     = 1000
)

// Cursor gives the last recorded tick, zero when there was none.
func (s *Store) Cursor(ctx context.Context) (time.Time, error) {
	var at int64
	err := s.db.QueryRowContext(ctx, `SELECT at FROM ticks WHERE name = 'tick'`).Scan(&at)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the last tick: %w", err)
	}
	return instant(at), nil
}

// CommitTick writes a tick: see scheduler.Journal.
func (s *Store) CommitTick(ctx context.Context, from, to time.Time, runs []scheduler.Run) (scheduler.TickResult, error) {
	var res scheduler.TickResult
	err := s.tx(ctx, func(tx *sql.Tx) error {
		if err := moveCursor(ctx, tx, from, to); err != nil {
			return err
		}
		var tickets []scheduler.Ticket
		for _, r := range runs {
			written, superseded, err := insertRun(ctx, tx, r, to)
			if err != nil {
				return fmt.Errorf("write the run of %s at %s: %w", r.Environment, r.FireAt.Format(time.RFC3339), err)
			}
			if written == nil {
				continue
			}
			res.Written = append(res.Written, *written)
			res.Superseded = append(res.Superseded, superseded...)
			if !written.State.Finished() {
				tickets = append(tickets, scheduler.Ticket{Run: written.ID, Generation: written.Generation})
			}
		}
		return s.issue(ctx, tx, tickets)
	})
	if err != nil {
		return scheduler.TickResult{}, fmt.Errorf("record the tick: %w", err)
	}
	return res, nil
}

func moveCursor(ctx context.Context, tx *sql.Tx, from, to time.Time) error {
	var at int64
	err := tx.QueryRowContext(ctx, `SELECT at FROM ticks WHERE name = 'tick'`).Scan(&at)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return fmt.Errorf("read the last tick: %w", err)
	}
	if at != micros(from) {
		return scheduler.ErrStale
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO ticks (name, at) VALUES ('tick', ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`, micros(to))
	if err != nil {
		return fmt.Errorf("move the tick: %w", err)
	}
	return nil
}

// insertRun gives nil when the run is there already.
func insertRun(ctx context.Context, tx *sql.Tx, r scheduler.Run, now time.Time) (*scheduler.Run, []scheduler.Run, error) {
	r.Generation = 1
	var superseded []scheduler.Run
	if !r.State.Finished() {
		newer, err := newerRun(ctx, tx, r)
		if err != nil {
			return nil, nil, err
		}
		if newer != "" {
			r.State, r.FinishedAt, r.SupersededBy = scheduler.Canceled, now, newer
			r.Message = "a later run of the environment was there already"
		}
	}
	res, err := tx.ExecContext(ctx, addRun, runValues(r)...)
	if err != nil {
		return nil, nil, err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return nil, nil, err
	}
	if !r.State.Finished() {
		if superseded, err = supersede(ctx, tx, r, now); err != nil {
			return nil, nil, err
		}
	}
	return &r, superseded, nil
}

func newerRun(ctx context.Context, tx *sql.Tx, r scheduler.Run) (string, error) {
	var id string
	err := tx.QueryRowContext(ctx, `SELECT id FROM runs WHERE environment = ? AND fire_at > ? AND state <> 'missed' ORDER BY fire_at DESC LIMIT 1`,
		r.Environment, micros(r.FireAt)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

func supersede(ctx context.Context, tx *sql.Tx, by scheduler.Run, now time.Time) ([]scheduler.Run, error) {
	old, err := queryRuns(ctx, tx, `SELECT `+runColumns+` FROM runs WHERE environment = ? AND id <> ? AND `+unfinished, by.Environment, by.ID)
	if err != nil {
		return nil, err
	}
	for i := range old {
		r := &old[i]
		r.State, r.FinishedAt, r.SupersededBy, r.Waiting = scheduler.Canceled, now, by.ID, ""
		r.Message = fmt.Sprintf("superseded by the %s of %s", by.Action, by.FireAt.Format(time.RFC3339))
		r.Generation++
		_, err := tx.ExecContext(ctx, `UPDATE runs SET state = ?, finished_at = ?, superseded_by = ?, waiting = '', message = ?, generation = ? WHERE id = ?`,
			string(r.State), micros(now), r.SupersededBy, r.Message, r.Generation, r.ID)
		if err != nil {
			return nil, fmt.Errorf("supersede run %s: %w", r.ID, err)
		}
	}
	return old, nil
}

// SyncRules replaces the known rules: see scheduler.Journal.
func (s *Store) SyncRules(ctx context.Context, now time.Time, rules []scheduler.Rule) (map[scheduler.Rule]time.Time, error) {
	since := make(map[scheduler.Rule]time.Time, len(rules))
	err := s.tx(ctx, func(tx *sql.Tx) error {
		known, err := knownRules(ctx, tx)
		if err != nil {
			return err
		}
		for _, r := range rules {
			at, ok := known[r]
			delete(known, r)
			if !ok {
				at = now
				_, err := tx.ExecContext(ctx, `INSERT INTO rules (name, environment, fingerprint, since) VALUES (?, ?, ?, ?)
					ON CONFLICT (name, environment) DO UPDATE SET fingerprint = excluded.fingerprint, since = excluded.since`,
					r.Name, r.Environment, r.Fingerprint, micros(now))
				if err != nil {
					return err
				}
			}
			since[r] = at
		}
		for r := range known {
			_, err := tx.ExecContext(ctx, `DELETE FROM rules WHERE name = ? AND environment = ? AND fingerprint = ?`, r.Name, r.Environment, r.Fingerprint)
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

func knownRules(ctx context.Context, tx *sql.Tx) (map[scheduler.Rule]time.Time, error) {
	rows, err := tx.QueryContext(ctx, `SELECT name, environment, fingerprint, since FROM rules`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	known := map[scheduler.Rule]time.Time{}
	for rows.Next() {
		var r scheduler.Rule
		var since int64
		if err := rows.Scan(&r.Name, &r.Environment, &r.Fingerprint, &since); err != nil {
			return nil, err
		}
		known[r] = instant(since)
	}
	return known, rows.Err()
}

// SaveRun writes what may change of a run: see scheduler.Journal.
func (s *Store) SaveRun(ctx context.Context, r scheduler.Run) error {
	return s.tx(ctx, func(tx *sql.Tx) error { return saveRun(ctx, tx, r) })
}

func saveRun(ctx context.Context, tx *sql.Tx, r scheduler.Run) error {
	res, err := tx.ExecContext(ctx, `UPDATE runs SET state = ?, started_at = ?, accepted_at = ?, finished_at = ?, activity_id = ?, message = ?,
		not_before = ?, waiting = ?, tries = ? WHERE id = ? AND generation = ? AND `+unfinished,
		string(r.State), micros(r.StartedAt), micros(r.AcceptedAt), micros(r.FinishedAt), r.OperationActivityID, r.Message,
		micros(r.NotBefore), string(r.Waiting), r.Tries, r.ID, r.Generation)
	if err != nil {
		return fmt.Errorf("write run %s: %w", r.ID, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("write run %s: %w", r.ID, err)
	}
	if n == 0 {
		return scheduler.ErrStale
	}
	return nil
}

// Recover settles what a dead process left: see scheduler.Journal.
func (s *Store) Recover(ctx context.Context, now time.Time) (runs, calls int, err error) {
	err = s.tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE calls SET outcome = ?, done = ?, message = ? WHERE outcome = ?`,
			string(scheduler.OutcomeAmbiguous), micros(now), "curfew stopped while the call was in flight", string(scheduler.OutcomePending))
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		if err != nil {
			return err
		}
		calls = int(n)
		open, err := queryRuns(ctx, tx, `SELECT `+runColumns+` FROM runs WHERE `+unfinished+` ORDER BY rank, id`)
		if err != nil {
			return err
		}
		runs = len(open)
		tickets := make([]scheduler.Ticket, len(open))
		for i, r := range open {
			tickets[i] = scheduler.Ticket{Run: r.ID, Generation: r.Generation + 1}
		}
		if _, err := tx.ExecContext(ctx, `UPDATE runs SET generation = generation + 1 WHERE `+unfinished); err != nil {
			return err
		}
		return s.issue(ctx, tx, tickets)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("take up unfinished runs: %w", err)
	}
	return runs, calls, nil
}

// newID gives an id that sorts by the instant it was made.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

func runValues(r scheduler.Run) []any {
	return []any{
		r.ID, r.Environment, r.Project, r.Schedule, string(r.Action), string(r.Trigger), string(r.State),
		micros(r.FireAt), r.FireAt.Location().String(), micros(r.CreatedAt), micros(r.StartedAt), micros(r.AcceptedAt), micros(r.FinishedAt),
		r.OperationActivityID, r.Message, r.SupersededBy, r.Generation, r.Rank, micros(r.NotBefore), string(r.Waiting), r.Tries,
	}
}

// A querier is a *sql.DB or a *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func queryRuns(ctx context.Context, q querier, query string, args ...any) ([]scheduler.Run, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var runs []scheduler.Run
	zones := map[string]*time.Location{}
	for rows.Next() {
		r, err := scanRun(rows, zones)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

// scanRun reads one row; zones keeps the zones met so far, for each is a file to read.
func scanRun(rows *sql.Rows, zones map[string]*time.Location) (scheduler.Run, error) {
	var r scheduler.Run
	var zone string
	var fire, created, started, accepted, finished, notBefore int64
	err := rows.Scan(&r.ID, &r.Environment, &r.Project, &r.Schedule, &r.Action, &r.Trigger, &r.State, &fire, &zone, &created, &started, &accepted, &finished,
		&r.OperationActivityID, &r.Message, &r.SupersededBy, &r.Generation, &r.Rank, &notBefore, &r.Waiting, &r.Tries)
	if err != nil {
		return scheduler.Run{}, err
	}
	r.FireAt, r.CreatedAt, r.StartedAt = instant(fire), instant(created), instant(started)
	r.AcceptedAt, r.FinishedAt = instant(accepted), instant(finished)
	r.NotBefore = instant(notBefore)
	if zones[zone] == nil {
		if zones[zone], err = time.LoadLocation(zone); err != nil {
			zones[zone] = time.UTC // a zone that this machine does not know any more
		}
	}
	r.FireAt = r.FireAt.In(zones[zone])
	return r, nil
}
