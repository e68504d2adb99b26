package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"curfew/lcs/secret"
	"curfew/scheduler/daemon"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
	"curfew/scheduler/zone"
)

// serverFlag adds --server to a command that talks to the daemon.
func serverFlag(c *cobra.Command, e env) *string {
	server := c.Flags().String("server", cmp.Or(e.getenv("CURFEW_SERVER"), "http://"+defaultListen), "`address` of the daemon (CURFEW_SERVER)")
	hideDefault(c, "server")
	return server
}

// hideDefault keeps help from showing credentials that a variable holds.
func hideDefault(c *cobra.Command, name string) {
	f := c.Flags().Lookup(name)
	f.DefValue = secret.Redact(f.DefValue)
}

func newClient(e env, server string) (*client.Client, error) {
	const name = "CURFEW_API_TOKEN"
	variable := daemon.SecretVariable(e.getenv, name)
	token, err := daemon.ReadSecret(e.getenv, name)
	if _, both := errors.AsType[*daemon.SettingError](err); err != nil && !both {
		return nil, fmt.Errorf("%w; correct it, or unset %s to ask without a token", err, variable)
	}
	if err != nil {
		return nil, err
	}
	c, err := client.New(server, client.Token{Secret: token, Variable: variable})
	if err != nil {
		return nil, coded{err, exitUsage}
	}
	return c, nil
}

// A lister is a command that lists what the daemon has: as JSON, or as a table.
type lister[T any] struct {
	use, short string
	get        func(context.Context, *client.Client) ([]T, error)
	table      func(*screen, api.File, []T) error
}

func (l lister[T]) command(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{Use: l.use, Short: l.short}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		remote, err := newClient(e, *server)
		if err != nil {
			return err
		}
		list, err := l.get(c.Context(), remote)
		if err != nil {
			return err
		}
		if form.value == "json" {
			return printJSON(e.stdout, list)
		}
		file, s := fileOf(c.Context(), e, remote)
		return l.table(s, file, list)
	}
	return c
}

// fileOf asks for the daemon's file, and returns a screen with its zone. A daemon of an
// older version does not say: its times are shown in UTC.
func fileOf(ctx context.Context, e env, c *client.Client) (api.File, *screen) {
	f, err := c.File(ctx)
	loc, zerr := zone.Load(f.Timezone)
	if err != nil || zerr != nil {
		loc = time.UTC
	}
	return f, newScreen(e, loc)
}
