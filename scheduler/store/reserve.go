package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// Reserve writes the pending calls that may go now, with their runs as running with
// one more try. ErrStale: the ticket is void. Runs that are stale have neither a call
// nor a wait. A request that is not ready has a wait only where it would have to wait
// for its call anyway.
func (s *Ledger) Reserve(ctx context.Context, r scheduler.Reservation) (scheduler.Reserved, error) {
	var res scheduler.Reserved
	r.Now = instant(micros(r.Now))
	accounts := slices.Clone(r.Project.Accounts)
	for _, c := range r.Contenders {
		accounts = append(accounts, c.Accounts...)
	}
	err := s.tx(ctx, func(q session) error {
		if err := s.holdPass(ctx, q, r.Ticket); err != nil {
			return err
		}
		line, err := newLine(ctx, q, r)
		if err != nil {
			return err
		}
		line.place()
		res.Waits = line.waits
		res.Calls, err = writeReserved(ctx, q, r, line.granted)
		return err
	}, lockAccounts(accounts)...)
	if err != nil {
		return scheduler.Reserved{}, fmt.Errorf("reserve %s calls of project %s: %w", r.Kind, r.Ticket.Project, err)
	}
	return res, nil
}

// A grant is a request with the account that makes its call.
type grant struct {
	request scheduler.Request
	account string
}

// writeReserved writes calls and their runs; a run that is stale has no call.
func writeReserved(ctx context.Context, q session, r scheduler.Reservation, granted []grant) ([]scheduler.ReservedCall, error) {
	runs := make([]scheduler.Run, len(granted))
	by := make(map[string]grant, len(granted))
	for i, g := range granted {
		run := g.request.Run
		// Its call is in flight: it no longer stands before others in the queue.
		run.State, run.Waiting, run.Tries = scheduler.Running, scheduler.WaitTurn, run.Tries+1
		runs[i], by[run.ID] = run, g
	}
	saved, _, err := saveRuns(ctx, q, runs)
	if err != nil {
		return nil, err
	}
	list := make([]scheduler.ReservedCall, len(saved))
	calls := make([]scheduler.Call, len(saved))
	for i, run := range saved {
		id, err := newID()
		if err != nil {
			return nil, err
		}
		g := by[run.ID]
		calls[i] = scheduler.Call{
			ID: id, Kind: r.Kind, Account: g.account, Project: r.Project.ID, Environment: g.request.Environment, Run: run.ID,
			At: r.Now, Outcome: scheduler.OutcomePending, Unseen: g.request.Unseen,
		}
		list[i] = scheduler.ReservedCall{Call: calls[i], Run: run}
	}
	return list, insertCalls(ctx, q, calls)
}

// A line is all that waits for the same calls as the requests of a reservation, and
// what there is for them.
type line struct {
	r       scheduler.Reservation
	fresh   map[string]int64          // generations of the project's unfinished runs
	holds   map[string]scheduler.Hold // by scope
	made    map[string][]time.Time    // by environment: from when its calls count
	free    []string                  // the project's accounts that are not held
	held    scheduler.Hold            // of the others, the one that ends first
	budgets []quota.Budget            // of all accounts that any contender could use
	others  []contender               // in the order of the reservation, the project itself among them
	granted []grant                   // so far
	waits   map[string]scheduler.Wait // so far, by run
	ahead   int                       // requests before the present one that have no call
	behind  int                       // requests after it
	slots   []time.Time               // when the next calls go, where one account makes all of them
	waiting int                       // how many waits for quota were computed
	last    time.Time                 // the last of those
}

// A contender is a project with its runs that wait for the same kind of call and for
// nothing but their call.
type contender struct {
	accounts []string
	places   []place // sorted; nil for the project of the reservation
	own      bool
}

// A place is a run's place in the order.
type place struct {
	rank float64
	id   string
}

func (p place) before(o place) bool { return p.rank < o.rank || p.rank == o.rank && p.id < o.id }

// newLine reads what a reservation depends on.
func newLine(ctx context.Context, q session, r scheduler.Reservation) (*line, error) {
	l := &line{r: r, waits: map[string]scheduler.Wait{}}
	var err error
	if l.fresh, err = generations(ctx, q, r.Ticket.Project); err != nil {
		return nil, err
	}
	if l.holds, err = holdsOf(ctx, q, r.Now); err != nil {
		return nil, err
	}
	environments := make([]string, len(r.Requests))
	for i, one := range r.Requests {
		environments[i] = one.Environment
	}
	// What SQLite is kept from is to read all calls of the kind.
	l.made, err = takenCalls(ctx, q, takenBy{
		column: "environment", values: sorted(environments), where: "kind || '' = ? AND project = ?", args: []any{string(r.Kind), r.Project.ID},
		since: r.Now.Add(-quota.PerEnvironment.Window - 2*inFlight),
	})
	if err != nil {
		return nil, err
	}
	if l.free, l.held = unheld(r.Project.ID, r.Project.Accounts, l.holds); len(l.free) == 0 {
		return l, nil
	}
	return l, l.contend(ctx, q)
}

// generations returns those of a project's unfinished runs, by run.
func generations(ctx context.Context, q session, project string) (map[string]int64, error) {
	of := map[string]int64{}
	rows, err := q.query(ctx, `SELECT id, generation FROM runs WHERE project = ? AND `+unfinished, project)
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var id string
		var generation int64
		err := rows.Scan(&id, &generation)
		of[id] = generation
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the project's runs: %w", err)
	}
	return of, nil
}

// contend reads who waits for the same calls, and what the accounts may still do. A
// run that waits for metadata counts within its own project only, so that a project
// whose metadata is unavailable does not stand in the way of others. Projects without
// a run that waits are in the list too: of accounts that are alike to all who wait, a
// call takes one that the fewest projects could use.
func (l *line) contend(ctx context.Context, q session) error {
	places, err := l.placesOfOthers(ctx, q)
	if err != nil {
		return err
	}
	accounts, listed := slices.Clone(l.free), false
	for _, c := range l.r.Contenders {
		own := c.Name == l.r.Project.Name
		listed = listed || own
		free, _ := unheld(c.ID, c.Accounts, l.holds)
		if len(free) == 0 {
			continue
		}
		accounts = append(accounts, free...)
		l.others = append(l.others, contender{accounts: free, places: places[c.Name], own: own})
	}
	if !listed {
		l.others = append(l.others, contender{accounts: l.free, own: true})
	}
	l.budgets, err = budgetsOf(ctx, q, l.r.Now, l.r.Kind, l.holds, accounts)
	return err
}

// placesOfOthers returns the places of the contenders' runs that wait for nothing but
// the same kind of call, by project.
func (l *line) placesOfOthers(ctx context.Context, q session) (map[string][]place, error) {
	var names []string
	for _, c := range l.r.Contenders {
		if c.Name != l.r.Project.Name {
			names = append(names, c.Name)
		}
	}
	places := map[string][]place{}
	err := padded(q, sorted(names), func(part []string) error {
		projects, args := in(q, part)
		rows, err := q.query(ctx, `SELECT project, rank, id FROM runs WHERE project`+projects+` AND `+unfinished+`
			AND action = ? AND state <> 'verifying' AND not_before <= ? AND waiting IN ('', 'quota')`, append(args, string(l.r.Kind), micros(l.r.Now))...)
		return eachRow(rows, err, func(rows *sql.Rows) error {
			var project string
			var p place
			err := rows.Scan(&project, &p.rank, &p.id)
			places[project] = append(places[project], p)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the runs that wait too: %w", err)
	}
	for _, list := range places {
		slices.SortFunc(list, func(a, b place) int {
			switch {
			case a.before(b):
				return -1
			case b.before(a):
				return 1
			}
			return 0
		})
	}
	return places, nil
}
