package store

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5/stdlib"
	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// warm opens the connections to PostgreSQL, but for one that others can use meanwhile, and
// rehearses on those that are new, so that a fire opens none and finds its statements
// parsed and planned.
func (s *Queue) warm(ctx context.Context) {
	if !s.postgres {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, txTimeout)
	defer cancel()
	for range connections - 1 {
		conn, err := s.db.Conn(ctx) // one that the server has ended is replaced
		if err != nil {
			return // whoever needs one says so
		}
		defer func() { _ = conn.Close() }()
		if err := s.warmOne(ctx, conn); err != nil && ctx.Err() == nil {
			s.log.Debug("a connection was not rehearsed; its first fire is slower", zap.Error(err))
		}
	}
}

// warmOne rehearses on a connection that was not yet.
func (s *Queue) warmOne(ctx context.Context, conn *sql.Conn) error {
	const key = "rehearsed"
	var known map[string]any
	err := conn.Raw(func(c any) error {
		known = c.(*stdlib.Conn).Conn().PgConn().CustomData()
		return nil
	})
	if err != nil || known[key] != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	known[key] = true
	return s.rehearse(ctx, session{raw: tx, tx: tx, database: s.database})
}

// rehearse takes one run through a fire, in a transaction that is rolled back. It needs no
// locks: nobody else knows its names.
func (s *Queue) rehearse(ctx context.Context, q session) error {
	id, err := q.clock.NewID()
	if err != nil {
		return err
	}
	now := q.clock.Now()
	emit := func([]scheduler.Run) []scheduler.Event { return []scheduler.Event{{Run: id}} }
	run := scheduler.Run{ID: id, Environment: id, Project: id, Schedule: id, Action: plan.Stop, State: scheduler.Queued, FireAt: now, CreatedAt: now}
	res, err := (&Runs{s.database, s.tickets}).write(ctx, q, writing{runs: []scheduler.Run{run}, now: now, emit: emit})
	if err != nil {
		return err
	}
	work, err := (&Passes{s.database, s.tickets}).load(ctx, q, res.Tickets[0], 0, map[string]string{id: id})
	if err != nil {
		return err
	}
	project := scheduler.Contender{Name: id, Accounts: []string{id}}
	ask := scheduler.Reservation{Ticket: res.Tickets[0], Now: now, Kind: lcs.CallStop, Project: project, Requests: []scheduler.Request{{Run: work.Runs[0], Environment: id, Ready: true}}}
	reserved, err := (&Ledger{s.database}).reserve(ctx, q, ask)
	if err != nil {
		return err
	}
	call := reserved.Calls[0]
	call.Call.Outcome, call.Run.State = scheduler.OutcomeUnsent, scheduler.Failed
	_, err = settle(ctx, q, []scheduler.Settlement{{Call: call.Call, Run: &call.Run}}, emit)
	return err
}
