package engine

import (
	"context"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/plan"
)

// overridesShown is how long ended overrides are still listed.
const overridesShown = 24 * time.Hour

// An OverrideStore keeps the overrides. The tick after a change sees it.
type OverrideStore interface {
	// Add keeps an override and returns it as it was kept: it starts after the last
	// tick, so that the next one sees its start. ErrOver: it would end before. One that
	// repeats an override that has not ended is not made: that one is returned.
	Add(ctx context.Context, o scheduler.Override, repeats scheduler.Repeats, emit func(scheduler.Override) []scheduler.Event) (kept scheduler.Override, made bool, err error)
	// End ends an override now, in the sense of Add. ErrNoOverride, ErrOver.
	End(ctx context.Context, id string, now time.Time, emit func(scheduler.Override) []scheduler.Event) (scheduler.Override, error)
	// Since returns those that end at since or later, in the order they were made.
	Since(ctx context.Context, since time.Time) ([]scheduler.Override, error)
}

// An overriding is what people do with overrides.
type overriding struct {
	store   OverrideStore
	record  *recorder
	current *snapshots
	clock   *clock.Clock
	waker   *waker
}

// Override keeps environments running or stopped until an instant. ID, From and CreatedAt
// are filled in; From may be given, to start later. Asked for what an override does already,
// it returns that one; made is false then.
func (e *overriding) Override(ctx context.Context, o scheduler.Override) (kept scheduler.Override, made bool, err error) {
	return e.make(ctx, o, scheduler.ChangeKeep, sameAs)
}

// sameAs is Repeats for an override as such: of the same environments, from the same instant
// on as far as that is not over.
func sameAs(old, asked scheduler.Override) bool {
	begun := !old.From.After(asked.From) && !asked.From.After(asked.CreatedAt.Add(justBegun))
	return slices.Equal(old.Environments, asked.Environments) && (begun || old.From.Equal(asked.From))
}

// justBegun is how far after its request an override may start that was asked for at once:
// it starts after the last tick, and the clock that ticked may be a little ahead.
const justBegun = time.Minute

// make writes an override, and what somebody did to the audit.
func (e *overriding) make(ctx context.Context, o scheduler.Override, did scheduler.ChangeAction, repeats scheduler.Repeats) (kept scheduler.Override, made bool, err error) {
	s, now := e.current.load(), micros(e.clock.Now())
	if o.From.Before(now) {
		o.From = now
	}
	if err := s.checkOverride(o, now); err != nil {
		return o, false, err
	}
	slices.Sort(o.Environments)
	o.Environments = slices.Compact(o.Environments)
	o.ID, o.CreatedAt, o.From, o.Until = overrideID(), now, micros(o.From), micros(o.Until)
	kept, made, err = e.store.Add(ctx, o, repeats, func(o scheduler.Override) []scheduler.Event {
		return []scheduler.Event{overrideMade(o, did, now)}
	})
	if err != nil || !made {
		return kept, false, err
	}
	e.record.override("override made", kept, kept.By)
	e.waker.wakeTicker()
	return kept, true, nil
}

func (s *snapshot) checkOverride(o scheduler.Override, now time.Time) error {
	refuse := func(format string, args ...any) error {
		return &scheduler.InvalidError{Message: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(o.Environments) == 0:
		return refuse("environments: want at least one name")
	case o.Keep != plan.Running && o.Keep != plan.Stopped:
		return refuse("keep: %q is not known; want running or stopped", o.Keep)
	case o.Until.IsZero():
		return refuse("until: an override must have an end; want an instant, 31 days from now at most")
	case !o.Until.After(o.From):
		return refuse("until: %s is not after its start, %s", o.Until.Format(time.RFC3339), o.From.Format(time.RFC3339))
	case o.Until.After(now.Add(scheduler.LongestOverride)):
		return refuse("until: %s is more than 31 days from now; want an earlier end, or an exception in the schedule file", o.Until.Format(time.RFC3339))
	case utf8.RuneCountInString(o.Reason) > scheduler.LongestReason:
		return refuse("reason: it has %d characters; want %d at most", utf8.RuneCountInString(o.Reason), scheduler.LongestReason)
	}
	for _, name := range o.Environments {
		if _, ok := s.environments[name]; !ok {
			return fmt.Errorf("%w: %q", scheduler.ErrNoEnvironment, name)
		}
	}
	return nil
}

// Release ends an override now.
func (e *overriding) Release(ctx context.Context, id string, by scheduler.Actor) (scheduler.Override, error) {
	now := micros(e.clock.Now())
	o, err := e.store.End(ctx, id, now, func(o scheduler.Override) []scheduler.Event {
		return []scheduler.Event{overrideReleased(o, now, by)}
	})
	if err != nil {
		return o, err
	}
	e.record.override("override released", o, by)
	e.waker.wakeTicker()
	return o, nil
}

// Overrides returns those that have not ended, or ended in the last day.
func (e *overriding) Overrides(ctx context.Context) ([]scheduler.OverrideStatus, error) {
	s, now := e.current.load(), e.clock.Now()
	all, err := e.store.Since(ctx, now.Add(-overridesShown))
	if err != nil {
		return nil, err
	}
	list := make([]scheduler.OverrideStatus, len(all))
	for i, o := range all {
		list[i] = scheduler.OverrideStatus{Override: inZone(o, s.zone()), State: stateOf(o, now), Stale: s.stale(o)}
	}
	return list, nil
}

func inZone(o scheduler.Override, zone *time.Location) scheduler.Override {
	o.From, o.Until, o.CreatedAt = o.From.In(zone), o.Until.In(zone), o.CreatedAt.In(zone)
	return o
}

func stateOf(o scheduler.Override, now time.Time) string {
	switch {
	case !o.ReleasedAt.IsZero():
		return "released"
	case !now.Before(o.Until):
		return "expired"
	case now.Before(o.From):
		return "pending"
	}
	return "active"
}
