// Package daemon is curfew as it runs: it loads the schedule file, opens the database, and
// wires the engine, the pages and the API together.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/lcs/auth"
	"curfew/lcs/remote"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/engine"
	"curfew/scheduler/notify"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
	"curfew/scheduler/web"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/pages"
)

// Options are what a daemon is made of.
type Options struct {
	Path      string // of the schedule file
	Listen    string // the address to serve HTTP on
	PublicURL string // the address that people use, "" when it is not known
	Database  Database
	Standby   bool          // wait for a SQLite file that another process has
	Retention time.Duration // of runs and calls after their end
	Getenv    func(string) string
	Logger    *zap.Logger
	// LogDropped returns how many lines the log has lost to a reader that is too slow. Nil:
	// it loses none.
	LogDropped func() uint64
	Version    string
	Demo       *Demo // nil for the real one
}

// Demo is what a demo does differently.
type Demo struct {
	Interval time.Duration // between polls
	// Prepare is called with the open database before the engine starts.
	Prepare func(ctx context.Context, s *store.Store, rules []scheduler.Rule) error
}

// A daemon is the parts before they run.
type daemon struct {
	Options
	loaded
	access *accessOf
	front  *web.Front
	claim  *store.Claim // of a SQLite file; nil for another database
}

// Run builds everything, then runs it until ctx ends. A schedule file with errors is a
// *FileError, and a setting that cannot be used a *SettingError.
func Run(ctx context.Context, o Options) error {
	cfg, p, _, err := Load(o.Path, config.Options{}) // the reloader reports warnings
	if err != nil {
		return err
	}
	d, err := newDaemon(o, loaded{cfg, p})
	if err != nil {
		return err
	}
	return UnlessStopped(ctx, d.run(ctx))
}

// newDaemon makes a daemon of a schedule file, if it has the settings that the file needs.
func newDaemon(o Options, l loaded) (*daemon, error) {
	public, err := ParsePublicURL(o.PublicURL)
	if err != nil {
		return nil, err
	}
	if _, _, fault := remote.Listener(o.Listen); fault != "" {
		return nil, &SettingError{fmt.Errorf("--listen or CURFEW_LISTEN cannot be used: %s; want an address such as 127.0.0.1:8080", fault)}
	}
	d := &daemon{Options: o, loaded: l, access: &accessOf{publicURL: public, getenv: o.Getenv, log: o.Logger}, front: web.NewFront(o.Logger, shareOut(openFiles()).http)}
	if err := d.access.check(l.cfg); err != nil {
		return nil, &SettingError{err}
	}
	d.access.set(l.cfg)
	return d, nil
}

// UnlessStopped forgets an error that is only the echo of a request to stop.
func UnlessStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (d *daemon) run(ctx context.Context) (err error) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP) // from here on: by itself it would end the process
	defer signal.Stop(hup)
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.Listen)
	if err != nil {
		return fmt.Errorf("listen on %s: %w; give another address with --listen", d.Listen, err)
	}
	p := &process{daemon: d, addr: listener.Addr(), hup: hup}
	defer func() { err = errors.Join(err, p.close()) }()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.front.Serve(ctx, listener) })
	g.Go(func() error { return p.work(ctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	d.Logger.Info("curfew stopped")
	return nil
}

// parts are what runs side by side.
type parts struct {
	standby *standby // nil in the active process
	gauges  *standbyMetrics
	engine  *engine.Engine
	site    *web.Server
	events  *api.Events
	reload  *reloader
	past    reports
	saved   *savedMetrics
	notices *notify.Deliverer
}

// build makes the parts that work on a database; standby is nil for the active process.
func (d *daemon) build(ctx context.Context, st *store.Store, standby *standby) (parts, error) {
	clients, setup, err := d.setUp(ctx, st)
	if err != nil {
		return parts{}, err
	}
	reg, err := d.registry()
	if err != nil {
		return parts{}, err
	}
	share := shareOut(openFiles())
	o := engine.Options{Stores: storesOf(st), Logger: d.Logger, Registerer: reg, Setup: setup, Retention: d.Retention, Clock: st.Clock, CallsAtOnce: share.calls}
	if standby != nil {
		o.Registerer = nil // it does nothing that counts
	} else if d.Demo != nil {
		o.VerifyInterval = d.Demo.Interval
		if err := d.Demo.Prepare(ctx, st, setup.Rules); err != nil {
			return parts{}, err
		}
	}
	acting, err := engine.New(o)
	if err != nil {
		return parts{}, err
	}
	p := parts{engine: acting, past: reports{acting, st, d.Retention}, standby: standby}
	if p.gauges, err = newStandbyMetrics(reg, standby); err != nil {
		return parts{}, err
	}
	if p.saved, err = newSavedMetrics(reg); err != nil {
		return parts{}, err
	}
	told, err := d.notices(ctx, p, reg)
	if err != nil {
		return parts{}, err
	}
	p.notices = told.deliverer
	if p.reload, err = newReloader(d, acting, clients, reg); err != nil {
		return parts{}, err
	}
	files := newExposedFiles(d.Getenv, d.Logger)
	files.warn(d.cfg)
	p.reload.active = func(cfg *config.Config) {
		told.deliverer.Load(NoticesOf(cfg, d.Getenv))
		files.warn(cfg)
	}
	p.events = api.NewEvents(api.EventsOptions{
		Updates: updates{acting, st.Updates}, Logger: d.Logger, Shared: store.Shared(d.Database.DSN) || standby != nil, MostListeners: share.listeners,
	})
	p.site, err = d.site(p, told, reg)
	return p, err
}

// site makes what is served over HTTP.
func (d *daemon) site(p parts, told notices, reg *prometheus.Registry) (*web.Server, error) {
	token, err := apiToken(d.Getenv)
	if err != nil {
		return nil, err
	}
	changes, policy := access.NewChanges(p.engine, p.past), access.NewPolicy(d.access.rules)
	o := pages.Options{
		Engine: p.engine, Reports: p.past, Preview: p.reload.preview, Logger: d.Logger, Version: d.Version, Demo: d.Demo != nil, Events: api.EventsPath,
		Changes: changes, Keys: access.NewKeys(p.past.store.CalendarKeys, policy), CanSignIn: d.access.enabled, Why: policy.Why, PublicURL: d.access.address(), Receivers: told.deliverer.Receivers, Upkeep: p.upkeep, File: p.fileStatus,
	}
	if told.links != nil {
		o.Links = told.links
	}
	if p.standby != nil {
		o.Standby = p.standby.active
	}
	shown, err := pages.New(o)
	if err != nil {
		return nil, err
	}
	answers := api.New(api.Options{
		Engine: p.engine, Changes: changes, Reports: p.past, Logger: d.Logger, Reload: p.reload.asked, Receivers: told.deliverer.Receivers, File: p.file, Events: p.events, Daemon: func() api.Daemon { return d.status(p.standby) },
	})
	site := web.Options{
		API: answers, Ready: p.engine.Ready, Gatherer: reg, Registerer: reg, Logger: d.Logger, Token: token,
		Pages: shown.Routes(), Open: shown.Open(), Problem: shown.Problem, PublicURL: d.access.address(),
	}
	if p.standby != nil {
		site.Standby = p.standby.active
	}
	if people := d.access.signIn(p.past.store, shown.Problem, p.standby != nil); people != nil {
		site.SignIn = people
	}
	return web.New(site), nil
}

// storesOf returns the slices of the database that the engine works on.
func storesOf(s *store.Store) engine.Stores {
	return engine.Stores{
		Ticks: s.Runs, Requests: s.Runs, Runs: s.Runs, Passes: s.Passes, Calls: s.Ledger, Metadata: s.Observations, Holds: s.Holds,
		Overrides: s.Overrides, Events: s.Events, Warnings: s.Deliveries, Links: s.Links, Queue: s.Queue, Upkeep: s,
	}
}

// setUp makes the engine's side of the schedule file.
func (d *daemon) setUp(ctx context.Context, st *store.Store) (*Clients, *scheduler.Setup, error) {
	c := NewClients(d.cfg, ClientOptions{Getenv: d.Getenv, Logger: d.Logger, Version: d.Version})
	logins, _, err := d.Database.Logins(ctx, d.Getenv, st)
	switch {
	case err == nil:
		c.Logins = logins
	case d.cfg.Delegates():
		return nil, nil, err
	default: // a reload that brings the first delegated account says it again
		c.Logins = auth.NoLogins{Reason: err}
	}
	setup, err := newSetup(d.cfg, d.plan, c)
	if err != nil {
		return nil, nil, &FileError{Err: err}
	}
	return c, setup, nil
}

func (d *daemon) registry() (*prometheus.Registry, error) {
	reg := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "curfew_build_info", Help: "1, with the version as a label.", ConstLabels: prometheus.Labels{"version": d.Version},
	})
	build.Set(1)
	dropped := prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "curfew_log_dropped_total", Help: "Lines of the log that were dropped: they were not read fast enough.",
	}, func() float64 {
		if d.LogDropped == nil {
			return 0
		}
		return float64(d.LogDropped())
	})
	for _, c := range []prometheus.Collector{build, dropped, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return reg, d.front.Register(reg)
}

// A loaded file, with its plan.
type loaded struct {
	cfg  *config.Config
	plan *plan.Plan
}
