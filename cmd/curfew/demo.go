package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"curfew/scheduler/daemon"
	"curfew/scheduler/daemon/demo"
)

func newDemo(e env) *cobra.Command {
	o := serveOptions{}
	c := &cobra.Command{
		Use: "demo", Short: "Runs the daemon with a built-in LCS simulator; no credentials needed",
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c.Context(), e, o) },
	}
	c.Flags().StringVar(&o.listen, "listen", cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen), "`address` to serve HTTP on (CURFEW_LISTEN)")
	logFlags(c, e, &o)
	return c
}

func runDemo(ctx context.Context, e env, o serveOptions) error {
	log, err := openLog(e.stderr, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	defer log.close()
	return demo.Run(ctx, daemon.Options{Listen: o.listen, Getenv: e.getenv, Logger: log.Logger, LogDropped: log.queue.Count, Version: version})
}
