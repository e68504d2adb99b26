package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/gofrs/flock"

	"curfew/internal/files"
)

// A HeldError says that another process uses a SQLite file.
type HeldError struct {
	Path string
	By   string // which process it is, in words; "" when it does not say
	Next string // what to do, when it is not what a daemon does
}

func (e *HeldError) Error() string {
	by := "another curfew is using it"
	if e.By != "" {
		by += " (" + e.By + ")"
	}
	return fmt.Sprintf("open database %s: %s; %s", e.Path, by, cmp.Or(e.Next, "stop that one, or give this one a file of its own"))
}

// ErrMoved means that a database's name does not stand for the file any more that was opened.
var ErrMoved = errors.New("the file of the database is not the one any more that was opened")

// A Claim is the use of a SQLite file, which one process at a time has. What it locks is the
// file itself: each of its names, and a new file of the same name, lead to the right one.
// The file NAME.lock is locked in addition, as versions before locked nothing else.
type Claim struct {
	name    string      // as it was given, absolute
	path    string      // the file's own name, without symbolic links
	file    *os.File    // stays open while SQLite has the file open: closing any descriptor drops SQLite's own locks
	info    os.FileInfo // of file
	created bool
	waiting *flock.Flock // locked by those who wait for the file, together

	mu     sync.Mutex // guards what follows; written by Take, Check and Close
	legacy *flock.Flock
	who    string // this process, in words; "" until it has the file
}

// NewClaim opens a SQLite file, which is created when it is missing, and takes no lock yet. A
// file whose locks cannot be trusted is refused, and one that has several names.
func NewClaim(dsn string) (*Claim, error) {
	c, err := newClaim(dsn)
	if err != nil {
		return nil, err
	}
	if links(c.file, c.info) > 1 {
		err = fmt.Errorf("open database %s: the file has another name too (a hard link), and SQLite keeps what is not in it yet next to one of them; "+
			"remove the other name, or give a file of its own", c.path)
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func newClaim(dsn string) (*Claim, error) {
	path, err := ownName(dsn)
	if err != nil {
		return nil, err
	}
	if err := refuseShare(path); err != nil {
		return nil, err
	}
	c := &Claim{path: path, legacy: newFlock(path + ".lock"), waiting: newFlock(path + ".standby")}
	if c.name, err = filepath.Abs(dsn); err != nil {
		return nil, fmt.Errorf("open database %s: %w", dsn, err)
	}
	if err := c.open(); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// newFlock is a lock file; a named pipe in its place keeps nobody.
func newFlock(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDONLY|nonBlocking))
}

// open opens the file. It is created so that nobody else may read it.
func (c *Claim) open() error {
	_, err := os.Stat(c.path)
	c.created = errors.Is(err, fs.ErrNotExist)
	if c.file, err = os.OpenFile(c.path, os.O_CREATE|os.O_RDWR|nonBlocking, 0o600); err != nil {
		return fmt.Errorf("open database: %w; the directory must exist and be writable, and the file too", err)
	}
	if c.info, err = c.file.Stat(); err != nil {
		return fmt.Errorf("open database: %w", err)
	}
	if !c.info.Mode().IsRegular() {
		return fmt.Errorf("open database %s: it is no regular file; give the path of a file", c.path)
	}
	return nil
}

// Take takes the file for this process, which who describes to the others in a few words. It
// returns a *HeldError while another process has it.
func (c *Claim) Take(who string) error {
	got, err := tryFlock(c.legacy.TryLock)
	if err != nil {
		return fmt.Errorf("open database %s: lock it: %w; the directory must exist and be writable", c.path, err)
	}
	if !got {
		return c.held()
	}
	switch got, err = lockFile(c.file); {
	case err != nil:
		err = fmt.Errorf("open database %s: lock it: %w", c.path, err)
	case !got:
		err = c.held()
	default:
		err = c.same()
	}
	if err != nil {
		return errors.Join(err, unlockFile(c.file), c.legacy.Unlock())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who = cmp.Or(who, fmt.Sprintf("process %d", os.Getpid()))
	c.sign()
	return nil
}

// tryFlock has a system that answers "permission denied" to a lock that another process holds
// mean just that.
func tryFlock(try func() (bool, error)) (bool, error) {
	got, err := try()
	if _, opening := errors.AsType[*fs.PathError](err); err != nil && !opening && errors.Is(err, syscall.EACCES) {
		return false, nil
	}
	return got, err
}

// mostWho bounds what is read of another process's own description.
const mostWho = 200

// sign says in NAME.lock who has the file: for people, so nothing depends on it. mu is held.
func (c *Claim) sign() {
	_ = os.WriteFile(c.legacy.Path(), []byte(c.who+", since "+time.Now().UTC().Format(time.RFC3339)), 0o600)
}

func (c *Claim) held() *HeldError {
	e := &HeldError{Path: c.path}
	b, err := files.Read(c.legacy.Path(), mostWho)
	if err != nil || len(b) > mostWho {
		return e
	}
	e.By = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(string(b), ""))
	return e
}

// Check reports with an ErrMoved whether the name still stands for the file. It locks NAME.lock
// again where somebody removed that.
func (c *Claim) Check() error {
	if err := c.same(); err != nil {
		return err
	}
	c.keepLegacy()
	return nil
}

func (c *Claim) same() error {
	now, err := os.Stat(c.name)
	what := "was replaced by another file"
	switch {
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR):
		what = "was deleted or moved away"
	case err != nil:
		return fmt.Errorf("check the file of the database: %w", err)
	case os.SameFile(now, c.info):
		return nil
	}
	return fmt.Errorf("the database %s %s while it was in use: %w", c.name, what, ErrMoved)
}

// keepLegacy locks NAME.lock again when it was removed: for versions before, it is all there is.
func (c *Claim) keepLegacy() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.legacy.Locked() {
		return
	}
	mine, err := c.legacy.Stat()
	if err != nil {
		return
	}
	if now, err := os.Stat(c.legacy.Path()); err == nil && os.SameFile(mine, now) {
		return
	}
	again := newFlock(c.legacy.Path())
	if got, err := tryFlock(again.TryLock); err == nil && got {
		_ = c.legacy.Close()
		c.legacy = again
		c.sign()
	}
}

// Wait says to the process that has the file that this one waits for it, until Close or
// until Take succeeds.
func (c *Claim) Wait() { _, _ = tryFlock(c.waiting.TryRLock) }

// Awaited reports whether another process waits for the file.
func (c *Claim) Awaited() bool {
	if _, err := os.Stat(c.waiting.Path()); err != nil {
		return false
	}
	got, err := tryFlock(c.waiting.TryLock)
	if got {
		_ = c.waiting.Unlock()
	}
	return err == nil && !got
}

// closeFile gives up the lock of the file and leaves that of NAME.lock.
func (c *Claim) closeFile() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}

// Close gives the file up. SQLite must have closed it.
func (c *Claim) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	err := c.closeFile()
	if c.who != "" {
		_ = os.Truncate(c.legacy.Path(), 0) // a version before, which may be next, does not sign
	}
	return errors.Join(err, c.waiting.Close(), c.legacy.Close())
}
