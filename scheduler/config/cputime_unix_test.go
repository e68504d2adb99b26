//go:build unix

package config

import (
	"syscall"
	"time"
)

// cpuTime is the processor time that the process has used, which other work on the
// machine does not lengthen as it does the time on the clock.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
