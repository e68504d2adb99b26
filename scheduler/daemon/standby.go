package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/scheduler/config"
	"curfew/scheduler/engine"
	"curfew/scheduler/store"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
)

const (
	takeEvery   = 200 * time.Millisecond // between two tries to take the file
	reloadEvery = 10 * time.Second       // between two checks of the schedule file while standing by
	awaitEvery  = 15 * time.Second       // between two checks whether another process waits
	lastAnswers = 2 * time.Second        // for requests under way when this process takes over
)

// A standby is a process that waits for the file that another one has, and shows what that
// one writes.
type standby struct {
	by    atomic.Pointer[string] // the active process, in words
	store *store.Store           // nil while it cannot be read
	stop  context.CancelFunc
	group *errgroup.Group
}

func (s *standby) active() string { return *s.by.Load() }

// end ends what keeps the answers up to date. Requests under way go on reading.
func (s *standby) end() error {
	s.stop()
	return s.group.Wait()
}

// closeLater closes the database once requests under way have their answers.
func (s *standby) closeLater(ctx context.Context) error {
	if s.store == nil {
		return nil
	}
	select {
	case <-ctx.Done():
		return nil // closed with the rest
	case <-time.After(lastAnswers):
	}
	return s.store.Close()
}

// standBy serves what can be read until the file is taken, and returns what was shown last.
// The schedule file is loaded again when it changes: the last one that is good is active then.
func (p *process) standBy(ctx context.Context, held *store.HeldError) (*standby, error) {
	p.claim.Wait()
	s, err := p.show(ctx, held.By)
	if err != nil {
		return nil, err
	}
	p.Logger.Warn("another process uses the database; this one stands by and takes over when that one ends. If no upgrade is under way, two were started by mistake",
		zap.String("database", held.Path), zap.String("active", held.By), zap.String("listen", p.addr.String()))
	if err := p.claim.QuickCheck(ctx); err != nil && !store.Unavailable(err) {
		return nil, errors.Join(err, s.end())
	}
	seen := config.Digest(p.cfg.Files)
	take, file := time.NewTicker(takeEvery), time.NewTicker(reloadEvery)
	defer take.Stop()
	defer file.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil, errors.Join(s.end(), ctx.Err())
		case <-take.C:
			err := p.claim.Take(p.describe())
			if e, ok := errors.AsType[*store.HeldError](err); ok {
				s.by.Store(&e.By)
				continue
			}
			if err == nil {
				p.Logger.Info("the other process has ended; this one takes over", zap.String("before", s.active()))
			}
			return s, errors.Join(err, s.end())
		case <-p.hup:
			seen = ""
		case <-file.C:
		}
		names := p.cfg.Files
		now, err := unlessEnded(ctx, func() string { return config.Digest(names) })
		if err != nil {
			continue // and ends
		}
		if now != seen {
			seen = now
			p.loadAgain()
		} else if s.store != nil {
			continue
		}
		if s, err = p.showNext(ctx, s); err != nil {
			return nil, err
		}
	}
}

// show has the front answer with what can be read of the database.
func (p *process) show(ctx context.Context, by string) (*standby, error) {
	ctx, stop := context.WithCancel(ctx)
	s := &standby{stop: stop}
	s.by.Store(&by)
	s.group, ctx = errgroup.WithContext(ctx)
	st, err := store.Open(ctx, store.Options{DSN: p.Database.DSN, Claim: p.claim, ReadOnly: true, Logger: p.Logger})
	if err != nil {
		p.front.Show(web.Health(s.active, p.addr))
		p.Logger.Warn("the database of the active process cannot be read yet: this one serves health alone", zap.Error(err))
		return s, nil
	}
	s.store = st
	p.opened = append(p.opened, st)
	parts, err := p.build(ctx, st, s)
	if err != nil {
		return nil, errors.Join(err, s.end())
	}
	s.group.Go(func() error { return engine.Follow(ctx, parts.engine) })
	s.group.Go(func() error { return parts.events.Run(ctx) })
	p.front.Show(parts.site.Handler(p.addr))
	return s, nil
}

// showNext shows the database by another schedule file.
func (p *process) showNext(ctx context.Context, before *standby) (*standby, error) {
	next, err := p.show(ctx, before.active())
	if err = errors.Join(err, before.end()); err != nil {
		return nil, err
	}
	next.group.Go(func() error { return before.closeLater(ctx) })
	return next, nil
}

// loadAgain loads the schedule file; one with errors leaves the last good one.
func (p *process) loadAgain() {
	cfg, plan, diags, err := Load(p.cfg.Path, config.Options{})
	if err == nil {
		err = p.access.check(cfg)
	}
	if err != nil {
		for _, d := range diags.Errors() {
			p.Logger.Error("schedule file", placed(d)...)
		}
		p.Logger.Error("the schedule file was not loaded; this process keeps the last good one", zap.Error(err))
		return
	}
	p.loaded = loaded{cfg, plan}
	p.access.set(cfg)
	p.Logger.Info("schedule file loaded; it is active once this process takes over")
}

// standbyMetrics say whether this process stands by, or another one waits for it to end.
type standbyMetrics struct{ waiting prometheus.Gauge }

func newStandbyMetrics(reg prometheus.Registerer, s *standby) (*standbyMetrics, error) {
	own := prometheus.NewGauge(prometheus.GaugeOpts{Name: "curfew_standby", Help: "1 while another process uses the database and this one stands by, else 0."})
	m := &standbyMetrics{prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "curfew_standby_waiting", Help: "1 while another process stands by for the database of this one: for long, it was started by mistake.",
	})}
	if s != nil {
		own.Set(1)
	}
	for _, c := range []prometheus.Collector{own, m.waiting} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// watch reports that another process waits for the file of this one, until ctx ends.
func (m *standbyMetrics) watch(ctx context.Context, claim *store.Claim, log *zap.Logger) error {
	if claim == nil {
		return nil
	}
	t := time.NewTicker(awaitEvery)
	defer t.Stop()
	for before := false; ; {
		now := claim.Awaited()
		if now && !before {
			log.Warn("another process stands by for the database and takes over when this one ends. If no upgrade is under way, it was started by mistake")
		}
		if now != before {
			m.waiting.Set(map[bool]float64{true: 1}[now])
		}
		before = now
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// status says what this process is to the database.
func (d *daemon) status(s *standby) api.Daemon {
	if s == nil {
		return api.Daemon{Version: d.Version, State: api.StateActive, Awaited: d.claim != nil && d.claim.Awaited()}
	}
	out := api.Daemon{Version: d.Version, State: api.StateStandby}
	if by := s.active(); by != "" {
		out.Active = &by
	}
	return out
}
