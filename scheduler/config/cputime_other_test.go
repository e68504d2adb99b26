//go:build !unix

package config

import "time"

var started = time.Now()

// cpuTime is the time on the clock, where the system does not count processor time so.
func cpuTime() time.Duration { return time.Since(started) }
