package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"curfew/scheduler/config"
)

// version is set by the linker.
var version = "devel"

func newVersion(e env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Prints the version",
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintf(e.stdout, "curfew %s (%s, %s, %s/%s)\n", version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return err
		},
	}
}

func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return "no commit"
}

func newSchema(e env) *cobra.Command {
	return &cobra.Command{
		Use: "schema", Short: "Prints the JSON Schema of the schedule file",
		RunE: func(*cobra.Command, []string) error {
			b, err := config.Schema()
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(b)
			return err
		},
	}
}
