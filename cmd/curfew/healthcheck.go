package main

import (
	"cmp"
	"net"

	"github.com/spf13/cobra"
)

// newHealthcheck is what the container's HEALTHCHECK runs: it has no shell.
func newHealthcheck(e env) *cobra.Command {
	c := &cobra.Command{Use: "healthcheck", Short: "Asks the daemon of this machine whether it lives", Hidden: true}
	server := c.Flags().String("server", e.getenv("CURFEW_SERVER"), "`address` of the daemon (CURFEW_SERVER; that of CURFEW_LISTEN)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		host, port, err := net.SplitHostPort(cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen))
		if err != nil {
			return usage("CURFEW_LISTEN: %w", err)
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1" // it listens on every address of this machine
		}
		client, err := newClient(e, cmp.Or(*server, "http://"+net.JoinHostPort(host, port)))
		if err != nil {
			return err
		}
		return client.Healthy(c.Context())
	}
	return c
}
