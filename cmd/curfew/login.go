package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pkg/browser"
	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"curfew/internal/wording"
	"curfew/lcs/auth"
	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
)

type loginOptions struct {
	browser, check bool
	port           int
	database       func() (daemon.Database, error)
	form           *output
}

func newLogin(e env, path *string) *cobra.Command {
	o := loginOptions{form: newOutput("table", "json")}
	c := &cobra.Command{
		Use: "login ACCOUNT", Args: cobra.ExactArgs(1),
		Short: "Signs in to an account of mode delegated",
		Long: "Signs in to an account of mode delegated, by a code that is entered on any device or, with --browser, in a\n" +
			"browser on this machine. A running daemon uses the new login within half a minute, without a restart.\n" +
			"With --check it does the same as: curfew accounts check ACCOUNT",
	}
	f := c.Flags()
	f.BoolVar(&o.browser, "browser", false, "sign in in a browser on this machine: for tenants whose Conditional Access blocks device codes")
	f.IntVar(&o.port, "port", 0, "with --browser: the `port` on localhost that the browser comes back to, for an SSH tunnel; 0 for any")
	f.BoolVar(&o.check, "check", false, "the same as accounts check ACCOUNT")
	f.VarP(o.form, "output", "o", "with --check: form of the output")
	o.database = databaseFlags(c, e)
	c.RunE = func(c *cobra.Command, args []string) error { return login(c.Context(), e, *path, args[0], o) }
	return c
}

func login(ctx context.Context, e env, path, name string, o loginOptions) (err error) {
	if o.check && (o.browser || o.port != 0) || o.port != 0 && !o.browser || o.port < 0 || o.port > 65535 {
		return usage("login: want --check, or --browser with or without a --port, or none of them")
	}
	cfg, _, _, err := load(path, config.Options{}, e.stderr) // its warnings are for validate and plan
	if err != nil {
		return err
	}
	account, projects, err := accountOf(cfg, name)
	if err != nil {
		return err
	}
	all, place, closer, err := newCommandClients(ctx, e, cfg, o.database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()
	if o.check {
		return check(ctx, e, all, account, projects, o.form.value)
	}
	if account.Mode != config.ModeDelegated {
		return usage("account %s signs in by itself (mode %s); only accounts of mode %s take a login; to check it: curfew accounts check %s", name, account.Mode, config.ModeDelegated, name)
	}
	got, err := signIn(ctx, e, all, account, projects[0], o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.stdout, "account %s: signed in as %s. The login is kept in %s; a daemon whose --database is there uses it at once.\n"+
		"To see whether LCS accepts it: curfew accounts check %s\n", name, got.User, place, name)
	return err
}

func signIn(ctx context.Context, e env, all *daemon.Clients, a config.Account, p config.Project, o loginOptions) (auth.Login, error) {
	cred, err := all.Credential(a, p)
	if err != nil {
		return auth.Login{}, err
	}
	return cred.SignIn(ctx, auth.SignIn{
		Scope: daemon.ScopeOf(p, a), Browser: o.browser, Port: o.port,
		Show: func(message string) { _, _ = fmt.Fprintln(e.stderr, message) },
		Open: func(address string) {
			browser.Stdout, browser.Stderr = io.Discard, io.Discard
			_ = browser.OpenURL(address) // the address was shown
		},
	})
}

// accountOf returns an account of the file, with the projects that use it.
func accountOf(cfg *config.Config, name string) (config.Account, []config.Project, error) {
	var projects []config.Project
	for _, p := range cfg.Projects {
		for _, used := range p.Accounts {
			if used == name {
				projects = append(projects, p)
			}
		}
	}
	var names []string
	for _, a := range cfg.Accounts {
		names = append(names, a.Name)
		switch {
		case a.Name != name:
		case len(projects) == 0:
			return a, nil, usage("no project of %s uses the account %s: its LCS endpoint is not known", cfg.Path, name)
		default:
			return a, projects, nil
		}
	}
	return config.Account{}, nil, usage("no account %q in %s; want %s", name, cfg.Path, wording.Or(names))
}

// newCommandClients makes the clients of a command next to the daemon, and says where
// logins are kept.
func newCommandClients(ctx context.Context, e env, cfg *config.Config, database func() (daemon.Database, error)) (all *daemon.Clients, place string, closer io.Closer, err error) {
	all = daemon.NewClients(cfg, daemon.ClientOptions{Getenv: e.getenv, Logger: zap.NewNop(), Version: version})
	if !cfg.Delegates() {
		return all, "", io.NopCloser(nil), nil
	}
	db, err := database()
	if err != nil {
		return nil, "", nil, err
	}
	all.Logins, closer, err = db.Logins(ctx, e.getenv, nil)
	return all, db.LoginPlace(), closer, err
}
