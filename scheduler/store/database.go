package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/clock"
	"curfew/scheduler/zone"
)

// A database is what the concerns of a Store share.
type database struct {
	db       *sql.DB
	postgres bool
	file     *Claim      // nil for PostgreSQL
	closers  []io.Closer // what is closed after db
	log      *zap.Logger
	replica  string // of this process, in River's tables and in ours
	lease    time.Duration
	clock    *clock.Clock // all that is ordered by time goes by it

	bound    sync.Map // query as it is written here → as PostgreSQL wants it
	watchers watchers
	health   health
}

func (d *database) close() error {
	var errs []error
	for _, db := range []*sql.DB{d.health.probe, d.db} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	for _, c := range d.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// A session runs statements, in a transaction or outside of one. Queries are
// written with ? for both databases.
type session struct {
	raw interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
	tx *sql.Tx // nil outside of a transaction
	*database
}

// exec returns the number of rows that changed.
func (q session) exec(ctx context.Context, query string, args ...any) (int, error) {
	res, err := q.raw.ExecContext(ctx, q.bind(query), args...)
	if q.tx == nil {
		q.health.wrote(ctx, err)
	}
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
// package has a question mark in a literal, and their number is limited: what was bound
// once is kept.
func (d *database) bind(query string) string {
	if !d.postgres {
		return query
	}
	if known, ok := d.bound.Load(query); ok {
		return known.(string)
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
	d.bound.Store(query, b.String())
	return b.String()
}

// Locks that one transaction at a time may have, whichever replica it is of.
// SQLite has one writer, who needs none. Where several are taken, they are taken
// in the order of leases, journal, outbox, holds, accounts by their keys, metadata; then rows of
// projects, sorted; then runs.
const (
	lockMigrations = 0x6375726665770000 + iota // "curfew", then a number
	lockJournal                                // the tick, overrides, rules, and what issues tickets
	lockHolds                                  // what changes holds
	lockLeases
	lockOutbox // what makes deliveries of events, and takes them
)

// lockAccounts are the locks of the calls of accounts: those of others can be reserved
// meanwhile.
func lockAccounts(names []string) []int64 {
	keys := make([]int64, 0, len(names))
	for _, name := range names {
		keys = append(keys, lockNamed("account", name))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// lockNamed is the lock of one thing of a kind.
func lockNamed(kind, name string) int64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(kind + "/" + name))
	return int64(h.Sum64()) //nolint:gosec // all bits count, as a key has no sign
}

// lock waits for locks and has them until the transaction ends.
func (q session) lock(ctx context.Context, keys ...int64) error {
	if !q.postgres || len(keys) == 0 {
		return nil
	}
	// The rows of unnest, and with them the locks, come in the order of the array.
	if _, err := q.raw.ExecContext(ctx, `SELECT pg_advisory_xact_lock(key) FROM unnest($1::bigint[]) AS key`, keys); err != nil {
		return fmt.Errorf("wait for other replicas: %w", err)
	}
	return nil
}

// forUpdate ends a query whose rows nobody else may change until the transaction
// ends.
func (d *database) forUpdate() string {
	if d.postgres {
		return ` FOR UPDATE`
	}
	return ``
}

// txTimeout is how long a database over the network may take for one transaction.
const txTimeout = 30 * time.Second

// tx runs f in one transaction, in which it has the locks.
func (d *database) tx(ctx context.Context, f func(session) error, locks ...int64) error {
	err := d.txOnce(ctx, f, locks...)
	d.health.wrote(ctx, err)
	return err
}

func (d *database) txOnce(ctx context.Context, f func(session) error, locks ...int64) error {
	if d.postgres {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, txTimeout)
		defer cancel()
	}
	tx, err := d.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	q := session{raw: tx, tx: tx, database: d}
	if err = q.lock(ctx, locks...); err == nil {
		err = f(q)
	}
	if err != nil {
		if rerr := tx.Rollback(); rerr != nil && !errors.Is(rerr, sql.ErrTxDone) {
			return errors.Join(err, rerr)
		}
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	d.watchers.committed()
	return nil
}

// read returns a session outside of a transaction, for single queries.
func (d *database) read() session { return session{raw: d.db, database: d} }

// location returns a zone by its name, and UTC for one that this machine does not
// know any more.
func (d *database) location(name string) *time.Location {
	l, err := zone.Load(name)
	if err != nil {
		return time.UTC
	}
	return l
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

// ignoreNoRows reports whether a row was found, apart from what went wrong.
func ignoreNoRows(err error) (found bool, _ error) {
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
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

func boolean(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
