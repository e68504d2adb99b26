package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"curfew/lcs/secret"
	"curfew/scheduler/daemon"
	"curfew/scheduler/store"
)

// databaseFlag adds --database; the function returns it once the flags are read.
func databaseFlag(c *cobra.Command, e env) func() (daemon.Database, error) {
	const name = "database"
	value := c.Flags().String(name, "curfew.db", // not the variable: help would show its password
		"SQLite `file`, or the postgres:// URL of a database that replicas share (CURFEW_DATABASE, CURFEW_DATABASE_FILE)")
	return func() (daemon.Database, error) {
		d, err := databaseOf(c.Flags().Changed(name), *value, e)
		if err != nil {
			return d, err
		}
		secret.Hide(store.Passwords(d.DSN)...)
		if err := store.CheckDSN(d.DSN); err != nil {
			return d, coded{fmt.Errorf("--database, CURFEW_DATABASE or CURFEW_DATABASE_FILE: %w", err), exitUsage}
		}
		return d, nil
	}
}

// databaseOf returns the database of the flag where it is given, else that of a variable.
func databaseOf(given bool, value string, e env) (daemon.Database, error) {
	switch {
	case given:
		return daemon.Database{DSN: value}, nil
	case e.getenv("CURFEW_DATABASE_FILE") == "":
		return daemon.Database{DSN: cmp.Or(e.getenv("CURFEW_DATABASE"), value)}, nil
	}
	source, err := daemon.SecretSource(e.getenv, "CURFEW_DATABASE")
	if err != nil {
		return daemon.Database{}, err
	}
	source.Parts = store.Passwords
	d := daemon.Database{Renew: func() (string, error) {
		secret, err := source.Read()
		return secret.Reveal(), err
	}}
	d.DSN, err = d.Renew()
	return d, err
}
