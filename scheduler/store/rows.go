package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

const (
	unfinished = `state IN ('queued', 'running', 'verifying')`
	// byID is unfinished where runs are to be found by their ids: SQLite would rather
	// read all that are unfinished.
	byID = `runs.state || '' IN ('queued', 'running', 'verifying')`
	// due is what orders the runs of an environment; runs that an older version
	// wrote have no due_at.
	due = `CASE WHEN due_at = 0 THEN fire_at ELSE due_at END`
)

const (
	runColumns = `id, environment, project, schedule, action, cause, state, by_name, by_via, fire_at, zone, due_at, created_at, started_at, accepted_at, finished_at, activity_id, message, superseded_by, generation, rank, not_before, waiting, tries, called_off`
	runWidth   = 25
)

func runCells(r scheduler.Run) []any {
	return []any{
		r.ID, r.Environment, r.Project, r.Schedule, string(r.Action), string(r.Trigger), string(r.State), r.By.Name, r.By.Via,
		micros(r.FireAt), r.FireAt.Location().String(), micros(r.DueAt), micros(r.CreatedAt), micros(r.StartedAt), micros(r.AcceptedAt), micros(r.FinishedAt),
		r.OperationActivityID, r.Message, r.SupersededBy, r.Generation, r.Rank, micros(r.NotBefore), string(r.Waiting), int64(r.Tries), micros(r.CalledOff),
	}
}

func queryRuns(ctx context.Context, q session, query string, args ...any) ([]scheduler.Run, error) {
	var runs []scheduler.Run
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		r, err := scanRun(q, rows)
		runs = append(runs, r)
		return err
	})
	return runs, err
}

func scanRun(q session, rows *sql.Rows) (scheduler.Run, error) {
	var r scheduler.Run
	var zone, action, trigger, state, waiting string
	var fire, dueAt, created, started, accepted, finished, notBefore, calledOff int64
	err := rows.Scan(&r.ID, &r.Environment, &r.Project, &r.Schedule, &action, &trigger, &state, &r.By.Name, &r.By.Via, &fire, &zone, &dueAt, &created, &started, &accepted, &finished,
		&r.OperationActivityID, &r.Message, &r.SupersededBy, &r.Generation, &r.Rank, &notBefore, &waiting, &r.Tries, &calledOff)
	if err != nil {
		return scheduler.Run{}, err
	}
	r.Action, r.Trigger, r.State, r.Waiting = plan.Action(action), scheduler.Trigger(trigger), scheduler.State(state), scheduler.WaitReason(waiting)
	if dueAt == 0 {
		dueAt = fire
	}
	if (r.By == scheduler.Actor{}) { // an older version wrote it
		r.By = scheduler.BySchedule
		if r.Trigger == scheduler.TriggerManual {
			r.By = scheduler.ByToken
		}
	}
	r.FireAt, r.DueAt, r.CreatedAt, r.StartedAt = instant(fire), instant(dueAt), instant(created), instant(started)
	r.AcceptedAt, r.FinishedAt = instant(accepted), instant(finished)
	r.NotBefore, r.CalledOff = instant(notBefore), instant(calledOff)
	r.FireAt = r.FireAt.In(q.location(zone))
	return r, nil
}

// saveRuns writes what may change of runs, where their generation still is the one
// that is kept and they are unfinished. It returns those that were written and the
// ids of the others.
func saveRuns(ctx context.Context, q session, runs []scheduler.Run) (saved []scheduler.Run, stale []string, err error) {
	written := make(map[string]bool, len(runs))
	err = padded(q, runs, func(part []scheduler.Run) error {
		cells := make([]any, 0, len(part)*11)
		for _, r := range part {
			cells = append(cells, r.ID, r.Generation, string(r.State), micros(r.StartedAt), micros(r.AcceptedAt), micros(r.FinishedAt), r.OperationActivityID, r.Message,
				micros(r.NotBefore), string(r.Waiting), int64(r.Tries))
		}
		v, args := q.values(11, cells)
		done, err := column(ctx, q, `WITH v (id, generation, state, started_at, accepted_at, finished_at, activity_id, message, not_before, waiting, tries) AS (`+v+`)
			UPDATE runs SET state = v.state, started_at = v.started_at, accepted_at = v.accepted_at, finished_at = v.finished_at, activity_id = v.activity_id,
			message = v.message, not_before = v.not_before, waiting = v.waiting, tries = v.tries FROM v
			WHERE runs.id = v.id AND runs.generation = v.generation AND `+byID+` RETURNING runs.id`, args...)
		for _, id := range done {
			written[id] = true
		}
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("write %d runs: %w", len(runs), err)
	}
	for _, r := range runs {
		if written[r.ID] {
			saved = append(saved, r)
		} else {
			stale = append(stale, r.ID)
		}
	}
	return saved, stale, nil
}

// byRank sorts runs as they wait: the best first.
func byRank(runs []scheduler.Run) {
	slices.SortFunc(runs, func(a, b scheduler.Run) int {
		return cmp.Or(cmp.Compare(a.Rank, b.Rank), strings.Compare(a.ID, b.ID))
	})
}
