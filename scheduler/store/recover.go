package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/scheduler"
)

// claimWithin is how long a replica that was handed a ticket may take until it has the
// pass, or knows that another process has it.
const claimWithin = 30 * time.Second

// Recover settles what dead processes left: their calls in flight become ambiguous,
// the projects of their passes have new tickets. The lock of a SQLite file says that
// every other process is dead; replicas on PostgreSQL are taken for dead when their
// lease has run out by the clock of the database.
func (s *Queue) Recover(ctx context.Context, now time.Time) (scheduler.Recovered, error) {
	var res scheduler.Recovered
	err := s.tx(ctx, func(q session) error {
		if s.postgres {
			if err := s.renewLease(ctx, q); err != nil {
				return err
			}
		}
		calls, runs, projects, err := s.abandoned(ctx, q)
		if err != nil {
			return err
		}
		if err := lockProjects(ctx, q, projects); err != nil {
			return err
		}
		if res.Calls, err = cutOff(ctx, q, now, calls); err != nil {
			return err
		}
		if err := outdate(ctx, q, runs); err != nil {
			return err
		}
		if err := s.adopt(ctx, q, projects); err != nil {
			return err
		}
		if s.postgres {
			res.Tickets, err = s.tickets.concern(ctx, q, projects)
		} else {
			res.Tickets, err = s.tickets.renew(ctx, q, projects)
		}
		if err != nil {
			return err
		}
		res.Runs, err = unfinishedOf(ctx, q, projects)
		return err
	}, lockLeases, lockJournal)
	if err != nil {
		return scheduler.Recovered{}, fmt.Errorf("recover what dead processes left: %w", err)
	}
	return res, nil
}

// cutOff makes calls in flight ambiguous.
func cutOff(ctx context.Context, q session, now time.Time, calls []string) (int, error) {
	if len(calls) == 0 {
		return 0, nil
	}
	these, ids := in(q, calls)
	return q.exec(ctx, `UPDATE calls SET outcome = ?, done = ?, message = ? WHERE outcome = 'pending' AND id`+these,
		string(scheduler.OutcomeAmbiguous), micros(now), "curfew stopped while the call was in flight", ids)
}

// outdate raises the generation of unfinished runs: what a process that was taken for
// dead makes of its calls is no longer written.
func outdate(ctx context.Context, q session, runs []string) error {
	if len(runs) == 0 {
		return nil
	}
	these, ids := in(q, runs)
	_, err := q.exec(ctx, `UPDATE runs SET generation = generation + 1 WHERE id`+these+` AND `+unfinished, ids)
	return err
}

// abandoned returns the calls in flight of dead processes, their runs, and the projects
// that need a new ticket. A call of the version before, which did not say whose it is,
// is left alone until LCS cannot take it any more.
func (s *Queue) abandoned(ctx context.Context, q session) (calls, runs, projects []string, err error) {
	query, args := `SELECT id, run FROM calls WHERE outcome = 'pending'`, []any(nil)
	if s.postgres {
		query += ` AND (replica <> '' OR at < ` + microsNow + ` - ?) AND replica NOT IN (` + living + `)`
		args = []any{(2 * inFlight).Microseconds(), s.lease.Microseconds()}
	}
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var call, run string
		err := rows.Scan(&call, &run)
		calls, runs = append(calls, call), append(runs, run)
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	runs = sorted(runs)
	if len(runs) > 0 {
		these, ids := in(q, runs)
		if projects, err = column(ctx, q, `SELECT DISTINCT project FROM runs WHERE id`+these+` AND `+unfinished, ids); err != nil {
			return nil, nil, nil, err
		}
	}
	var left []string
	if s.postgres {
		left, err = s.leftAlone(ctx, q, true)
	} else {
		left, err = column(ctx, q, `SELECT DISTINCT project FROM runs WHERE `+unfinished)
	}
	return calls, runs, sorted(append(projects, left...)), err
}

// leftAlone returns the projects with unfinished runs that have neither a ticket that
// somebody will take up nor a pass; with dead, also those whose pass is a dead
// process's.
func (s *Queue) leftAlone(ctx context.Context, q session, dead bool) ([]string, error) {
	idle := `(p.owner IS NULL OR p.owner = '')`
	var args []any
	if dead {
		idle = `(p.owner IS NULL OR p.owner NOT IN (` + living + `))`
		args = append(args, s.lease.Microseconds())
	}
	type state struct {
		generation int64
		owner      string
	}
	open := map[string]state{}
	rows, err := q.query(ctx, `SELECT DISTINCT r.project, COALESCE(p.generation, 0), COALESCE(p.owner, '') FROM runs AS r LEFT JOIN projects AS p ON p.name = r.project
		WHERE r.`+unfinished+` AND `+idle, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var name string
		var one state
		err := rows.Scan(&name, &one.generation, &one.owner)
		open[name] = one
		return err
	})
	if err != nil || len(open) == 0 { // most often
		return nil, err
	}
	live, err := s.live(ctx, q)
	if err != nil {
		return nil, err
	}
	var left []string
	for name, one := range open {
		if one.owner != "" || !live[scheduler.Ticket{Project: name, Generation: one.generation}] {
			left = append(left, name)
		}
	}
	return left, nil
}

// live returns the tickets that somebody will take up, or was handed just now.
func (s *Queue) live(ctx context.Context, q session) (map[scheduler.Ticket]bool, error) {
	// SQLite keeps River's instants as text.
	since := any(s.clock.Now().Add(-claimWithin).UTC().Format("2006-01-02 15:04:05.000"))
	query := `SELECT json_extract(args, '$.project'), json_extract(args, '$.generation') FROM river_job WHERE kind = 'project'
		AND (state IN ('available', 'pending', 'retryable', 'scheduled') OR state IN ('running', 'completed') AND attempted_at > ?)`
	args := []any{since}
	if s.postgres {
		query = `SELECT args->>'project', CAST(args->>'generation' AS BIGINT) FROM river_job WHERE kind = 'project'
			AND (state IN ('available', 'pending', 'retryable', 'scheduled') OR state IN ('running', 'completed')
			AND attempted_at > clock_timestamp() - CAST(? AS BIGINT) * INTERVAL '1 microsecond' AND attempted_by[array_upper(attempted_by, 1)] IN (` + living + `))`
		args = []any{claimWithin.Microseconds(), s.lease.Microseconds()}
	}
	found := map[scheduler.Ticket]bool{}
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var t scheduler.Ticket
		err := rows.Scan(&t.Project, &t.Generation)
		found[t] = true
		return err
	})
	return found, err
}

// adopt raises the generation of the unfinished runs of projects that never had a
// ticket: a process of the version before may still work on them one by one.
func (s *Queue) adopt(ctx context.Context, q session, projects []string) error {
	if !s.postgres || len(projects) == 0 {
		return nil
	}
	these, names := in(q, projects)
	_, err := q.exec(ctx, `UPDATE runs SET generation = generation + 1 WHERE project`+these+` AND `+unfinished+`
		AND NOT EXISTS (SELECT 1 FROM projects WHERE name = runs.project)`, names)
	return err
}

// unfinishedOf counts the unfinished runs of projects.
func unfinishedOf(ctx context.Context, q session, projects []string) (n int, err error) {
	if len(projects) == 0 {
		return 0, nil
	}
	these, names := in(q, projects)
	err = q.row(ctx, `SELECT COUNT(*) FROM runs WHERE project`+these+` AND `+unfinished, names).Scan(&n)
	return n, err
}

// Reissue issues a ticket for every project with unfinished runs that has neither a
// ticket nor a pass, and returns them: none, unless the queue lost one.
func (s *Queue) Reissue(ctx context.Context) ([]scheduler.Ticket, error) {
	var list []scheduler.Ticket
	err := s.tx(ctx, func(q session) error {
		lost, err := s.leftAlone(ctx, q, false)
		if err != nil {
			return err
		}
		list, err = s.tickets.concern(ctx, q, sorted(lost))
		return err
	}, lockLeases, lockJournal)
	if err != nil {
		return nil, fmt.Errorf("read the lost tickets: %w", err)
	}
	return list, nil
}
