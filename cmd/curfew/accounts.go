package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/plan"
	"curfew/scheduler/web"
)

func newAccounts(e env, path *string) *cobra.Command {
	c := newListing(e, "accounts", "Lists the accounts: whether each can sign in, and how old its login is",
		func(ctx context.Context, c *web.Client) ([]web.Account, error) { return c.Accounts(ctx) }, printAccounts)
	c.AddCommand(newCheck(e, path))
	return c
}

func printAccounts(e env, list []web.Account) error {
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
