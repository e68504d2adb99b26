package engine

import (
	"context"
	"iter"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// horizon is how far ahead the next fire of an environment is looked for.
const horizon = 14 * 24 * time.Hour

// pastFires is how far back the last fire of an environment is looked for.
const pastFires = 35 * 24 * time.Hour

// Runs returns the runs that match, newest first, and the cursor of the next page.
func (e *Engine) Runs(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error) {
	return e.stores.Runs.List(ctx, f)
}

// FindRun returns one run, or ErrNoRun.
func (e *Engine) FindRun(ctx context.Context, id string) (scheduler.Run, error) {
	return e.stores.Runs.Run(ctx, id)
}

// Fires returns the fires of the active file: from inclusive, to exclusive.
func (e *Engine) Fires(from, to time.Time) iter.Seq[plan.Fire] {
	return e.current.load().plan.All(from, to)
}

// Plans returns the active setup, and its plan with the overrides that end at since or
// later, the ended ones too: for looking back.
func (e *Engine) Plans(ctx context.Context, since time.Time) (*scheduler.Setup, *plan.Plan, error) {
	s := e.current.load()
	all, err := e.stores.Overrides.Since(ctx, since)
	if err != nil {
		return nil, nil, err
	}
	if s, err = s.withOverrides(scheduler.Cursor{Overrides: all}); err != nil {
		return nil, nil, err
	}
	return s.Setup, s.plan, nil
}

// Place returns the zone of the active file and the name of its currency.
func (e *Engine) Place() (*time.Location, string) {
	s := e.current.load()
	return s.zone(), s.Currency
}

// EnvironmentOf returns the environment of the active file that has an id in a project of
// LCS.
func (e *Engine) EnvironmentOf(project int64, id string) (scheduler.Environment, bool) {
	s := e.current.load()
	found, ok := s.environments[s.names[idKey{project, lcs.NormalizeID(id)}]]
	return found, ok
}

// Statuses returns what is known of every environment of the file, in file order.
func (e *Engine) Statuses(ctx context.Context) ([]scheduler.EnvironmentStatus, error) {
	now := e.clock.Now()
	s := e.current.load()
	all, err := e.stores.Metadata.Observations(ctx)
	if err != nil {
		return nil, err
	}
	seen := s.observed(all)
	open, err := e.stores.Runs.Unfinished(ctx)
	if err != nil {
		return nil, err
	}
	runs := make(map[string]*scheduler.Run, len(open))
	for i := range open {
		runs[open[i].Environment] = &open[i]
	}
	manual, err := e.manuals.holding(ctx, now)
	if err != nil {
		return nil, err
	}
	next := s.nextFires(now)
	list := make([]scheduler.EnvironmentStatus, len(s.Environments))
	for i, env := range s.Environments {
		wanted := s.plan.Wanted(env.Name, now)
		list[i] = scheduler.EnvironmentStatus{
			Environment: env, Wanted: wanted.Wanted, Because: wanted.Because,
			Observation: seen[env.Name],
			NextFire:    next[env.Name], Run: runs[env.Name],
		}
		if m, ok := manual[env.Name]; ok {
			list[i].Manual, list[i].Wanted, list[i].Because = &m, m.Wanted(), m.Because(s.zone())
		}
		list[i].Unstopped = s.unstopped(list[i], now)
	}
	return list, nil
}

// nextFires returns the next fire of each environment that has one within the horizon.
func (s *snapshot) nextFires(now time.Time) map[string]*plan.Fire {
	next := make(map[string]*plan.Fire, len(s.Environments))
	for b := range s.plan.Batches(now, now.Add(horizon)) {
		for _, name := range b.Environments {
			if next[name] == nil {
				fire := b.Fire
				fire.Environment = name
				next[name] = &fire
			}
		}
		if len(next) == len(s.Environments) {
			break
		}
	}
	return next
}

// unstopped returns when an environment is stopped that runs although it is wanted
// stopped, where that is so since a file was loaded; nil otherwise.
func (s *snapshot) unstopped(e scheduler.EnvironmentStatus, now time.Time) *scheduler.Unstopped {
	if e.Wanted != plan.Stopped || e.Observation.Condition != lcs.Running || e.Run != nil || s.Enforced[e.Name] != "" {
		return nil
	}
	var last plan.Fire
	for fire := range s.plan.All(now.Add(-pastFires), now, e.Name) {
		last = fire
	}
	if last.Environment != "" && s.counts(last) {
		return nil // it came: something else keeps the environment running
	}
	for fire := range s.plan.All(now, now.Add(farthestBoundary), e.Name) {
		if fire.Action == plan.Stop {
			return &scheduler.Unstopped{At: fire.At}
		}
	}
	return &scheduler.Unstopped{}
}
