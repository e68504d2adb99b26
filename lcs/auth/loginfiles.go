package auth

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"curfew/internal/files"
)

// LoginFiles keep logins in a directory, a file for each account that only its
// owner may read. Processes may share it: a file is replaced as a whole, under a
// lock.
type LoginFiles struct{ Dir string }

var _ Logins = LoginFiles{}

const (
	lockRetry = 20 * time.Millisecond
	maxLogin  = 16 << 20 // bytes of a login: some kilobytes for each person who signed in
)

func (l LoginFiles) path(account string) string { return filepath.Join(l.Dir, account+".json") }

// Check tries the lock of an account's file, which makes the directory.
func (l LoginFiles) Check(ctx context.Context, account string) error {
	lock, err := l.lock(ctx, account)
	if err != nil {
		return err
	}
	return lock.Close()
}

// lock locks an account's file until it is closed.
func (l LoginFiles) lock(ctx context.Context, account string) (*flock.Flock, error) {
	if err := makePrivate(l.Dir); err != nil {
		return nil, fmt.Errorf("create the directory of logins: %w; %s", err, asDaemon)
	}
	lock := flock.New(l.path(account)+".lock", flock.SetPermissions(0o600))
	if _, err := lock.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("lock the login of account %s: %w; %s", account, err, asDaemon)
	}
	return lock, nil
}

// asDaemon is the usual way out of files that belong to another user.
const asDaemon = "run curfew login as the user that the daemon runs as"

// Load reads an account's file.
func (l LoginFiles) Load(_ context.Context, account string) (data []byte, revision string, err error) {
	data, err = files.Read(l.path(account), maxLogin)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", nil
	case err != nil:
		return nil, "", fmt.Errorf("read the login of account %s: %w; %s", account, err, asDaemon)
	}
	return data, digest(string(data)), nil
}

// Save replaces an account's file. What a killed process left unfinished is removed.
func (l LoginFiles) Save(ctx context.Context, account string, data []byte, basedOn *string) (revision string, err error) {
	lock, err := l.lock(ctx, account)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }()
	_, now, err := l.Load(ctx, account)
	if err != nil {
		return "", err
	}
	if basedOn != nil && *basedOn != now {
		return "", ErrChanged
	}
	l.sweep(account)
	if err := replace(l.path(account), data); err != nil {
		return "", fmt.Errorf("write the login of account %s: %w", account, err)
	}
	if err := syncDir(l.Dir); err != nil {
		return "", fmt.Errorf("keep the login of account %s: %w", account, err)
	}
	return digest(string(data)), nil
}

// sweep removes the unfinished files of killed processes: they hold tokens.
func (l LoginFiles) sweep(account string) {
	entries, err := os.ReadDir(l.Dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if rest, ok := unfinished(e.Name(), account); ok && rest != "" {
			_ = os.Remove(filepath.Join(l.Dir, e.Name()))
		}
	}
}

// unfinished reports whether a file is a temporary one of an account: digits
// are added to the name, and a dot before it.
func unfinished(name, account string) (digits string, ok bool) {
	prefix := "." + account + ".json"
	if len(name) <= len(prefix) || name[:len(prefix)] != prefix {
		return "", false
	}
	digits = name[len(prefix):]
	for _, r := range digits {
		if r < '0' || r > '9' {
			return "", false
		}
	}
	return digits, true
}
