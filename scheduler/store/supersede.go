package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
)

// supersede ends the unfinished runs of the environments that have a new one.
func supersede(ctx context.Context, q session, by []scheduler.Run, now time.Time) ([]scheduler.Run, error) {
	successor := map[string]scheduler.Run{}
	var names []string
	for _, r := range by {
		if !r.State.Finished() {
			successor[r.Environment] = r
			names = append(names, r.Environment)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	if err := reopenFires(ctx, q, by, names, now); err != nil {
		return nil, err
	}
	these, environments := in(q, names)
	open, err := column(ctx, q, `SELECT id FROM runs WHERE environment`+these+` AND `+unfinished, environments)
	if err != nil {
		return nil, err
	}
	isLast := make(map[string]bool, len(successor))
	for _, r := range successor {
		isLast[r.ID] = true
	}
	open = slices.DeleteFunc(open, func(id string) bool { return isLast[id] })
	if len(open) == 0 { // most often
		return nil, nil
	}
	these, ids := in(q, open)
	old, err := queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE id`+these+` AND `+byID+` ORDER BY id`+q.forUpdate(), ids)
	if err != nil {
		return nil, err
	}
	for i := range old {
		r, next := &old[i], successor[old[i].Environment]
		r.State, r.FinishedAt, r.SupersededBy, r.Waiting = scheduler.Canceled, now, next.ID, ""
		r.Message = fmt.Sprintf("superseded by the %s of %s", next.Action, next.FireAt.Format(time.RFC3339))
		r.Generation++
	}
	return old, endSuperseded(ctx, q, old, now)
}

func endSuperseded(ctx context.Context, q session, old []scheduler.Run, now time.Time) error {
	return sizes(q, old, func(part []scheduler.Run) error {
		cells := make([]any, 0, 3*len(part))
		for _, r := range part {
			cells = append(cells, r.ID, r.SupersededBy, r.Message)
		}
		v, args := q.values(3, cells)
		_, err := q.exec(ctx, `WITH ended (id, successor, message) AS (`+v+`)
			UPDATE runs SET state = 'canceled', finished_at = ?, superseded_by = ended.successor, waiting = '', message = ended.message, generation = generation + 1
			FROM ended WHERE runs.id = ended.id`, append(args, micros(now))...)
		if err != nil {
			return fmt.Errorf("supersede %d runs: %w", len(part), err)
		}
		return nil
	})
}

// reopenFires lets the fires come again whose starts were made early, when something
// else came between: fire_at is part of what makes a run the only one of its fire.
func reopenFires(ctx context.Context, q session, by []scheduler.Run, names []string, now time.Time) error {
	isNew := make(map[string]bool, len(by))
	for _, r := range by {
		isNew[r.ID] = true
	}
	these, environments := in(q, names)
	early, err := column(ctx, q, `SELECT id FROM runs WHERE environment`+these+` AND fire_at > ? AND due_at > 0 AND due_at < fire_at`, environments, micros(now))
	if err != nil {
		return fmt.Errorf("read early starts: %w", err)
	}
	for _, id := range early {
		if isNew[id] {
			continue
		}
		if _, err := q.exec(ctx, `UPDATE runs SET called_off = fire_at, fire_at = due_at WHERE id = ?`, id); err != nil {
			return fmt.Errorf("reopen the fire of an early start: %w", err)
		}
	}
	return nil
}
