package scheduler

import (
	"context"
	"time"

	"curfew/scheduler/plan"
)

// horizon is how far ahead the next fire of an environment is looked for.
const horizon = 14 * 24 * time.Hour

// Statuses gives what is known of every environment of the file, in file order.
func (e *Engine) Statuses(ctx context.Context) ([]EnvironmentStatus, error) {
	now := time.Now()
	f := e.setup.Load()
	all, err := e.store.Observations(ctx)
	if err != nil {
		return nil, err
	}
	seen := f.observed(all)
	open, err := e.store.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	runs := make(map[string]*Run, len(open))
	for i := range open {
		runs[open[i].Environment] = &open[i]
	}
	next := map[string]*plan.Fire{}
	for _, fire := range f.plan.Fires(now, now.Add(horizon)) {
		if next[fire.Environment] == nil {
			next[fire.Environment] = &fire
		}
	}
	list := make([]EnvironmentStatus, len(f.Environments))
	for i, env := range f.Environments {
		wanted := f.plan.Wanted(env.Name, now)
		list[i] = EnvironmentStatus{
			Environment: env, Wanted: wanted.Wanted, Because: wanted.Because,
			Observation: seen[env.Name],
			NextFire:    next[env.Name], Run: runs[env.Name],
		}
	}
	return list, nil
}
