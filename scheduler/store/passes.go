package store

import (
	"context"
	"database/sql"
	"fmt"

	"curfew/scheduler"
)

// Passes is what passes over projects work on. Each method but Wake returns ErrStale
// when the ticket is void: the project has a newer one, or another process has the
// pass.
type Passes struct {
	*database
	tickets *tickets
}

// Load takes the pass of a ticket for this process, if it does not have it already,
// and returns the project's work; id is the project's in LCS, and environments are the
// normalised environment ids by environment.
func (s *Passes) Load(ctx context.Context, t scheduler.Ticket, id int64, environments map[string]string) (scheduler.Work, error) {
	var w scheduler.Work
	err := s.tx(ctx, func(q session) (err error) {
		w, err = s.load(ctx, q, t, id, environments)
		return err
	})
	if err != nil {
		return scheduler.Work{}, fmt.Errorf("read the work of project %s: %w", t.Project, err)
	}
	return w, nil
}

func (s *Passes) load(ctx context.Context, q session, t scheduler.Ticket, id int64, environments map[string]string) (w scheduler.Work, err error) {
	if err := s.claim(ctx, q, t); err != nil {
		return w, err
	}
	if w.Runs, err = queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE project = ? AND `+unfinished+` ORDER BY rank, id`, t.Project); err != nil {
		return w, err
	}
	var wanted []string
	for _, r := range w.Runs {
		if environment, ok := environments[r.Environment]; ok {
			wanted = append(wanted, environment)
		}
	}
	wanted = sorted(wanted)
	if w.LastCalls, err = lastCalls(ctx, q, id, wanted); err != nil {
		return w, err
	}
	w.Observations, err = lastSeen(ctx, q, id, wanted)
	return w, err
}

// claim takes the pass for this process.
func (s *Passes) claim(ctx context.Context, q session, t scheduler.Ticket) error {
	free, err := q.exec(ctx, `UPDATE projects SET owner = ? WHERE name = ? AND generation = ? AND owner = ''`, s.replica, t.Project, t.Generation)
	if err != nil || free > 0 {
		return err
	}
	return s.holdPass(ctx, q, t)
}

// lastCalls returns, by environment, the newest call that LCS may have taken.
func lastCalls(ctx context.Context, q session, project int64, environments []string) (map[string]scheduler.Call, error) {
	last := make(map[string]scheduler.Call, len(environments))
	if len(environments) == 0 {
		return last, nil
	}
	// Of each environment one entry of the index calls_environment is read.
	v, names := q.each(environments)
	rows, err := q.query(ctx, `SELECT `+callColumns+` FROM calls WHERE id IN (SELECT (SELECT c.id FROM calls AS c WHERE c.project = ? AND c.environment = v.value AND c.`+counts+`
		ORDER BY c.at DESC LIMIT 1) FROM `+v+`)`, project, names)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		c, err := scanCall(rows)
		last[c.Environment] = c
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the last calls: %w", err)
	}
	return last, nil
}

// Save writes what may change of runs. It returns the ids of those that somebody else
// finished or changed meanwhile, which are not written.
func (s *Passes) Save(ctx context.Context, t scheduler.Ticket, runs []scheduler.Run, emit func([]scheduler.Run) []scheduler.Event) (stale []string, err error) {
	err = s.tx(ctx, func(q session) error {
		if err := s.holdPass(ctx, q, t); err != nil {
			return err
		}
		saved, left, err := saveRuns(ctx, q, runs)
		if err != nil {
			return err
		}
		stale = left
		return emitOf(ctx, q, emit, saved, nil)
	})
	if err != nil {
		return nil, fmt.Errorf("write the runs of project %s: %w", t.Project, err)
	}
	return stale, nil
}

// End returns the pass, unless the project has unfinished runs: it reports whether it
// did.
func (s *Passes) End(ctx context.Context, t scheduler.Ticket) (ended bool, err error) {
	err = s.tx(ctx, func(q session) error {
		if err := s.holdPass(ctx, q, t); err != nil {
			return err
		}
		var left int
		if err := q.row(ctx, `SELECT COUNT(*) FROM runs WHERE project = ? AND `+unfinished, t.Project).Scan(&left); err != nil || left > 0 {
			return err
		}
		ended = true
		_, err := q.exec(ctx, `UPDATE projects SET owner = '' WHERE name = ?`, t.Project)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("end the pass over project %s: %w", t.Project, err)
	}
	return ended, nil
}

// Wake issues new tickets for projects, or returns those of the passes that this
// process has already. Projects without unfinished runs and without such a pass need
// none.
func (s *Passes) Wake(ctx context.Context, projects ...string) ([]scheduler.Ticket, error) {
	var list []scheduler.Ticket
	err := s.tx(ctx, func(q session) (err error) {
		list, err = s.tickets.wake(ctx, q, projects)
		return err
	}, lockJournal)
	if err != nil {
		return nil, fmt.Errorf("wake %d projects: %w", len(projects), err)
	}
	return list, nil
}

// wake issues the tickets of those projects that have work.
func (t *tickets) wake(ctx context.Context, q session, projects []string) ([]scheduler.Ticket, error) {
	these, names := in(q, sorted(projects))
	busy, err := column(ctx, q, `SELECT DISTINCT project FROM runs WHERE project`+these+` AND `+unfinished+`
		UNION SELECT name FROM projects WHERE name`+these+` AND owner = ?`, names, names, t.replica)
	if err != nil {
		return nil, err
	}
	return t.concern(ctx, q, busy)
}
