// Package longtest keeps what takes long out of `make test`: CURFEW_LONG=1, which
// `make test-long` sets, runs it. CURFEW_CHAOS, of `make chaos`, implies it.
package longtest

import (
	"flag"
	"os"
	"strconv"
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

// Draw sets how many cases each property of a package is tried with in `make test`; else
// rapid's own number, or that of -rapid.checks. TestMain calls it before it runs the tests.
func Draw(short int) {
	if enabled() {
		return
	}
	if err := flag.Set("rapid.checks", strconv.Itoa(short)); err != nil {
		panic(err) // the package has no property
	}
}
