package main

import (
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The end-to-end tests wait for the clock, not for a processor: all at once.
const together = "32"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != "curfew" { // as which the scripts run this binary
		flag.Parse()
		if err := flag.Set("test.parallel", together); err != nil {
			panic(err)
		}
	}
	testscript.Main(m, map[string]func(){"curfew": func() {
		os.Exit(run(context.Background(), env{os.Stdin, os.Stdout, os.Stderr, os.Getenv}, os.Args[1:]))
	}})
}

// TestScripts runs the command lines of testdata/script against their goldens.
// UPDATE_GOLDEN=1 writes the goldens again.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: os.Getenv("UPDATE_GOLDEN") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector has each command wait for a second
			return nil
		},
	})
}

// exits runs a command line and checks its exit code: exits CODE CMD ARGS…. Its
// output is written to the files stdout and stderr.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		code = exitFailed
		var failed *exec.ExitError
		if ok := asExit(err, &failed); ok {
			code = failed.ExitCode()
		}
	}
	ts.Check(writeOutputs(ts))
	if code != want {
		ts.Fatalf("%v exited %d, want %d", args[1:], code, want)
	}
}

func asExit(err error, into **exec.ExitError) bool {
	e, ok := errors.AsType[*exec.ExitError](err)
	*into = e
	return ok
}

func writeOutputs(ts *testscript.TestScript) error {
	for _, name := range []string{"stdout", "stderr"} {
		if err := os.WriteFile(ts.MkAbs(name), []byte(ts.ReadFile(name)), 0o600); err != nil {
			return err
		}
	}
	return nil
}
