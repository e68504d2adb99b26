package store

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
)

const (
	connections    = 4 // of one replica; one more listens. They stay open: a new one costs more than a fire can wait
	connectTimeout = 5 * time.Second
)

// openPostgres opens a database that replicas share. Our statements and River's
// go through database/sql on pgx; River listens for tickets through pgx itself.
func (d *database) openPostgres(ctx context.Context, o Options) (riverdriver.Driver[*sql.Tx], error) {
	d.postgres = true
	cfg, err := parsePostgres(o.DSN)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	listen, err := pgxpool.ParseConfig(o.DSN)
	if err != nil { // only the pool's own settings are read that were not read before
		return nil, fmt.Errorf("open database %s: its settings of a pool (pool_…) cannot be read", Place(o.DSN))
	}
	for _, c := range []*pgx.ConnConfig{cfg, listen.ConnConfig} {
		if c.ConnectTimeout == 0 {
			c.ConnectTimeout = connectTimeout
		}
		c.RuntimeParams["application_name"] = d.replica
	}
	listen.MinConns, listen.MaxConns = 0, 1
	options := []stdlib.OptionOpenDB{stdlib.OptionAfterConnect(settings)}
	before, err := o.beforeConnect(d.log, cfg)
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", Place(o.DSN), err)
	}
	if before != nil {
		listen.BeforeConnect = before
		options = append(options, stdlib.OptionBeforeConnect(before))
	}
	pool, err := pgxpool.NewWithConfig(ctx, listen)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	d.closers = append(d.closers, closer(pool.Close))
	d.db = stdlib.OpenDB(*cfg, options...)
	d.db.SetMaxOpenConns(connections)
	d.db.SetMaxIdleConns(connections)
	if err := d.ping(ctx); err != nil {
		return nil, fmt.Errorf("open database %s: %w; check the address, the user and the password, and that the server runs", Place(o.DSN), err)
	}
	return riverdatabasesql.NewWithPgxListener(d.db, pool), nil
}

// settings make the plans of a connection good ones whatever the tables hold: one is made
// once for each statement, perhaps while the tables are empty or before the server has
// counted their rows. Each statement of ours finds its rows by an index.
func settings(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off`)
	return err
}

// planAgain has the statements of a transaction planned for their arguments.
func (q session) planAgain(ctx context.Context) error {
	if !q.postgres {
		return nil
	}
	_, err := q.exec(ctx, `SET LOCAL plan_cache_mode = force_custom_plan`)
	return err
}

type closer func()

func (f closer) Close() error {
	f()
	return nil
}

var _ io.Closer = closer(nil)

// migrating calls f while no other replica migrates: two that start together
// would create the same table.
func (d *database) migrating(ctx context.Context, f func() error) error {
	if !d.postgres {
		return f()
	}
	conn, err := d.db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("wait for other replicas: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, `SELECT pg_advisory_lock($1)`, int64(lockMigrations)); err != nil {
		return fmt.Errorf("wait for other replicas: %w", err)
	}
	ferr := f()
	if _, err := conn.ExecContext(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(lockMigrations)); err != nil && ferr == nil {
		return fmt.Errorf("let other replicas go on: %w", err)
	}
	return ferr
}
