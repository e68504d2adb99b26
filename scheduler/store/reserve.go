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
	err := s.tx(ctx, func(q session) (err error) {
		res, err = s.reserve(ctx, q, r)
		return err
	}, lockAccounts(accountsOf(r))...)
	if err != nil {
		return scheduler.Reserved{}, fmt.Errorf("reserve %s calls of project %s: %w", r.Kind, r.Ticket.Project, err)
	}
	return res, nil
}

func (s *Ledger) reserve(ctx context.Context, q session, r scheduler.Reservation) (scheduler.Reserved, error) {
	if err := s.holdPass(ctx, q, r.Ticket); err != nil {
		return scheduler.Reserved{}, err
	}
	line, err := newLine(ctx, q, r)
	if err != nil {
		return scheduler.Reserved{}, err
	}
	line.place()
	calls, err := writeReserved(ctx, q, r, line.granted)
	return scheduler.Reserved{Calls: calls, Waits: line.waits}, err
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
		id, err := q.clock.NewID()
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
	r scheduler.Reservation
	facts
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
	environments := make([]string, len(r.Requests))
	for i, one := range r.Requests {
		environments[i] = one.Environment
	}
	var err error
	l.facts, err = readFacts(ctx, q, generationsOf(r.Ticket.Project), heldAt(r.Now), madeOf(q, r.Now, r.Kind, r.Project.ID, environments, quota.PerEnvironment),
		takenOf(q, r.Now, r.Kind, accountsOf(r)))
	if err != nil {
		return nil, err
	}
	if l.free, l.held = unheld(r.Project.ID, r.Project.Accounts, l.holds); len(l.free) == 0 {
		return l, nil
	}
	return l, l.contend(ctx, q)
}

// accountsOf returns the accounts that any of those who ask for the same calls could use.
func accountsOf(r scheduler.Reservation) []string {
	accounts := slices.Clone(r.Project.Accounts)
	for _, c := range r.Contenders {
		accounts = append(accounts, c.Accounts...)
	}
	return sorted(accounts)
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
	l.budgets = l.facts.budgets(l.r.Kind, accounts)
	return nil
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
	if len(names) == 0 {
		return nil, nil
	}
	places := map[string][]place{}
	these, projects := in(q, names)
	rows, err := q.query(ctx, `SELECT project, rank, id FROM runs WHERE project`+these+` AND `+unfinished+`
		AND action = ? AND state <> 'verifying' AND not_before <= ? AND waiting IN ('', 'quota')`, projects, string(l.r.Kind), micros(l.r.Now))
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		var project string
		var p place
		err := rows.Scan(&project, &p.rank, &p.id)
		places[project] = append(places[project], p)
		return err
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
