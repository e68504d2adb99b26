//go:build unix

package secret

import (
	"os"
	"path/filepath"
)

// OpenToAll reports whether every user of this machine can read a file: by its own mode, and
// by the modes of the directories above it. A file that is not there is open to nobody.
func OpenToAll(file string) bool {
	const read, enter = 0o004, 0o001
	own, err := filepath.EvalSymlinks(file)
	if err != nil || !allows(own, read) {
		return false
	}
	if own, err = filepath.Abs(own); err != nil {
		return false
	}
	for dir := filepath.Dir(own); ; dir = filepath.Dir(dir) {
		if !allows(dir, enter) {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// allows reports whether a mode allows everybody something.
func allows(path string, what os.FileMode) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&what != 0
}
