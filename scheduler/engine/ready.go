package engine

import (
	"context"
	"time"

	"curfew/scheduler"
)

const (
	readyTimeout = 3 * time.Second
	oldestTick   = 60 * time.Second // four heartbeats
	clockSkew    = heartbeat        // what another replica's clock may be ahead
)

// Ready returns a *scheduler.UnreadyError that says why the engine cannot work, nil when it can.
func (e *Engine) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := e.stores.Upkeep.Ping(ctx); err != nil {
		return err
	}
	c, err := e.stores.Ticks.Cursor(ctx)
	if err != nil {
		return &scheduler.UnreadyError{Reason: scheduler.UnreadyDatabase, Err: err}
	}
	if e.clock.Wrong() { // the others make the fires
		return &scheduler.UnreadyError{Reason: scheduler.UnreadyClock}
	}
	own := time.UnixMicro(e.ticked.Load())
	if reason := tickReason(c.At, own, e.clock.Now()); reason != "" {
		return &scheduler.UnreadyError{Reason: reason}
	}
	return nil
}

// tickReason says what is wrong with the last tick: recorded is that of the database, which
// any replica may have written, and own when this process last made one.
func tickReason(recorded, own, now time.Time) string {
	switch {
	case recorded.After(now.Add(clockSkew)):
		return scheduler.UnreadyFuture
	case now.Sub(recorded) > oldestTick || now.Sub(own) > oldestTick:
		return scheduler.UnreadyNoTick
	}
	return ""
}
