package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// newAct is start or stop.
func newAct(e env, action plan.Action) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: string(action) + " ENVIRONMENT…", Args: cobra.MinimumNArgs(1),
		Short: fmt.Sprintf("Asks the daemon to %s environments now", action),
	}
	server := serverFlag(c, e)
	wait := c.Flags().Bool("wait", false, "until each run is at its end, with its progress on stderr; exit 1 unless all succeeded")
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, selectors []string) error {
		remote, names, err := clientFor(c.Context(), e, *server, selectors)
		if err != nil {
			return err
		}
		runs, err := each(names, func(name string) (api.Run, error) { return remote.Act(c.Context(), name, action) })
		if *wait {
			var waited error
			runs, waited = waitFor(c.Context(), e, remote, runs)
			err = errors.Join(err, waited)
		}
		return errors.Join(printRuns(e, runs, form.value), err)
	}
	return c
}

// each requests one thing after the other. What one refuses does not keep the
// others from being requested.
func each[T any](names []string, ask func(string) (T, error)) ([]T, error) {
	list := []T{}
	var errs []error
	for _, name := range names {
		v, err := ask(name)
		if err != nil {
			if refused, ok := errors.AsType[*client.Refusal](err); !ok || !refused.Named {
				err = fmt.Errorf("%s: %w", name, err)
			}
			errs = append(errs, err)
			continue
		}
		list = append(list, v)
	}
	return list, errors.Join(errs...)
}

func printRuns(e env, runs []api.Run, form string) error {
	if form == "json" {
		return printJSON(e.stdout, runs)
	}
	if len(runs) == 0 {
		return nil // what went wrong is reported
	}
	t := table{columns: []column{
		{name: "ENVIRONMENT", spare: 1},
		{name: "ACTION"},
		{name: "STATE", paint: badWhen("failed", "missed")},
		{name: "RUN"},
	}}
	for _, r := range runs {
		line := row{cells: []string{r.Environment, r.Action, r.State, r.ID}}
		if r.Message != nil {
			line.details = append(line.details, *r.Message)
		}
		if r.OperationActivityID != nil {
			line.details = append(line.details, "operation activity id "+*r.OperationActivityID)
		}
		t.rows = append(t.rows, line)
	}
	return t.print(newScreen(e, time.UTC)) // it has no times
}

// newDecide is cancel or approve: what a person decides about runs.
func newDecide(e env, use, short string, decide func(ctx context.Context, c *client.Client, id string) (api.Run, error)) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: use + " RUN…", Short: short, Args: cobra.MinimumNArgs(1)}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, ids []string) error {
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		runs, err := each(ids, func(id string) (api.Run, error) { return decide(c.Context(), remote, id) })
		return errors.Join(printRuns(e, runs, form.value), err)
	}
	return c
}
