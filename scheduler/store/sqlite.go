package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"modernc.org/sqlite" // and its driver "sqlite"
)

func (d *database) openSQLite(ctx context.Context, path string) (riverdriver.Driver[*sql.Tx], error) {
	path, err := ownName(path)
	if err != nil {
		return nil, err
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, lock)
	// Created here so that nobody else may read it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open database: %w; the file and its directory must be writable", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := quickCheck(ctx, path); err != nil {
		return nil, fmt.Errorf("open database %s: %w; the file is damaged or is no database of curfew's, and was left as it is: "+
			"restore it from a back-up, or move it elsewhere with its -wal and -shm files to start with an empty one", path, err)
	}
	connector, err := sqlite.NewConnector(sqliteDSN(path, url.Values{
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"},
		"_txlock": {"immediate"},
	}))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	d.db = sql.OpenDB(keeper{connector})
	d.db.SetMaxOpenConns(1) // SQLite has one writer; a second connection only gets SQLITE_BUSY
	return riversqlite.New(d.db), nil
}

func sqliteDSN(path string, options url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

// quickCheck reads the whole file without writing to it: a damaged page is reported
// at the start, and not by the first run that meets it.
func quickCheck(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{"mode": {"ro"}}))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var result string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&result); err != nil {
		return err
	}
	if result != "ok" {
		return errors.New(result)
	}
	return nil
}

// ownName follows symbolic links, so that every name of a file has the same lock.
func ownName(path string) (string, error) {
	if own, err := filepath.EvalSymlinks(path); err == nil {
		return own, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("open database %s: create its directory: %w", path, err)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", fmt.Errorf("open database %s: %w", path, err)
	}
	return filepath.Join(dir, filepath.Base(path)), nil
}

func acquire(path string) (*flock.Flock, error) {
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
