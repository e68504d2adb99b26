package main

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

const (
	demoStart    = 8 * time.Second
	demoStop     = 6 * time.Second
	demoInterval = 5 * time.Second
	demoToken    = "demo-token-that-opens-nothing"
)

//go:embed demo.yaml
var demoFile string

func newDemo(e env) *cobra.Command {
	o := serveOptions{}
	c := &cobra.Command{
		Use: "demo", Short: "Runs the daemon with a built-in LCS simulator; no credentials needed",
		RunE: func(c *cobra.Command, _ []string) error { return demo(c.Context(), e, o) },
	}
	c.Flags().StringVar(&o.listen, "listen", cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen), "`address` to serve HTTP on (CURFEW_LISTEN)")
	logFlags(c, e, &o)
	return c
}

// demo runs the daemon on a simulated LCS, in a folder that is removed at the end.
func demo(ctx context.Context, e env, o serveOptions) (err error) {
	log, err := newLogger(e.stderr, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "curfew-demo-")
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("listen for the simulator: %w", err)
	}
	path, err := writeDemo(dir, "http://"+listener.Addr().String())
	if err != nil {
		return err
	}
	cfg, p, _, err := load(path, config.Options{}, e.stderr)
	if err != nil {
		return err
	}
	began := time.Now().Add(-time.Minute) // as if it had been running for a minute: the first fires are due at once
	history, err := newDemoHistory(cfg, p, began)
	if err != nil {
		return err
	}
	d := &daemon{env: e, log: log, cfg: cfg, plan: p, listen: o.listen, database: database{dsn: filepath.Join(dir, "curfew.db")}, demo: true, interval: demoInterval}
	d.prepare = func(ctx context.Context, s *store.Store, rules []scheduler.Rule) error {
		if _, err := s.Runs.SyncRules(ctx, began, rules); err != nil {
			return err
		}
		return history.keep(ctx, s, began)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return serveSim(ctx, listener, newDemoSim(cfg, p, began)) })
	g.Go(func() error { return d.run(ctx) })
	return unlessStopped(ctx, g.Wait())
}

func writeDemo(dir, endpoint string) (string, error) {
	if err := os.WriteFile(filepath.Join(dir, "token"), []byte(demoToken), 0o600); err != nil {
		return "", fmt.Errorf("write the demo's token: %w", err)
	}
	path := filepath.Join(dir, "schedules.yaml")
	if err := os.WriteFile(path, []byte(strings.ReplaceAll(demoFile, "ENDPOINT", endpoint)), 0o600); err != nil {
		return "", fmt.Errorf("write the demo's schedule file: %w", err)
	}
	return path, nil
}

// newDemoSim has the file's environments in the states they should have been in.
func newDemoSim(cfg *config.Config, p *plan.Plan, at time.Time) *lcssim.Sim {
	sim := lcssim.New(lcssim.Options{StartTime: demoStart, StopTime: demoStop, Tokens: []string{demoToken}, Seed: uint64(at.UnixNano())})
	ids := map[string]int64{}
	for _, project := range cfg.Projects {
		ids[project.Name] = project.ID
	}
	for _, e := range cfg.Environments {
		state := lcssim.Finished
		if p.Wanted(e.Name, at).Wanted == plan.Stopped && e.Name != demoFailing {
			state = lcssim.Stopped
		}
		sim.AddEnvironment(ids[e.Project], lcssim.Environment{ID: e.ID, Name: e.Name, State: state})
	}
	return sim
}

func serveSim(ctx context.Context, l net.Listener, sim *lcssim.Sim) error {
	server := &http.Server{Handler: sim.Handler(), ReadHeaderTimeout: 5 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the simulator: %w", err)
	}
	return nil
}
