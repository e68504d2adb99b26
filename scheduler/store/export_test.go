package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"curfew/scheduler"
)

// NextSchema is the schema that the next version of curfew will have.
func NextSchema() string { return strconv.Itoa(len(migrations) + 1) }

// AddCalls writes an accepted call of each run in one transaction, whatever the quota
// says.
func (s *Store) AddCalls(ctx context.Context, runs []scheduler.Run) error {
	return s.db.tx(ctx, func(q session) error {
		for _, r := range runs {
			id, err := q.clock.NewID()
			if err != nil {
				return err
			}
			_, err = q.exec(ctx, `INSERT INTO calls (id, kind, account, project, environment, run, at, done, outcome, message, activity_id) VALUES (`+placeholders(11)+`)`,
				id, string(r.Action), "main", 1234567, strings.ReplaceAll(uuid.NewString(), "-", ""), r.ID, micros(r.AcceptedAt), micros(r.AcceptedAt),
				string(scheduler.OutcomeAccepted), "", r.OperationActivityID)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// QueryRow reads one row.
func (s *Store) QueryRow(ctx context.Context, query string) *sql.Row {
	return s.db.read().row(ctx, query)
}

// Exec runs statements.
func (s *Store) Exec(ctx context.Context, statements ...string) error {
	for _, one := range statements {
		if _, err := s.db.read().exec(ctx, one); err != nil {
			return err
		}
	}
	return nil
}

// AddCall writes a call, whatever the quota says.
func (s *Store) AddCall(ctx context.Context, c scheduler.Call) error {
	return s.db.tx(ctx, func(q session) (err error) {
		if c.ID, err = q.clock.NewID(); err != nil {
			return err
		}
		return insertCalls(ctx, q, []scheduler.Call{c})
	})
}

// Rehearse does what is done on each new connection before the first fire.
func (s *Store) Rehearse(ctx context.Context) error {
	conn, err := s.db.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return s.Queue.warmOne(ctx, conn)
}

// TakeConnections takes every connection that there may be, until the function is called.
func (s *Store) TakeConnections(t testing.TB) (release func()) {
	var taken []*sql.Conn
	for range s.db.db.Stats().MaxOpenConnections {
		conn, err := s.db.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, conn)
	}
	return func() {
		for _, conn := range taken {
			_ = conn.Close()
		}
	}
}
