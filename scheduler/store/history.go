package store

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"curfew/scheduler"
)

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// Run returns one run with its attempts, or scheduler.ErrNoRun. The id may be shortened to
// its first or last letters, four at least, as long as it means one run.
func (s *Runs) Run(ctx context.Context, id string) (scheduler.Run, error) {
	var runs []scheduler.Run
	err := s.tx(ctx, func(q session) (err error) {
		if id, err = fullID(ctx, q, id); err != nil {
			return err
		}
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

const (
	shortestID   = 4
	maxAmbiguous = 10 // ids that an ambiguous short one lists
)

// fullID returns the id of the only run whose id begins or ends with short.
func fullID(ctx context.Context, q session, short string) (string, error) {
	short = strings.ToLower(short)
	if len(short) < shortestID || uuid.Validate(short) == nil || strings.Trim(short, "0123456789abcdef-") != "" {
		return short, nil
	}
	ids, err := column(ctx, q, `SELECT id FROM runs WHERE id LIKE ? OR id LIKE ? ORDER BY id DESC LIMIT `+strconv.Itoa(maxAmbiguous), short+"%", "%"+short)
	switch {
	case err != nil:
		return "", err
	case len(ids) == 0:
		return "", scheduler.ErrNoRun
	case len(ids) > 1:
		return "", &scheduler.InvalidError{Message: fmt.Sprintf("%s is the begin or the end of more than one run's id; want more of it: %s", short, strings.Join(ids, ", "))}
	}
	return ids[0], nil
}

// List returns the runs that match, newest first, and the cursor of the next page.
func (s *Runs) List(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error) {
	limit := min(f.Limit, maxLimit)
	if limit <= 0 {
		limit = defaultLimit
	}
	where, args := conditions(f)
	var runs []scheduler.Run
	err := s.tx(ctx, func(q session) (err error) {
		if err := q.planAgain(ctx); err != nil { // how rare a state is decides
			return err
		}
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

// LastFailed returns the runs that failed or were missed, whose fire is at since or later,
// where no later run of their environment counts more: canceled and skipped ones do not.
// They are without attempts, newest first.
func (s *Runs) LastFailed(ctx context.Context, since time.Time) ([]scheduler.Run, error) {
	runs, err := queryRuns(ctx, s.read(), `SELECT `+runColumns+` FROM runs WHERE state IN ('failed', 'missed') AND id >= ? AND fire_at >= ?
		AND NOT EXISTS (SELECT 1 FROM runs AS n WHERE n.environment = runs.environment AND n.id > runs.id AND n.state NOT IN ('canceled', 'skipped'))
		ORDER BY id DESC`, firstID(since.Add(-aheadOfFire)), micros(since))
	if err != nil {
		return nil, fmt.Errorf("read the runs that failed: %w", err)
	}
	return runs, nil
}

// Unfinished returns every unfinished run without its attempts, best rank first.
func (s *Runs) Unfinished(ctx context.Context) ([]scheduler.Run, error) {
	runs, err := queryRuns(ctx, s.read(), `SELECT `+runColumns+` FROM runs WHERE `+unfinished+` ORDER BY rank, id`)
	if err != nil {
		return nil, fmt.Errorf("read the unfinished runs: %w", err)
	}
	return runs, nil
}

// Since returns, by environment, the runs whose fire is at since or later, without
// missed ones and attempts, in the order in which they were due.
func (s *Runs) Since(ctx context.Context, environments []string, since time.Time) (map[string][]scheduler.Run, error) {
	recent := map[string][]scheduler.Run{}
	these, names := in(s.read(), environments)
	runs, err := queryRuns(ctx, s.read(), `SELECT `+runColumns+` FROM runs WHERE environment`+these+` AND fire_at >= ? AND state <> 'missed' ORDER BY `+due+`, id`, names, micros(since))
	if err != nil {
		return nil, fmt.Errorf("read the runs since %s: %w", since.Format(time.RFC3339), err)
	}
	for _, r := range runs {
		recent[r.Environment] = append(recent[r.Environment], r)
	}
	return recent, nil
}

// RunIDs returns, by environment, the ids of the runs whose fire is from from (inclusive)
// to to (exclusive), in the order of their fires.
func (s *Runs) RunIDs(ctx context.Context, environments []string, from, to time.Time) (map[string][]string, error) {
	ids := map[string][]string{}
	these, names := in(s.read(), environments)
	rows, err := s.read().query(ctx, `SELECT environment, id FROM runs WHERE environment`+these+` AND fire_at >= ? AND fire_at < ? ORDER BY environment, fire_at, id`,
		names, micros(from), micros(to))
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var name, id string
		err := rows.Scan(&name, &id)
		ids[name] = append(ids[name], id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the runs from %s to %s: %w", from.Format(time.RFC3339), to.Format(time.RFC3339), err)
	}
	return ids, nil
}

// addAttempts fills in the calls of each run, oldest first.
func addAttempts(ctx context.Context, q session, runs []scheduler.Run) error {
	index := make(map[string]*scheduler.Run, len(runs))
	of := make([]string, len(runs))
	for i := range runs {
		index[runs[i].ID] = &runs[i]
		of[i] = runs[i].ID
	}
	if len(of) == 0 {
		return nil
	}
	these, ids := in(q, of)
	rows, err := q.query(ctx, `SELECT run, at, account, outcome, message, activity_id, unseen FROM calls WHERE run`+these+` ORDER BY at, id`, ids)
	return eachRow(rows, err, func(rows *sql.Rows) error {
		var run string
		var at, unseen int64
		var a scheduler.Attempt
		if err := rows.Scan(&run, &at, &a.Account, &a.Outcome, &a.Message, &a.OperationActivityID, &unseen); err != nil {
			return err
		}
		a.At, a.Unseen = instant(at), unseen != 0
		r := index[run]
		r.Attempts = append(r.Attempts, a)
		return nil
	})
}

// StartTimes returns, by environment, how long its last verified starts took, newest
// first and n at most. Of each environment it reads n entries of the index runs_starts,
// however many there are.
func (s *Runs) StartTimes(ctx context.Context, environments []string, n int) (map[string][]time.Duration, error) {
	took := make(map[string][]time.Duration, len(environments))
	err := sizes(s.read(), sorted(environments), func(part []string) error {
		query, args := s.lastStarts(part, n)
		rows, err := s.read().query(ctx, query, args...)
		return eachRow(rows, err, func(rows *sql.Rows) error {
			var name string
			var accepted, finished int64
			err := rows.Scan(&name, &accepted, &finished)
			took[name] = append(took[name], instant(finished).Sub(instant(accepted)))
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read how long starts took: %w", err)
	}
	return took, nil
}

// lastStarts selects the n last starts of each environment. SQLite has no LATERAL.
func (s *Runs) lastStarts(environments []string, n int) (query string, args []any) {
	of := func(environment string) string {
		return `SELECT * FROM (SELECT environment, accepted_at, finished_at FROM runs
			WHERE environment = ` + environment + ` AND action = 'start' AND state = 'succeeded' AND accepted_at > 0 ORDER BY id DESC LIMIT ` + strconv.Itoa(n) + `) AS starts`
	}
	if s.postgres {
		v, names := s.each(environments)
		return `SELECT s.* FROM ` + v + `, LATERAL (` + of(`v.value`) + `) AS s`, []any{names}
	}
	for _, name := range environments {
		args = append(args, name)
	}
	return of(`?`) + strings.Repeat(` UNION ALL `+of(`?`), len(environments)-1), args
}

// LastManual returns, of each environment, the last run that a person asked for, of those
// that did not fail and were not canceled.
func (s *Runs) LastManual(ctx context.Context) ([]scheduler.Run, error) {
	runs, err := queryRuns(ctx, s.read(), `SELECT `+runColumns+` FROM runs WHERE id IN (
		SELECT MAX(id) FROM runs WHERE cause = 'manual' AND state NOT IN ('failed', 'canceled') GROUP BY environment) ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read the last manual runs: %w", err)
	}
	return runs, nil
}
