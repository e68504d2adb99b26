package store

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"
	"go.uber.org/zap"
)

// Shared reports whether a DSN is of a database that replicas share, PostgreSQL.
func Shared(dsn string) bool {
	scheme, _, isURL := strings.Cut(dsn, "://")
	return isURL && (scheme == "postgres" || scheme == "postgresql")
}

// Place returns a DSN without its password, for logs and errors.
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

// credentials are the user and the password for new connections to PostgreSQL.
type credentials struct {
	renew func() (dsn string, err error)
	log   *zap.Logger

	mu             sync.Mutex // guards what follows; written before each new connection
	user, password string
}

// beforeConnect puts the newest user and password into a connection's configuration,
// and the last good ones when there is no DSN: the address and all else stay as they
// were.
func (c *credentials) beforeConnect(_ context.Context, cfg *pgx.ConnConfig) error {
	user, password, err := c.read()
	if err != nil {
		c.log.Warn("reading the user and the password of the database again failed; the last ones are used", zap.Error(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.user, c.password = user, password
	}
	cfg.User, cfg.Password = c.user, c.password
	return nil
}

// errNoURL stands for what pgx says: of a broken URL it may quote the password.
var errNoURL = errors.New("the DSN is no postgres:// URL; a password in it must be percent-encoded")

func (c *credentials) read() (user, password string, err error) {
	dsn, err := c.renew()
	if err != nil {
		return "", "", err
	}
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil || !Shared(dsn) {
		return "", "", errNoURL
	}
	return cfg.User, cfg.Password, nil
}
