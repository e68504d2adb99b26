package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/scheduler"
)

// Events is the outbox: what is to be delivered, written with what caused it.
type Events struct{ *database }

const eventColumns = `events.id, events.kind, events.at, events.by_name, events.by_via, events.environment, events.run, events.override, events.account, events.reason, events.next_step,
	events.by_from, events.change, events.environments, events.was, events.became, events.project, events.schedule, events.action, events.fire_at`

// insertedColumns are eventColumns of a new event, and that no delivery of it is written yet.
const insertedColumns = `id, kind, at, by_name, by_via, environment, run, override, account, reason, next_step,
	by_from, change, environments, was, became, project, schedule, action, fire_at, addressed`

const eventWidth = 21

// Append writes events that no other change causes.
func (s *Events) Append(ctx context.Context, events ...scheduler.Event) error {
	return s.tx(ctx, func(q session) error { return addEvents(ctx, q, events) })
}

// After returns the events after one, oldest first; all when the id is "".
func (s *Events) After(ctx context.Context, id string, limit int) ([]scheduler.Event, error) {
	if limit <= 0 || limit > maxLimit {
		limit = maxLimit
	}
	events, err := queryEvents(ctx, s.read(), `SELECT `+eventColumns+` FROM events WHERE id > ? ORDER BY id LIMIT ?`, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read the events: %w", err)
	}
	return events, nil
}

// Audit returns the changes that somebody made since an instant, newest first: at most
// limit, and before the one whose id is before, "" for the newest.
func (s *Events) Audit(ctx context.Context, since time.Time, before string, limit int) ([]scheduler.Event, error) {
	events, err := queryEvents(ctx, s.read(), `SELECT `+eventColumns+` FROM events WHERE change <> '' AND id >= ? AND (? = '' OR id < ?) ORDER BY id DESC LIMIT ?`,
		firstID(since), before, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read the audit: %w", err)
	}
	return events, nil
}

func queryEvents(ctx context.Context, q session, query string, args ...any) ([]scheduler.Event, error) {
	var events []scheduler.Event
	rows, err := q.query(ctx, query, args...)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var e scheduler.Event
		var at, fire int64
		err := rows.Scan(&e.ID, &e.Kind, &at, &e.By.Name, &e.By.Via, &e.Environment, &e.Run, &e.Override, &e.Account, &e.Reason, &e.NextStep,
			&e.By.From, &e.Change.Action, &e.Change.Environments, &e.Change.Before, &e.Change.After, &e.Project, &e.Schedule, &e.Action, &fire)
		e.At, e.FireAt = instant(at), instant(fire)
		events = append(events, e)
		return err
	})
	return events, err
}

// addEvents writes events within the transaction of what caused them, each with an id
// that sorts after those before it.
func addEvents(ctx context.Context, q session, events []scheduler.Event) error {
	err := sizes(q, events, func(part []scheduler.Event) error {
		cells := make([]any, 0, len(part)*eventWidth)
		for _, e := range part {
			id, err := q.clock.NewID()
			if err != nil {
				return err
			}
			cells = append(cells, id, string(e.Kind), micros(e.At), e.By.Name, e.By.Via, e.Environment, e.Run, e.Override, e.Account, e.Reason, e.NextStep,
				e.By.From, string(e.Change.Action), e.Change.Environments, e.Change.Before, e.Change.After, e.Project, e.Schedule, string(e.Action), micros(e.FireAt), int64(0))
		}
		v, args := q.values(eventWidth, cells)
		_, err := q.exec(ctx, `INSERT INTO events (`+insertedColumns+`) `+v, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("write %d events: %w", len(events), err)
	}
	return nil
}

// emitOf writes the events that changes of runs cause; emit may be nil.
func emitOf(ctx context.Context, q session, emit func([]scheduler.Run) []scheduler.Event, changed, superseded []scheduler.Run) error {
	if emit == nil {
		return nil
	}
	all := make([]scheduler.Run, 0, len(changed)+len(superseded))
	return addEvents(ctx, q, emit(append(append(all, changed...), superseded...)))
}
