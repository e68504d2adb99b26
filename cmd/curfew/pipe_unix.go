//go:build !windows

package main

import "syscall"

// errClosedPipe is what a write returns when its reader has gone.
const errClosedPipe = syscall.EPIPE
