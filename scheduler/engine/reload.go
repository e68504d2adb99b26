package engine

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

// syncRules learns since when each rule is unchanged, and the overrides.
func (e *Engine) syncRules(ctx context.Context, now time.Time) error {
	c, err := e.stores.Ticks.Cursor(ctx)
	if err != nil {
		return err
	}
	s := e.current.load()
	since, err := e.stores.Ticks.SyncRules(ctx, scheduler.Loading{At: micros(now), File: s.File, Rules: s.Rules}, loadedEvents(s, c, micros(now))...)
	if err != nil {
		return err
	}
	s, err = e.current.change(func(s *snapshot) (*snapshot, error) { return s.withRules(since).withOverrides(c) })
	if err != nil {
		return err
	}
	e.record.loaded("schedule file active", s, c)
	return nil
}

// A Reloading is why a schedule file is loaded again, for the audit.
type Reloading struct {
	By           scheduler.Actor
	Environments []string // that were added, removed or changed
	Changes      string   // what differs from the file before, in a line
}

// Reload makes another Setup the active one. By itself it starts and stops nothing; runs
// of environments that are gone are canceled. Fires up to now are still those of the Setup
// before: rules that are new or changed have none before this instant.
func (e *Engine) Reload(ctx context.Context, setup *scheduler.Setup, why Reloading) error {
	s, err := newSnapshot(setup, e.clock)
	if err != nil {
		return err
	}
	now := micros(e.clock.Now())
	before := e.current.load()
	if before.since != nil { // nil: it is not active yet
		if err := e.Tick(ctx, now); err != nil {
			return err
		}
	}
	c, err := e.stores.Ticks.Cursor(ctx)
	if err != nil {
		return err
	}
	since, err := e.stores.Ticks.SyncRules(ctx, scheduler.Loading{At: now, File: s.File, Before: before.File, Rules: s.Rules}, reloadedEvents(s, c, now, why)...)
	if err != nil {
		return err
	}
	if s, err = s.withRules(since).withOverrides(c); err != nil {
		return err
	}
	if _, err := e.current.change(func(*snapshot) (*snapshot, error) { return s, nil }); err != nil {
		return err
	}
	e.record.loaded("schedule file loaded", s, c)
	e.accounts.forget(before, s)
	e.waker.restart()
	e.waker.wakeTicker()
	return e.cancelGone(ctx, s)
}

// cancelGone ends the runs of environments that the file does not have any more, and has
// the others go on by the new file.
func (e *Engine) cancelGone(ctx context.Context, s *snapshot) error {
	open, err := e.stores.Runs.Unfinished(ctx)
	if err != nil {
		return err
	}
	var errs []error
	projects := map[string]bool{}
	for _, r := range open {
		if _, ok := s.environments[r.Environment]; ok {
			projects[r.Project] = true
			continue
		}
		w, err := e.stores.Requests.Cancel(ctx, r.ID, e.clock.Now(), notInFile, e.record.changed)
		switch {
		case errors.Is(err, scheduler.ErrFinished):
		case err != nil:
			errs = append(errs, err)
		default:
			e.record.ended(w.Runs...)
			e.worker.start(w.Tickets...)
		}
	}
	for project := range projects {
		e.worker.wakeProject(ctx, project)
	}
	return errors.Join(errs...)
}

// RefuseFile records that a schedule file has errors, and that the old one stays active.
func (e *Engine) RefuseFile(ctx context.Context, reason string) {
	ev := newEvent(scheduler.EventConfig, micros(e.clock.Now()), scheduler.BySchedule, reason)
	ev.NextStep = "correct the file; it is loaded again when it changes"
	e.record.log.Error("the schedule file was not loaded; the old one stays active", event(ev.Kind), zap.String("message", reason))
	e.record.notify(ctx, ev)
}
