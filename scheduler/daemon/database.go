package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"curfew/lcs/auth"
	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/identity"
	"curfew/scheduler/store"
)

// A Database is where runs and logins are kept.
type Database struct {
	DSN string
	// Renew reads the DSN again, nil when it cannot change.
	Renew func() (string, error)
	// Token returns the password of a new connection, nil when the DSN has it.
	Token func(context.Context) (string, error)
}

// isFile reports whether the database is a SQLite file.
func (d Database) isFile() bool { return !strings.Contains(d.DSN, "://") }

// options are those of opening the database.
func (d Database) options() store.Options {
	return store.Options{DSN: d.DSN, Renew: d.Renew, Token: d.Token}
}

// WithEntra returns the database with tokens of the identity of where the daemon runs as its
// password.
func (d Database) WithEntra(getenv func(string) string) (Database, error) {
	if !store.Shared(d.DSN) {
		return d, &SettingError{errors.New("--database-auth entra is for a postgres:// database; SQLite has no password")}
	}
	own, err := identity.New(identity.Options{Getenv: getenv})
	if err != nil {
		return d, &SettingError{err}
	}
	d.Token = own.DatabaseToken
	return d, nil
}

// Logins returns the place where the logins of delegated accounts are kept: files
// next to a SQLite database, encrypted rows of a shared one. The rows are reached
// through st, or through a database that is opened here when st is nil; the
// caller closes it.
func (d Database) Logins(ctx context.Context, getenv func(string) string, st *store.Store) (auth.Logins, io.Closer, error) {
	if !store.Shared(d.DSN) {
		return auth.LoginFiles{Dir: d.LoginDir()}, io.NopCloser(nil), nil
	}
	keys, err := SecretSource(getenv, "CURFEW_SECRET_KEY")
	if err != nil {
		return nil, nil, err
	}
	keys.Lines = true
	var text secret.Secret // none is no key
	if keys.File != "" || getenv(keys.Env) != "" {
		text, err = keys.Read()
	}
	if err == nil {
		_, err = auth.ParseKeys(text)
	}
	if err != nil {
		return nil, nil, &SettingError{fmt.Errorf("an account of mode %s on a shared database needs CURFEW_SECRET_KEY, or CURFEW_SECRET_KEY_FILE: %w", auth.ModeDelegated, err)}
	}
	var closer io.Closer = io.NopCloser(nil)
	if st == nil {
		if st, err = store.Open(ctx, d.options()); err != nil {
			return nil, nil, err
		}
		closer = st
	}
	return auth.Sealed{Logins: loginRows{st}, Keys: keys.Read}, closer, nil
}

// LoginDir is the directory of logins, next to the database file itself.
func (d Database) LoginDir() string {
	file := d.DSN
	if own, err := filepath.EvalSymlinks(file); err == nil {
		file = own
	}
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		dir = filepath.Dir(file)
	}
	return filepath.Join(dir, "tokens")
}

// LoginPlace says where the login of an account is kept.
func (d Database) LoginPlace() string {
	if store.Shared(d.DSN) {
		return store.Place(d.DSN)
	}
	return d.LoginDir()
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
