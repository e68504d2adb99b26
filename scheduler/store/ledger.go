package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// Ledger accounts every start and stop before it leaves: it is the quota and the
// audit trail.
type Ledger struct{ *database }

// inFlight is how long after it was reserved a call without an answer may still
// reach LCS: above the client's time limit.
const inFlight = 2 * time.Minute

// counts selects the calls that LCS counts, or may: neither the throttled ones
// nor those that never left. A call counts from its answer, the latest instant
// at which LCS can have taken it; one in flight from the end of inFlight.
const (
	counts     = `outcome NOT IN ('throttled', 'unsent')`
	countsFrom = `CASE WHEN done = 0 THEN at + 120000000 ELSE done END`
)

const (
	callColumns = `id, kind, account, project, environment, run, at, done, outcome, message, activity_id, unseen`
	callWidth   = 13 // with the replica
)

func scanCall(rows *sql.Rows) (scheduler.Call, error) {
	var c scheduler.Call
	var kind, outcome string
	var at, done, unseen int64
	err := rows.Scan(&c.ID, &kind, &c.Account, &c.Project, &c.Environment, &c.Run, &at, &done, &outcome, &c.Message, &c.ActivityID, &unseen)
	c.Kind, c.Outcome, c.At, c.Done, c.Unseen = lcs.CallKind(kind), scheduler.Outcome(outcome), instant(at), instant(done), unseen != 0
	return c, err
}

// insertCalls writes calls that this process has in flight.
func insertCalls(ctx context.Context, q session, calls []scheduler.Call) error {
	err := sizes(q, calls, func(part []scheduler.Call) error {
		cells := make([]any, 0, len(part)*callWidth)
		for _, c := range part {
			cells = append(cells, c.ID, string(c.Kind), c.Account, c.Project, c.Environment, c.Run, micros(c.At), micros(c.Done), string(c.Outcome), c.Message, c.ActivityID,
				boolean(c.Unseen), q.replica)
		}
		v, args := q.values(callWidth, cells)
		_, err := q.exec(ctx, `INSERT INTO calls (`+callColumns+`, replica) `+v, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("write %d calls: %w", len(calls), err)
	}
	return nil
}

// settleCalls writes how calls ended.
func settleCalls(ctx context.Context, q session, calls []scheduler.Call) error {
	err := padded(q, calls, func(part []scheduler.Call) error {
		cells := make([]any, 0, len(part)*5)
		for _, c := range part {
			cells = append(cells, c.ID, micros(c.Done), string(c.Outcome), c.Message, c.ActivityID)
		}
		v, args := q.values(5, cells)
		_, err := q.exec(ctx, `WITH v (id, done, outcome, message, activity_id) AS (`+v+`)
			UPDATE calls SET done = v.done, outcome = v.outcome, message = v.message, activity_id = v.activity_id FROM v WHERE calls.id = v.id`, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("write the end of %d calls: %w", len(calls), err)
	}
	return nil
}

// Settle writes how calls ended and what that means for their runs. A call is
// written even if its run is stale; it returns the ids of such runs. It asks for no
// ticket: also a pass that gave way writes how its calls ended.
func (s *Ledger) Settle(ctx context.Context, list []scheduler.Settlement, emit func([]scheduler.Run) []scheduler.Event) (stale []string, err error) {
	err = s.tx(ctx, func(q session) (err error) {
		stale, err = settle(ctx, q, list, emit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return stale, nil
}

func settle(ctx context.Context, q session, list []scheduler.Settlement, emit func([]scheduler.Run) []scheduler.Event) (stale []string, err error) {
	calls := make([]scheduler.Call, len(list))
	last := map[string]int{} // by run: its place in runs
	var runs []scheduler.Run
	var projects []string
	for i, one := range list {
		calls[i] = one.Call
		if one.Run == nil {
			continue
		}
		if at, twice := last[one.Run.ID]; twice {
			runs[at] = *one.Run
			continue
		}
		last[one.Run.ID] = len(runs)
		runs = append(runs, *one.Run)
		projects = append(projects, one.Run.Project)
	}
	if err := lockProjects(ctx, q, sorted(projects)); err != nil {
		return nil, err
	}
	if err := settleCalls(ctx, q, calls); err != nil {
		return nil, err
	}
	saved, stale, err := saveRuns(ctx, q, runs)
	if err != nil {
		return nil, err
	}
	return stale, emitOf(ctx, q, emit, saved, nil)
}

// Budgets returns what each account may still do of a kind of call.
func (s *Ledger) Budgets(ctx context.Context, now time.Time, kind scheduler.CallKind, accounts []string) ([]quota.Budget, error) {
	known, err := readFacts(ctx, s.read(), heldAt(now), takenOf(s.read(), now, kind, accounts))
	if err != nil {
		return nil, err
	}
	return known.budgets(kind, accounts), nil
}
