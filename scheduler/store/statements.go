package store

import (
	"context"
	"database/sql/driver"
	"errors"
)

// kept is how many statements a connection to SQLite keeps prepared.
const kept = 512

// A keeper opens connections that keep their statements: parsing the same few again
// and again would be a quarter of what a fire costs. It serves River's statements
// as well as ours. pgx does the same for PostgreSQL by itself.
type keeper struct{ driver.Connector }

// Connect opens a connection.
func (k keeper) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := k.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	c, ok := conn.(sqliteConn)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite lacks a method"), conn.Close())
	}
	return &keeping{sqliteConn: c, idle: map[string]sqliteStmt{}}, nil
}

type sqliteConn interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type sqliteStmt interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// A keeping connection has no ExecContext and no QueryContext on purpose:
// database/sql prepares each statement then, and closes it after use.
type keeping struct {
	sqliteConn
	idle map[string]sqliteStmt // by query; database/sql lets one goroutine at a time at it
}

// PrepareContext takes a kept statement that nobody uses, or prepares one.
func (c *keeping) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return &keptStmt{s, c, query}, nil
	}
	s, err := c.sqliteConn.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	full, ok := s.(sqliteStmt)
	if !ok {
		return nil, errors.Join(errors.New("the driver of SQLite lacks a method of statements"), s.Close())
	}
	return &keptStmt{full, c, query}, nil
}

// Close closes the kept statements and the connection.
func (c *keeping) Close() error {
	var errs []error
	for _, s := range c.idle {
		errs = append(errs, s.Close())
	}
	c.idle = nil
	return errors.Join(append(errs, c.sqliteConn.Close())...)
}

// Unwrap returns the driver's connection, as the driver asks of whoever wraps one.
func (c *keeping) Unwrap() driver.Conn { return c.sqliteConn }

type keptStmt struct {
	sqliteStmt
	conn  *keeping
	query string
}

// Close keeps the statement for the next use of its query.
func (s *keptStmt) Close() error {
	if _, twice := s.conn.idle[s.query]; twice || s.conn.idle == nil || len(s.conn.idle) >= kept {
		return s.sqliteStmt.Close()
	}
	s.conn.idle[s.query] = s.sqliteStmt
	return nil
}
