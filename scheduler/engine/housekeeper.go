package engine

import (
	"context"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/clock"
)

// A housekeeper corrects drift, frees accounts and keeps the database small.
type housekeeper struct {
	upkeep    UpkeepStore
	queue     QueueStore
	enforcer  *enforcer
	observer  *observer
	accounts  *accounts
	inventory *inventory
	worker    *worker
	record    *recorder
	clock     *clock.Clock
	retain    time.Duration
}

// run keeps house until ctx ends.
func (h *housekeeper) run(ctx context.Context) error {
	t := time.NewTicker(housekeeping)
	defer t.Stop()
	for pass := 1; ; pass++ {
		tickets, err := h.enforcer.correct(ctx, h.observer.recent(), h.clock.Now())
		h.worker.start(tickets...)
		warn(ctx, h.record.log, "drift not corrected; retrying on the next pass", err)
		tickets, err = h.accounts.recheck(ctx, h.clock.Now())
		h.worker.start(tickets...)
		warn(ctx, h.record.log, "account check failed; retrying on the next pass", err)
		warn(ctx, h.record.log, "silence of LCS not reported; retrying on the next pass", h.observer.silence.report(ctx, h.record.current.load().Projects, h.clock.Now()))
		warn(ctx, h.record.log, "schedule file not compared with LCS; retrying on the next pass", h.inventory.compare(ctx, h.clock.Now()))
		if pass%sweep == 1 {
			h.accounts.renewLogins(ctx, h.clock.Now())
		}
		if pass%sweep == 0 {
			h.reissue(ctx)
			warn(ctx, h.record.log, "old rows not removed; retrying on the next sweep", h.prune(ctx, h.clock.Now()))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func warn(ctx context.Context, log *zap.Logger, message string, err error) {
	if err != nil && !done(ctx) {
		log.Warn(message, zap.Error(err))
	}
}

// prune removes what is no longer kept: metadata calls, and history, of which it takes a
// few batches at a time.
func (h *housekeeper) prune(ctx context.Context, now time.Time) error {
	if err := h.upkeep.Prune(ctx, now.Add(-ledgerKept)); err != nil {
		return err
	}
	for range pruneBatches {
		n, err := h.upkeep.PruneHistory(ctx, now.Add(-h.retain))
		if err != nil || n == 0 {
			return err
		}
	}
	return nil
}

func (h *housekeeper) reissue(ctx context.Context) {
	lost, err := h.queue.Reissue(ctx)
	warn(ctx, h.record.log, "lost tickets not looked for", err)
	if len(lost) > 0 {
		h.record.log.Warn("reissued lost tickets", zap.Int("projects", len(lost)))
		h.worker.start(lost...)
	}
}
