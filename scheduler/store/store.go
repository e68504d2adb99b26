// Package store keeps runs, calls, overrides, observations and the last tick in
// SQLite or PostgreSQL, and executes tickets with River in the same database. It
// is the only package that knows River and SQL.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"

	"curfew/scheduler"
)

// Options say which database to open.
type Options struct {
	// DSN is the path of a SQLite file, which is created when it is missing, or
	// the postgres:// URL of a database that replicas share.
	DSN string
	// Renew gives the DSN anew before each new connection to PostgreSQL, so that a
	// password that was rotated is used without a restart. Only its user and its
	// password are taken. What it gives as an error is logged, and the last ones
	// are used. Nil: they never change.
	Renew  func() (dsn string, err error)
	Logger *zap.Logger
	// Poll is how often to look for tickets that another process, or a wait that
	// ended, made ready; 250 ms when zero, 1 s with PostgreSQL.
	Poll time.Duration
	// Lease is how long a replica that shares a PostgreSQL database may be silent
	// before the others take over its tickets; 45 s when zero.
	Lease time.Duration
}

// A Store is a scheduler.Store on one database. It is safe for concurrent use.
type Store struct {
	db       *sql.DB
	postgres bool
	closers  []io.Closer // what is closed after db
	log      *zap.Logger
	replica  string // of this process, in River's tables and in ours
	lease    time.Duration
	worker   *worker
	queue    *river.Client[*sql.Tx]

	mu     sync.Mutex                // guards inHand
	inHand map[scheduler.Ticket]bool // tickets that steps of this process have
}

var _ scheduler.Store = (*Store)(nil)

const defaultLease = 45 * time.Second

// Open opens the database and brings its tables up to date. One process may use
// a SQLite file at a time; it is locked.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	host, _ := os.Hostname()
	s := &Store{
		log: o.Logger.Named("store"), replica: fmt.Sprintf("%s-%d-%s", cmp.Or(host, "curfew"), os.Getpid(), uuid.NewString()[:8]),
		lease: cmp.Or(o.Lease, defaultLease), inHand: map[scheduler.Ticket]bool{},
	}
	s.worker = &worker{hand: s.hand}
	scheme, _, isURL := strings.Cut(o.DSN, "://")
	var driver riverdriver.Driver[*sql.Tx]
	var err error
	switch {
	case !isURL:
		driver, err = s.openSQLite(ctx, o.DSN)
	case Shared(o.DSN):
		driver, err = s.openPostgres(ctx, o)
	default:
		err = fmt.Errorf("open database: %s:// is not supported; give the path of a SQLite file, or a postgres:// URL", scheme)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.prepare(ctx, driver, o); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", Place(o.DSN), err), s.Close())
	}
	return s, nil
}

// Place gives a DSN without its password, for logs and errors.
func Place(dsn string) string {
	scheme, rest, ok := strings.Cut(dsn, "://")
	if !ok {
		return dsn
	}
	from := 0
	if i := strings.IndexAny(rest, "@/"); i >= 0 && rest[i] == '@' {
		from = i // as pgx reads it: there may be a question mark in the password
	}
	if i := strings.Index(rest[from:], "?"); i >= 0 {
		rest = rest[:from+i] // parameters may carry a password too
	}
	end := strings.LastIndex(rest, "@")
	if end < 0 {
		return scheme + "://" + rest
	}
	user, _, _ := strings.Cut(rest[:end], ":")
	return scheme + "://" + user + ":REDACTED@" + rest[end+1:]
}

// prepare brings the tables up to date and makes River's client.
func (s *Store) prepare(ctx context.Context, driver riverdriver.Driver[*sql.Tx], o Options) error {
	logger := slogTo(o.Logger)
	err := s.migrating(ctx, func() error {
		if err := s.migrate(ctx); err != nil {
			return err
		}
		return migrateRiver(ctx, driver, logger)
	})
	if err != nil {
		return err
	}
	s.queue, err = s.newQueue(driver, logger, o.Poll)
	return err
}

// Close closes the database and lets its lock go. Work must have returned.
func (s *Store) Close() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	for _, c := range s.closers {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// pingTimeout is how long a database may take before the daemon is not ready.
const pingTimeout = 3 * time.Second

// Ping tells whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	var one int
	if err := s.read().row(ctx, `SELECT 1`).Scan(&one); err != nil {
		return fmt.Errorf("ask the database: %w", err)
	}
	return nil
}

// newID gives an id that sorts by the instant it was made.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}
