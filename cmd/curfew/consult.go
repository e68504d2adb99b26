package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// consultTimeout is how long plan and explain wait for the daemon: they work without it.
const consultTimeout = 5 * time.Second

// A consultation is what the daemon knows beyond the file.
type consultation struct {
	overrides []api.Override
	manual    *api.Manual // of the environment asked for
}

// consult asks the daemon for its overrides, and for what was done by hand with an
// environment, where one is named. Where the daemon cannot be asked, or has another file,
// it says so and the file alone counts.
func consult(ctx context.Context, e env, server string, cfg *config.Config, environment string) (consultation, error) {
	remote, err := newClient(e, server)
	if err != nil {
		return consultation{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, consultTimeout)
	defer cancel()
	found, err := ask(ctx, remote, cfg, environment)
	if err != nil {
		_, err = fmt.Fprintf(e.stderr, "overrides are not considered: %s\n", whyNot(err, server))
		return consultation{}, err
	}
	return found, nil
}

func ask(ctx context.Context, remote *client.Client, cfg *config.Config, environment string) (consultation, error) {
	var found consultation
	file, err := remote.File(ctx)
	if err != nil {
		return found, err
	}
	if file.Digest != config.Digest(cfg.Files) {
		return found, fmt.Errorf("the daemon has another schedule file, %s, active since %s", file.Path, file.ActiveSince.Format(time.RFC3339))
	}
	if found.overrides, err = remote.Overrides(ctx); err != nil || environment == "" {
		return found, err
	}
	seen, err := remote.Environment(ctx, environment)
	found.manual = seen.Manual
	return found, err
}

// whyNot says in a word why the daemon was not asked.
func whyNot(err error, server string) string {
	var network net.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return fmt.Sprintf("the daemon at %s did not answer within %s", server, consultTimeout)
	case errors.As(err, &network):
		return fmt.Sprintf("no daemon answers at %s", server)
	}
	return err.Error()
}

// withOverrides returns the plan with the overrides of a daemon that has the same file.
func (c consultation) withOverrides(p *plan.Plan, cfg *config.Config) (*plan.Plan, error) {
	known := map[string]bool{}
	for _, env := range cfg.Environments {
		known[env.Name] = true
	}
	var list []plan.Exception
	for _, o := range c.overrides {
		var names []string
		for _, name := range o.Environments {
			if known[name] {
				names = append(names, name)
			}
		}
		if len(names) == 0 || !o.From.Before(o.Until) {
			continue // its environments are gone, or it was released before it began
		}
		list = append(list, plan.Exception{
			Name: plan.OverridePrefix + o.ID, Environments: names, From: o.From, Until: o.Until, Location: cfg.Zone(),
			Keep: plan.Wanted(o.Keep), Reason: text(o.Reason), Override: true,
		})
	}
	if len(list) == 0 {
		return p, nil
	}
	with, err := p.WithExceptions(list)
	if err != nil {
		return nil, fmt.Errorf("apply the daemon's overrides: %w", err)
	}
	return with, nil
}
