package main

import (
	"net"

	"github.com/spf13/cobra"
)

// newHealthcheck is what the container's HEALTHCHECK runs: it has no shell.
func newHealthcheck(e env) *cobra.Command {
	c := &cobra.Command{Use: "healthcheck", Short: "Asks the daemon of this machine whether it lives", Hidden: true}
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, port, err := net.SplitHostPort(or(e.getenv("CURFEW_LISTEN"), defaultListen))
		if err != nil {
			return usage("CURFEW_LISTEN: %w", err)
		}
		client, err := newClient(e, "http://"+net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return err
		}
		return client.Healthy(c.Context())
	}
	return c
}
