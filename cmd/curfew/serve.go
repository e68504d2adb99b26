package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/lcs/auth"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
	"curfew/scheduler/web"
	"curfew/scheduler/web/pages"
	"curfew/scheduler/zone"
)

const defaultListen = "127.0.0.1:8080"

type serveOptions struct {
	config, listen, logFormat, logLevel, retention string

	database database
}

func newServe(e env, path *string) *cobra.Command {
	var o serveOptions
	var place func() (database, error)
	c := &cobra.Command{
		Use: "serve", Short: "Runs the daemon",
		RunE: func(c *cobra.Command, _ []string) error {
			o.config = *path
			var err error
			if o.database, err = place(); err != nil {
				return err
			}
			return serve(c.Context(), e, o)
		},
	}
	place = databaseFlag(c, e)
	f := c.Flags()
	f.StringVar(&o.listen, "listen", cmp.Or(e.getenv("CURFEW_LISTEN"), defaultListen), "`address` to serve HTTP on (CURFEW_LISTEN)")
	f.StringVar(&o.retention, "retention", cmp.Or(e.getenv("CURFEW_RETENTION"), "400d"), "how long runs and calls are kept after their end (CURFEW_RETENTION)")
	logFlags(c, e, &o)
	return c
}

func logFlags(c *cobra.Command, e env, o *serveOptions) {
	f := c.Flags()
	f.StringVar(&o.logFormat, "log-format", e.getenv("CURFEW_LOG_FORMAT"), "json or console (CURFEW_LOG_FORMAT; console on a terminal, else json)")
	f.StringVar(&o.logLevel, "log-level", cmp.Or(e.getenv("CURFEW_LOG_LEVEL"), "info"), "debug, info, warn or error (CURFEW_LOG_LEVEL)")
}

func serve(ctx context.Context, e env, o serveOptions) error {
	log, err := newLogger(e.stderr, o.logFormat, o.logLevel)
	if err != nil {
		return err
	}
	retention, ok := config.ParseDuration(o.retention)
	if !ok || retention < shortestRetention {
		return usage("--retention: cannot keep history for %q; want a duration such as 400d, of %s at least", o.retention, plan.FormatDuration(shortestRetention))
	}
	cfg, p, _, err := load(o.config, config.Options{}, e.stderr) // the reloader reports warnings
	if err != nil {
		return err
	}
	d := &daemon{env: e, log: log, cfg: cfg, plan: p, listen: o.listen, database: o.database, retention: retention}
	return unlessStopped(ctx, d.run(ctx))
}

// shortestRetention covers every window of the past that the engine reads.
const shortestRetention = 7 * 24 * time.Hour

// A daemon is serve's parts before they run.
type daemon struct {
	env       env
	log       *zap.Logger
	cfg       *config.Config
	plan      *plan.Plan
	listen    string
	database  database
	retention time.Duration
	demo      bool
	interval  time.Duration // between polls, the engine's own when zero
	// prepare is called with the open database before the engine starts.
	prepare func(ctx context.Context, s *store.Store, rules []scheduler.Rule) error
}

// run builds everything, then runs it until ctx ends.
func (d *daemon) run(ctx context.Context) (err error) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // from here on: by itself it would end the process
	defer signal.Stop(hup)
	token, err := rotatingOf(d.env, "CURFEW_API_TOKEN")
	if err != nil {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; give another address with --listen", d.listen, err)
	}
	defer func() { _ = listener.Close() }()
	st, err := d.database.open(ctx, d.log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	clients, setup, err := d.setUp(ctx, st)
	if err != nil {
		return err
	}
	if d.prepare != nil {
		if err := d.prepare(ctx, st, setup.Rules); err != nil {
			return err
		}
	}
	reg, err := d.registry()
	if err != nil {
		return err
	}
	acting, err := engine.New(engine.Options{
		Stores: storesOf(st), Logger: d.log, Registerer: reg, Setup: setup, VerifyInterval: d.interval, Retention: d.retention,
	})
	if err != nil {
		return err
	}
	reload, err := newReloader(d, acting, clients, reg)
	if err != nil {
		return err
	}
	past := reports{acting, st}
	shown, err := pages.New(pages.Options{Engine: acting, Reports: past, Preview: reload.preview, Logger: d.log, Version: version, Demo: d.demo})
	if err != nil {
		return err
	}
	site := web.New(web.Options{
		Engine: acting, Reports: past, Gatherer: reg, Logger: d.log, Version: version, Demo: d.demo, Token: token.Current, Reload: reload.reload, File: reload.file.current,
		Pages: shown.Routes(),
	})
	d.announce(listener.Addr())
	announceSchedules(d.log, d.cfg, d.plan, time.Now())
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return acting.Run(ctx) })
	g.Go(func() error { return site.Serve(ctx, listener) })
	g.Go(func() error { return reload.watch(ctx, hup) })
	if !d.demo { // its fires are dense on purpose
		g.Go(func() error { return reload.warn(ctx) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	d.log.Info("curfew stopped")
	return nil
}

// storesOf returns the slices of the database that the engine works on.
func storesOf(s *store.Store) engine.Stores {
	return engine.Stores{
		Ticks: s.Runs, Requests: s.Runs, Runs: s.Runs, Passes: s.Passes, Calls: s.Ledger, Metadata: s.Observations, Holds: s.Holds,
		Overrides: s.Overrides, Events: s.Events, Queue: s.Queue, Upkeep: s,
	}
}

// setUp makes the engine's side of the schedule file.
func (d *daemon) setUp(ctx context.Context, st *store.Store) (*clients, *scheduler.Setup, error) {
	c := newClients(d.env, d.cfg, d.log)
	logins, _, err := d.database.logins(ctx, d.env, st)
	switch {
	case err == nil:
		c.logins = logins
	case delegates(d.cfg):
		return nil, nil, err
	default: // a reload that brings the first delegated account says it again
		c.logins = auth.NoLogins{Reason: err}
	}
	setup, err := newSetup(d.cfg, d.plan, c)
	if err != nil {
		return nil, nil, coded{err, exitInvalid}
	}
	return c, setup, nil
}

// unlessStopped forgets an error that is only the echo of a request to stop.
func unlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (d *daemon) registry() (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "curfew_build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	for _, c := range []prometheus.Collector{build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return reg, nil
}

// announce logs what the daemon is and where it listens.
func (d *daemon) announce(addr net.Addr) {
	if d.demo {
		d.log.Info("this is a demo: its environments live in a built-in simulator of LCS; nothing real is started or stopped",
			zap.String("pages", "http://"+addr.String()), zap.String("commands", "curfew status, curfew history; with --server http://"+addr.String()))
	}
	release, source := zone.Data()
	d.log.Info("curfew started", zap.String("version", version), zap.String("zone_data", release+" ("+source+")"), zap.String("config", d.cfg.Path), zap.String("listen", addr.String()),
		zap.String("database", store.Place(d.database.dsn)), zap.Int("environments", len(d.cfg.Environments)), zap.Int("projects", len(d.cfg.Projects)),
		zap.Int("schedules", len(d.cfg.Schedules)), zap.Bool("demo", d.demo))
}

// announceSchedules logs what is active, and the next fire of each schedule.
func announceSchedules(logger *zap.Logger, cfg *config.Config, p *plan.Plan, now time.Time) {
	if keys := notYet(cfg); len(keys) > 0 {
		logger.Warn("this version checks these keys of the schedule file and does not act on them", zap.Strings("keys", keys))
	}
	next := p.NextFires(now)
	for _, s := range cfg.Schedules {
		log := logger.With(zap.String("schedule", s.Name), zap.Int("environments", len(s.Environments)))
		switch f, ok := next[s.Name]; {
		case !s.Enabled:
			log.Info("schedule is disabled")
		case !ok:
			log.Info("no coming fire")
		default:
			log.Info("next fire", zap.String("action", string(f.Action)), zap.Time("at", f.At))
		}
	}
}

// notYet lists what the file asks for and this version does not do.
func notYet(cfg *config.Config) []string {
	used := map[string]bool{
		"notify": len(cfg.Notify) > 0, "warn": cfg.Defaults.Warn > 0,
		"client_secret": slices.ContainsFunc(cfg.Accounts, func(a config.Account) bool { return a.ClientSecret != nil }),
	}
	for _, s := range cfg.Schedules {
		used["warn"] = used["warn"] || s.Warn > 0
	}
	maps.DeleteFunc(used, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(used))
}
