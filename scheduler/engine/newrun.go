package engine

import (
	"crypto/rand"
	"strings"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

const orderFile = "file" // of Defaults.Order

// newRun returns the run of a fire.
func (s *snapshot) newRun(fire plan.Fire, now time.Time) (scheduler.Run, error) {
	id, err := s.clock.NewID()
	if err != nil {
		return scheduler.Run{}, err
	}
	env := s.environments[fire.Environment]
	r := scheduler.Run{
		ID: id, Environment: env.Name, Project: env.Project, Schedule: fire.Schedule, Action: fire.Action, By: scheduler.BySchedule,
		Trigger: scheduler.TriggerSchedule, State: scheduler.Queued, FireAt: fire.At, DueAt: fire.At, CreatedAt: now, Rank: s.rankOf(env, fire.Action),
	}
	if isOverride(fire.Schedule) {
		r.Trigger = scheduler.TriggerOverride
	}
	return r, nil
}

// rankOf is the rank of a run whose start time is not known, or that is a stop.
func (s *snapshot) rankOf(env scheduler.Environment, action plan.Action) float64 {
	switch {
	case s.Defaults.Order == orderFile:
		return float64(s.rank[env.Name])
	case action == plan.Stop:
		return quota.StopRank(env.CostPerHour)
	default:
		return quota.StartRank(startsUnknown, env.CostPerHour)
	}
}

// overrideID returns a short id that people can type.
func overrideID() string { return strings.ToLower(rand.Text()[:8]) }

func kindOf(a plan.Action) scheduler.CallKind {
	if a == plan.Start {
		return lcs.CallStart
	}
	return lcs.CallStop
}

// micros is now in UTC, as the database keeps it.
func micros(now time.Time) time.Time { return now.UTC().Truncate(time.Microsecond) }
