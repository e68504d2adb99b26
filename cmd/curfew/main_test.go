package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
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
// UPDATE_GOLDEN=1 writes the goldens anew.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: os.Getenv("UPDATE_GOLDEN") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits},
	})
}
