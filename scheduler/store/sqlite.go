package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"go.uber.org/zap"
	"modernc.org/sqlite" // and its driver "sqlite"
)

// openSQLite opens the file of a claim, which is taken here when the caller has none.
func (d *database) openSQLite(ctx context.Context, o Options) (riverdriver.Driver[*sql.Tx], error) {
	claim, err := d.claim(o)
	if err != nil {
		return nil, err
	}
	if o.ReadOnly {
		return d.openReadOnly(claim)
	}
	if !o.Checked {
		if err := claim.QuickCheck(ctx); err != nil {
			return nil, err
		}
	}
	connector, err := sqlite.NewConnector(sqliteDSN(claim.path, url.Values{
		"mode":    {"rw"}, // a file that was deleted meanwhile is not made again, empty
		"_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(5000)"},
		"_txlock": {"immediate"},
	}))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", claim.path, err)
	}
	if claim.created {
		d.log.Info("there was no database; an empty one was made", zap.String("file", claim.path))
	}
	d.file = claim
	d.db = sql.OpenDB(keeper{connector})
	d.db.SetMaxOpenConns(1) // SQLite has one writer; a second connection only gets SQLITE_BUSY
	return riversqlite.New(d.db), d.health.openProbe(claim.path)
}

// openReadOnly opens a file that another process has.
func (d *database) openReadOnly(claim *Claim) (riverdriver.Driver[*sql.Tx], error) {
	db, err := sql.Open("sqlite", sqliteDSN(claim.path, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}}))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", claim.path, err)
	}
	db.SetMaxOpenConns(readers)
	d.db = db
	return riversqlite.New(d.db), nil
}

// readers is how many requests to a process that stands by read at a time.
const readers = 4

func (d *database) claim(o Options) (*Claim, error) {
	if o.Claim != nil {
		return o.Claim, nil
	}
	claim, err := NewClaim(o.DSN)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, claim)
	return claim, claim.Take("")
}

func sqliteDSN(path string, options url.Values) string {
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

// QuickCheck reads the whole file, and returns an error when it is damaged.
func (c *Claim) QuickCheck(ctx context.Context) error {
	if err := quickCheck(ctx, c.path); err != nil {
		return fmt.Errorf("open database %s: %w; the file is damaged or is no database of curfew's, and was left as it is: "+
			"restore it from a back-up, or move it elsewhere with its -wal and -shm files to start with an empty one", c.path, err)
	}
	return nil
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
