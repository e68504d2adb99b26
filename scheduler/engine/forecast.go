package engine

import (
	"context"
	"slices"
	"sync"
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
	wake    chan struct{} // there is something to forecast

	mu    sync.Mutex // guards fires; written by ticks
	fires []fire
}

// A fire is what a tick wrote.
type fire struct {
	written scheduler.Written
	at      time.Time
}

// later has a fire forecast when its calls are made.
func (f *forecaster) later(w scheduler.Written, now time.Time) {
	if len(w.Runs) == 0 {
		return
	}
	f.mu.Lock()
	f.fires = append(f.fires, fire{w, now})
	f.mu.Unlock()
	signal(f.wake)
}

// run says of fires how long they take, once their calls are made: calm returns a channel
// that is closed then, and nil when none is about to be made.
func (f *forecaster) run(ctx context.Context, calm func() <-chan struct{}) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		}
		if made := calm(); made != nil {
			select {
			case <-ctx.Done():
			case <-made:
			case <-time.After(settleLate):
			}
		}
		for _, one := range f.take() {
			f.forecast(ctx, one.written, one.at)
		}
	}
}

// take returns the fires to forecast.
func (f *forecaster) take() []fire {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.fires
	f.fires = nil
	return list
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
	open, err := f.runs.Unfinished(ctx)
	for _, action := range []plan.Action{plan.Stop, plan.Start} {
		if err == nil {
			fire := callsOf(w.Runs, func(r scheduler.Run) bool { return r.Action == action && fired[r.ID] })
			earlier := callsOf(open, func(r scheduler.Run) bool { return r.Action == action && !fired[r.ID] && r.WaitsForCall(now) })
			err = f.forecastOf(ctx, action, fire, earlier, now)
		}
	}
	if err != nil && !done(ctx) {
		f.record.log.Warn("not known how long the fire takes", zap.Error(err))
	}
}

// callsOf counts some of the runs by project.
func callsOf(runs []scheduler.Run, some func(scheduler.Run) bool) map[string]int {
	calls := map[string]int{}
	for _, r := range runs {
		if some(r) {
			calls[r.Project]++
		}
	}
	return calls
}

// lastCall returns when the last of the calls would go that do an action to environments now.
func (f *forecaster) lastCall(ctx context.Context, action plan.Action, environments []string, now time.Time) (time.Time, error) {
	open, err := f.runs.Unfinished(ctx)
	if err != nil {
		return now, err
	}
	s, fire, asked := f.current.load(), map[string]int{}, map[string]bool{}
	for _, name := range environments {
		fire[s.environments[name].Project]++
		asked[name] = true
	}
	earlier := callsOf(open, func(r scheduler.Run) bool { return r.Action == action && !asked[r.Environment] && r.WaitsForCall(now) })
	list, err := f.limits(ctx, action, fire, earlier, now)
	last := now
	for _, one := range list {
		if one.Last.After(last) {
			last = one.Last
		}
	}
	return last, err
}

// forecastOf logs what the limits mean for the calls of one kind, by project.
func (f *forecaster) forecastOf(ctx context.Context, action plan.Action, fire, earlier map[string]int, now time.Time) error {
	list, err := f.limits(ctx, action, fire, earlier, now)
	f.record.bottlenecks(action, list)
	return err
}

// limits returns which calls of one kind, by project, cannot go at once: for each group of
// projects that share accounts by itself.
func (f *forecaster) limits(ctx context.Context, action plan.Action, fire, earlier map[string]int, now time.Time) ([]quota.Forecast, error) {
	groups, accounts := f.groups(fire)
	if len(groups) == 0 {
		return nil, nil
	}
	all, err := f.calls.Budgets(ctx, now, kindOf(action), accounts)
	if err != nil {
		return nil, err
	}
	var list []quota.Forecast
	budgets := make(map[string]quota.Budget, len(all))
	for _, b := range all {
		b.Taken = slices.DeleteFunc(b.Taken, func(at time.Time) bool { return at.After(now) }) // calls of the fire itself
		budgets[b.Account] = b
	}
	for _, group := range groups {
		var own []quota.Budget
		var first, then []quota.Demand
		for _, c := range group {
			for _, a := range c.Accounts {
				if b, ok := budgets[a]; ok {
					own = append(own, b)
					delete(budgets, a) // an account is of one group, and may be of several of its projects
				}
			}
			first = append(first, quota.Demand{At: now, Accounts: c.Accounts, Calls: earlier[c.Name]})
			then = append(then, quota.Demand{At: now, Accounts: c.Accounts, Calls: fire[c.Name]})
		}
		limits := quota.PerAccount.Forecaster(own)
		limits.Fire(now, first)
		list = append(list, limits.Fire(now, then)...)
	}
	return list, nil
}

// groups returns the groups of the projects that a fire calls, and their accounts.
func (f *forecaster) groups(fire map[string]int) (groups [][]scheduler.Contender, accounts []string) {
	s := f.current.load()
	seen := map[string]bool{}
	for _, p := range s.Projects {
		if fire[p.Name] == 0 || seen[p.Name] {
			continue
		}
		groups = append(groups, s.contenders[p.Name])
		for _, c := range s.contenders[p.Name] {
			seen[c.Name] = true
			accounts = append(accounts, c.Accounts...)
		}
	}
	return groups, accounts
}
