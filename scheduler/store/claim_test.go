package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
