package scheduler

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/robfig/cron/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"curfew/scheduler/plan"
)

const (
	heartbeat        = 15 * time.Second // a tick at least this often, so that the last tick tells when the daemon lived
	defaultInterval  = 15 * time.Second // between looks at a state that should arrive: 4 of the 6 metadata calls a minute
	defaultRefresh   = 5 * time.Minute  // every environment is looked at this often, when nothing else does
	housekeeping     = 20 * time.Second // half of a project's metadata calls stay free for runs
	sweep            = 15               // every so many passes of housekeeping, lost tickets are looked for and old rows removed
	beginFor         = time.Minute      // a database that is away for longer at the start ends the daemon
	beginEvery       = 2 * time.Second
	ledgerKept       = time.Hour // metadata calls are of no interest after their minute
	defaultRetention = 400 * 24 * time.Hour
	pruneBatches     = 20 // of history, in one pass of housekeeping
)

// Options are what an Engine is made of.
type Options struct {
	Store      Store
	Logger     *zap.Logger
	Registerer prometheus.Registerer
	Setup      *Setup
	// VerifyInterval is the time between two looks at an environment that should
	// arrive; 15 s when zero.
	VerifyInterval time.Duration
	// RefreshInterval is how old an observation may become when no run needs a
	// newer one; 5 minutes when zero.
	RefreshInterval time.Duration
	// Notify is told what people want to hear of, beside the log; nil for nobody. It
	// must not block.
	Notify func(Notice)
	// Retention is how long runs are kept after their end; 400 days when zero.
	Retention time.Duration
}

// An Engine turns the fires of its Setup into runs and brings each run to its end.
type Engine struct {
	store    Store
	log      *zap.Logger
	metrics  *metrics
	interval time.Duration
	refresh  time.Duration
	retain   time.Duration
	changing sync.Mutex // one writer of setup at a time
	setup    atomic.Pointer[inForce]
	wake     chan struct{}
	rewound  chan struct{} // the clock is to be set to what is in force
	draining atomic.Bool   // no new calls

	mu         sync.Mutex           // guards what follows; written by steps and by housekeeping
	reading    map[int64]bool       // projects whose metadata is being read
	lost       map[string]bool      // environments that were not on their page any more
	scans      map[int64]int        // last page read of a scan that is not at its end
	scanned    map[int64]time.Time  // when a scan of the project last came to its end
	unreadable map[int64]int        // how often in a row metadata could not be read
	unseen     map[string]time.Time // runs that wait to arrive: since when they cannot be looked at

	notify   func(Notice)
	accounts accountsSeen
	learned  learned
	drift    drift
	worst    time.Duration // the worst lateness so far; of the ticking alone
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
	e := &Engine{
		store: o.Store, log: o.Logger.Named("engine"), metrics: m,
		interval: orDefault(o.VerifyInterval, defaultInterval), refresh: orDefault(o.RefreshInterval, defaultRefresh),
		retain: orDefault(o.Retention, defaultRetention), wake: make(chan struct{}, 1), rewound: make(chan struct{}, 1), reading: map[int64]bool{}, lost: map[string]bool{}, scans: map[int64]int{}, scanned: map[int64]time.Time{}, unreadable: map[int64]int{}, unseen: map[string]time.Time{},
	}
	e.learned.takes, e.learned.at = map[string]time.Duration{}, map[string]time.Time{}
	e.drift.wrong = map[string]sighting{}
	e.notify = o.Notify
	e.accounts.up, e.accounts.away = map[string]time.Time{}, map[string]awaySince{}
	e.accounts.revisions, e.accounts.told = map[string]string{}, map[string]time.Time{}
	s, err := newInForce(o.Setup)
	if err != nil {
		return nil, err
	}
	e.setup.Store(s)
	return e, nil
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// Run takes up what an earlier process left, then turns fires into runs and
// works on them until ctx ends. It returns when no call is in flight any more.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.begins(ctx); ended(ctx) || err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return e.keepTime(ctx) })
	g.Go(func() error { return e.ticking(ctx) })
	g.Go(func() error { return e.housekeeping(ctx) })
	g.Go(func() error { return e.store.Work(ctx, e.guarded) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("run the engine: %w", err)
	}
	return nil
}

func ended(ctx context.Context) bool { return ctx.Err() != nil }

// begins takes up what there is, and tries again for a while when the database
// goes away just then. Told to stop meanwhile, it has nothing to say.
func (e *Engine) begins(ctx context.Context) error {
	for began := time.Now(); ; {
		err := e.takeUp(ctx, time.Now())
		switch {
		case err == nil || ended(ctx):
			return nil
		case time.Since(began) > beginFor:
			return fmt.Errorf("start the engine: %w", err)
		}
		e.log.Error("the engine cannot begin; trying again", zap.Error(err))
		select {
		case <-ctx.Done():
		case <-time.After(beginEvery):
		}
	}
}

// takeUp goes on where an earlier process ended.
func (e *Engine) takeUp(ctx context.Context, now time.Time) error {
	runs, calls, err := e.store.Recover(ctx, now)
	if err != nil {
		return err
	}
	if runs > 0 || calls > 0 {
		e.log.Info("took up unfinished runs", zap.Int("runs", runs), zap.Int("calls_cut_off", calls))
	}
	if err := e.shortenAccountHolds(ctx, now); err != nil {
		return err
	}
	return e.syncRules(ctx, now)
}

// keepTime runs robfig/cron until ctx ends, and anew whenever what is in force
// has changed. No call begins after that.
func (e *Engine) keepTime(ctx context.Context) error {
	for {
		clock := e.clock()
		clock.Start()
		select {
		case <-e.rewound:
			clock.Stop()
		case <-ctx.Done():
			e.draining.Store(true)
			<-clock.Stop().Done()
			return nil
		}
	}
}

// clock gives robfig/cron one entry per distinct trigger. Its job only wakes the
// ticking: which fires are due is worked out from the last recorded tick.
func (e *Engine) clock() *cron.Cron {
	c := cron.New(cron.WithLocation(time.UTC))
	for _, entry := range e.setup.Load().plan.Entries() {
		c.Schedule(entry.Schedule, cron.FuncJob(e.nudge))
	}
	return c
}

// rewind has the clock set to what is in force.
func (e *Engine) rewind() { signal(e.rewound) }

// nudge has a tick made at once.
func (e *Engine) nudge() { signal(e.wake) }

// signal fills a channel of one; when it is full, who reads it will see this too.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (e *Engine) ticking(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		if err := e.Tick(ctx, time.Now()); err != nil && ctx.Err() == nil {
			e.metrics.tickErrors.Inc()
			e.log.Error("tick not recorded; its fires are taken up by the next one", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		case <-e.wake:
		}
	}
}

// housekeeping keeps observations from growing old and the ledger from growing.
func (e *Engine) housekeeping(ctx context.Context) error {
	t := time.NewTicker(housekeeping)
	defer t.Stop()
	for pass := 1; ; pass++ {
		e.refreshStale(ctx, time.Now())
		if err := e.correct(ctx, time.Now()); err != nil && ctx.Err() == nil {
			e.log.Warn("drift not corrected; the next pass tries again", zap.Error(err))
		}
		if err := e.freeAccounts(ctx, time.Now()); err != nil && ctx.Err() == nil {
			e.log.Warn("not looked whether accounts can sign in again; the next pass does", zap.Error(err))
		}
		if pass%sweep == 1 {
			e.renewLogins(ctx, time.Now())
		}
		if pass%sweep == 0 {
			e.reissue(ctx)
			if err := e.prune(ctx, time.Now()); err != nil && ctx.Err() == nil {
				e.log.Warn("old rows not removed; the next sweep tries again", zap.Error(err))
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// prune removes what is no longer kept: metadata calls, and history, of which it
// takes a few batches at a time.
func (e *Engine) prune(ctx context.Context, now time.Time) error {
	if err := e.store.Prune(ctx, now.Add(-ledgerKept)); err != nil {
		return err
	}
	for range pruneBatches {
		n, err := e.store.PruneHistory(ctx, now.Add(-e.retain))
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

func (e *Engine) reissue(ctx context.Context) {
	switch n, err := e.store.Reissue(ctx); {
	case err != nil && !ended(ctx):
		e.log.Warn("lost tickets not looked for", zap.Error(err))
	case n > 0:
		e.log.Warn("runs had lost their tickets and have new ones", zap.Int("runs", n))
	}
}

// syncRules learns since when each rule stands unchanged, and the overrides.
func (e *Engine) syncRules(ctx context.Context, now time.Time) error {
	since, err := e.store.SyncRules(ctx, now.UTC().Truncate(time.Microsecond), e.setup.Load().Rules)
	if err != nil {
		return err
	}
	c, err := e.store.Cursor(ctx)
	if err != nil {
		return err
	}
	f, err := e.change(func(f *inForce) (*inForce, error) { return f.withRules(since).withOverrides(c) })
	if err != nil {
		return err
	}
	e.tellStale(f, c)
	return nil
}

// Ready tells whether the database answers.
func (e *Engine) Ready(ctx context.Context) error { return e.store.Ping(ctx) }

// Runs gives the runs that match, newest first, and the cursor of the next page.
func (e *Engine) Runs(ctx context.Context, f RunFilter) ([]Run, string, error) {
	return e.store.Runs(ctx, f)
}

// FindRun gives one run, or ErrNoRun.
func (e *Engine) FindRun(ctx context.Context, id string) (Run, error) { return e.store.Run(ctx, id) }

// Fires gives the fires of the file in force: from inclusive, to exclusive.
func (e *Engine) Fires(from, to time.Time) []plan.Fire { return e.setup.Load().plan.Fires(from, to) }
