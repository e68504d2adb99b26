package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"curfew/scheduler/zone"
)

// version is set by the linker.
var version = "devel"

func newVersion(e env) *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Prints the version, and that of the time zone data",
		RunE: func(*cobra.Command, []string) error {
			release, source := zone.Data()
			_, err := fmt.Fprintf(e.stdout, "curfew %s (%s, %s, %s/%s)\nzone data %s (%s)\n",
				version, commit(), runtime.Version(), runtime.GOOS, runtime.GOARCH, release, source)
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
