package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"curfew/scheduler"
)

// Cancel ends an unfinished run, the only one of Written.Runs. ErrNoRun, ErrFinished.
func (s *Runs) Cancel(ctx context.Context, id string, now time.Time, message string, emit func([]scheduler.Run) []scheduler.Event) (scheduler.Written, error) {
	res, err := s.change(ctx, id, emit, func(q session, one scheduler.Run) ([]scheduler.Run, error) {
		if err := lockProjects(ctx, q, []string{one.Project}); err != nil {
			return nil, err
		}
		return queryRuns(ctx, q, `UPDATE runs SET state = 'canceled', finished_at = ?, waiting = '', message = ?, generation = generation + 1
			WHERE id = ? AND `+unfinished+` RETURNING `+runColumns, micros(now), message, id)
	})
	if err != nil {
		return scheduler.Written{}, fmt.Errorf("cancel run %s: %w", id, err)
	}
	return res, nil
}

// Approve lets the runs go that wait for an approval with this one, those of its
// fire: Written.Runs. ErrNoRun, ErrFinished.
func (s *Runs) Approve(ctx context.Context, id string, now time.Time, message string, emit func([]scheduler.Run) []scheduler.Event) (scheduler.Written, error) {
	res, err := s.change(ctx, id, emit, func(q session, one scheduler.Run) ([]scheduler.Run, error) {
		if one.Waiting != scheduler.WaitApproval || one.State.Finished() {
			return nil, nil // one that does not wait itself lets nothing go
		}
		const held = `action = ? AND created_at = ? AND waiting = ? AND ` + unfinished
		of := []any{string(one.Action), micros(one.CreatedAt), string(scheduler.WaitApproval)}
		projects, err := column(ctx, q, `SELECT DISTINCT project FROM runs WHERE `+held, of...)
		if err != nil {
			return nil, err
		}
		if err := lockProjects(ctx, q, sorted(projects)); err != nil {
			return nil, err
		}
		return queryRuns(ctx, q, `UPDATE runs SET generation = generation + 1, waiting = '', message = ? WHERE `+held+` RETURNING `+runColumns, append([]any{cmp.Or(message, "approved at "+now.UTC().Format(time.RFC3339))}, of...)...)
	})
	if err != nil {
		return scheduler.Written{}, fmt.Errorf("approve run %s: %w", id, err)
	}
	return res, nil
}

// change has f change unfinished runs by what a person decided about one of them.
func (s *Runs) change(ctx context.Context, id string, emit func([]scheduler.Run) []scheduler.Event, f func(q session, one scheduler.Run) ([]scheduler.Run, error)) (scheduler.Written, error) {
	var res scheduler.Written
	err := s.tx(ctx, func(q session) error {
		found, err := queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id)
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return scheduler.ErrNoRun
		}
		if res.Runs, err = f(q, found[0]); err != nil {
			return err
		}
		if len(res.Runs) == 0 {
			return scheduler.ErrFinished
		}
		byRank(res.Runs)
		if err := emitOf(ctx, q, emit, res.Runs, nil); err != nil {
			return err
		}
		var projects []string
		for _, r := range res.Runs {
			projects = append(projects, r.Project)
		}
		res.Tickets, err = s.tickets.concern(ctx, q, projects)
		return err
	}, lockJournal)
	if err != nil {
		return scheduler.Written{}, err
	}
	return res, nil
}
