package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
)

const defaultListen = "127.0.0.1:8080"

type serveOptions struct {
	config, listen, publicURL, logFormat, logLevel, retention string

	standby bool

	database daemon.Database
}

func newServe(e env, path *string) *cobra.Command {
	var o serveOptions
	var place func() (daemon.Database, error)
	c := &cobra.Command{
		Use: "serve", Short: "Runs the daemon",
		RunE: func(c *cobra.Command, _ []string) error {
			o.config = *path
			var err error
			if o.database, err = place(); err != nil {
				return err
			}
			return serve(c.Context(), e, o)
		},
	}
	place = databaseFlags(c, e)
	f := c.Flags()
	f.StringVar(&o.listen, "listen", cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen), "`address` to serve HTTP on (CURFEW_LISTEN)")
	f.StringVar(&o.publicURL, "public-url", e.getenv("CURFEW_PUBLIC_URL"), "`address` that people use, for links and sign-in, such as https://curfew.contoso.com (CURFEW_PUBLIC_URL)")
	hideDefault(c, "public-url")
	f.StringVar(&o.retention, "retention", cmp.Or(e.getenv("CURFEW_RETENTION"), "400d"), "how long runs and calls are kept after their end (CURFEW_RETENTION)")
	f.BoolVar(&o.standby, "standby", !slices.Contains([]string{"false", "no", "off", "0"}, strings.ToLower(e.getenv("CURFEW_STANDBY"))), "while another process uses the SQLite database, serve what can be read and take over when it ends (CURFEW_STANDBY; false: end at once)")
	logFlags(c, e, &o)
	return c
}

func logFlags(c *cobra.Command, e env, o *serveOptions) {
	f := c.Flags()
	f.StringVar(&o.logFormat, "log-format", e.getenv("CURFEW_LOG_FORMAT"), "json or console (CURFEW_LOG_FORMAT; console on a terminal, else json)")
	f.StringVar(&o.logLevel, "log-level", cmp.Or(e.getenv("CURFEW_LOG_LEVEL"), "info"), "debug, info, warn or error (CURFEW_LOG_LEVEL)")
}

func serve(ctx context.Context, e env, o serveOptions) error {
	log, err := openLog(e.stderr, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	defer log.close()
	retention, ok := config.ParseDuration(o.retention)
	if !ok || retention < shortestRetention {
		return usage("--retention: cannot keep history for %q; want a duration such as 400d, of %s at least", o.retention, plan.FormatDuration(shortestRetention))
	}
	err = daemon.Run(ctx, daemon.Options{
		Path: o.config, Listen: o.listen, PublicURL: o.publicURL, Database: o.database, Standby: o.standby, Retention: retention, Getenv: e.getenv, Logger: log.Logger, LogDropped: log.queue.Count, Version: version,
	})
	return otherFile(printed(err, log.queue), o.config)
}

// shortestRetention covers every window of the past that the engine reads.
const shortestRetention = 7 * 24 * time.Hour
