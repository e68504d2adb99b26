//go:build unix

package secret_test

import (
	"os"
	"path/filepath"
	"testing"

	"curfew/lcs/secret"
)

func TestFilesThatEveryUserCanRead(t *testing.T) {
	if !secret.OpenToAll(os.TempDir()) {
		t.Skip("nothing in the temporary directory is open to all")
	}
	top, err := os.MkdirTemp("", "curfew-open-") //nolint:usetesting // its directory above is open to nobody else
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(top) })
	file, link := filepath.Join(top, "lcs-password"), filepath.Join(top, "link")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("lcs-password", link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		dir, file os.FileMode
		want      bool
	}{
		{"read by its owner alone", 0o755, 0o600, false},
		{"read by its group", 0o755, 0o640, false},
		{"read by all", 0o755, 0o644, true},
		{"read by all in a directory that others cannot enter", 0o750, 0o644, false},
		{"written by all, read by its owner alone", 0o755, 0o602, false},
	}
	for _, tt := range tests {
		if err := os.Chmod(file, tt.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(top, tt.dir); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{file, link} {
			if got := secret.OpenToAll(path); got != tt.want {
				t.Errorf("%s: OpenToAll(%s) = %t, want %t", tt.name, filepath.Base(path), got, tt.want)
			}
		}
	}
	if secret.OpenToAll(filepath.Join(top, "nothing")) {
		t.Error("a file that is not there is open to all")
	}
}
