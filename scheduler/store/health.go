package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"curfew/scheduler"
)

const (
	pingTimeout = 3 * time.Second // a database that takes longer does not answer
	probeWait   = 2 * time.Second // for another process's lock, before it is reported
	leastSpace  = 64 << 10        // on the disk of a SQLite file: what a small transaction takes
)

// health is what is known of a database besides its answer to a query.
type health struct {
	write atomic.Pointer[error] // of the last write, nil when it was done
	moved atomic.Pointer[error] // of the last check of a SQLite file
	queue atomic.Pointer[error] // of the last start of River
	probe *sql.DB               // a connection to a SQLite file that nothing else waits for
}

// openProbe opens the probe of a SQLite file.
func (h *health) openProbe(path string) error {
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{
		"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {fmt.Sprintf("busy_timeout(%d)", probeWait.Milliseconds())},
	}))
	if err != nil {
		return fmt.Errorf("open database %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	h.probe = db
	return nil
}

// ping returns a *scheduler.UnreadyError when the database cannot be worked with.
func (d *database) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := d.health.moved.Load(); err != nil {
		return &scheduler.UnreadyError{Reason: scheduler.UnreadyMoved, Err: *err}
	}
	if d.file != nil {
		if free, known := freeSpace(d.file.path); known && free < leastSpace {
			return &scheduler.UnreadyError{Reason: scheduler.UnreadyDisk}
		}
	}
	if err := d.answer(ctx); err != nil {
		return &scheduler.UnreadyError{Reason: unreadyReason(err, scheduler.UnreadyDatabase), Err: err}
	}
	if err := d.health.write.Load(); err != nil {
		return &scheduler.UnreadyError{Reason: unreadyReason(*err, scheduler.UnreadyWrite), Err: *err}
	}
	if err := d.health.queue.Load(); err != nil {
		return &scheduler.UnreadyError{Reason: scheduler.UnreadyQueue, Err: *err}
	}
	return nil
}

// answer asks the database for an answer; of a SQLite file also for the right to write.
func (d *database) answer(ctx context.Context) error {
	if d.health.probe != nil {
		tx, err := d.health.probe.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("lock the database: %w", err)
		}
		if err := tx.Rollback(); err != nil { // at once: whoever has the connection below may wait for the lock
			return fmt.Errorf("unlock the database: %w", err)
		}
	}
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return &connectionError{err}
	}
	defer func() { _ = conn.Close() }()
	var one int
	if err := conn.QueryRowContext(ctx, `SELECT 1`).Scan(&one); err != nil {
		return fmt.Errorf("query the database: %w", err)
	}
	return nil
}

// A connectionError says that all connections are in use, or that none can be made.
type connectionError struct{ error }

func (e *connectionError) Unwrap() error { return e.error }

// unreadyReason says in the words of all which condition an error is of.
func unreadyReason(err error, otherwise string) string {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return scheduler.UnreadyLocked
		case sqlite3.SQLITE_FULL:
			return scheduler.UnreadyDisk
		}
		return otherwise
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch e.Code {
		case "53100":
			return scheduler.UnreadyDisk
		case "53300":
			return scheduler.UnreadyConnection
		}
	}
	if _, ok := errors.AsType[*connectionError](err); ok {
		return scheduler.UnreadyConnection
	}
	return otherwise
}

// wrote records how a write ended. What a caller no longer waited for says nothing, and
// neither does a rule of ours that was not met.
func (h *health) wrote(ctx context.Context, err error) {
	switch {
	case err == nil:
		h.write.Store(nil)
	case ctx.Err() == nil && isFault(err):
		h.write.Store(&err)
	}
}

// isFault reports whether an error is of the database itself.
func isFault(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code()&0xff != sqlite3.SQLITE_CONSTRAINT
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return !strings.HasPrefix(e.Code, "23") && !strings.HasPrefix(e.Code, "40") // constraints, and conflicts of transactions
	}
	return isLost(err)
}

// isLost reports whether the way to the database failed.
func isLost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.Is(err, context.DeadlineExceeded)
}

// Unavailable reports whether a database that could not be opened may be there soon: it
// starts, is out of reach, has no connection left, or another process has locked it.
func Unavailable(err error) bool {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		code := e.Code() & 0xff
		return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return strings.HasPrefix(e.Code, "57P") || strings.HasPrefix(e.Code, "53") || strings.HasPrefix(e.Code, "08")
	}
	return isLost(err)
}
