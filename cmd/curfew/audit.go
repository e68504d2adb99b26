package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newAudit(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: "audit", Short: "Lists who changed what, newest first", Args: cobra.NoArgs}
	server := serverFlag(c, e)
	since := c.Flags().String("since", "", "only since: 24h, 7d, "+instantForms)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		at, err := parseSince(c, *since, time.Now())
		if err != nil {
			return err
		}
		client, err := newClient(e, *server)
		if err != nil {
			return err
		}
		found, err := client.Audit(c.Context(), at)
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, found)
		}
		rows := make([][]string, len(found))
		for i, a := range found {
			rows[i] = []string{show(&a.At), a.By, a.From, a.Action, strings.Join(a.Environments, ","), text(a.Before), text(a.After)}
		}
		return printTable(e.stdout, "AT BY FROM ACTION ENVIRONMENTS BEFORE AFTER", rows)
	}
	return c
}
