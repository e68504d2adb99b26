package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

func newAccounts(e env, path *string) *cobra.Command {
	c := lister[api.Account]{
		"accounts", "Lists the accounts: whether each can sign in, what holds it, and how old its login is",
		func(ctx context.Context, c *client.Client) ([]api.Account, error) { return c.Accounts(ctx) },
		func(s *screen, _ api.File, list []api.Account) error { return printAccounts(s, list) },
	}.command(e)
	c.AddCommand(newCheck(e, path), newReleaseAccount(e))
	return c
}

// newReleaseAccount is accounts release.
func newReleaseAccount(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: "release ACCOUNT…", Short: "Ends what holds accounts, so that they are used at once", Args: usageArgs(cobra.MinimumNArgs(1)),
		Long: "Ends what holds accounts: a sign-in that failed, a project that did not accept the account, and the waits that LCS\n" +
			"asked for, also for the metadata of its projects and for their environments. The account is used at once; what LCS\n" +
			"or Entra refuses again is held again. A wrong password is sent again: Entra locks a user after some of those.",
	}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, names []string) error {
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		released, err := each(names, func(name string) (api.Account, error) { return remote.ReleaseAccount(c.Context(), name) })
		if form.value == "json" {
			return errors.Join(printJSON(e.stdout, released), err)
		}
		if len(released) == 0 {
			return err
		}
		_, s := fileOf(c.Context(), e, remote)
		return errors.Join(printAccounts(s, released), err)
	}
	return c
}

func printAccounts(s *screen, list []api.Account) error {
	t := table{columns: []column{{name: "ACCOUNT"}, {name: "MODE"}, {name: "STATE", paint: badWhen("down")}, {name: "SINCE", spare: 1}, {name: "NEXT TRY", sparse: true}, {name: "PROJECTS", spare: 2}}}
	for _, a := range list {
		r := row{cells: []string{a.Name, a.Mode, a.State, ago(a.Since, s.now), s.when(a.NextTry), strings.Join(a.Projects, " ")}}
		if a.Message != nil {
			r.details = append(r.details, *a.Message)
		}
		for _, h := range a.Holds {
			line := fmt.Sprintf("held until %s: %s", s.when(&h.Until), heldFrom(h))
			if h.Reason != text(a.Message) {
				line += ": " + h.Reason
			}
			r.details = append(r.details, line)
		}
		if l := a.Login; l != nil {
			r.details = append(r.details, fmt.Sprintf("signed in as %s; refreshed %s, lapses on %s unless it is again", l.User, ago(&l.RefreshedAt, s.now), s.minute(&l.LapsesAt)))
		}
		t.rows = append(t.rows, r)
	}
	heading := fmt.Sprintf("%s: %s", wording.Count(len(list), "account"), totals(list, func(a api.Account) string { return a.State }))
	return s.print(heading, t)
}

// heldFrom says what a hold keeps an account from.
func heldFrom(h api.Hold) string {
	switch scheduler.HoldSubject(h.Subject) {
	case scheduler.HoldsProject:
		return "project " + text(h.Project)
	case scheduler.HoldsCalls:
		return "every " + text(h.Action)
	case scheduler.HoldsMetadata:
		return "the metadata of project " + text(h.Project)
	case scheduler.HoldsEnvironment:
		return "the " + text(h.Action) + " of " + text(h.Environment)
	case scheduler.HoldsAccount:
	}
	return "all that it does"
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
