package main

import (
	"cmp"
	"net"

	"github.com/spf13/cobra"

	"curfew/lcs/remote"
	"curfew/scheduler/web/client"
)

// newHealthcheck is what the container's HEALTHCHECK runs: it has no shell.
func newHealthcheck(e env) *cobra.Command {
	c := &cobra.Command{Use: "healthcheck", Short: "Asks the daemon of this machine whether it lives", Hidden: true}
	server := c.Flags().String("server", e.getenv("CURFEW_SERVER"), "`address` of the daemon (CURFEW_SERVER; that of CURFEW_LISTEN)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		host, port, fault := remote.Listener(cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen))
		if fault != "" {
			return usage("CURFEW_LISTEN cannot be used: %s; want an address such as %s", fault, defaultListen)
		}
		if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1" // it listens on every address of this machine
		}
		asking, err := client.New(cmp.Or(*server, "http://"+net.JoinHostPort(host, port)), client.Token{}) // health is for everybody
		if err != nil {
			return coded{err, exitUsage}
		}
		return asking.Healthy(c.Context())
	}
	return c
}
