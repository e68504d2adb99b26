//go:build unix

package store

import (
	"os"
	"syscall"
)

// nonBlocking has the open of a named pipe return at once.
const nonBlocking = syscall.O_NONBLOCK

// links counts the names of a file.
func links(_ *os.File, info os.FileInfo) uint64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Nlink) //nolint:unconvert // fewer bits on other systems
	}
	return 1
}
