package main

import (
	"context"

	"github.com/spf13/cobra"

	"curfew/scheduler/web"
)

func newStatus(e env) *cobra.Command {
	return newListing(e, "status", "Shows every environment: what is wanted, what LCS shows, the next fire",
		func(ctx context.Context, c *web.Client) ([]web.Environment, error) { return c.Environments(ctx) }, printStatus)
}

func printStatus(e env, list []web.Environment) error {
	rows := make([][]string, len(list))
	for i, env := range list {
		next, run := "", ""
		if f := env.NextFire; f != nil {
			next = f.Action + " " + show(&f.At)
		}
		if r := env.Run; r != nil {
			run = r.Action + " " + r.State
		}
		rows[i] = []string{env.Name, env.Project, env.Wanted, env.Observed, show(env.ObservedAt), run, next}
	}
	return printTable(e.stdout, "ENVIRONMENT PROJECT WANTED OBSERVED SEEN RUN NEXT", rows)
}
