package main

import (
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler"
	"curfew/scheduler/web"
)

// serverFlag adds --server to a command that talks to the daemon.
func serverFlag(c *cobra.Command, e env) *string {
	return c.Flags().String("server", or(e.getenv("CURFEW_SERVER"), "http://"+defaultListen), "`address` of the daemon (CURFEW_SERVER)")
}

func newClient(e env, server string) (*web.Client, error) {
	token, err := secretOf(e, "CURFEW_API_TOKEN")
	if err != nil {
		return nil, err
	}
	c, err := web.NewClient(server, token)
	if err != nil {
		return nil, coded{err, exitUsage}
	}
	return c, nil
}

func newStatus(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: "status", Short: "Shows every environment: what is wanted, what LCS shows, the next fire"}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := newClient(e, *server)
		if err != nil {
			return err
		}
		list, err := client.Environments(c.Context())
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, list)
		}
		return printStatus(e, list)
	}
	return c
}

func printStatus(e env, list []web.Environment) error {
	rows := make([][]string, len(list))
	for i, env := range list {
		next, run := "", ""
		if f := env.NextFire; f != nil {
			next = f.Action + " " + show(&f.At)
		}
		if r := env.Run; r != nil {
			run = r.Action + " " + r.State
		}
		rows[i] = []string{env.Name, env.Project, env.Wanted, env.Observed, show(env.ObservedAt), run, next}
	}
	return printTable(e.stdout, "ENVIRONMENT PROJECT WANTED OBSERVED SEEN RUN NEXT", rows)
}

type historyOptions struct {
	environment, since, state, server string
	limit                             int
	form                              *output
}

func newHistory(e env) *cobra.Command {
	o := historyOptions{form: newOutput("table", "json")}
	c := &cobra.Command{Use: "history", Short: "Lists the runs, newest first"}
	server := serverFlag(c, e)
	f := c.Flags()
	f.StringVar(&o.environment, "environment", "", "only this `NAME`")
	f.StringVar(&o.since, "since", "", "only fires since: 24h, 7d, a day, or RFC 3339 with an offset")
	f.StringVar(&o.state, "state", "", "only runs in this state")
	f.IntVar(&o.limit, "limit", 0, "how many at most (all)")
	f.VarP(o.form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		o.server = *server
		return history(c, e, o)
	}
	return c
}

func history(c *cobra.Command, e env, o historyOptions) error {
	q := web.RunQuery{Environment: o.environment, State: o.state, Max: o.limit}
	if o.state != "" && !scheduler.State(o.state).Valid() {
		return usage("--state: unknown state %q; want one of %v", o.state, scheduler.States())
	}
	var err error
	if q.Since, err = parseSince(o.since, time.Now()); err != nil {
		return err
	}
	client, err := newClient(e, o.server)
	if err != nil {
		return err
	}
	runs, err := client.Runs(c.Context(), q)
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
func parseSince(s string, now time.Time) (time.Time, error) {
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
	return parseInstant("since", s, time.UTC)
}

// newHealthcheck is what the container's HEALTHCHECK runs: it has no shell.
func newHealthcheck(e env) *cobra.Command {
	c := &cobra.Command{Use: "healthcheck", Short: "Asks the daemon of this machine whether it lives", Hidden: true}
	c.RunE = func(c *cobra.Command, _ []string) error {
		_, port, err := net.SplitHostPort(or(e.getenv("CURFEW_LISTEN"), defaultListen))
		if err != nil {
			return usage("CURFEW_LISTEN: %w", err)
		}
		client, err := newClient(e, "http://"+net.JoinHostPort("127.0.0.1", port))
		if err != nil {
			return err
		}
		return client.Healthy(c.Context())
	}
	return c
}
