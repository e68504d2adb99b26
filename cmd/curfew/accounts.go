package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

func newAccounts(e env, path *string) *cobra.Command {
	c := lister[api.Account]{
		"accounts", "Lists the accounts: whether each can sign in, and how old its login is",
		func(ctx context.Context, c *client.Client) ([]api.Account, error) { return c.Accounts(ctx) },
		func(s *screen, _ api.File, list []api.Account) error { return printAccounts(s, list) },
	}.command(e)
	c.AddCommand(newCheck(e, path))
	return c
}

func printAccounts(s *screen, list []api.Account) error {
	t := table{columns: []column{{name: "ACCOUNT"}, {name: "MODE"}, {name: "STATE", paint: badWhen("down")}, {name: "SINCE", spare: 1}, {name: "NEXT TRY", sparse: true}, {name: "PROJECTS", spare: 2}}}
	for _, a := range list {
		r := row{cells: []string{a.Name, a.Mode, a.State, ago(a.Since, s.now), s.when(a.NextTry), strings.Join(a.Projects, " ")}}
		if a.Message != nil {
			r.details = append(r.details, *a.Message)
		}
		if l := a.Login; l != nil {
			r.details = append(r.details, fmt.Sprintf("signed in as %s; refreshed %s, lapses on %s unless it is again", l.User, ago(&l.RefreshedAt, s.now), s.minute(&l.LapsesAt)))
		}
		t.rows = append(t.rows, r)
	}
	heading := fmt.Sprintf("%s: %s", wording.Count(len(list), "account"), totals(list, func(a api.Account) string { return a.State }))
	return s.print(heading, t)
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
