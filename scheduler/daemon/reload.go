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

	"curfew/internal/files"
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
	turn   chan struct{} // holds one while a reload is under way

	previewing chan struct{} // holds one while a pasted file is checked

	mu      sync.Mutex // guards what follows, and is not held while anything is read; written by the reload under way
	clients *Clients
	cfg     *config.Config
	plan    *plan.Plan
	seen    string // digest of the files as they were last read
}

func newReloader(d *daemon, e *engine.Engine, c *Clients, reg prometheus.Registerer) (*reloader, error) {
	r := &reloader{
		log: d.Logger.Named("reload"), engine: e, file: newFileState(c.Config, time.Now()), access: d.access, loaded: make(chan struct{}, 1), turn: make(chan struct{}, 1), previewing: make(chan struct{}, 1), clients: c, cfg: c.Config, plan: d.plan, seen: config.Digest(c.Config.Files),
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
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return api.Reloaded{}, fmt.Errorf("wait for the reload under way: %w", ctx.Err())
	}
	changes, err := r.load(ctx, by)
	if err != nil && ctx.Err() != nil {
		return changes, err // nobody waits for it, which says nothing of the file
	}
	var bad *api.BadFile
	if err != nil && !errors.As(err, &bad) {
		r.sawDigest("") // the database was down, say: the next check tries again
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

// current returns the active file, its clients, and the digest of its files as last read.
func (r *reloader) current() (active loaded, clients *Clients, seen string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return loaded{r.cfg, r.plan}, r.clients, r.seen
}

func (r *reloader) sawDigest(digest string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen = digest
}

// A readFile is a schedule file as it was read.
type readFile struct {
	cfg    *config.Config
	diags  config.Diagnostics
	digest string // of the files of the active one, taken before
}

// read reads the file again.
func read(ctx context.Context, active *config.Config) (readFile, error) {
	return unlessEnded(ctx, func() readFile {
		f := readFile{digest: config.Digest(active.Files)}
		f.cfg, f.diags = config.Load(active.Path, config.Options{})
		return f
	})
}

// unlessEnded returns what f reads, or an error once ctx ends: a shutdown does not wait for
// what reads files and changes nothing.
func unlessEnded[T any](ctx context.Context, f func() T) (T, error) {
	found := make(chan T, 1)
	go func() { found <- f() }()
	select {
	case v := <-found:
		return v, nil
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

func (r *reloader) load(ctx context.Context, by scheduler.Actor) (api.Reloaded, error) {
	active, clients, _ := r.current()
	f, err := read(ctx, active.cfg)
	if err != nil {
		return api.Reloaded{}, fmt.Errorf("read the schedule file: %w", err)
	}
	r.sawDigest(f.digest)
	cfg, diags := f.cfg, f.diags
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
	next := clients.with(cfg)
	setup, err := newSetup(cfg, p, next)
	if err != nil {
		return api.Reloaded{}, &api.BadFile{Message: err.Error()}
	}
	changes := changesOf(active, loaded{cfg, p}, time.Now())
	why := engine.Reloading{By: by, Environments: changes.Environments.All(), Changes: changes.Summary}
	if err := r.engine.Reload(ctx, setup, why); err != nil {
		return api.Reloaded{}, fmt.Errorf("activate the schedule file: %w", err)
	}
	digest, err := unlessEnded(ctx, func() string { return config.Digest(cfg.Files) })
	if err != nil {
		digest = "" // the next check reads it again
	}
	r.mu.Lock()
	r.clients, r.cfg, r.plan, r.seen = next, cfg, p, digest
	r.mu.Unlock()
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
		active, _, _ := r.current()
		list, err := unlessEnded(ctx, func() config.Diagnostics {
			_, diags := config.Load(active.cfg.Path, config.Options{Now: time.Now(), Links: r.links})
			if diags.HasErrors() { // it changed: a reload reports it
				return nil
			}
			return diags.Warnings()
		})
		if err != nil {
			return nil // ctx has ended
		}
		for _, d := range list {
			r.log.Warn("schedule file", placed(d)...)
		}
		debug.FreeOSMemory()
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
	active, _, _ := r.current()
	for _, file := range active.cfg.Files {
		dir := filepath.Dir(file)
		if err := files.Do(dir, func() error { return events.Add(dir) }); err != nil {
			r.log.Debug("directory not watched", zap.String("file", file), zap.Error(err))
		}
	}
}

func (r *reloader) reloadChanged(ctx context.Context) {
	active, _, seen := r.current()
	now, err := unlessEnded(ctx, func() string { return config.Digest(active.cfg.Files) })
	if err == nil && now != seen {
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
