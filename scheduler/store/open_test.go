package store_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"curfew/scheduler/store"
)

func TestOpenTellsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	inUse := filepath.Join(dir, "used.db")
	first, err := store.Open(t.Context(), store.Options{DSN: inUse})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	link, linked := filepath.Join(dir, "link.db"), filepath.Join(t.TempDir(), "folder")
	for from, to := range map[string]string{link: inUse, linked: dir} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	garbage := filepath.Join(dir, "garbage.db")
	writeFile(t, garbage, strings.Repeat("this is no database\n", 400))
	tests := []struct{ name, dsn, want string }{
		{"a second daemon on one file", inUse, "another curfew is using it"},
		{"a second daemon by another name of the file", link, "another curfew is using it"},
		{"a second daemon by another name of the folder", filepath.Join(linked, "used.db"), "another curfew is using it"},
		{"a file that is no database", garbage, "restore it from a back-up"},
		{"a directory", dir, "open database"},
		{"another kind of database", "mysql://localhost/curfew", "mysql:// is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Options{DSN: tt.dsn})
			if err == nil {
				_ = s.Close()
				t.Fatal("Open gave no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %q, want it to say %q", err, tt.want)
			}
		})
	}
	if got := readFile(t, garbage); got != strings.Repeat("this is no database\n", 400) {
		t.Error("the file that is no database was changed")
	}
}
