package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
)

const (
	unfinished = `state IN ('queued', 'running', 'verifying')`
	// due is what orders the runs of an environment; runs that an older version
	// wrote have no due_at.
	due = `CASE WHEN due_at = 0 THEN fire_at ELSE due_at END`
	// batch bounds how many runs go into one statement.
	batch = 200
)

// Cursor gives the last recorded tick: see scheduler.Journal.
func (s *Store) Cursor(ctx context.Context) (scheduler.Cursor, error) {
	var c scheduler.Cursor
	err := s.do(ctx, func(q session) (err error) {
		if c.At, c.Revision, err = cursor(ctx, q); err != nil {
			return err
		}
		c.Overrides, err = overridesSince(ctx, q, c.At)
		return err
	})
	if err != nil {
		return scheduler.Cursor{}, fmt.Errorf("read the last tick: %w", err)
	}
	return c, nil
}

func cursor(ctx context.Context, q session) (at time.Time, revision int64, err error) {
	rows, err := q.query(ctx, `SELECT name, at FROM ticks`)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return err
		}
		switch name {
		case "tick":
			at = instant(n)
		case "overrides":
			revision = n
		}
		return nil
	})
	return at, revision, err
}

// CommitTick writes a tick: see scheduler.Journal.
func (s *Store) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run) (scheduler.TickResult, error) {
	var res scheduler.TickResult
	err := s.do(ctx, func(q session) error {
		if err := moveCursor(ctx, q, from, to); err != nil {
			return err
		}
		var err error
		res, err = s.write(ctx, q, runs, to, false)
		return err
	})
	if err != nil {
		return scheduler.TickResult{}, fmt.Errorf("record the tick: %w", err)
	}
	return res, nil
}

func moveCursor(ctx context.Context, q session, from scheduler.Cursor, to time.Time) error {
	if err := q.lock(ctx, lockJournal); err != nil {
		return err
	}
	at, revision, err := cursor(ctx, q)
	if err != nil {
		return err
	}
	if !at.Equal(from.At) || revision != from.Revision {
		return scheduler.ErrStale
	}
	return setTick(ctx, q, "tick", micros(to))
}

func setTick(ctx context.Context, q session, name string, value int64) error {
	_, err := q.exec(ctx, `INSERT INTO ticks (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`, name, value)
	if err != nil {
		return fmt.Errorf("move the tick: %w", err)
	}
	return nil
}

// Insist writes a run that a person asked for: see scheduler.Journal.
func (s *Store) Insist(ctx context.Context, r scheduler.Run) (scheduler.TickResult, error) {
	var res scheduler.TickResult
	err := s.do(ctx, func(q session) (err error) {
		if err := q.lock(ctx, lockJournal); err != nil {
			return err
		}
		res, err = s.write(ctx, q, []scheduler.Run{r}, r.CreatedAt, true)
		return err
	})
	if err != nil {
		return scheduler.TickResult{}, fmt.Errorf("write the %s of %s: %w", r.Action, r.Environment, err)
	}
	return res, nil
}

// Enforce writes a run that corrects drift: see scheduler.Journal.
func (s *Store) Enforce(ctx context.Context, r scheduler.Run, quietSince time.Time) (scheduler.TickResult, error) {
	var res scheduler.TickResult
	err := s.do(ctx, func(q session) error {
		if err := q.lock(ctx, lockJournal); err != nil {
			return err
		}
		var n int
		err := q.row(ctx, `SELECT COUNT(*) FROM runs WHERE environment = ? AND (`+unfinished+` OR cause = ? AND created_at > ?)`,
			r.Environment, string(scheduler.TriggerEnforce), micros(quietSince)).Scan(&n)
		if err != nil || n > 0 {
			return err
		}
		res, err = s.write(ctx, q, []scheduler.Run{r}, r.CreatedAt, false)
		return err
	})
	if err != nil {
		return scheduler.TickResult{}, fmt.Errorf("write the %s of %s: %w", r.Action, r.Environment, err)
	}
	return res, nil
}

// write inserts runs, supersedes older unfinished ones and issues tickets. With
// insist, nothing is newer than these runs.
func (s *Store) write(ctx context.Context, q session, runs []scheduler.Run, now time.Time, insist bool) (scheduler.TickResult, error) {
	var res scheduler.TickResult
	var tickets []scheduler.Ticket
	for len(runs) > 0 {
		some := runs[:min(batch, len(runs))]
		runs = runs[len(some):]
		written, superseded, err := writeBatch(ctx, q, some, now, insist)
		if err != nil {
			return res, fmt.Errorf("write %d runs: %w", len(some), err)
		}
		res.Written = append(res.Written, written...)
		res.Superseded = append(res.Superseded, superseded...)
		for _, r := range written {
			if !r.State.Finished() {
				tickets = append(tickets, scheduler.Ticket{Run: r.ID, Generation: r.Generation})
			}
		}
	}
	return res, s.issue(ctx, q, tickets)
}

// writeBatch gives the runs that were not there already, as they were written,
// and those that they superseded.
func writeBatch(ctx context.Context, q session, runs []scheduler.Run, now time.Time, insist bool) (written, superseded []scheduler.Run, err error) {
	newest := map[string]dueRun{}
	if !insist {
		if newest, err = newestRuns(ctx, q, runs); err != nil {
			return nil, nil, err
		}
	}
	values := make([]any, 0, len(runs)*runWidth)
	byID := make(map[string]scheduler.Run, len(runs))
	for _, r := range runs {
		r.Generation = 1
		if r.DueAt.IsZero() {
			r.DueAt = r.FireAt
		}
		if n := newest[r.Environment]; !r.State.Finished() && n.at > micros(r.DueAt) {
			r.State, r.FinishedAt, r.SupersededBy, r.Waiting = scheduler.Canceled, now, n.id, ""
			r.Message = "a later run of the environment was there already"
		}
		values = append(values, runValues(r)...)
		byID[r.ID] = r
	}
	rows, err := q.query(ctx, `INSERT INTO runs (`+runColumns+`) VALUES `+rowsOf(len(runs), runWidth)+`
		ON CONFLICT (schedule, environment, action, fire_at) DO NOTHING RETURNING id`, values...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		written = append(written, byID[id])
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	superseded, err = supersede(ctx, q, written, now)
	return written, superseded, err
}

// A dueRun is the run of an environment that is due last.
type dueRun struct {
	id string
	at int64
}

func newestRuns(ctx context.Context, q session, runs []scheduler.Run) (map[string]dueRun, error) {
	earliest := runs[0].FireAt
	names := make([]any, len(runs))
	for i, r := range runs {
		names[i] = r.Environment
		for _, at := range []time.Time{r.FireAt, r.DueAt} {
			if !at.IsZero() && at.Before(earliest) {
				earliest = at
			}
		}
	}
	newest := map[string]dueRun{}
	rows, err := q.query(ctx, `SELECT environment, id, `+due+` FROM runs WHERE environment IN (`+placeholders(len(names))+`) AND fire_at > ? AND state <> 'missed'`,
		append(names, micros(earliest))...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var environment string
		var r dueRun
		if err := rows.Scan(&environment, &r.id, &r.at); err != nil {
			return err
		}
		if r.at > newest[environment].at {
			newest[environment] = r
		}
		return nil
	})
	return newest, err
}

// supersede ends the unfinished runs of the environments that have a new one.
func supersede(ctx context.Context, q session, by []scheduler.Run, now time.Time) ([]scheduler.Run, error) {
	successor := map[string]scheduler.Run{}
	var names []any
	for _, r := range by {
		if !r.State.Finished() {
			successor[r.Environment] = r
			names = append(names, r.Environment)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	if err := callOff(ctx, q, by, names, now); err != nil {
		return nil, err
	}
	open, err := queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE environment IN (`+placeholders(len(names))+`) AND `+unfinished, names...)
	if err != nil {
		return nil, err
	}
	var old []scheduler.Run
	var values []any
	for _, r := range open {
		next := successor[r.Environment]
		if next.ID == r.ID {
			continue
		}
		r.State, r.FinishedAt, r.SupersededBy, r.Waiting = scheduler.Canceled, now, next.ID, ""
		r.Message = fmt.Sprintf("superseded by the %s of %s", next.Action, next.FireAt.Format(time.RFC3339))
		r.Generation++
		old = append(old, r)
		values = append(values, r.ID, r.SupersededBy, r.Message)
	}
	if len(old) == 0 {
		return nil, nil
	}
	_, err = q.exec(ctx, `WITH ended (id, successor, message) AS (VALUES `+rowsOf(len(old), 3)+`)
		UPDATE runs SET state = 'canceled', finished_at = ?, superseded_by = ended.successor, waiting = '', message = ended.message, generation = generation + 1
		FROM ended WHERE runs.id = ended.id`, append(values, micros(now))...)
	if err != nil {
		return nil, fmt.Errorf("supersede %d runs: %w", len(old), err)
	}
	return old, nil
}

// callOff lets the fires come anew whose starts were made early, when something
// else came between: fire_at is part of what makes a run the only one of its fire.
func callOff(ctx context.Context, q session, by []scheduler.Run, names []any, now time.Time) error {
	args := append(slices.Clip(names), micros(now))
	for _, r := range by {
		args = append(args, r.ID)
	}
	_, err := q.exec(ctx, `UPDATE runs SET called_off = fire_at, fire_at = due_at WHERE environment IN (`+placeholders(len(names))+`) AND fire_at > ? AND due_at > 0 AND due_at < fire_at
		AND id NOT IN (`+placeholders(len(by))+`)`, args...)
	if err != nil {
		return fmt.Errorf("call off early starts: %w", err)
	}
	return nil
}

// Cancel ends an unfinished run: see scheduler.Journal.
func (s *Store) Cancel(ctx context.Context, id string, now time.Time, message string) (scheduler.Run, error) {
	n := 0
	err := s.do(ctx, func(q session) (err error) {
		n, err = q.exec(ctx, `UPDATE runs SET state = 'canceled', finished_at = ?, waiting = '', message = ?, generation = generation + 1
			WHERE id = ? AND `+unfinished, micros(now), message, id)
		return err
	})
	if err != nil {
		return scheduler.Run{}, fmt.Errorf("cancel run %s: %w", id, err)
	}
	r, err := s.Run(ctx, id)
	if err == nil && n == 0 {
		err = scheduler.ErrFinished
	}
	return r, err
}

// Approve lets the held runs of a fire go: see scheduler.Journal.
func (s *Store) Approve(ctx context.Context, id string, now time.Time) ([]scheduler.Run, error) {
	one, err := s.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	var runs []scheduler.Run
	err = s.do(ctx, func(q session) (err error) {
		if err := q.lock(ctx, lockJournal); err != nil {
			return err
		}
		var held int
		err = q.row(ctx, `SELECT COUNT(*) FROM runs WHERE id = ? AND waiting = ? AND `+unfinished, id, string(scheduler.WaitApproval)).Scan(&held)
		if err != nil || held == 0 {
			return err // one that does not wait itself lets nothing go
		}
		runs, err = s.reticket(ctx, q, `, waiting = '', message = ?`, `action = ? AND created_at = ? AND waiting = ?`,
			"approved at "+now.UTC().Format(time.RFC3339), string(one.Action), micros(one.CreatedAt), string(scheduler.WaitApproval))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("approve run %s: %w", id, err)
	}
	if len(runs) == 0 {
		return nil, scheduler.ErrFinished
	}
	return runs, nil
}

// SaveRun writes what may change of a run: see scheduler.Journal.
func (s *Store) SaveRun(ctx context.Context, r scheduler.Run) error {
	return s.do(ctx, func(q session) error { return saveRun(ctx, q, r) })
}

func saveRun(ctx context.Context, q session, r scheduler.Run) error {
	n, err := q.exec(ctx, `UPDATE runs SET state = ?, started_at = ?, accepted_at = ?, finished_at = ?, activity_id = ?, message = ?,
		not_before = ?, waiting = ?, tries = ? WHERE id = ? AND generation = ? AND `+unfinished,
		string(r.State), micros(r.StartedAt), micros(r.AcceptedAt), micros(r.FinishedAt), r.OperationActivityID, r.Message,
		micros(r.NotBefore), string(r.Waiting), r.Tries, r.ID, r.Generation)
	if err != nil {
		return fmt.Errorf("write run %s: %w", r.ID, err)
	}
	if n == 0 {
		return scheduler.ErrStale
	}
	return nil
}

const (
	runColumns = `id, environment, project, schedule, action, cause, state, fire_at, zone, due_at, created_at, started_at, accepted_at, finished_at, activity_id, message, superseded_by, generation, rank, not_before, waiting, tries, called_off`
	runWidth   = 23
)

func runValues(r scheduler.Run) []any {
	return []any{
		r.ID, r.Environment, r.Project, r.Schedule, string(r.Action), string(r.Trigger), string(r.State),
		micros(r.FireAt), r.FireAt.Location().String(), micros(r.DueAt), micros(r.CreatedAt), micros(r.StartedAt), micros(r.AcceptedAt), micros(r.FinishedAt),
		r.OperationActivityID, r.Message, r.SupersededBy, r.Generation, r.Rank, micros(r.NotBefore), string(r.Waiting), r.Tries, micros(r.CalledOff),
	}
}

func queryRuns(ctx context.Context, q session, query string, args ...any) ([]scheduler.Run, error) {
	var runs []scheduler.Run
	zones := map[string]*time.Location{}
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		r, err := scanRun(rows, zones)
		runs = append(runs, r)
		return err
	})
	return runs, err
}

// scanRun reads one row; zones keeps the zones met so far, for each is a file to read.
func scanRun(rows *sql.Rows, zones map[string]*time.Location) (scheduler.Run, error) {
	var r scheduler.Run
	var zone string
	var fire, dueAt, created, started, accepted, finished, notBefore, calledOff int64
	err := rows.Scan(&r.ID, &r.Environment, &r.Project, &r.Schedule, &r.Action, &r.Trigger, &r.State, &fire, &zone, &dueAt, &created, &started, &accepted, &finished,
		&r.OperationActivityID, &r.Message, &r.SupersededBy, &r.Generation, &r.Rank, &notBefore, &r.Waiting, &r.Tries, &calledOff)
	if err != nil {
		return scheduler.Run{}, err
	}
	if dueAt == 0 {
		dueAt = fire
	}
	r.FireAt, r.DueAt, r.CreatedAt, r.StartedAt = instant(fire), instant(dueAt), instant(created), instant(started)
	r.AcceptedAt, r.FinishedAt = instant(accepted), instant(finished)
	r.NotBefore, r.CalledOff = instant(notBefore), instant(calledOff)
	if zones[zone] == nil {
		if zones[zone], err = time.LoadLocation(zone); err != nil {
			zones[zone] = time.UTC // a zone that this machine does not know any more
		}
	}
	r.FireAt = r.FireAt.In(zones[zone])
	return r, nil
}

// ignoreNoRows tells whether a row was found, apart from what went wrong.
func ignoreNoRows(err error) (found bool, _ error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
