//go:build unix

package daemon

import "syscall"

// openFiles returns how many descriptors the process may have. Go has raised the limit to
// the hard one by now.
func openFiles() int {
	const usual, plenty = 1024, 1 << 20
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return usual
	}
	return int(min(limit.Cur, plenty))
}
