package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
)

func newSkip(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: "skip ENVIRONMENT…", Args: cobra.MinimumNArgs(1), Short: "Leaves out the next stop of environments",
		Long: "Leaves out the next stop of environments: an override keeps each running until its next start, or until the stop\n" +
			"after it when that comes first. One that is stopped, and that no schedule starts before, is started by it.\n" +
			"Asked again, it changes nothing. curfew release takes it back.",
	}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, selectors []string) error {
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		known, err := remote.Environments(c.Context())
		if err != nil {
			return err
		}
		names, err := selectOf(known, selectors)
		if err != nil {
			return err
		}
		made, err := each(names, func(name string) (api.Override, error) { return remote.Skip(c.Context(), name) })
		if err != nil && len(made) == 0 {
			return err
		}
		err = errors.Join(showOverrides(c.Context(), e, remote, made, form.value), err)
		if list := startedBySkip(known, made); len(list) > 0 {
			_, s := fileOf(c.Context(), e, remote)
			for _, o := range list {
				_, _ = io.WriteString(e.stderr, s.paragraph(skipNote(s, o)))
			}
		}
		return err
	}
	return c
}

// startedBySkip returns the overrides that start an environment which is stopped, and would
// stay so: no schedule starts it before the stop that is left out.
func startedBySkip(before []api.Environment, made []api.Override) []api.Override {
	stopped := map[string]bool{}
	for _, env := range before {
		next := env.NextFire
		starts := next != nil && next.Action == string(plan.Start) && !strings.HasPrefix(next.Schedule, plan.OverridePrefix)
		stopped[env.Name] = env.Observed == string(plan.Stopped) && env.Wanted == string(plan.Stopped) && !starts
	}
	var list []api.Override
	for _, o := range made {
		if o.Keep == string(plan.Running) && o.State == "pending" && slices.ContainsFunc(o.Environments, func(name string) bool { return stopped[name] }) {
			list = append(list, o)
		}
	}
	return list
}

func skipNote(s *screen, o api.Override) string {
	return fmt.Sprintf("note: %s is stopped now; this starts it on %s and keeps it running until %s. To undo: curfew release %s",
		wording.Environments(o.Environments), s.when(&o.From), s.when(&o.Until), o.ID)
}
