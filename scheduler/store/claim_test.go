package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"

	"curfew/scheduler"
	"curfew/scheduler/store"
)

// used opens a database that one process uses, and returns the path of its file.
func used(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "curfew.db")
	s, err := store.Open(t.Context(), store.Options{DSN: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return path
}

func TestOneFileHasOneDaemonWhateverItsNames(t *testing.T) {
	tests := []struct {
		name string
		do   func(path string) (second string, err error)
		want string
	}{
		{"its .lock file was removed", func(path string) (string, error) { return path, os.Remove(path + ".lock") }, "another curfew is using it"},
		{"a hard link in the same directory", func(path string) (string, error) {
			return path + ".2", os.Link(path, path+".2")
		}, "has another name"},
		{"a hard link in another directory", func(path string) (string, error) {
			other := filepath.Join(filepath.Dir(path), "other", "curfew.db")
			if err := os.Mkdir(filepath.Dir(other), 0o700); err != nil {
				return "", err
			}
			return other, os.Link(path, other)
		}, "has another name"},
		{"its directory was renamed", func(path string) (string, error) {
			dir := filepath.Dir(path) + "-moved"
			return filepath.Join(dir, "curfew.db"), os.Rename(filepath.Dir(path), dir)
		}, "another curfew is using it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			second, err := tt.do(used(t))
			if err != nil {
				t.Fatal(err)
			}
			s, err := store.Open(t.Context(), store.Options{DSN: second})
			if err == nil {
				_ = s.Close()
				t.Fatalf("Open of %s by a second daemon returned no error", second)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %q, want it to say %q", err, tt.want)
			}
		})
	}
}

func TestLockOfAVersionBeforeCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	before := flock.New(path + ".lock") // all that it locks
	if got, err := before.TryLock(); err != nil || !got {
		t.Fatalf("TryLock = %v, %v", got, err)
	}
	defer before.Close()
	s, err := store.Open(t.Context(), store.Options{DSN: path})
	if held, ok := errors.AsType[*store.HeldError](err); !ok || held.By != "" {
		if err == nil {
			_ = s.Close()
		}
		t.Errorf("Open next to an older version = %v, want a HeldError that names nobody", err)
	}
}

func TestRemovedLockFileIsLockedAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	c, err := store.NewClaim(path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Take("process 1 on example"); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	if got, err := flock.New(path + ".lock").TryLock(); err != nil || got {
		t.Errorf("an older version locks the file that was removed: %v, %v; want it locked", got, err)
	}
	if text := readFile(t, path+".lock"); !strings.HasPrefix(text, "process 1 on example, since ") {
		t.Errorf("the lock file says %q, want who has it", text)
	}
}

func TestClaimSaysWhoHasTheFileAndWhoWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "curfew.db")
	first, second := claim(t, path), claim(t, path)
	if err := first.Take("process 1 on example"); err != nil {
		t.Fatal(err)
	}
	var held *store.HeldError
	if err := second.Take(""); !errors.As(err, &held) || !strings.HasPrefix(held.By, "process 1 on example, since ") {
		t.Errorf("Take = %v, want a HeldError that names the first process", err)
	}
	if first.Awaited() {
		t.Error("Awaited() = true, and nobody waits")
	}
	second.Wait()
	if !first.Awaited() {
		t.Error("Awaited() = false, and somebody waits")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := second.Take("process 2"); err != nil {
		t.Fatalf("Take of a file that was given up = %v", err)
	}
	if second.Awaited() {
		t.Error("Awaited() = true for the process that waited itself")
	}
}

func claim(t *testing.T, path string) *store.Claim {
	t.Helper()
	c, err := store.NewClaim(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestFileThatIsNotTheOneAnyMoreEndsTheWork(t *testing.T) {
	tests := []struct {
		name  string
		do    func(path string) error
		saved bool // there is a place for a copy
		want  string
	}{
		{"deleted", os.Remove, true, "was deleted or moved away"},
		{"renamed", func(path string) error { return os.Rename(path, path+".old") }, true, "was deleted or moved away"},
		{"replaced", func(path string) error {
			return errors.Join(os.WriteFile(path+".new", nil, 0o600), os.Rename(path+".new", path))
		}, true, "was replaced by another file"},
		{"its directory was renamed", func(path string) error {
			return os.Rename(filepath.Dir(path), filepath.Dir(path)+"-moved")
		}, false, "was deleted or moved away"},
		{"its directory was replaced", func(path string) error {
			dir := filepath.Dir(path)
			return errors.Join(os.Rename(dir, dir+"-moved"), os.Mkdir(dir, 0o700), os.WriteFile(path, nil, 0o600))
		}, true, "was replaced by another file"},
		{"its -wal file was deleted", func(path string) error { return os.Remove(path + "-wal") }, true, "-wal, which holds the latest changes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "state", "curfew.db")
			s, err := store.Open(t.Context(), store.Options{DSN: path})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if err := s.Exec(t.Context(), `CREATE TABLE kept (n INTEGER)`, `INSERT INTO kept VALUES (7)`); err != nil {
				t.Fatal(err)
			}
			if err := tt.do(path); err != nil {
				t.Fatal(err)
			}
			err = s.Watch(t.Context())
			if !errors.Is(err, store.ErrMoved) || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "curfew backup --restore") {
				t.Errorf("Watch = %v, want an ErrMoved that says %q and how to go on", err, tt.want)
			}
			if u, ok := errors.AsType[*scheduler.UnreadyError](s.Ping(t.Context())); !ok || u.Reason != scheduler.UnreadyMoved {
				t.Errorf("Ping = %v, want %q", u, scheduler.UnreadyMoved)
			}
			copies, err := filepath.Glob(path + ".saved-*Z")
			if err != nil || len(copies) != map[bool]int{true: 1}[tt.saved] {
				t.Fatalf("copies = %v, %v; want one: %v", copies, err, tt.saved)
			}
			for _, file := range copies {
				if n := number(t, file); n != 7 {
					t.Errorf("the copy holds %d, want what was written, 7", n)
				}
			}
		})
	}
}

// number reads the number that the test above writes.
func number(t *testing.T, file string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT n FROM kept`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
