package store

import (
	"context"
	"fmt"
	"time"

	"curfew/scheduler"
)

// early is how long before its fire a run may be there: clocks differ a little.
const early = time.Minute

// BringBack sets the last tick, which lies in the future, to now, and so whatever else was
// written by the clock that was ahead. Runs of fires to come that have made no call are
// removed: they are written again when their fires come. ErrStale: there was another tick.
func (s *Runs) BringBack(ctx context.Context, from scheduler.Cursor, now time.Time, emit func(scheduler.BroughtBack) []scheduler.Event) (scheduler.BroughtBack, error) {
	var b scheduler.BroughtBack
	err := s.tx(ctx, func(q session) error {
		c, err := cursor(ctx, q)
		switch {
		case err != nil:
			return err
		case !c.At.Equal(from.At) || !c.At.After(now):
			return scheduler.ErrStale
		}
		if b.Withdrawn, err = withdraw(ctx, q, now); err != nil {
			return err
		}
		if b.Reopened, err = reopen(ctx, q, b.Withdrawn); err != nil {
			return err
		}
		if err := bringBackRequests(ctx, q, now); err != nil {
			return err
		}
		if err := bringBackRows(ctx, q, c, now); err != nil {
			return err
		}
		if err := setTick(ctx, q, tickRow, micros(lastTick(b.Withdrawn, now))); err != nil {
			return err
		}
		open, err := column(ctx, q, `SELECT DISTINCT project FROM runs WHERE `+unfinished)
		if err != nil {
			return err
		}
		b.Tickets, err = s.tickets.concern(ctx, q, append(open, projectsOf(b.Withdrawn)...)) // passes know the instants that were
		if err != nil {
			return err
		}
		return addEvents(ctx, q, emit(b))
	}, lockJournal, lockHolds)
	if err != nil {
		return scheduler.BroughtBack{}, fmt.Errorf("bring back the last tick of %s: %w", from.At.Format(time.RFC3339), err)
	}
	return b, nil
}

// withdraw removes the runs of fires to come that have made no call, and those of fires that
// were given up as missed by the clock that was ahead; it returns them.
func withdraw(ctx context.Context, q session, now time.Time) ([]scheduler.Run, error) {
	const these = ` FROM runs WHERE cause IN ('schedule', 'catch-up', 'override') AND tries = 0 AND (` + due + ` > ? OR state = 'missed' AND created_at > ?)`
	latest := micros(now.Add(early))
	projects, err := column(ctx, q, `SELECT DISTINCT project`+these+` ORDER BY project`, latest, latest)
	if err != nil || len(projects) == 0 {
		return nil, err
	}
	if err := lockProjects(ctx, q, projects); err != nil {
		return nil, err
	}
	runs, err := queryRuns(ctx, q, `SELECT `+runColumns+these+` ORDER BY id`, latest, latest)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(runs))
	for i, r := range runs {
		ids[i] = r.ID
	}
	_, err = removeRuns(ctx, q, ids)
	return runs, err
}

// lastTick is the instant up to which no fire is to be written again.
func lastTick(withdrawn []scheduler.Run, now time.Time) time.Time {
	for _, r := range withdrawn {
		if before := r.DueAt.Add(-time.Microsecond); before.Before(now) {
			now = before
		}
	}
	return now
}

// reopen has the runs go on that withdrawn ones had superseded: of each environment the
// last, unless another is unfinished.
func reopen(ctx context.Context, q session, withdrawn []scheduler.Run) ([]scheduler.Run, error) {
	if len(withdrawn) == 0 {
		return nil, nil
	}
	ids, names := make([]string, len(withdrawn)), make([]string, len(withdrawn))
	for i, r := range withdrawn {
		ids[i], names[i] = r.ID, r.Environment
	}
	these, by := in(q, ids)
	ended, err := queryRuns(ctx, q, `SELECT `+runColumns+` FROM runs WHERE superseded_by`+these+` AND state = 'canceled' ORDER BY `+due+` DESC, id DESC`, by)
	if err != nil {
		return nil, err
	}
	those, environments := in(q, sorted(names))
	busy, err := column(ctx, q, `SELECT environment FROM runs WHERE environment`+those+` AND `+unfinished, environments)
	if err != nil {
		return nil, err
	}
	taken := map[string]bool{}
	for _, name := range busy {
		taken[name] = true
	}
	var reopened []scheduler.Run
	for _, r := range ended {
		if taken[r.Environment] {
			continue
		}
		taken[r.Environment] = true
		switch {
		case !r.AcceptedAt.IsZero():
			r.State = scheduler.Verifying
		case r.Tries > 0:
			r.State = scheduler.Running
		default:
			r.State = scheduler.Queued
		}
		r.Generation, r.FinishedAt, r.SupersededBy = r.Generation+1, time.Time{}, ""
		_, err := q.exec(ctx, `UPDATE runs SET state = ?, finished_at = 0, superseded_by = '', message = '', generation = ? WHERE id = ?`, string(r.State), r.Generation, r.ID)
		if err != nil {
			return nil, err
		}
		reopened = append(reopened, r)
	}
	return reopened, nil
}

// bringBackRequests dates runs back that are of no fire of a schedule: later ones would be
// taken for older.
func bringBackRequests(ctx context.Context, q session, now time.Time) error {
	ids, err := column(ctx, q, `SELECT id FROM runs WHERE cause IN ('manual', 'enforce') AND fire_at > ? ORDER BY fire_at DESC, id DESC`, micros(now))
	if err != nil {
		return err
	}
	for i, id := range ids {
		at := micros(now) - int64(i) // each at its own instant, which tells a request from the others
		if _, err := q.exec(ctx, `UPDATE runs SET fire_at = ?, due_at = ? WHERE id = ?`, at, at, id); err != nil {
			return err
		}
	}
	return nil
}

// bringBackRows dates back what else was written by the clock that was ahead. An
// observation becomes an old one: when it was made is not known, and it must not look new.
// What is to last until an instant after the last tick is shortened by as much.
func bringBackRows(ctx context.Context, q session, c scheduler.Cursor, now time.Time) error {
	at, ahead := micros(now), micros(c.At)-micros(now)
	old := micros(now.Add(-scheduler.ObservationHolds))
	statements := []struct {
		query string
		args  []any
	}{
		{`UPDATE ticks SET at = ? WHERE name <> '` + overridesRow + `' AND at > ?`, []any{at, at}},
		{`UPDATE rules SET since = ? WHERE since > ?`, []any{at, at}},
		{
			`UPDATE runs SET created_at = ` + atMost("created_at") + `, started_at = ` + atMost("started_at") + `, accepted_at = ` + atMost("accepted_at") + `, finished_at = ` + atMost("finished_at") + `,
			not_before = CASE WHEN not_before > ? THEN not_before - ? ELSE not_before END
			WHERE created_at > ? OR started_at > ? OR accepted_at > ? OR finished_at > ? OR not_before > ?`,
			[]any{at, at, at, at, at, at, at, at, micros(c.At), ahead, at, at, at, at, micros(c.At)},
		},
		{`UPDATE calls SET at = ` + atMost("at") + `, done = ` + atMost("done") + ` WHERE at > ? OR done > ?`, []any{at, at, at, at, at, at}},
		{`UPDATE observations SET at = ?, since = CASE WHEN since > ? THEN ? ELSE since END WHERE at > ?`, []any{old, old, old, at}},
		{`DELETE FROM spans WHERE from_at > ?`, []any{at}},
		{`UPDATE spans SET until_at = ? WHERE until_at > ?`, []any{at, at}},
		{`UPDATE summed SET until_at = ? WHERE until_at > ?`, []any{at, at}},
		{`UPDATE holds SET until = until - ? WHERE until > ?`, []any{ahead, micros(c.At)}},
		{`UPDATE overrides SET from_at = ? WHERE from_at > ? AND (from_at <= created_at OR from_at = ?)`, []any{at + 1, at, micros(c.At) + 1}},
		{`UPDATE overrides SET until_at = ? WHERE until_at > ? AND released_at > 0`, []any{at + 1, at}},
		{`UPDATE overrides SET created_at = ` + atMost("created_at") + `, released_at = ` + atMost("released_at") + ` WHERE created_at > ? OR released_at > ?`, []any{at, at, at, at, at, at}},
		{
			`UPDATE deliveries SET at = ` + atMost("at") + `, first_at = ` + atMost("first_at") + `, due_at = CASE WHEN due_at > ? THEN due_at - ? ELSE due_at END WHERE done_at = 0 AND (at > ? OR first_at > ? OR due_at > ?)`,
			[]any{at, at, at, at, micros(c.At), ahead, at, at, micros(c.At)},
		},
	}
	for _, one := range statements {
		if _, err := q.exec(ctx, one.query, one.args...); err != nil {
			return err
		}
	}
	return setTick(ctx, q, overridesRow, c.Revision+1)
}

// atMost is a column, or an instant that it is after; both arguments are the instant.
func atMost(column string) string {
	return `CASE WHEN ` + column + ` > ? THEN ? ELSE ` + column + ` END`
}
