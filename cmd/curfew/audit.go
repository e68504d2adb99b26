package main

import (
	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/web/api"
)

func newAudit(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: "audit", Short: "Lists who changed what, newest first", Args: cobra.NoArgs}
	server := serverFlag(c, e)
	since := c.Flags().String("since", "", "only since: "+sinceForms)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		at, remote, err := sinceOf(c, e, *server, *since)
		if err != nil {
			return err
		}
		found, err := remote.Audit(c.Context(), at)
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, found)
		}
		_, screen := fileOf(c.Context(), e, remote)
		return printAudit(screen, found)
	}
	return c
}

func printAudit(s *screen, list []api.AuditEntry) error {
	t := table{columns: []column{{name: "AT"}, {name: "BY"}, {name: "ACTION"}, {name: "ENVIRONMENTS"}, {name: "FROM", spare: 1}}}
	for _, a := range list {
		names, more := namesCell(a.Environments)
		r := row{cells: []string{s.minute(&a.At), a.By, a.Action, names, a.From}, details: more}
		if a.Before != nil {
			r.details = append(r.details, "before: "+s.instants(*a.Before))
		}
		if a.After != nil {
			r.details = append(r.details, "after: "+s.instants(*a.After))
		}
		t.rows = append(t.rows, r)
	}
	return s.print(wording.Count(len(list), "change"), t)
}
