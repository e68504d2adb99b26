package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler"
	"curfew/scheduler/web"
)

type historyOptions struct {
	since, state, server string
	environments         []string
	limit                int
	form                 *output
}

func newHistory(e env) *cobra.Command {
	o := historyOptions{form: newOutput("table", "json")}
	c := &cobra.Command{Use: "history", Short: "Lists the runs, newest first"}
	server := serverFlag(c, e)
	f := c.Flags()
	f.StringArrayVar(&o.environments, "environment", nil, "only these: a `NAME`, a glob or tag:NAME; may be repeated")
	f.StringVar(&o.since, "since", "", "only fires since: 24h, 7d, "+instantForms)
	f.StringVar(&o.state, "state", "", "only runs in this state")
	f.IntVar(&o.limit, "limit", 0, "how many at most; 0 for all")
	f.VarP(o.form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.server = *server
		return history(c, e, o)
	}
	return c
}

func history(c *cobra.Command, e env, o historyOptions) error {
	q := web.RunQuery{State: o.state, Max: o.limit}
	if o.state != "" && !scheduler.State(o.state).Valid() {
		return usage("--state: unknown state %q; want one of %s", o.state, listed(scheduler.States()))
	}
	if o.limit < 0 {
		return usage("--limit: want a number of runs, or 0 for all")
	}
	var err error
	if q.Since, err = parseSince(c, o.since, time.Now()); err != nil {
		return err
	}
	client, err := newClient(e, o.server)
	if err != nil {
		return err
	}
	runs, err := runsOf(c.Context(), client, q, o.environments)
	if err != nil {
		return err
	}
	if o.form.value == "json" {
		return printJSON(e.stdout, runs)
	}
	rows := make([][]string, len(runs))
	for i, r := range runs {
		rows[i] = []string{show(&r.FireAt), r.Action, r.Environment, r.Schedule, r.Trigger, r.State, text(r.OperationActivityID), text(r.Message)}
	}
	return printTable(e.stdout, "FIRE ACTION ENVIRONMENT SCHEDULE TRIGGER STATE ACTIVITY MESSAGE", rows)
}

// parseSince reads an instant, or how long ago it was.
func parseSince(c *cobra.Command, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n <= 3660 {
			return now.AddDate(0, 0, -n), nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return parseFileInstant(c, "since", s)
}
