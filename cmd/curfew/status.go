package main

import (
	"github.com/spf13/cobra"

	"curfew/scheduler/web"
)

func newStatus(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: "status", Short: "Shows every environment: what is wanted, what LCS shows, the next fire"}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := newClient(e, *server)
		if err != nil {
			return err
		}
		list, err := client.Environments(c.Context())
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, list)
		}
		return printStatus(e, list)
	}
	return c
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
