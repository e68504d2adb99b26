package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/api"
)

const (
	settling = 300 * time.Millisecond // an editor, or Kubernetes, changes a file in several steps
	watching = 30 * time.Second       // network volumes report no changes
	starting = 5 * time.Second        // the daemon's start goes before its warnings
)

// A reloader loads the schedule file again when it changes.
type reloader struct {
	log    *zap.Logger
	engine *engine.Engine
	ok     prometheus.Gauge
	at     prometheus.Gauge
	file   *fileState
	links  config.Links
	active func(*config.Config) // is called with each file that becomes active
	access *accessOf
	loaded chan struct{} // holds one when a file was loaded whose warnings are not reported yet

	mu      sync.Mutex // guards what follows; one reload at a time
	clients *Clients
	cfg     *config.Config
	plan    *plan.Plan
	seen    string // digest of the files as they were last read
}

func newReloader(d *daemon, e *engine.Engine, c *Clients, reg prometheus.Registerer) (*reloader, error) {
	r := &reloader{
		log: d.Logger.Named("reload"), engine: e, file: newFileState(c.Config, time.Now()), access: d.access, loaded: make(chan struct{}, 1), clients: c, cfg: c.Config, plan: d.plan, seen: config.Digest(c.Config.Files),
	}
	if r.links = config.LinksOn; d.PublicURL == "" {
		r.links = config.LinksOff
	}
	r.ok = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "curfew_config_last_reload_successful", Help: "1 when the schedule file as it is now is active, 0 when it has errors and an older one is.",
	})
	r.at = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "curfew_config_last_reload_success_timestamp_seconds", Help: "When the active schedule file was loaded.",
	})
	r.ok.Set(1)
	r.at.SetToCurrentTime()
	for _, c := range []prometheus.Collector{r.ok, r.at} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return r, nil
}

// reload builds everything again from the file and swaps it in, and returns what changed.
// A file with errors changes nothing; it is a *api.BadFile that lists them.
func (r *reloader) reload(ctx context.Context, by scheduler.Actor) (api.Reloaded, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = config.Digest(r.cfg.Files)
	changes, err := r.load(ctx, by)
	var bad *api.BadFile
	if err != nil && !errors.As(err, &bad) {
		r.seen = "" // the database was down, say: the next check tries again
	}
	if err != nil {
		r.ok.Set(0)
		r.file.refused(err, time.Now())
		r.engine.RefuseFile(ctx, err.Error())
		return changes, err
	}
	r.ok.Set(1)
	r.at.SetToCurrentTime()
	r.log.Info("reloaded", zap.String("changes", changes.Summary))
	return changes, nil
}

func (r *reloader) load(ctx context.Context, by scheduler.Actor) (api.Reloaded, error) {
	cfg, diags := config.Load(r.cfg.Path, config.Options{})
	var lines []string
	for _, d := range diags.Errors() {
		r.log.Error("schedule file", placed(d)...)
		lines = append(lines, d.String())
	}
	if len(lines) > 0 {
		return api.Reloaded{}, &api.BadFile{Message: strings.Join(lines, "\n")}
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		return api.Reloaded{}, &api.BadFile{Message: err.Error()}
	}
	if err := r.access.check(cfg); err != nil {
		return api.Reloaded{}, &api.BadFile{Message: err.Error()}
	}
	next := r.clients.with(cfg)
	setup, err := newSetup(cfg, p, next)
	if err != nil {
		return api.Reloaded{}, &api.BadFile{Message: err.Error()}
	}
	changes := changesOf(loaded{r.cfg, r.plan}, loaded{cfg, p}, time.Now())
	why := engine.Reloading{By: by, Environments: changes.Environments.All(), Changes: changes.Summary}
	if err := r.engine.Reload(ctx, setup, why); err != nil {
		return api.Reloaded{}, fmt.Errorf("activate the schedule file: %w", err)
	}
	r.clients, r.cfg, r.plan, r.seen = next, cfg, p, config.Digest(cfg.Files)
	r.access.set(cfg)
	r.file.loaded(cfg, time.Now())
	r.active(cfg)
	announceSchedules(r.log, cfg, p, time.Now())
	select {
	case r.loaded <- struct{}{}:
	default:
	}
	return changes, nil
}

// warn reports the warnings of each file that was loaded, until ctx ends. They are
// worked out apart: the forecast of a dense file takes seconds, which a fire should not wait.
func (r *reloader) warn(ctx context.Context) error {
	start := time.NewTimer(starting)
	defer start.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-start.C:
		case <-r.loaded:
			start.Stop()
		}
		r.mu.Lock()
		path := r.cfg.Path
		r.mu.Unlock()
		warnings := make(chan config.Diagnostics, 1)
		go func() {
			defer close(warnings)
			if _, diags := config.Load(path, config.Options{Now: time.Now(), Links: r.links}); !diags.HasErrors() { // else it changed: a reload reports it
				warnings <- diags.Warnings()
			}
		}()
		select {
		case <-ctx.Done():
			return nil // the shutdown does not wait for what reads one file and changes nothing
		case list := <-warnings:
			for _, d := range list {
				r.log.Warn("schedule file", placed(d)...)
			}
			debug.FreeOSMemory()
		}
	}
}

func placed(d config.Diagnostic) []zap.Field {
	return []zap.Field{zap.String("place", fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Column)), zap.String("message", d.Message)}
}

// watch reloads on hup, SIGHUP, and when a file's content changes, until ctx ends.
func (r *reloader) watch(ctx context.Context, hup <-chan os.Signal) error {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch the schedule file: %w", err)
	}
	defer func() { _ = events.Close() }()
	poll := time.NewTicker(watching)
	defer poll.Stop()
	settled := time.NewTimer(watching)
	defer settled.Stop()
	for {
		r.follow(events)
		select {
		case <-ctx.Done():
			return nil
		case <-hup:
			_, _ = r.reload(ctx, from("SIGHUP")) // it logs
		case <-events.Events:
			settled.Reset(settling)
		case err := <-events.Errors:
			r.log.Warn("the schedule file is checked every half minute only", zap.Error(err))
		case <-settled.C:
			r.reloadChanged(ctx)
		case <-poll.C:
			r.reloadChanged(ctx)
		}
	}
}

// follow watches the directories of the files: a file that is replaced, as editors
// and Kubernetes do, would be lost by itself.
func (r *reloader) follow(events *fsnotify.Watcher) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, file := range r.cfg.Files {
		if err := events.Add(filepath.Dir(file)); err != nil {
			r.log.Debug("directory not watched", zap.String("file", file), zap.Error(err))
		}
	}
}

func (r *reloader) reloadChanged(ctx context.Context) {
	r.mu.Lock()
	same := config.Digest(r.cfg.Files) == r.seen
	r.mu.Unlock()
	if !same {
		_, _ = r.reload(ctx, from("file")) // it logs
	}
}

// from is the daemon itself, as an actor, with what it was reminded by.
func from(what string) scheduler.Actor {
	by := scheduler.BySchedule
	by.From = what
	return by
}

// asked reloads for whoever makes the request of a context.
func (r *reloader) asked(ctx context.Context) (api.Reloaded, error) {
	return r.reload(ctx, access.From(ctx).Actor)
}
