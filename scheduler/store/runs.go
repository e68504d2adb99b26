package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/scheduler"
)

// Runs keeps runs, the last tick and the rules that the ticks are made from.
type Runs struct {
	*database
	tickets *tickets
}

// Cursor returns the last recorded tick and the overrides that are active since then.
func (s *Runs) Cursor(ctx context.Context) (scheduler.Cursor, error) {
	var c scheduler.Cursor
	err := s.tx(ctx, func(q session) (err error) {
		if c, err = cursor(ctx, q); err != nil {
			return err
		}
		since := c.At
		for _, f := range c.Files {
			if at := c.Since(f.Digest); at.Before(since) {
				since = at
			}
		}
		c.Overrides, err = overridesSince(ctx, q, since)
		return err
	})
	if err != nil {
		return scheduler.Cursor{}, fmt.Errorf("read the last tick: %w", err)
	}
	return c, nil
}

// Names of rows of the table ticks; those of the last three are followed by a file's digest.
const (
	tickRow      = "tick"
	overridesRow = "overrides"
	loadedRow    = "loaded"
	tickedRow    = "ticked"
	heldRow      = "held"
)

func fileRow(name, digest string) string { return name + ":" + digest }

// cursor reads how far the fires are written, without the overrides. With it comes the
// database's clock, which the time of this process is held against.
func cursor(ctx context.Context, q session) (c scheduler.Cursor, err error) {
	query := `SELECT name, at FROM ticks`
	if q.postgres {
		query += ` UNION ALL SELECT 'clock', ` + microsNow
	}
	files := map[string]*scheduler.FileTick{}
	begin := q.clock.Begin()
	rows, err := q.query(ctx, query)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return err
		}
		name, digest, ofFile := strings.Cut(name, ":")
		if ofFile && files[digest] == nil {
			files[digest] = &scheduler.FileTick{Digest: digest}
		}
		switch name {
		case tickRow:
			c.At = instant(n)
		case overridesRow:
			c.Revision = n
		case loadedRow:
			files[digest].LoadedAt = instant(n)
		case tickedRow:
			files[digest].TickedAt = instant(n)
		case heldRow:
			files[digest].HeldAt = instant(n)
		case "clock":
			q.clock.Compare(begin, instant(n))
		}
		return nil
	})
	for _, f := range files {
		c.Files = append(c.Files, *f)
	}
	slices.SortFunc(c.Files, func(a, b scheduler.FileTick) int {
		return cmp.Or(b.LoadedAt.Compare(a.LoadedAt), strings.Compare(a.Digest, b.Digest))
	})
	if !q.postgres {
		q.clock.Check()
	}
	return c, err
}

// CommitTick writes the runs of a tick, cancels the unfinished runs that they
// supersede, issues the tickets and moves the cursor. Runs already there are left out;
// one that was due before the newest of its environment is written as canceled.
// ErrStale: the cursor or the overrides are not those of from.
func (s *Runs) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run, emit func([]scheduler.Run) []scheduler.Event) (scheduler.Written, error) {
	var res scheduler.Written
	err := s.tx(ctx, func(q session) error {
		if err := moveCursor(ctx, q, from, to); err != nil {
			return err
		}
		var err error
		res, err = s.write(ctx, q, writing{runs: runs, now: to, emit: emit})
		return err
	}, lockJournal)
	if err != nil {
		return scheduler.Written{}, fmt.Errorf("record the tick: %w", err)
	}
	return res, nil
}

func moveCursor(ctx context.Context, q session, from scheduler.Cursor, to time.Time) error {
	c, err := cursor(ctx, q)
	if err != nil {
		return err
	}
	if !c.At.Equal(from.At) || c.Revision != from.Revision {
		return scheduler.ErrStale
	}
	_, err = q.exec(ctx, `INSERT INTO ticks (name, at) VALUES (?, ?), (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`, tickRow, micros(to), fileRow(tickedRow, from.File), micros(to))
	if err != nil {
		return fmt.Errorf("move the tick: %w", err)
	}
	return nil
}

func setTick(ctx context.Context, q session, name string, value int64) error {
	_, err := q.exec(ctx, `INSERT INTO ticks (name, at) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`, name, value)
	if err != nil {
		return fmt.Errorf("move the tick: %w", err)
	}
	return nil
}

// InsertManual writes a run that a person asked for: it supersedes every unfinished
// run of its environment.
func (s *Runs) InsertManual(ctx context.Context, r scheduler.Run, emit func([]scheduler.Run) []scheduler.Event) (scheduler.Written, error) {
	var res scheduler.Written
	err := s.tx(ctx, func(q session) (err error) {
		res, err = s.write(ctx, q, writing{runs: []scheduler.Run{r}, now: r.CreatedAt, emit: emit, manual: true})
		return err
	}, lockJournal)
	if err != nil {
		return scheduler.Written{}, fmt.Errorf("write the %s of %s: %w", r.Action, r.Environment, err)
	}
	return res, nil
}

// InsertEnforced writes a run unless its environment has an unfinished one, or one
// that was enforced after quietSince; nothing is written then.
func (s *Runs) InsertEnforced(ctx context.Context, r scheduler.Run, quietSince time.Time, emit func([]scheduler.Run) []scheduler.Event) (scheduler.Written, error) {
	var res scheduler.Written
	err := s.tx(ctx, func(q session) error {
		var n int
		err := q.row(ctx, `SELECT COUNT(*) FROM runs WHERE environment = ? AND (`+unfinished+` OR cause = ? AND created_at > ?)`,
			r.Environment, string(scheduler.TriggerEnforce), micros(quietSince)).Scan(&n)
		if err != nil || n > 0 {
			return err
		}
		res, err = s.write(ctx, q, writing{runs: []scheduler.Run{r}, now: r.CreatedAt, emit: emit})
		return err
	}, lockJournal)
	if err != nil {
		return scheduler.Written{}, fmt.Errorf("write the %s of %s: %w", r.Action, r.Environment, err)
	}
	return res, nil
}

// A writing is runs to be written.
type writing struct {
	runs   []scheduler.Run
	now    time.Time
	emit   func([]scheduler.Run) []scheduler.Event
	manual bool // nothing is newer than these runs
}

// write inserts runs, supersedes older unfinished ones, writes the events and issues
// tickets.
func (s *Runs) write(ctx context.Context, q session, w writing) (scheduler.Written, error) {
	var res scheduler.Written
	if err := lockProjects(ctx, q, projectsOf(w.runs)); err != nil {
		return res, err
	}
	err := sizes(q, w.runs, func(part []scheduler.Run) error {
		written, superseded, err := writePart(ctx, q, part, w.now, w.manual)
		if err != nil {
			return fmt.Errorf("write %d runs: %w", len(part), err)
		}
		res.Runs = append(res.Runs, written...)
		res.Superseded = append(res.Superseded, superseded...)
		return nil
	})
	if err != nil {
		return res, err
	}
	if err := emitOf(ctx, q, w.emit, res.Runs, res.Superseded); err != nil {
		return res, err
	}
	res.Tickets, err = s.tickets.concern(ctx, q, projectsOf(res.Runs))
	return res, err
}

// projectsOf returns the projects of the unfinished ones, sorted.
func projectsOf(runs []scheduler.Run) []string {
	var names []string
	for _, r := range runs {
		if !r.State.Finished() {
			names = append(names, r.Project)
		}
	}
	return sorted(names)
}

// writePart returns the runs that were not there already, as they were written,
// and those that they superseded.
func writePart(ctx context.Context, q session, runs []scheduler.Run, now time.Time, manual bool) (written, superseded []scheduler.Run, err error) {
	newest := map[string]dueRun{}
	if !manual {
		if newest, err = newestRuns(ctx, q, runs); err != nil {
			return nil, nil, err
		}
	}
	cells := make([]any, 0, len(runs)*runWidth)
	insert := make(map[string]scheduler.Run, len(runs))
	for _, r := range runs {
		r.Generation = 1
		if r.DueAt.IsZero() {
			r.DueAt = r.FireAt
		}
		if n := newest[r.Environment]; !r.State.Finished() && n.at > micros(r.DueAt) {
			r.State, r.FinishedAt, r.SupersededBy, r.Waiting = scheduler.Canceled, now, n.id, ""
			r.Message = "a later run of the environment was there already"
		}
		cells = append(cells, runCells(r)...)
		insert[r.ID] = r
	}
	v, args := q.values(runWidth, cells)
	inserted, err := column(ctx, q, `INSERT INTO runs (`+runColumns+`) `+v+` ON CONFLICT (schedule, environment, action, fire_at) DO NOTHING RETURNING id`, args...)
	if err != nil {
		return nil, nil, err
	}
	for _, id := range inserted {
		written = append(written, insert[id])
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
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = r.Environment
		for _, at := range []time.Time{r.FireAt, r.DueAt} {
			if !at.IsZero() && at.Before(earliest) {
				earliest = at
			}
		}
	}
	newest := map[string]dueRun{}
	these, environments := in(q, names)
	rows, err := q.query(ctx, `SELECT environment, id, `+due+` FROM runs WHERE environment`+these+` AND fire_at > ? AND state <> 'missed'`,
		environments, micros(earliest))
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
