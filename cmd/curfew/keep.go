package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

type keepOptions struct {
	running, stopped            bool
	until, length, from, reason string
}

func newKeep(e env) *cobra.Command {
	var o keepOptions
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: "keep ENVIRONMENT… --running|--stopped --until T|--for 3h", Args: cobra.MinimumNArgs(1),
		Short: "Keeps environments running or stopped for a while, whatever the schedules say",
	}
	server := serverFlag(c, e)
	f := c.Flags()
	f.BoolVar(&o.running, "running", false, "keep them running")
	f.BoolVar(&o.stopped, "stopped", false, "keep them stopped")
	f.StringVar(&o.until, "until", "", "until this instant: "+instantForms+"; 31 days from now at most")
	f.StringVar(&o.length, "for", "", "for so long: 3h, 2d")
	f.StringVar(&o.from, "from", "", "from this instant: "+instantForms+" (now)")
	f.StringVar(&o.reason, "reason", "", "why, for others to read")
	f.VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, selectors []string) error {
		request, err := o.kept()
		if err != nil {
			return err
		}
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		if request.From, request.Until, err = o.span(c, remote); err != nil {
			return err
		}
		if request.Environments, err = selectKnown(c.Context(), remote, selectors); err != nil {
			return err
		}
		made, err := remote.Override(c.Context(), request)
		if err != nil {
			return err
		}
		return showOverrides(c.Context(), e, remote, []api.Override{made}, form.value)
	}
	return c
}

// kept reads the flags that say what is wanted. An override must have an end.
func (o keepOptions) kept() (api.OverrideRequest, error) {
	r := api.OverrideRequest{Reason: o.reason, Keep: string(plan.Running)}
	switch {
	case o.running == o.stopped:
		return r, usage("keep: want either --running or --stopped")
	case (o.until == "") == (o.length == ""):
		return r, usage("keep: want either --until or --for: an override must have an end")
	case o.stopped:
		r.Keep = string(plan.Stopped)
	}
	return r, nil
}

// span reads the flags that say from when until when; from is zero for now.
func (o keepOptions) span(c *cobra.Command, remote *client.Client) (from, until time.Time, err error) {
	r := reference{now: time.Now()}
	if o.from != "" {
		if from, err = r.ofDaemon(c, remote, "from", o.from); err != nil {
			return from, until, err
		}
		r.now = from
	}
	if o.until != "" {
		until, err = r.ofDaemon(c, remote, "until", o.until)
		return from, until, err
	}
	length, ok := config.ParseDuration(o.length)
	if !ok || length <= 0 {
		return from, until, usage("--for: cannot read %q; want a duration such as 90m, 3h or 2d", o.length)
	}
	return from, r.now.Add(length).Truncate(time.Second), nil
}

func newOverrides(e env) *cobra.Command {
	return lister[api.Override]{
		"overrides", "Lists the overrides, and those that ended in the last day",
		func(ctx context.Context, c *client.Client) ([]api.Override, error) { return c.Overrides(ctx) },
		func(s *screen, _ api.File, list []api.Override) error { return printOverrides(s, list) },
	}.command(e)
}

func newRelease(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: "release ID…", Short: "Ends overrides now", Args: cobra.MinimumNArgs(1)}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, ids []string) error {
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		ended, err := each(ids, func(id string) (api.Override, error) { return remote.Release(c.Context(), id) })
		if err != nil && len(ended) == 0 {
			return err
		}
		return errors.Join(showOverrides(c.Context(), e, remote, ended, form.value), err)
	}
	return c
}
