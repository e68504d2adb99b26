package store

import (
	"path/filepath"

	"golang.org/x/sys/windows"
)

// shareOf returns the kind of a file system of another machine that a path is on; "" for a
// disk of this machine.
func shareOf(path string) string {
	full, err := filepath.Abs(path)
	if err != nil {
		return ""
	}
	root, err := windows.UTF16PtrFromString(filepath.VolumeName(full) + `\`)
	if err == nil && windows.GetDriveType(root) == windows.DRIVE_REMOTE {
		return "a network drive"
	}
	return ""
}

// freeSpace returns how many bytes can still be written where a file is.
func freeSpace(path string) (uint64, bool) {
	dir, err := windows.UTF16PtrFromString(filepath.Dir(path))
	if err != nil {
		return 0, false
	}
	var free uint64
	return free, windows.GetDiskFreeSpaceEx(dir, &free, nil, nil) == nil
}
