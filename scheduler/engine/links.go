package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A LinkStore keeps which links of notices were followed.
type LinkStore interface {
	// Follow records that a link was followed, and adds its overrides. ErrLinkUsed.
	Follow(ctx context.Context, u scheduler.LinkUse, now time.Time, overrides []scheduler.Override, emit func(scheduler.Override) []scheduler.Event) ([]scheduler.Override, error)
	// Followed reports whether a link was followed, and returns the overrides that the
	// links of its delivery made.
	Followed(ctx context.Context, u scheduler.LinkUse) (used bool, overrides []string, err error)
}

// linking is what people do by the links of a warning.
type linking struct {
	store      LinkStore
	overriding *overriding
}

// Standing returns those of a link's stops that still come: none of them has been moved or
// canceled, other than by the links of the same delivery. ErrLinkUsed, ErrLinkVoid.
func (l *linking) Standing(ctx context.Context, u scheduler.LinkUse) ([]scheduler.PlannedStop, error) {
	_, stops, err := l.standing(ctx, u, micros(l.overriding.clock.Now()))
	return stops, err
}

func (l *linking) standing(ctx context.Context, u scheduler.LinkUse, now time.Time) (*snapshot, []scheduler.PlannedStop, error) {
	used, made, err := l.store.Followed(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	if used {
		return nil, nil, scheduler.ErrLinkUsed
	}
	all, err := l.overriding.store.Since(ctx, now)
	if err != nil {
		return nil, nil, err
	}
	all = slices.DeleteFunc(all, func(o scheduler.Override) bool { return slices.Contains(made, o.ID) })
	s, err := l.overriding.current.load().withOverrides(scheduler.Cursor{Overrides: all})
	if err != nil {
		return nil, nil, err
	}
	var stops []scheduler.PlannedStop
	for _, stop := range u.Stops {
		if stop.At.After(now) && stopsAt(s, stop) {
			stops = append(stops, stop)
		}
	}
	if len(stops) == 0 {
		return nil, nil, scheduler.ErrLinkVoid
	}
	return s, stops, nil
}

// stopsAt reports whether a stop comes at its instant.
func stopsAt(s *snapshot, stop scheduler.PlannedStop) bool {
	if _, ok := s.environments[stop.Environment]; !ok {
		return false
	}
	for _, f := range s.plan.Fires(stop.At, stop.At.Add(time.Nanosecond), stop.Environment) {
		if f.Action == plan.Stop {
			return true
		}
	}
	return false
}

// Follow does what a link says, for those of its stops that still come, and returns the
// overrides that do so. ErrLinkUsed, ErrLinkVoid.
func (l *linking) Follow(ctx context.Context, u scheduler.LinkUse) ([]scheduler.Override, error) {
	now := micros(l.overriding.clock.Now())
	s, stops, err := l.standing(ctx, u, now)
	if err != nil {
		return nil, err
	}
	list, err := linked(s, u, stops, now)
	if err != nil {
		return nil, err
	}
	for i := range list {
		o := &list[i]
		o.ID, o.From, o.CreatedAt, o.By, o.Keep = overrideID(), now, now, u.By, plan.Running
		slices.Sort(o.Environments)
		if err := s.checkOverride(*o, now); err != nil {
			return nil, err
		}
	}
	did := scheduler.ChangeKeep
	if u.Choice == scheduler.LinkSkip {
		did = scheduler.ChangeSkip
	}
	list, err = l.store.Follow(ctx, u, now, list, func(o scheduler.Override) []scheduler.Event {
		return []scheduler.Event{overrideMade(o, did, now)}
	})
	if errors.Is(err, scheduler.ErrOver) {
		return nil, scheduler.ErrLinkVoid
	}
	if err != nil {
		return nil, err
	}
	for _, o := range list {
		l.overriding.record.override("override made", o, o.By)
	}
	l.overriding.waker.wakeTicker()
	return list, nil
}

// linked returns what to keep running until when, one override for each end.
func linked(s *snapshot, u scheduler.LinkUse, stops []scheduler.PlannedStop, now time.Time) ([]scheduler.Override, error) {
	var list []scheduler.Override
	at := map[int64]int{}
	for _, stop := range stops {
		until, reason, ok := linkedUntil(s, u.Choice, stop, now)
		if !ok {
			return nil, &scheduler.InvalidError{Message: stop.Environment + " has nothing after this stop in the next 31 days; keep it running with an override instead"}
		}
		i, known := at[until.UnixMicro()]
		if !known {
			i = len(list)
			at[until.UnixMicro()] = i
			list = append(list, scheduler.Override{Until: until, Reason: reason})
		}
		list[i].Environments = append(list[i].Environments, stop.Environment)
	}
	return list, nil
}

func linkedUntil(s *snapshot, choice scheduler.LinkChoice, stop scheduler.PlannedStop, now time.Time) (until time.Time, reason string, ok bool) {
	at := stop.At.In(s.zone()).Format("Mon 2006-01-02 15:04")
	hours := map[scheduler.LinkChoice]int{scheduler.LinkKeep1: 1, scheduler.LinkKeep2: 2}[choice]
	if hours > 0 {
		return stop.At.Add(time.Duration(hours) * time.Hour), fmt.Sprintf("%d h more than the stop of %s", hours, at), true
	}
	// The stop may be the end of an override, which the file does not have: what comes after
	// it in the file counts.
	for f := range s.Plan.All(stop.At.Add(time.Nanosecond), now.Add(scheduler.LongestOverride), stop.Environment) {
		return f.At, "leaves out the stop of " + at, true
	}
	return time.Time{}, "", false
}
