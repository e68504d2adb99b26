//go:build !linux && !windows

package store

import (
	"path/filepath"

	"golang.org/x/sys/unix"
)

// shareOf returns the kind of a file system of another machine that a path is on; "" for a
// disk of this machine.
func shareOf(path string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(filepath.Dir(path), &s); err != nil || s.Flags&unix.MNT_LOCAL != 0 {
		return ""
	}
	return unix.ByteSliceToString(s.Fstypename[:])
}

// freeSpace returns how many bytes can still be written where a file is.
func freeSpace(path string) (uint64, bool) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, false
	}
	return s.Bavail * uint64(s.Bsize), true
}
