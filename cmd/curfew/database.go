package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"curfew/lcs/auth"
	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/store"
)

// A database is where runs and logins are kept.
type database struct {
	dsn string
	// renew reads the DSN again, nil when it cannot change.
	renew func() (string, error)
}

// databaseFlag adds --database; the function returns it once the flags are read.
func databaseFlag(c *cobra.Command, e env) func() (database, error) {
	const name = "database"
	value := c.Flags().String(name, "curfew.db", // not the variable: help would show its password
		"SQLite `file`, or the postgres:// URL of a database that replicas share (CURFEW_DATABASE, CURFEW_DATABASE_FILE)")
	return func() (database, error) {
		switch {
		case c.Flags().Changed(name):
			return database{dsn: *value}, nil
		case e.getenv("CURFEW_DATABASE_FILE") == "":
			return database{dsn: cmp.Or(e.getenv("CURFEW_DATABASE"), *value)}, nil
		}
		source, err := sourceOf(e, "CURFEW_DATABASE")
		if err != nil {
			return database{}, err
		}
		d := database{renew: func() (string, error) {
			secret, err := source.Read()
			return secret.Reveal(), err
		}}
		d.dsn, err = d.renew()
		return d, err
	}
}

// open opens the database for the daemon.
func (d database) open(ctx context.Context, log *zap.Logger) (*store.Store, error) {
	return store.Open(ctx, store.Options{DSN: d.dsn, Renew: d.renew, Logger: log})
}

// logins returns the place where the logins of delegated accounts are kept: files
// next to a SQLite database, encrypted rows of a shared one. The rows are reached
// through st, or through a database that is opened here when st is nil; the
// caller closes it.
func (d database) logins(ctx context.Context, e env, st *store.Store) (auth.Logins, io.Closer, error) {
	if !store.Shared(d.dsn) {
		return auth.LoginFiles{Dir: d.tokens()}, io.NopCloser(nil), nil
	}
	keys, err := sourceOf(e, "CURFEW_SECRET_KEY")
	if err != nil {
		return nil, nil, err
	}
	keys.Lines = true
	var text secret.Secret // none is no key
	if keys.File != "" || e.getenv(keys.Env) != "" {
		text, err = keys.Read()
	}
	if err == nil {
		_, err = auth.ParseKeys(text)
	}
	if err != nil {
		return nil, nil, usage("an account of mode %s on a shared database needs CURFEW_SECRET_KEY, or CURFEW_SECRET_KEY_FILE: %w", auth.ModeDelegated, err)
	}
	var closer io.Closer = io.NopCloser(nil)
	if st == nil {
		if st, err = d.open(ctx, zap.NewNop()); err != nil {
			return nil, nil, err
		}
		closer = st
	}
	return auth.Sealed{Logins: loginRows{st}, Keys: keys.Read}, closer, nil
}

// tokens is the directory of logins, next to the database file itself.
func (d database) tokens() string {
	file := d.dsn
	if own, err := filepath.EvalSymlinks(file); err == nil {
		file = own
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		dir = filepath.Dir(file)
	}
	return filepath.Join(dir, "tokens")
}

// place says where the login of an account is kept.
func (d database) place() string {
	if store.Shared(d.dsn) {
		return store.Place(d.dsn)
	}
	return d.tokens()
}

// delegates reports whether a file has accounts that people sign in to.
func delegates(cfg *config.Config) bool {
	for _, a := range cfg.Accounts {
		if a.Mode == config.ModeDelegated {
			return true
		}
	}
	return false
}

// loginRows are the rows of a shared database, in auth's words.
type loginRows struct{ store *store.Store }

// Check reads an account's row.
func (r loginRows) Check(ctx context.Context, account string) error {
	_, _, err := r.store.Logins.Login(ctx, account)
	return err
}

// Load reads an account's row.
func (r loginRows) Load(ctx context.Context, account string) (data []byte, revision string, err error) {
	data, revision, err = r.store.Logins.Login(ctx, account)
	if err != nil {
		// It passes: the daemon waits for its database.
		return nil, "", &auth.Error{Account: account, Kind: auth.Transient, Message: err.Error()}
	}
	return data, revision, nil
}

// Save replaces an account's row.
func (r loginRows) Save(ctx context.Context, account string, data []byte, basedOn *string) (string, error) {
	revision, err := r.store.Logins.SaveLogin(ctx, account, data, basedOn)
	if errors.Is(err, scheduler.ErrStale) {
		return "", auth.ErrChanged
	}
	return revision, err
}
