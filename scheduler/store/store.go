// Package store keeps runs, calls, overrides, observations, events and the last tick
// in SQLite or PostgreSQL, and hands out the tickets of projects with River in the
// same database. It is the only package that knows River and SQL.
package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river/riverdriver"
	"go.uber.org/zap"

	"curfew/scheduler/clock"
)

// Options say which database to open.
type Options struct {
	// DSN is the path of a SQLite file, which is created when it is missing, or
	// the postgres:// URL of a database that replicas share.
	DSN string
	// Renew returns the DSN again before each new connection to PostgreSQL, so that a
	// password that was rotated is used without a restart. Only its user and its
	// password are taken. An error of it is logged, and the last ones are used. Nil:
	// they never change.
	Renew func() (dsn string, err error)
	// Token returns what is the password of each new connection to PostgreSQL, nil when it is
	// in the DSN.
	Token func(context.Context) (string, error)
	// Claim is a SQLite file that the caller has taken for this process, and gives up after
	// Close. Nil: Open takes it.
	Claim *Claim
	// Checked says that the caller has done the claim's QuickCheck.
	Checked bool
	// ReadOnly reads the file of Claim while another process has it, and writes nothing. Its
	// tables must be those of this version.
	ReadOnly bool
	Logger   *zap.Logger
	// Poll is how often to read the tickets that nobody was notified of; 5 s when zero.
	// A change by this process starts its passes without them, and PostgreSQL notifies
	// of those of others.
	Poll time.Duration
	// Lease is how long a replica that shares a PostgreSQL database may be silent
	// before the others take over its passes; 45 s when zero.
	Lease time.Duration
	// Clock is the one that this process goes by, nil for one of its own: on PostgreSQL it
	// is set by the clock of the database.
	Clock *clock.Clock
}

// A Store is an open database, with one part for each concern. All are safe for
// concurrent use.
type Store struct {
	Runs         *Runs
	Passes       *Passes
	Ledger       *Ledger
	Observations *Observations
	Overrides    *Overrides
	Holds        *Holds
	Events       *Events
	Queue        *Queue
	Logins       *Logins
	Deliveries   *Deliveries
	Links        *Links
	Months       *Months
	Sessions     *Sessions
	CalendarKeys *CalendarKeys
	Updates      *Updates
	Clock        *clock.Clock // the time by which what is written is ordered

	db *database
}

const defaultLease = 45 * time.Second

// Open opens the database and brings its tables up to date. One process may use
// a SQLite file at a time; it is locked.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	host, _ := os.Hostname()
	d := &database{
		log: o.Logger.Named("store"), replica: fmt.Sprintf("%s-%d-%s", cmp.Or(host, "curfew"), os.Getpid(), uuid.NewString()[:8]),
		lease: cmp.Or(o.Lease, defaultLease), clock: cmp.Or(o.Clock, clock.New(nil)),
	}
	s, err := open(ctx, d, o)
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return s, nil
}

func open(ctx context.Context, d *database, o Options) (*Store, error) {
	var driver riverdriver.Driver[*sql.Tx]
	var err error
	if err := CheckDSN(o.DSN); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if Shared(o.DSN) {
		driver, err = d.openPostgres(ctx, o)
	} else {
		driver, err = d.openSQLite(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	logger := slogTo(o.Logger)
	prepare := d.migrateAll
	if o.ReadOnly {
		prepare = d.sameSchema
	}
	if err := prepare(ctx, driver, logger); err != nil {
		return nil, fmt.Errorf("open database %s: %w", Place(o.DSN), err)
	}
	if err := d.setClock(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w", Place(o.DSN), err)
	}
	queue, err := newQueue(d, driver, logger, o.Poll)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", Place(o.DSN), err)
	}
	t := queue.tickets
	return &Store{
		Runs: &Runs{d, t}, Passes: &Passes{d, t}, Ledger: &Ledger{d}, Observations: &Observations{d}, Overrides: &Overrides{d},
		Holds: &Holds{d, t}, Events: &Events{d}, Queue: queue, Logins: &Logins{d}, Months: &Months{d}, Sessions: &Sessions{d}, CalendarKeys: &CalendarKeys{d}, Deliveries: &Deliveries{d}, Links: &Links{d},
		Updates: &Updates{d}, Clock: d.clock, db: d,
	}, nil
}

// Close closes the database and lets its lock go. Queue.Work must have returned.
func (s *Store) Close() error { return s.db.close() }

// Ping returns a *scheduler.UnreadyError when the database cannot be worked with.
func (s *Store) Ping(ctx context.Context) error { return s.db.ping(ctx) }
