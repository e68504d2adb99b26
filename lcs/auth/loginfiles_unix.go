//go:build !windows

package auth

import (
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// makePrivate makes a directory that only its owner may enter.
func makePrivate(dir string) error { return os.MkdirAll(dir, 0o700) }

// replace writes a file that only its owner may read in place of another, all or
// nothing.
func replace(path string, data []byte) error {
	return renameio.WriteFile(path, data, 0o600, renameio.WithTempDir(filepath.Dir(path)), renameio.WithStaticPermissions(0o600))
}

// syncDir makes the new name of a file last beyond a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	return err
}
