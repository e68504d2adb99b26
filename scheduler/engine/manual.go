package engine

import (
	"context"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// farthestBoundary is how far ahead the boundary is searched that ends what a person did.
const farthestBoundary = 366 * 24 * time.Hour

// manuals reads which starts and stops by hand still hold: each until the next fire of its
// environment. It follows from the runs and the plan, so that a restart, a reload and
// other replicas change nothing.
type manuals struct {
	store   RunStore
	current *snapshots
}

// holding returns, by environment, the last start or stop by hand that holds at now.
func (m *manuals) holding(ctx context.Context, now time.Time) (map[string]scheduler.Manual, error) {
	runs, err := m.store.LastManual(ctx)
	if err != nil {
		return nil, err
	}
	s := m.current.load()
	holding := make(map[string]scheduler.Manual, len(runs))
	for _, r := range runs {
		until := s.boundary(r.Environment, r.FireAt)
		if until.IsZero() || until.After(now) {
			holding[r.Environment] = scheduler.Manual{Action: r.Action, At: r.FireAt, Until: until, Run: r.ID, By: r.By}
		}
	}
	return holding, nil
}

// boundary returns the first fire of an environment after an instant, zero when none comes
// within a year.
func (s *snapshot) boundary(environment string, after time.Time) time.Time {
	for fire := range s.plan.All(after.Add(time.Nanosecond), after.Add(farthestBoundary), environment) {
		if s.counts(fire) {
			return fire.At
		}
	}
	return time.Time{}
}

// counts reports whether a fire comes: a rule that is new or changed fires for no instant
// before the file was loaded that has it.
func (s *snapshot) counts(fire plan.Fire) bool {
	since, ok := s.since[ruleKey{fire.Schedule, fire.Environment}]
	return !ok || !fire.At.Before(since)
}
