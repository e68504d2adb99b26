package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/scheduler"
	"curfew/scheduler/store"
)

const (
	openFor   = time.Minute // a database that is unavailable for longer at the start ends the daemon
	openEvery = 2 * time.Second
)

// A process is a daemon that runs.
type process struct {
	*daemon
	addr   net.Addr
	hup    chan os.Signal
	opened []io.Closer // in their order; closed once nothing is served any more
}

func (p *process) close() error {
	var errs []error
	for _, c := range slices.Backward(p.opened) {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// work opens the database, which takes until another process gives it up, and runs the parts
// until ctx ends.
func (p *process) work(ctx context.Context) error {
	before, err := p.take(ctx)
	if err != nil {
		return err
	}
	st, err := p.open(ctx, before != nil)
	if err != nil {
		return err
	}
	p.opened = append(p.opened, st)
	parts, err := p.build(ctx, st, nil)
	if err != nil {
		return err
	}
	p.front.Show(parts.site.Handler(p.addr))
	p.announce(p.addr)
	announceSchedules(p.Logger, p.cfg, p.plan, time.Now())
	if p.Demo != nil {
		p.Demo.Ready(p.addr)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return parts.engine.Run(ctx) })
	g.Go(func() error { return st.Watch(ctx) })
	g.Go(func() error { return parts.events.Run(ctx) })
	g.Go(func() error { return parts.reload.watch(ctx, p.hup) })
	g.Go(func() error { return parts.notices.Run(ctx) })
	g.Go(func() error { return parts.past.sum(ctx, parts.saved, p.Logger) })
	g.Go(func() error { return parts.gauges.watch(ctx, p.claim, p.Logger) })
	if before != nil {
		g.Go(func() error { return before.closeLater(ctx) })
	}
	if p.Demo == nil { // its fires are dense on purpose
		g.Go(func() error { return parts.reload.warn(ctx) })
	}
	return g.Wait()
}

// take takes the SQLite file for this process. While another process has it, this one stands
// by: before is what it showed meanwhile, nil when it did not have to wait.
func (p *process) take(ctx context.Context) (before *standby, err error) {
	if !p.Database.isFile() {
		return nil, nil
	}
	if p.claim, err = store.NewClaim(p.Database.DSN); err != nil {
		return nil, err
	}
	p.opened = append(p.opened, p.claim)
	err = p.claim.Take(p.describe())
	if held, ok := errors.AsType[*store.HeldError](err); ok && p.Standby {
		return p.standBy(ctx, held)
	}
	return nil, err
}

// describe says which process this one is, to people.
func (p *process) describe() string {
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	return fmt.Sprintf("process %d on %s, which serves %s", os.Getpid(), host, p.addr)
}

// open opens the database for the daemon. One that is unavailable just then, as while
// PostgreSQL restarts, is tried again for a minute.
func (p *process) open(ctx context.Context, checked bool) (*store.Store, error) {
	o := p.Database.options()
	o.Claim, o.Checked, o.Logger = p.claim, checked, p.Logger
	for began := time.Now(); ; {
		st, err := store.Open(ctx, o)
		if err == nil || ctx.Err() != nil || !store.Unavailable(err) || time.Since(began) > openFor {
			return st, err
		}
		p.front.Starting(scheduler.UnreadyDatabase)
		p.Logger.Error("opening the database failed; retrying", zap.Error(err), zap.Duration("in", openEvery), zap.String("listen", p.addr.String()))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(openEvery):
		}
	}
}
