package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Run gives one run with its attempts, or scheduler.ErrNoRun.
func (s *Store) Run(ctx context.Context, id string) (scheduler.Run, error) {
	var runs []scheduler.Run
	err := s.do(ctx, func(q session) (err error) {
		if runs, err = queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id); err != nil {
			return err
		}
		return addAttempts(ctx, q, runs)
	})
	if err != nil {
		return scheduler.Run{}, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(runs) == 0 {
		return scheduler.Run{}, scheduler.ErrNoRun
	}
	return runs[0], nil
}

// Runs gives the runs that match, newest first: see scheduler.Journal.
func (s *Store) Runs(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error) {
	limit := min(f.Limit, maxLimit)
	if limit <= 0 {
		limit = defaultLimit
	}
	where, args := conditions(f)
	var runs []scheduler.Run
	err := s.do(ctx, func(q session) (err error) {
		runs, err = queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE `+where+` ORDER BY id DESC LIMIT ?`, append(args, limit+1)...)
		if err != nil {
			return err
		}
		return addAttempts(ctx, q, runs[:min(limit, len(runs))])
	})
	if err != nil {
		return nil, "", fmt.Errorf("read the runs: %w", err)
	}
	if len(runs) <= limit {
		return runs, "", nil
	}
	return runs[:limit], runs[limit-1].ID, nil
}

func conditions(f scheduler.RunFilter) (string, []any) {
	where, args := []string{"1 = 1"}, []any{}
	add := func(condition string, arg any) {
		where = append(where, condition)
		args = append(args, arg)
	}
	if f.Environment != "" {
		add("environment = ?", f.Environment)
	}
	if f.State != "" {
		add("state = ?", string(f.State))
	}
	if !f.Since.IsZero() {
		add("fire_at >= ?", micros(f.Since))
		add("id >= ?", firstID(f.Since.Add(-aheadOfFire)))
	}
	if f.Cursor != "" {
		add("id < ?", f.Cursor)
	}
	return strings.Join(where, " AND "), args
}

// aheadOfFire is how long before its fire a run may be written, and some: a lead
// is a day at most.
const aheadOfFire = 25 * time.Hour

// firstID comes before every id that is made at an instant or later: ids begin
// with the milliseconds since 1970.
func firstID(at time.Time) string {
	ms := uint64(max(at.UnixMilli(), 0))
	return fmt.Sprintf("%08x-%04x-0000-0000-000000000000", ms>>16&0xffffffff, ms&0xffff)
}

// Unfinished gives every unfinished run without its attempts, best rank first.
func (s *Store) Unfinished(ctx context.Context) ([]scheduler.Run, error) {
	runs, err := queryRuns(ctx, s.read(), `SELECT `+runColumns+` FROM runs WHERE `+unfinished+` ORDER BY rank, id`)
	if err != nil {
		return nil, fmt.Errorf("read the unfinished runs: %w", err)
	}
	return runs, nil
}

// RunsSince gives the last runs of each environment: see scheduler.Journal.
func (s *Store) RunsSince(ctx context.Context, environments []string, since time.Time) (map[string][]scheduler.Run, error) {
	recent := map[string][]scheduler.Run{}
	for some := range slices.Chunk(environments, batch) {
		runs, err := queryRuns(ctx, s.read(), `SELECT `+runColumns+` FROM runs WHERE environment IN (`+placeholders(len(some))+`)
			AND fire_at >= ? AND state <> 'missed' ORDER BY `+due+`, id`, append(anys(some), micros(since))...)
		if err != nil {
			return nil, fmt.Errorf("read the runs since %s: %w", since.Format(time.RFC3339), err)
		}
		for _, r := range runs {
			recent[r.Environment] = append(recent[r.Environment], r)
		}
	}
	return recent, nil
}

// Ahead counts the runs that are to be looked at before r: see scheduler.Journal.
func (s *Store) Ahead(ctx context.Context, r scheduler.Run) (int, error) {
	var n int
	err := s.read().row(ctx, `SELECT COUNT(*) FROM runs WHERE project = ? AND `+unfinished+` AND waiting IN ('', 'metadata')
		AND (rank < ? OR (rank = ? AND id < ?))`, r.Project, r.Rank, r.Rank, r.ID).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count the runs before %s: %w", r.ID, err)
	}
	return n, nil
}

// addAttempts fills in the calls of each run, oldest first.
func addAttempts(ctx context.Context, q session, runs []scheduler.Run) error {
	if len(runs) == 0 {
		return nil
	}
	index := make(map[string]*scheduler.Run, len(runs))
	args := make([]any, len(runs))
	for i := range runs {
		index[runs[i].ID] = &runs[i]
		args[i] = runs[i].ID
	}
	rows, err := q.query(ctx, `SELECT run, at, account, outcome, message, activity_id FROM calls
		WHERE run IN (`+placeholders(len(args))+`) ORDER BY at, id`, args...)
	return eachRow(rows, err, func(rows *sql.Rows) error {
		var run string
		var at int64
		var a scheduler.Attempt
		if err := rows.Scan(&run, &at, &a.Account, &a.Outcome, &a.Message, &a.OperationActivityID); err != nil {
			return err
		}
		a.At = instant(at)
		r := index[run]
		r.Attempts = append(r.Attempts, a)
		return nil
	})
}

// StartTimes gives how long the last starts took: see scheduler.Journal. Of each
// environment it reads n entries of the index runs_starts, however many there are.
func (s *Store) StartTimes(ctx context.Context, environments []string, n int) (map[string][]time.Duration, error) {
	one := `SELECT * FROM (SELECT environment, accepted_at, finished_at FROM runs
		WHERE environment = ? AND action = 'start' AND state = 'succeeded' AND accepted_at > 0 ORDER BY id DESC LIMIT ` + strconv.Itoa(n) + `) AS starts`
	took := make(map[string][]time.Duration, len(environments))
	for some := range slices.Chunk(environments, batch) {
		rows, err := s.read().query(ctx, one+strings.Repeat(` UNION ALL `+one, len(some)-1), anys(some)...)
		err = eachRow(rows, err, func(rows *sql.Rows) error {
			var name string
			var accepted, finished int64
			err := rows.Scan(&name, &accepted, &finished)
			took[name] = append(took[name], instant(finished).Sub(instant(accepted)))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read how long starts took: %w", err)
		}
	}
	return took, nil
}

// Observe writes observations: see scheduler.Sightings.
func (s *Store) Observe(ctx context.Context, seen []scheduler.Observation) error {
	err := s.do(ctx, func(q session) error {
		slices.SortFunc(seen, func(a, b scheduler.Observation) int { return strings.Compare(a.ID, b.ID) }) // two writers never wait for each other
		for _, o := range seen {
			_, err := q.exec(ctx, `INSERT INTO observations (`+observationColumns+`) VALUES `+rowsOf(1, 10)+`
				ON CONFLICT (project, id) DO UPDATE SET page = CASE WHEN excluded.page = 0 THEN observations.page ELSE excluded.page END,
				at = excluded.at, name = excluded.name, condition = excluded.condition, deployment_state = excluded.deployment_state,
				display = excluded.display, failed = excluded.failed, misses = excluded.misses WHERE observations.at <= excluded.at`,
				o.Project, o.ID, o.Page, micros(o.At), o.Name, string(o.Condition), o.DeploymentState, o.Display, boolean(o.Failed), o.Misses)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write %d observations: %w", len(seen), err)
	}
	return nil
}

const observationColumns = `project, id, page, at, name, condition, deployment_state, display, failed, misses`

// Observation gives the last of one environment, zero when there is none.
func (s *Store) Observation(ctx context.Context, project int64, id string) (scheduler.Observation, error) {
	seen, err := s.observations(ctx, `SELECT `+observationColumns+` FROM observations WHERE project = ? AND id = ?`, project, id)
	if err != nil || len(seen) == 0 {
		return scheduler.Observation{}, err
	}
	return seen[0], nil
}

// Observations gives the last of every environment of every project.
func (s *Store) Observations(ctx context.Context) ([]scheduler.Observation, error) {
	return s.observations(ctx, `SELECT `+observationColumns+` FROM observations ORDER BY project, page, id`)
}

func (s *Store) observations(ctx context.Context, query string, args ...any) ([]scheduler.Observation, error) {
	var seen []scheduler.Observation
	rows, err := s.read().query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var o scheduler.Observation
		var at, failed int64
		var condition string
		if err := rows.Scan(&o.Project, &o.ID, &o.Page, &at, &o.Name, &condition, &o.DeploymentState, &o.Display, &failed, &o.Misses); err != nil {
			return err
		}
		o.At, o.Failed, o.Condition = instant(at), failed != 0, lcs.Condition(condition)
		seen = append(seen, o)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read observations: %w", err)
	}
	return seen, nil
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}
