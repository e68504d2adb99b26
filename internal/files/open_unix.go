//go:build unix

package files

import "syscall"

// nonBlocking has the open of a named pipe return at once.
const nonBlocking = syscall.O_NONBLOCK
