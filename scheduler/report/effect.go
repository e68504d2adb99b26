package report

import (
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// An Effect is what it would do to an environment to keep it in a state.
type Effect struct {
	Longer time.Duration // that it runs, against what is wanted now; negative: shorter
	Money  float64       // that this costs; negative: saves
}

// Add adds the effect on another environment.
func (e *Effect) Add(other Effect) {
	e.Longer += other.Longer
	e.Money += other.Money
}

// EffectOf returns what it would do to keep an environment in a state from from to until,
// against a plan. While the plan wants nothing, the environment is taken to stay as it was
// seen last.
func EffectOf(p *plan.Plan, s scheduler.EnvironmentStatus, keep plan.Wanted, from, until time.Time) Effect {
	var e Effect
	for _, span := range p.Spans(s.Name, from, until) {
		runs := span.Wanted == plan.Running || span.Wanted == plan.Unknown && s.Observation.Condition == lcs.Running
		switch {
		case keep == plan.Running && !runs:
			e.Longer += span.To.Sub(span.From)
		case keep == plan.Stopped && runs:
			e.Longer -= span.To.Sub(span.From)
		}
	}
	e.Money = e.Longer.Hours() * s.CostPerHour
	return e
}
