package engine

import (
	"context"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// A forecaster says of a fire that LCS's limits do not let be done at once how long it
// takes, after the calls that were made and those that still wait.
type forecaster struct {
	runs    RunStore
	calls   CallStore
	record  *recorder
	current *snapshots
}

// forecast logs what the limits mean for the runs of a tick.
func (f *forecaster) forecast(ctx context.Context, w scheduler.Written, now time.Time) {
	fired := map[string]bool{}
	for _, r := range w.Runs {
		if !r.State.Finished() {
			fired[r.ID] = true
		}
	}
	if len(fired) == 0 {
		return
	}
	s := f.current.load()
	open, err := f.runs.Unfinished(ctx)
	for _, action := range []plan.Action{plan.Stop, plan.Start} {
		var budgets []quota.Budget
		fire := s.demands(now, w.Runs, func(r scheduler.Run) bool { return r.Action == action && fired[r.ID] })
		if len(fire) == 0 {
			continue
		}
		if err == nil {
			budgets, err = f.calls.Budgets(ctx, now, kindOf(action), s.accountNames())
		}
		if err != nil {
			f.record.log.Warn("not known how long the fire takes", zap.Error(err))
			return
		}
		earlier := s.demands(now, open, func(r scheduler.Run) bool { return r.Action == action && !fired[r.ID] && r.WaitsForCall(now) })
		limits := quota.PerAccount.Forecaster(budgets)
		limits.Fire(now, earlier)
		f.record.bottlenecks(action, limits.Fire(now, fire))
	}
}

// demands counts the calls of some of the runs by project.
func (s *snapshot) demands(now time.Time, runs []scheduler.Run, some func(scheduler.Run) bool) []quota.Demand {
	calls := map[string]int{}
	for _, r := range runs {
		if some(r) {
			calls[r.Project]++
		}
	}
	var list []quota.Demand
	for _, p := range s.Projects {
		if n := calls[p.Name]; n > 0 {
			list = append(list, quota.Demand{At: now, Accounts: p.AccountNames(), Calls: n})
		}
	}
	return list
}
