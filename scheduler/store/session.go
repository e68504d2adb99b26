package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A session runs statements, in a transaction or outside of one. Queries are
// written with ? for both databases.
type session struct {
	raw interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	tx       *sql.Tx // nil outside of a transaction
	postgres bool
}

// exec gives the number of rows that changed.
func (q session) exec(ctx context.Context, query string, args ...any) (int, error) {
	res, err := q.raw.ExecContext(ctx, q.bind(query), args...)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func (q session) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return q.raw.QueryContext(ctx, q.bind(query), args...)
}

func (q session) row(ctx context.Context, query string, args ...any) *sql.Row {
	return q.raw.QueryRowContext(ctx, q.bind(query), args...)
}

// bind numbers the placeholders where the database wants that. No query of this
// package has a question mark in a literal.
func (q session) bind(query string) string {
	if !q.postgres {
		return query
	}
	var b strings.Builder
	n := 0
	for part := range strings.SplitSeq(query, "?") {
		if n > 0 {
			b.WriteString("$" + strconv.Itoa(n))
		}
		b.WriteString(part)
		n++
	}
	return b.String()
}

// Locks that one transaction at a time may have, whichever replica it is of.
// SQLite has one writer, who needs none. Where several are taken, they are taken
// in the order of leases, journal, ledger.
const (
	lockMigrations = 0x6375726665770000 + iota // "curfew", then a number
	lockJournal                                // the tick, overrides, rules, and what changes many runs
	lockLedger                                 // calls that are reserved, and what changes many holds
	lockLeases
)

// lock waits for a lock and has it until the transaction ends.
func (q session) lock(ctx context.Context, key int64) error {
	if !q.postgres {
		return nil
	}
	if _, err := q.raw.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, key); err != nil {
		return fmt.Errorf("wait for other replicas: %w", err)
	}
	return nil
}

// txTimeout is how long a database over the network may take for one transaction.
const txTimeout = 30 * time.Second

// do runs f in one transaction.
func (s *Store) do(ctx context.Context, f func(session) error) error {
	if s.postgres {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, txTimeout)
		defer cancel()
	}
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(session{raw: tx, tx: tx, postgres: s.postgres}); err != nil {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			return errors.Join(err, rerr)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// read gives a session outside of a transaction, for single queries.
func (s *Store) read() session { return session{raw: s.db, postgres: s.postgres} }

// placeholders gives n of them; for none it gives one that matches nothing.
func placeholders(n int) string {
	if n == 0 {
		return "NULL"
	}
	return "?" + strings.Repeat(", ?", n-1)
}

// rowsOf gives n rows of width placeholders, for VALUES.
func rowsOf(n, width int) string {
	row := "(" + placeholders(width) + ")"
	return row + strings.Repeat(", "+row, n-1)
}

// anys makes arguments of a list.
func anys[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// eachRow calls read for each row of a query, and closes it.
func eachRow(rows *sql.Rows, err error, read func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := read(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// micros stores an instant; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant is the inverse of micros, in UTC.
func instant(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
