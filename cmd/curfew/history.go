package main

import (
	"cmp"
	"slices"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

type historyOptions struct {
	since, state, project, server string
	environments                  []string
	limit                         int
	form                          *output
}

func newHistory(e env) *cobra.Command {
	o := historyOptions{form: newOutput("table", "json")}
	c := &cobra.Command{Use: "history", Short: "Lists the runs, newest first"}
	server := serverFlag(c, e)
	f := c.Flags()
	f.StringArrayVar(&o.environments, "environment", nil, "only these: a `NAME`, a glob or tag:NAME; may be repeated")
	f.StringVar(&o.since, "since", "", "only fires since: "+sinceForms)
	f.StringVar(&o.state, "state", "", "only runs in this state")
	f.StringVar(&o.project, "project", "", "only those of this project `NAME`")
	f.IntVar(&o.limit, "limit", 0, "how many at most; 0 for all")
	f.VarP(o.form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.server = *server
		return history(c, e, o)
	}
	return c
}

func history(c *cobra.Command, e env, o historyOptions) error {
	q := client.RunQuery{State: o.state, Max: o.limit}
	if o.state != "" && !scheduler.State(o.state).Valid() {
		return usage("--state: unknown state %q; want one of %s", o.state, wording.Or(scheduler.States()))
	}
	if o.limit < 0 {
		return usage("--limit: want a number of runs, or 0 for all")
	}
	if o.project != "" {
		q.Max = 0 // the limit counts those of the project
	}
	since, remote, err := sinceOf(c, e, o.server, o.since)
	if err != nil {
		return err
	}
	q.Since = since
	runs, err := runsOf(c.Context(), remote, q, o.environments)
	if err != nil {
		return err
	}
	if o.project != "" {
		runs = slices.DeleteFunc(runs, func(r api.Run) bool { return r.Project != o.project })
		runs = runs[:min(len(runs), cmp.Or(o.limit, len(runs)))]
		if len(runs) == 0 { // a project that the file has no more still has its history
			all, err := remote.Environments(c.Context())
			if err == nil {
				err = inFile("project", o.project, projectsOf(all))
			}
			if err != nil {
				return err
			}
		}
	}
	if o.form.value == "json" {
		return printJSON(e.stdout, runs)
	}
	_, s := fileOf(c.Context(), e, remote)
	return printHistory(s, runs)
}

func printHistory(s *screen, runs []api.Run) error {
	t := table{columns: []column{
		{name: "FIRE"},
		{name: "RUN"},
		{name: "ACTION"},
		{name: "ENVIRONMENT"},
		{name: "STATE", paint: badWhen("failed", "missed")},
		{name: "CAUSE", spare: 1},
	}}
	for _, r := range runs {
		line := row{cells: []string{s.minute(&r.FireAt), shortID(r.ID), r.Action, r.Environment, r.State, causeOf(r)}}
		if r.Trigger == string(scheduler.TriggerManual) {
			line.details = append(line.details, "asked for by "+r.By)
		}
		if r.State != string(scheduler.Succeeded) && r.Message != nil {
			line.details = append(line.details, *r.Message)
		}
		if r.State == string(scheduler.Failed) && r.OperationActivityID != nil {
			line.details = append(line.details, "operation activity id "+*r.OperationActivityID)
		}
		t.rows = append(t.rows, line)
	}
	heading := wording.Count(len(runs), "run")
	if len(runs) > 0 {
		heading += ": " + totals(runs, func(r api.Run) string { return r.State })
	}
	return s.print(heading, t)
}

// causeOf says what asked for a run: its schedule, unless it is out of the ordinary.
func causeOf(r api.Run) string {
	switch scheduler.Trigger(r.Trigger) {
	case scheduler.TriggerManual:
		return "by hand"
	case scheduler.TriggerSchedule, scheduler.TriggerOverride:
		return r.Schedule
	default:
		return r.Trigger
	}
}
