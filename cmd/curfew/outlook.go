package main

import (
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// An outlook is what is wanted of one environment, by its plan and by what a person did.
type outlook struct {
	plan        *plan.Plan
	environment string
	manual      *scheduler.Manual // nil when nothing done by hand holds
	zone        *time.Location
}

func (x outlook) wanted(at time.Time) plan.Decision {
	d := x.plan.Wanted(x.environment, at)
	m := x.manual
	if m == nil || at.Before(m.At) || !m.Until.IsZero() && !at.Before(m.Until) {
		return d
	}
	because := m.Because(x.zone)
	return plan.Decision{Wanted: m.Wanted(), Because: because, Steps: append([]string{because + "; otherwise:"}, d.Steps...)}
}

// change returns the first instant after at at which something else is wanted, false when
// there is none within a year.
func (x outlook) change(at time.Time) (time.Time, bool) {
	before := x.wanted(at).Wanted
	for {
		next, ok := x.edge(at)
		if !ok || x.wanted(next).Wanted != before {
			return next, ok
		}
		at = next
	}
}

// edge is the next instant at which the plan or what was done by hand may change something.
func (x outlook) edge(at time.Time) (time.Time, bool) {
	next, ok := x.plan.Change(x.environment, at)
	if x.manual == nil {
		return next, ok
	}
	for _, edge := range []time.Time{x.manual.At, x.manual.Until} {
		if edge.After(at) && (!ok || edge.Before(next)) {
			next, ok = edge, true
		}
	}
	return next, ok
}
