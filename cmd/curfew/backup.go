package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/daemon"
	"curfew/scheduler/store"
)

func newBackup(e env) *cobra.Command {
	var restore bool
	c := &cobra.Command{
		Use: "backup FILE", Args: cobra.ExactArgs(1), Short: "Writes a copy of the daemon's SQLite database, or puts one back",
		Long: "Writes a consistent copy of the daemon's SQLite database to a new file, while the daemon runs or not.\n" +
			"With --restore it puts such a copy in the place of a stopped daemon's database, whose old one is kept next to it.\n" +
			"The logins of delegated accounts are in the folder tokens next to the database; copy it as well.",
	}
	c.Flags().BoolVar(&restore, "restore", false, "put FILE in the place of the database of a daemon that is stopped")
	place := databaseFlags(c, e)
	c.RunE = func(c *cobra.Command, files []string) error {
		db, err := place()
		if err != nil {
			return err
		}
		if restore {
			err = restoreBackup(c, e, db, files[0])
		} else {
			err = backup(c, e, db, files[0])
		}
		if errors.Is(err, store.ErrShared) {
			return usage("the database is PostgreSQL's, which copies itself: %s", postgresCopies)
		}
		return err
	}
	return c
}

const postgresCopies = `back up with: pg_dump --format=custom --file=curfew.dump "$CURFEW_DATABASE"; ` +
	`restore, with every replica stopped, with: pg_restore --clean --if-exists --dbname="$CURFEW_DATABASE" curfew.dump`

func backup(c *cobra.Command, e env, db daemon.Database, file string) error {
	size, err := store.Backup(c.Context(), db.DSN, file)
	if err != nil {
		return err
	}
	const mib = 1 << 20
	_, err = fmt.Fprintf(e.stdout, "%s is a copy of %s (%.1f MiB)\n", file, db.DSN, float64(size)/mib)
	if _, none := os.Stat(db.LoginDir()); none == nil && err == nil {
		_, err = fmt.Fprintf(e.stdout, "the logins of delegated accounts are not in it; copy %s too, or people must sign in again\n", db.LoginDir())
	}
	return err
}

func restoreBackup(c *cobra.Command, e env, db daemon.Database, file string) error {
	old, err := store.Restore(c.Context(), db.DSN, file, time.Now())
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "%s is in the place of %s; start the daemon\n", file, db.DSN)
	if old != "" && err == nil {
		_, err = fmt.Fprintf(e.stdout, "the database that was there is %s now; remove it once all is well\n", old)
	}
	return err
}
