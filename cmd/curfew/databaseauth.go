package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"curfew/scheduler/daemon"
)

// databaseFlags adds --database, and --database-auth, which says how to sign in to it; the
// function returns the database once the flags are read.
func databaseFlags(c *cobra.Command, e env) func() (daemon.Database, error) {
	place := databaseFlag(c, e)
	auth := c.Flags().String("database-auth", cmp.Or(e.getenv("CURFEW_DATABASE_AUTH"), "password"),
		"password, or entra: PostgreSQL by a token of the managed or workload identity (CURFEW_DATABASE_AUTH)")
	return func() (daemon.Database, error) {
		d, err := place()
		switch {
		case err != nil || *auth == "password":
			return d, err
		case *auth == "entra":
			return d.WithEntra(e.getenv)
		}
		return d, usage("--database-auth: unknown way %q to sign in to the database; want password or entra", *auth)
	}
}
