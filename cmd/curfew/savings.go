package main

import (
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"curfew/scheduler/report"
	"curfew/scheduler/web/api"
)

func newSavings(e env) *cobra.Command {
	form := newOutput("table", "json", "csv")
	c := &cobra.Command{
		Use: "savings", Short: "Says how long environments were off, and what that saved",
		Long: "Says how long LCS showed each environment stopped, what that saved against one that is always on, and what was lost to stops that failed and to overrides.",
		Args: cobra.NoArgs,
	}
	server := serverFlag(c, e)
	since := c.Flags().String("since", "30d", "since when: "+sinceForms)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		at, remote, err := sinceOf(c, e, *server, *since)
		if err != nil {
			return err
		}
		found, err := remote.Savings(c.Context(), at)
		if err != nil {
			return err
		}
		switch form.value {
		case "json":
			return printJSON(e.stdout, found)
		case "csv":
			return writeSavings(e.stdout, found)
		}
		_, screen := fileOf(c.Context(), e, remote)
		return printSavings(screen, found)
	}
	return c
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func savingsCells(name string, sums api.Sums) []string {
	return []string{name, number(sums.HoursOff), number(sums.Saved), number(sums.LostFailed), number(sums.LostOverrides)}
}

// writeSavings prints the sums for a spreadsheet.
func writeSavings(w io.Writer, s api.Savings) error {
	lines := make([]report.Line, len(s.Environments))
	for i, one := range s.Environments {
		lines[i] = report.Line{Name: one.Name, Sums: report.Sums(one.Sums)}
	}
	return report.WriteCSV(w, s.Currency, lines)
}

func printSavings(s *screen, found api.Savings) error {
	t := table{columns: []column{{name: "ENVIRONMENT"}, {name: "HOURS OFF"}, {name: "SAVED"}, {name: "LOST: FAILED"}, {name: "LOST: OVERRIDES"}}}
	for _, one := range found.Environments {
		t.rows = append(t.rows, row{cells: savingsCells(one.Name, one.Sums)})
	}
	t.rows = append(t.rows, row{cells: savingsCells("total", found.Sums)})
	heading := "saved against always-on since " + s.minute(&found.Since)
	if found.Currency != "" {
		heading += ", in " + found.Currency
	}
	return s.print(heading, t)
}
