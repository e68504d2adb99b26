// Package store keeps runs, calls, observations and the last tick in SQLite, and
// executes tickets with River in the same database. It is the only package that
// knows River and SQL.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"go.uber.org/zap"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"curfew/scheduler"
)

// Options say which database to open.
type Options struct {
	// DSN is the path of a SQLite file, which is created when it is missing.
	DSN    string
	Logger *zap.Logger
	// Poll is how often to look for tickets that another process, or a wait that
	// ended, made ready; 250 ms when zero.
	Poll time.Duration
}

// A Store is a scheduler.Store on one SQLite file. It is safe for concurrent use.
type Store struct {
	db     *sql.DB
	lock   *flock.Flock
	worker *worker
	queue  *river.Client[*sql.Tx]
}

var _ scheduler.Store = (*Store)(nil)

// Open opens the database, brings its tables up to date and takes its lock: one
// process may use a SQLite file at a time.
func Open(ctx context.Context, o Options) (*Store, error) {
	if scheme, _, ok := strings.Cut(o.DSN, "://"); ok {
		return nil, fmt.Errorf("open database: %s:// is not supported in this version; give the path of a SQLite file", scheme)
	}
	lock, err := acquire(o.DSN)
	if err != nil {
		return nil, err
	}
	db, err := openSQLite(ctx, o.DSN)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s := &Store{db: db, lock: lock, worker: &worker{}}
	if err := s.prepare(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", o.DSN, err), s.Close())
	}
	return s, nil
}

func acquire(path string) (*flock.Flock, error) {
	if dir := filepath.Dir(path); dir != "." {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("open database %s: create its directory: %w", path, err)
		}
	}
	lock := flock.New(path + ".lock")
	got, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("open database %s: lock it: %w; the directory must exist and be writable", path, err)
	}
	if !got {
		return nil, fmt.Errorf("open database %s: another curfew is using it; stop that one, or give this one a file of its own", path)
	}
	return lock, nil
}

func openSQLite(ctx context.Context, path string) (*sql.DB, error) {
	// Created here so that nobody else may read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	pragmas := url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"},
		"_txlock": {"immediate"},
	}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+pragmas.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	db.SetMaxOpenConns(1) // SQLite has one writer; a second connection only gets SQLITE_BUSY
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w; it is not a SQLite database that curfew can read: restore it from a back-up, or move it away to begin anew", path, err), db.Close())
	}
	return db, nil
}

func (s *Store) prepare(ctx context.Context, o Options) error {
	if err := s.migrate(ctx); err != nil {
		return err
	}
	driver := riversqlite.New(s.db)
	logger := slogTo(o.Logger)
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: logger})
	if err != nil {
		return fmt.Errorf("prepare River's tables: %w", err)
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate River's tables: %w", err)
	}
	s.queue, err = newQueue(driver, s.worker, logger, o.Poll)
	return err
}

// migrate applies each migration that the database lacks, in a transaction of its own.
func (s *Store) migrate(ctx context.Context) error {
	if _, err := s.db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS curfew_schema (version BIGINT NOT NULL)`); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	var version int
	if err := s.db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM curfew_schema`).Scan(&version); err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("the database was written by a newer curfew (schema %d, this one knows %d); run that version", version, len(migrations))
	}
	for i := version; i < len(migrations); i++ {
		err := s.tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, `INSERT INTO curfew_schema (version) VALUES (?)`, i+1)
			return err
		})
		if err != nil {
			return fmt.Errorf("migrate the schema to version %d: %w", i+1, err)
		}
	}
	return nil
}

// Close closes the database and lets the lock go. Work must have returned.
func (s *Store) Close() error {
	return errors.Join(s.db.Close(), s.lock.Close())
}

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// tx runs f in one transaction.
func (s *Store) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := f(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
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
