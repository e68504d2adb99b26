package report

import (
	"context"
	"maps"
	"slices"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// Sums are the savings of one environment, or of several.
type Sums = scheduler.Savings

// Savings calls each with the sums of each environment from since to now. They come from
// what LCS showed, not from what was wanted: time without an observation counts for
// nothing. Of what is older than the observations that are kept, whole months count; an
// environment that only they know comes last.
func Savings(ctx context.Context, s Subject, since, now time.Time, each func(Environment, Sums) error) error {
	older, since, err := s.older(ctx, since)
	if err != nil {
		return err
	}
	err = s.parts(ctx, since, now, func(p part) error {
		for _, e := range p.environments {
			sums := s.sums(e, p.spans[e.Name], since, now)
			sums.Add(older[e.Name])
			delete(older, e.Name)
			if err := each(e, sums); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(older)) {
		if err := each(Environment{Environment: scheduler.Environment{Name: name}}, older[name]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Subject) sums(e Environment, spans []scheduler.Span, since, now time.Time) Sums {
	var sums Sums
	var off, failed, overridden time.Duration
	if len(spans) == 0 {
		return sums
	}
	running := make([]scheduler.Span, 0, len(spans))
	for _, span := range spans {
		if span.Condition == lcs.Stopped {
			off += span.Until.Sub(span.From)
		}
		if span.Condition == lcs.Running {
			running = append(running, span)
		}
	}
	for _, span := range s.Plan.Spans(e.Name, since, now) {
		if span.Wanted == plan.Stopped {
			failed += within(running, span.From, span.To)
		}
		if span.Wanted == plan.Running {
			overridden += s.onlyOverridden(e.Name, running, span)
		}
	}
	sums.HoursOff = off.Hours()
	sums.Saved, sums.LostFailed, sums.LostOverrides = off.Hours()*e.CostPerHour, failed.Hours()*e.CostPerHour, overridden.Hours()*e.CostPerHour
	return sums
}

// onlyOverridden returns how long it ran in a span in which it was wanted running, while
// the schedule file alone wanted it stopped.
func (s *Subject) onlyOverridden(name string, running []scheduler.Span, span plan.Span) time.Duration {
	var sum time.Duration
	if s.Plan == s.Schedules {
		return 0
	}
	for _, alone := range s.Schedules.Spans(name, span.From, span.To) {
		if alone.Wanted == plan.Stopped {
			sum += within(running, alone.From, alone.To)
		}
	}
	return sum
}

// within returns how much of the spans lies from from to to.
func within(spans []scheduler.Span, from, to time.Time) time.Duration {
	var sum time.Duration
	for _, span := range spans {
		begin, end := span.From, span.Until
		if begin.Before(from) {
			begin = from
		}
		if end.After(to) {
			end = to
		}
		if begin.Before(end) {
			sum += end.Sub(begin)
		}
	}
	return sum
}
