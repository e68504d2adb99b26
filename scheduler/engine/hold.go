package engine

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

// tickHold is why a ticker makes no ticks, as it was last reported.
type tickHold struct {
	mu    sync.Mutex // guards what follows; written by ticks
	clock bool
	file  string // the digest of the newer file
	steps int    // of the shared time
}

// note notes what holds now, and reports what of it has changed.
func (h *tickHold) note(clock bool, file string, steps int) (clockChanged, fileChanged, stepped bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	clockChanged, fileChanged, stepped = h.clock != clock, h.file != file, h.steps != steps
	h.clock, h.file, h.steps = clock, file, steps
	return clockChanged, fileChanged, stepped
}

// held reports whether this process leaves the ticks to other replicas: its clock is wrong,
// or its schedule file is older than theirs.
func (t *ticker) held(ctx context.Context, c scheduler.Cursor, now time.Time) (bool, error) {
	file, wrong := t.current.load().File, t.clock.Wrong()
	newer, older := c.Newer(file, now)
	clockChanged, fileChanged, stepped := t.holding.note(wrong, newer.Digest, t.clock.Steps())
	t.record.metrics.clockAhead.Set(t.clock.Ahead().Seconds())
	t.record.metrics.fileOlder.Set(gauge(older))
	if stepped {
		t.waker.restart()
		t.waker.wakeTicker()
	}
	if clockChanged {
		t.clockWrong(ctx, wrong, now)
	}
	if older && fileChanged {
		t.record.log.Warn("another replica has a newer schedule file; this one leaves the fires to it until it has that file too",
			zap.Time("newer_since", newer.LoadedAt), zap.String("newer", short(newer.Digest)), zap.String("active", short(file)))
	}
	if older && !wrong {
		return true, t.store.HoldTick(ctx, file, now)
	}
	return wrong || older, nil
}

// clockWrong reports that the clock of this process differs from the database's, or does no
// longer.
func (t *ticker) clockWrong(ctx context.Context, wrong bool, now time.Time) {
	if !wrong {
		t.record.log.Info("the clock agrees with the database's again; this replica makes fires")
		return
	}
	e := newEvent(scheduler.EventWarning, micros(now), scheduler.BySchedule, "the clock of a replica is "+difference(t.clock.Ahead())+" that of the database; it leaves the fires to other replicas")
	e.NextStep = "set the clock of its machine (NTP)"
	t.record.log.Error(e.Reason, event(e.Kind), zap.Duration("ahead", t.clock.Ahead()))
	t.record.notify(ctx, e)
}

// difference says how far a clock is ahead of another.
func difference(ahead time.Duration) string {
	if ahead < 0 {
		return fmt.Sprintf("%s behind", -ahead.Round(time.Second))
	}
	return fmt.Sprintf("%s ahead of", ahead.Round(time.Second))
}

// short is as much of a digest as tells files apart.
func short(digest string) string { return digest[:min(len(digest), 12)] }

// bringBack undoes what a clock that was ahead has written: fires come at their time.
func (t *ticker) bringBack(ctx context.Context, c scheduler.Cursor, now time.Time) (scheduler.BroughtBack, error) {
	ahead := c.At.Sub(now).Round(time.Second)
	b, err := t.store.BringBack(ctx, c, now, func(b scheduler.BroughtBack) []scheduler.Event {
		e := newEvent(scheduler.EventWarning, micros(now), scheduler.BySchedule, fmt.Sprintf("the last tick was %s in the future: a clock was wrong; it was set to now, and %d runs whose fires are to come were withdrawn", ahead, len(b.Withdrawn)))
		e.NextStep = "check the clocks of the machines that curfew ran on (NTP)"
		return []scheduler.Event{e}
	})
	if err != nil {
		return b, err
	}
	t.record.metrics.broughtBack.Inc()
	t.record.log.Error("the last tick was in the future: a clock was wrong; it was set to now", event(scheduler.EventWarning), zap.Time("last_tick", c.At), zap.Duration("ahead", ahead),
		zap.Int("runs_withdrawn", len(b.Withdrawn)), zap.Int("runs_reopened", len(b.Reopened)))
	_, err = t.current.change(func(s *snapshot) (*snapshot, error) { return s.rulesAtMost(now), nil })
	t.waker.wakeTicker()
	return b, err
}
