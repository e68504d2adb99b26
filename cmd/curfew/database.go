package main

import (
	"cmp"

	"github.com/spf13/cobra"

	"curfew/scheduler/daemon"
)

// databaseFlag adds --database; the function returns it once the flags are read.
func databaseFlag(c *cobra.Command, e env) func() (daemon.Database, error) {
	const name = "database"
	value := c.Flags().String(name, "curfew.db", // not the variable: help would show its password
		"SQLite `file`, or the postgres:// URL of a database that replicas share (CURFEW_DATABASE, CURFEW_DATABASE_FILE)")
	return func() (daemon.Database, error) {
		switch {
		case c.Flags().Changed(name):
			return daemon.Database{DSN: *value}, nil
		case e.getenv("CURFEW_DATABASE_FILE") == "":
			return daemon.Database{DSN: cmp.Or(e.getenv("CURFEW_DATABASE"), *value)}, nil
		}
		source, err := daemon.SecretSource(e.getenv, "CURFEW_DATABASE")
		if err != nil {
			return daemon.Database{}, err
		}
		d := daemon.Database{Renew: func() (string, error) {
			secret, err := source.Read()
			return secret.Reveal(), err
		}}
		d.DSN, err = d.Renew()
		return d, err
	}
}
