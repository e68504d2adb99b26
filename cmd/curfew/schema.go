package main

import (
	"github.com/spf13/cobra"

	"curfew/scheduler/config"
)

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
