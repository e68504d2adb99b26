package main

import (
	"cmp"

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
