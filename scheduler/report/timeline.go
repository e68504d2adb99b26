package report

import (
	"context"
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A Row is the timeline of one environment: past and plan on one axis.
type Row struct {
	Environment Environment
	Wanted      []plan.Stretch
	Observed    []scheduler.Span
	Runs        []string // ids, oldest first
	Marks       []plan.Mark
}

// Timeline calls each with the row of each environment from from to to, where now lies
// anywhere. What is wanted is equal to the plan, to the second.
func Timeline(ctx context.Context, s Subject, from, to, now time.Time, each func(Row) error) error {
	until := to
	if now.Before(until) {
		until = now
	}
	return s.parts(ctx, from, until, func(p part) error {
		names := make([]string, len(p.environments))
		for i, e := range p.environments {
			names[i] = e.Name
		}
		runs, err := s.Past.RunIDs(ctx, names, from, to)
		if err != nil {
			return fmt.Errorf("report: %w", err)
		}
		for _, e := range p.environments {
			row := Row{Environment: e, Wanted: s.wanted(e.Name, from, to), Observed: p.spans[e.Name], Runs: runs[e.Name], Marks: s.Plan.Marks(e.Name, from, to)}
			if err := each(row); err != nil {
				return err
			}
		}
		return nil
	})
}

// wanted returns the stretches with equal neighbours united: a fire that changes nothing
// is no change.
func (s *Subject) wanted(name string, from, to time.Time) []plan.Stretch {
	var list []plan.Stretch
	for _, stretch := range slices.Collect(s.Plan.Stretches(name, from.In(s.Location), to.In(s.Location))) {
		if last := len(list) - 1; last >= 0 && list[last].Wanted == stretch.Wanted && list[last].Because == stretch.Because {
			list[last].To = stretch.To
			continue
		}
		list = append(list, stretch)
	}
	return list
}
