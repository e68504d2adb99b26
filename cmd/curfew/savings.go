package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/web"
)

func newSavings(e env) *cobra.Command {
	form := newOutput("table", "json", "csv")
	c := &cobra.Command{
		Use: "savings", Short: "Says how long environments were off, and what that saved",
		Long: "Says how long LCS showed each environment stopped, what that saved against one that is always on, and what was lost to stops that failed and to overrides.",
		Args: cobra.NoArgs,
	}
	server := serverFlag(c, e)
	since := c.Flags().String("since", "30d", "since when: 24h, 7d, "+instantForms)
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
		found, err := client.Savings(c.Context(), at)
		if err != nil {
			return err
		}
		return printSavings(e.stdout, form.value, found)
	}
	return c
}

func printSavings(w io.Writer, form string, s web.Savings) error {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }
	row := func(name string, sums web.Sums) []string {
		return []string{name, number(sums.HoursOff), number(sums.Saved), number(sums.LostFailed), number(sums.LostOverrides)}
	}
	var rows [][]string
	for _, one := range s.Environments {
		rows = append(rows, row(one.Name, one.Sums))
	}
	switch form {
	case "json":
		return printJSON(w, s)
	case "csv":
		out := csv.NewWriter(w)
		for i := range rows {
			rows[i] = append(rows[i], s.Currency)
		}
		if err := out.WriteAll(append([][]string{{"environment", "hours_off", "saved", "lost_failed", "lost_overrides", "currency"}}, rows...)); err != nil {
			return fmt.Errorf("print: %w", err)
		}
		return nil
	}
	if _, err := fmt.Fprintf(w, "Since %s, in %s\n", show(&s.Since), s.Currency); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return printTable(w, "ENVIRONMENT HOURS-OFF SAVED LOST-FAILED LOST-OVERRIDES", append(rows, row("total", s.Sums)))
}
