package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/plan"
)

func newAccounts(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: "accounts", Short: "Lists the accounts: whether each can sign in, and how old its login is"}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := newClient(e, *server)
		if err != nil {
			return err
		}
		list, err := client.Accounts(c.Context())
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, list)
		}
		now := time.Now()
		rows := make([][]string, len(list))
		for i, a := range list {
			rows[i] = []string{a.Name, a.Mode, a.State, ago(a.Since, now), show(a.NextTry), strings.Join(a.Projects, " "), "", "", "", text(a.Message)}
			if l := a.Login; l != nil {
				rows[i][6], rows[i][7], rows[i][8] = l.User, ago(&l.RefreshedAt, now), show(&l.LapsesAt)
			}
		}
		return printTable(e.stdout, "ACCOUNT MODE STATE SINCE NEXT-TRY PROJECTS USER REFRESHED LAPSES MESSAGE", rows)
	}
	return c
}

// ago says how long ago an instant was.
func ago(t *time.Time, now time.Time) string {
	if t == nil || t.IsZero() {
		return ""
	}
	age := now.Sub(*t)
	if age > time.Minute {
		age = age.Truncate(time.Minute)
	}
	return plan.FormatDuration(age.Truncate(time.Second)) + " ago"
}
