package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// ErrShared means that curfew does not copy a database: PostgreSQL has its own tools.
var ErrShared = errors.New("the database is PostgreSQL's")

// copies refuses a database that curfew does not copy.
func copies(dsn string) error {
	if Shared(dsn) {
		return ErrShared
	}
	return CheckDSN(dsn)
}

// Backup writes a consistent copy of a SQLite database to a file, while a daemon uses it
// or not, and returns its size. A file that is there already is left alone. The copy has
// its name only once it is complete, checked and on the disk.
func Backup(ctx context.Context, dsn, file string) (size int64, err error) {
	if err := copies(dsn); err != nil {
		return 0, err
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("back up to %s: it exists already; name a new file", file)
	}
	if _, err := os.Stat(dsn); err != nil {
		return 0, fmt.Errorf("back up %s: %w; name the daemon's database with --database", dsn, reason(err))
	}
	part := file + ".partial"
	if err := copyTo(ctx, dsn, part); err != nil {
		return 0, fmt.Errorf("back up %s to %s: %w", dsn, file, err)
	}
	defer func() { err = errors.Join(err, removed(part)) }()
	info, err := os.Stat(part)
	if err != nil {
		return 0, fmt.Errorf("back up to %s: %w", file, err)
	}
	if err := linkOrRename(part, file); err != nil {
		return 0, fmt.Errorf("back up to %s: %w", file, reason(err))
	}
	return info.Size(), syncDir(filepath.Dir(file))
}

// Restore puts a copy in the place of the database of a daemon that is stopped, and
// returns where the old database is now, "" when there was none.
func Restore(ctx context.Context, dsn, file string, now time.Time) (old string, err error) {
	if err := copies(dsn); err != nil {
		return "", err
	}
	claim, err := newClaim(dsn)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, claim.Close()) }()
	if err := claim.Take("curfew backup --restore"); err != nil {
		if held, ok := errors.AsType[*HeldError](err); ok {
			held.Next = "stop that one"
		}
		return "", err
	}
	// NAME.lock keeps daemons out; Windows would not have an open file replaced.
	if err := claim.closeFile(); err != nil {
		return "", err
	}
	path := claim.path
	if claim.created { // for its lock alone
		if err := removed(path); err != nil {
			return "", err
		}
	}
	if err := checkCopy(ctx, file); err != nil {
		return "", fmt.Errorf("restore %s: %w; nothing was changed", file, err)
	}
	part := path + ".restoring"
	// Not a copy of the bytes: what the copy's own -wal file may hold is in it too.
	if err := copyTo(ctx, file, part); err != nil {
		return "", fmt.Errorf("restore %s: %w; nothing was changed", file, err)
	}
	defer func() { err = errors.Join(err, removed(part)) }()
	old, err = moveAside(path, now)
	if err == nil {
		err = os.Rename(part, path)
	}
	if err = errors.Join(err, syncDir(filepath.Dir(path))); err != nil {
		return old, fmt.Errorf("restore %s: put it in the place of %s: %w", file, path, err)
	}
	return old, nil
}

// moveAside renames a database, together with what its -wal file holds, and
// removes its -wal and -shm: with those of another database the next one would be
// damaged. Until the caller puts a new file there, the old one stays in its place.
func moveAside(path string, now time.Time) (string, error) {
	old := path + ".before-" + now.UTC().Format("20060102T150405.000Z")
	for _, suffix := range []string{"", "-wal"} {
		switch err := linkOrRename(path+suffix, old+suffix); {
		case suffix == "" && errors.Is(err, fs.ErrNotExist):
			return "", errors.Join(removed(path+"-wal"), removed(path+"-shm"))
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return "", fmt.Errorf("move the old database aside: %w", err)
		}
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return old, err
	}
	return old, errors.Join(removed(path+"-wal"), removed(path+"-shm"))
}

// checkCopy reports whether a file is a sound database of a version that this one knows.
func checkCopy(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err != nil {
		return reason(err)
	}
	if err := quickCheck(ctx, file); err != nil {
		return fmt.Errorf("%w; the file is damaged or is no database", err)
	}
	db, err := sql.Open("sqlite", sqliteDSN(file, url.Values{"mode": {"ro"}}))
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()
	var schema int
	if err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) FROM curfew_schema`).Scan(&schema); err != nil || schema == 0 {
		return errors.New("it is no database of curfew's")
	}
	return checkVersion(schema)
}

// copyTo writes a copy of a database to a new file that only its owner may read. A
// partial file of before, of a copy that was cut off, is written again.
func copyTo(ctx context.Context, path, part string) (err error) {
	if err := removed(part); err != nil {
		return err
	}
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) // SQLite fills an empty file
	if err != nil {
		return reason(err)
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, removed(part))
		}
	}()
	db, err := sql.Open("sqlite", sqliteDSN(path, url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}}))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, part); err != nil {
		return err
	}
	if err := quickCheck(ctx, part); err != nil {
		return fmt.Errorf("the copy is not sound: %w", err)
	}
	return f.Sync()
}

// linkOrRename lets a file have another name, which must be free. The old name stays where the
// file system has hard links.
func linkOrRename(from, to string) error {
	err := os.Link(from, to)
	if err == nil || errors.Is(err, fs.ErrExist) || errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(to); err == nil {
		return fs.ErrExist
	}
	return os.Rename(from, to)
}

// removed removes a file that may be gone already.
func removed(file string) error {
	if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncDir has a directory's names survive a power cut. Windows writes them by itself, and
// lets nobody ask for it.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// reason drops the operation and the name that os puts in front of an error.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
