package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"curfew/scheduler/web"
)

// serverFlag adds --server to a command that talks to the daemon.
func serverFlag(c *cobra.Command, e env) *string {
	return c.Flags().String("server", cmp.Or(e.getenv("CURFEW_SERVER"), "http://"+defaultListen), "`address` of the daemon (CURFEW_SERVER)")
}

func newClient(e env, server string) (*web.Client, error) {
	token, err := secretOf(e, "CURFEW_API_TOKEN")
	if err != nil {
		return nil, err
	}
	c, err := web.NewClient(server, token)
	if err != nil {
		return nil, coded{err, exitUsage}
	}
	return c, nil
}

// newListing is a command that lists what the daemon has: as JSON, or as a table.
func newListing[T any](e env, use, short string, get func(context.Context, *web.Client) ([]T, error), table func(env, []T) error) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: use, Short: short}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := newClient(e, *server)
		if err != nil {
			return err
		}
		list, err := get(c.Context(), client)
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, list)
		}
		return table(e, list)
	}
	return c
}
