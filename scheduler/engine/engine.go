// Package engine is what acts: it turns fires into runs, runs into LCS calls within the
// quota, and calls into a proven state. It is composed of actors, each with the few fields
// that it needs; a lower one cannot call a higher one, since it has no field for it:
//
//	Engine → ticker, warner, linking, enforcer, worker, refresher, inventory → observer, leads → accounts → recorder → snapshots
package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/scheduler"
	"curfew/scheduler/clock"
)

const (
	heartbeat        = 15 * time.Second // a tick at least this often, so that the last tick says when the daemon lived
	defaultInterval  = 15 * time.Second // between reads of a state that should change: 4 of the 6 metadata calls a minute
	defaultRefresh   = 5 * time.Minute  // every environment is read this often, when nothing else does
	housekeeping     = 20 * time.Second
	sweep            = 15          // every so many passes of housekeeping, lost tickets are looked for and old rows removed
	startFor         = time.Minute // a database that is down for longer at the start ends the daemon
	startEvery       = 2 * time.Second
	ledgerKept       = time.Hour // metadata calls are of no interest after their minute
	defaultRetention = 400 * 24 * time.Hour
	pruneBatches     = 20 // of history, in one pass of housekeeping
)

// Stores are the slices of the database that an Engine works on. Every method is one
// transaction; times are kept to the microsecond.
type Stores struct {
	Ticks     TickStore
	Requests  RequestStore
	Runs      RunStore
	Passes    PassStore
	Calls     CallStore
	Metadata  MetadataStore
	Holds     HoldStore
	Overrides OverrideStore
	Events    EventStore
	Warnings  WarningStore
	Links     LinkStore
	Queue     QueueStore
	Upkeep    UpkeepStore
}

// A QueueStore hands out tickets, durably.
type QueueStore interface {
	// Work calls start for each ticket until ctx ends; start returns at once.
	Work(ctx context.Context, start func(scheduler.Ticket)) error
	// Recover settles what dead processes left: their calls in flight become ambiguous,
	// the projects of their passes have new tickets.
	Recover(ctx context.Context, now time.Time) (scheduler.Recovered, error)
	// Reissue issues a ticket for every project with unfinished runs that has neither a
	// ticket nor a pass, and returns them: none, unless the queue lost one.
	Reissue(ctx context.Context) ([]scheduler.Ticket, error)
}

// UpkeepStore keeps the database small and reports whether it can be worked with.
type UpkeepStore interface {
	// Ping returns a *scheduler.UnreadyError that says why not.
	Ping(ctx context.Context) error
	// Prune removes metadata calls and holds that ended before an instant.
	Prune(ctx context.Context, before time.Time) error
	// PruneHistory removes a batch of the runs that ended before an instant, with their
	// calls, and of the overrides and events; it returns how many rows it removed.
	PruneHistory(ctx context.Context, before time.Time) (int, error)
}

// Options are what an Engine is made of.
type Options struct {
	Stores     Stores
	Logger     *zap.Logger
	Registerer prometheus.Registerer
	Setup      *scheduler.Setup
	// Clock tells the time that orders what is written: that of the stores. One of its own
	// when nil.
	Clock *clock.Clock
	// VerifyInterval is the time between two reads of an environment whose state should
	// change; 15 s when zero.
	VerifyInterval time.Duration
	// RefreshInterval is how old an observation may become when no run needs a newer
	// one; 5 minutes when zero. Where LCS has more pages than can be read in it at a
	// modest pace, it is longer.
	RefreshInterval time.Duration
	// CallsAtOnce is how many calls of LCS are in flight at most, of all projects; 1024 when
	// zero. Each is a connection.
	CallsAtOnce int
	// Retention is how long runs are kept after their end; 400 days when zero.
	Retention time.Duration
}

// An Engine turns the fires of its Setup into runs and brings each run to its end.
type Engine struct {
	*overriding
	*linking
	*holding
	stores    Stores
	record    *recorder
	current   *snapshots
	clock     *clock.Clock
	waker     *waker
	ticker    *ticker
	warner    *warner
	gauges    *gauges
	forecasts *forecaster
	enforcer  *enforcer
	manuals   *manuals
	worker    *worker
	refresher *refresher
	inventory *inventory
	observer  *observer
	accounts  *accounts
	house     *housekeeper
	draining  *atomic.Bool // no new calls
	ticked    atomic.Int64 // microseconds since 1970 of the last tick that was made
}

// New makes an engine. It does nothing until Run.
func New(o Options) (*Engine, error) {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	counts, err := newGauges(o.Registerer)
	if err != nil {
		return nil, err
	}
	if o.Clock == nil {
		o.Clock = clock.New(nil)
	}
	s, err := newSnapshot(o.Setup, o.Clock)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		clock: o.Clock, gauges: counts, stores: o.Stores, current: &snapshots{}, draining: &atomic.Bool{},
	}
	e.current.active.Store(s)
	e.record = &recorder{log: o.Logger.Named("engine"), metrics: m, store: o.Stores.Events, current: e.current}
	e.waker = newWaker(e.clock, e.current)
	e.compose(o)
	return e, nil
}

// compose makes the actors, lower ones first.
func (e *Engine) compose(o Options) {
	e.overriding = &overriding{store: o.Stores.Overrides, record: e.record, current: e.current, clock: e.clock, waker: e.waker}
	e.linking = &linking{store: o.Stores.Links, overriding: e.overriding}
	leads := newLeads(o.Stores.Runs, e.current)
	e.accounts = newAccounts(o.Stores.Holds, e.record, e.current, e.clock)
	e.observer = &observer{
		store: o.Stores.Metadata, accounts: e.accounts, current: e.current, record: e.record, draining: e.draining, clock: e.clock, scans: map[int64]*scan{},
		silence: &silence{store: o.Stores.Holds, record: e.record, since: map[int64]silentSince{}},
		refresh: orDefault(o.RefreshInterval, defaultRefresh),
	}
	e.refresher = &refresher{observer: e.observer, current: e.current, clock: e.clock, slots: make(chan struct{}, max(min(atOnce, mostCalls(o)/4), 1)), read: map[int64]time.Time{}, notBefore: map[int64]time.Time{}, settled: map[int64]time.Time{}}
	e.inventory = &inventory{store: o.Stores.Holds, observer: e.observer, record: e.record, current: e.current, last: map[int64]comparison{}}
	e.ticker = &ticker{store: o.Stores.Ticks, leads: leads, record: e.record, current: e.current, clock: e.clock, waker: e.waker}
	e.warner = &warner{store: o.Stores.Warnings, seen: o.Stores.Metadata, ticks: o.Stores.Ticks, record: e.record, current: e.current, clock: e.clock}
	e.forecasts = &forecaster{runs: o.Stores.Runs, calls: o.Stores.Calls, record: e.record, current: e.current, wake: make(chan struct{}, 1)}
	e.manuals = &manuals{store: o.Stores.Runs, current: e.current}
	e.gauges.observations, e.gauges.calls, e.gauges.manuals, e.gauges.overriding = o.Stores.Metadata, o.Stores.Calls, e.manuals, e.overriding
	e.gauges.record, e.gauges.current, e.gauges.clock = e.record, e.current, e.clock
	e.enforcer = &enforcer{store: o.Stores.Requests, leads: leads, manuals: e.manuals, record: e.record, current: e.current, wrong: map[string]sighting{}}
	e.worker = &worker{
		passes: o.Stores.Passes, calls: o.Stores.Calls, observer: e.observer, accounts: e.accounts, record: e.record, current: e.current,
		draining: e.draining, clock: e.clock, interval: orDefault(o.VerifyInterval, defaultInterval), running: map[string]*pass{}, most: mostCalls(o), starved: map[*pass]bool{}, wake: make(chan struct{}, 1),
	}
	e.holding = &holding{accounts: e.accounts, worker: e.worker}
	e.house = &housekeeper{
		upkeep: o.Stores.Upkeep, queue: o.Stores.Queue, enforcer: e.enforcer, observer: e.observer, accounts: e.accounts, inventory: e.inventory, worker: e.worker, record: e.record, clock: e.clock,
		retain: orDefault(o.Retention, defaultRetention),
	}
}

func mostCalls(o Options) int {
	if o.CallsAtOnce > 0 {
		return o.CallsAtOnce
	}
	return callsAtOnce
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Run recovers what an earlier process left, then turns fires into runs and works on them
// until ctx ends. It returns when no call is in flight any more.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.start(ctx); done(ctx) || err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	queueing, endQueue := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		<-ctx.Done()
		e.draining.Store(true)
		return nil
	})
	g.Go(func() error { return e.waker.run(ctx) })
	g.Go(func() error { return e.tick(ctx) })
	g.Go(func() error { return e.forecasts.run(ctx, e.worker.calm) })
	g.Go(func() error { return e.house.run(ctx) })
	g.Go(func() error { return e.warner.run(ctx) })
	g.Go(func() error { return e.gauges.run(ctx) })
	g.Go(func() error { return e.refresher.run(ctx) })
	g.Go(func() error {
		defer endQueue() // passes first: another replica takes over what they leave
		return e.worker.run(ctx)
	})
	g.Go(func() error { return e.stores.Queue.Work(queueing, e.worker.deliver) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run the engine: %w", err)
	}
	return nil
}

// start recovers what there is, and tries again for a while when the database is down
// just then. Told to stop meanwhile, it has nothing to say.
func (e *Engine) start(ctx context.Context) error {
	for began := time.Now(); ; {
		err := e.recover(ctx, e.clock.Now())
		switch {
		case err == nil || done(ctx):
			return nil
		case time.Since(began) > startFor:
			return fmt.Errorf("start the engine: %w", err)
		}
		e.record.log.Error("engine start failed; retrying", zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(startEvery):
		}
	}
}

// recover goes on where an earlier process ended.
func (e *Engine) recover(ctx context.Context, now time.Time) error {
	r, err := e.stores.Queue.Recover(ctx, now)
	if err != nil {
		return err
	}
	if r.Runs > 0 || r.Calls > 0 {
		e.record.log.Info("recovered unfinished runs", zap.Int("runs", r.Runs), zap.Int("calls_cut_off", r.Calls))
	}
	e.worker.start(r.Tickets...)
	if err := e.accounts.restore(ctx); err != nil {
		return err
	}
	if err := e.accounts.shortenHolds(ctx, now); err != nil {
		return err
	}
	return e.syncRules(ctx, now)
}

// tick makes ticks until ctx ends: at each instant of the waker, and now and then.
func (e *Engine) tick(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if err := e.Tick(ctx, e.clock.Now()); err != nil && !done(ctx) {
			e.record.metrics.tickErrors.Inc()
			e.record.log.Error("tick failed; the next tick will pick up its fires", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		case <-e.waker.wake:
		}
	}
}

// Tick writes the runs of every fire since the last recorded tick, up to and including
// now, and starts their passes.
func (e *Engine) Tick(ctx context.Context, now time.Time) error {
	w, err := e.ticker.tick(ctx, now)
	if err != nil {
		return err
	}
	e.ticked.Store(now.UnixMicro())
	e.worker.start(w.Tickets...)
	e.forecasts.later(w, micros(now))
	return nil
}
