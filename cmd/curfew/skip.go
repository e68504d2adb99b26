package main

import (
	"errors"

	"github.com/spf13/cobra"

	"curfew/scheduler/web/api"
)

func newSkip(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: "skip ENVIRONMENT…", Args: cobra.MinimumNArgs(1), Short: "Leaves out the next stop of environments",
		Long: "Leaves out the next stop of environments: an override keeps each running until its next start, or until the stop\n" +
			"after it when that comes first. Asked again, it changes nothing. curfew release takes it back.",
	}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, selectors []string) error {
		remote, names, err := clientFor(c.Context(), e, *server, selectors)
		if err != nil {
			return err
		}
		made, err := each(names, func(name string) (api.Override, error) { return remote.Skip(c.Context(), name) })
		if err != nil && len(made) == 0 {
			return err
		}
		return errors.Join(showOverrides(c.Context(), e, remote, made, form.value), err)
	}
	return c
}
