package engine

import (
	"context"
	"time"
)

// followEvery is how often what another process changed is read.
const followEvery = time.Second

// Follow keeps what an engine shows up to date with what another process does, until ctx
// ends. The engine itself must not run.
func Follow(ctx context.Context, e *Engine) error {
	t := time.NewTicker(followEvery)
	defer t.Stop()
	for {
		warn(ctx, e.record.log, "what the active process does was not read; trying again", follow(ctx, e))
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func follow(ctx context.Context, e *Engine) error {
	c, err := e.stores.Ticks.Cursor(ctx)
	if err != nil {
		return err
	}
	if _, err := e.ticker.withOverrides(c); err != nil {
		return err
	}
	return e.accounts.restore(ctx)
}
