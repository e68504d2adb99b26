// Package longtest keeps what takes long out of `make test`: CURFEW_LONG=1, which
// `make test-long` sets, runs it. CURFEW_CHAOS, of `make chaos`, implies it.
package longtest

import (
	"os"
	"testing"
)

func enabled() bool { return os.Getenv("CURFEW_LONG") != "" || os.Getenv("CURFEW_CHAOS") != "" }

// Only skips a test that takes long.
func Only(t testing.TB) {
	t.Helper()
	if !enabled() {
		t.Skip("takes long: make test-long runs it")
	}
}

// Or returns how much of a test is run: short in `make test`, else long.
func Or[T any](short, long T) T {
	if enabled() {
		return long
	}
	return short
}
