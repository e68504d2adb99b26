package engine

import (
	"context"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/plan"
)

// warnEvery is how often coming stops are looked for, at least.
const warnEvery = 15 * time.Second

// A WarningStore writes events about stops to come.
type WarningStore interface {
	// Warn writes those about stops that there is no event about yet: replicas and
	// restarts warn once.
	Warn(ctx context.Context, events []scheduler.Event) (int, error)
}

// A warner writes an event a while before each stop, for people to keep what they need. There
// is none of what LCS shows as stopped: nobody needs it, and the stop changes nothing. Once it
// runs it is warned of, however late that is.
type warner struct {
	store   WarningStore
	seen    ObservationReader
	ticks   TickStore
	record  *recorder
	current *snapshots
	clock   *clock.Clock
}

// run warns until ctx ends.
func (w *warner) run(ctx context.Context) error {
	for {
		next, err := w.pass(ctx, w.clock.Now())
		warn(ctx, w.record.log, "warnings of stops not written; retrying on the next pass", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(min(max(next, time.Second), warnEvery)):
		}
	}
}

// pass warns of the stops for which it is time, and returns how long it is until the next.
func (w *warner) pass(ctx context.Context, now time.Time) (next time.Duration, err error) {
	s := w.current.load()
	names, longest := warned(s)
	if len(names) == 0 || s.since == nil {
		return warnEvery, nil
	}
	c, err := w.ticks.Cursor(ctx)
	if err != nil {
		return warnEvery, err
	}
	if s.revision != c.Revision { // another replica has changed the overrides, and no tick was since
		if s, err = s.withOverrides(c); err != nil {
			return warnEvery, err
		}
	}
	next = warnEvery
	var events []scheduler.Event
	for _, fire := range s.plan.Fires(now.Add(time.Nanosecond), now.Add(longest+warnEvery), names...) {
		ahead := s.Warnings[fire.Environment].Ahead(fire.Schedule)
		if fire.Action != plan.Stop || ahead == 0 || !s.counts(fire) {
			continue
		}
		if wait := fire.At.Add(-ahead).Sub(now); wait > 0 {
			next = min(next, wait)
			continue
		}
		events = append(events, stoppingEvent(fire, s.environments[fire.Environment], micros(now)))
	}
	if events, err = w.running(ctx, s, events, now); err != nil || len(events) == 0 {
		return next, err
	}
	n, err := w.store.Warn(ctx, events)
	if n > 0 {
		w.record.log.Info("warned of stops", zap.Int("stops", n))
	}
	return next, err
}

// running returns the events about environments that LCS does not show as stopped.
func (w *warner) running(ctx context.Context, s *snapshot, events []scheduler.Event, now time.Time) ([]scheduler.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	var projects []int64
	for _, e := range events {
		if id := s.projects[e.Project].ID; !slices.Contains(projects, id) {
			projects = append(projects, id)
		}
	}
	all, err := w.seen.Observations(ctx, projects...)
	if err != nil {
		return nil, err
	}
	seen := s.observed(all)
	return slices.DeleteFunc(events, func(e scheduler.Event) bool {
		o := seen[e.Environment]
		return o.Condition == lcs.Stopped && now.Sub(o.At) < scheduler.ObservationHolds
	}), nil
}

// warned returns the environments of whose stops people are warned, and the longest time
// before.
func warned(s *snapshot) (names []string, longest time.Duration) {
	for _, env := range s.Environments {
		if w, ok := s.Warnings[env.Name]; ok {
			names = append(names, env.Name)
			longest = max(longest, w.Otherwise)
		}
	}
	return names, longest
}
