package scheduler

import (
	"context"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler/plan"
)

// enforceQuiet is how long an environment is left alone after it was brought back.
const enforceQuiet = 30 * time.Minute

// drift is which environments were seen in the wrong state, and when first.
type drift struct {
	mu    sync.Mutex // guards what follows
	wrong map[string]sighting
}

type sighting struct {
	at     time.Time
	wanted plan.Wanted
}

// correct brings back environments that were seen in the wrong state twice, where
// their schedule says enforce: always and no override holds.
func (e *Engine) correct(ctx context.Context, now time.Time) error {
	f := e.setup.Load()
	if len(f.Enforced) == 0 || e.draining.Load() {
		return nil
	}
	all, err := e.store.Observations(ctx)
	if err != nil {
		return err
	}
	seen := f.observed(all)
	var names []string
	for _, env := range f.Environments {
		if f.Enforced[env.Name] != "" && e.drifted(f, env.Name, seen[env.Name], now) {
			names = append(names, env.Name)
		}
	}
	early, err := e.startedEarly(ctx, names, now)
	if err != nil {
		return err
	}
	for _, name := range names {
		o, action := seen[name], actionFor(f.plan.Wanted(name, now).Wanted)
		if action == plan.Stop && early[name] {
			continue // it runs because its window is to come
		}
		if err := e.bringBack(ctx, f, plan.Fire{At: o.At.In(f.zone()), Action: action, Environment: name, Schedule: f.Enforced[name]}, o, now); err != nil {
			return err
		}
	}
	return nil
}

// drifted tells whether this is the second observation in a row that shows the
// environment in the wrong state, with the same state wanted.
func (e *Engine) drifted(f *inForce, name string, o Observation, now time.Time) bool {
	wanted := f.plan.Wanted(name, now).Wanted
	_, override := f.plan.Overruled(name, now)
	wrong := wanted == plan.Running && o.Condition == lcs.Stopped || wanted == plan.Stopped && o.Condition == lcs.Running
	e.drift.mu.Lock()
	defer e.drift.mu.Unlock()
	before, known := e.drift.wrong[name]
	switch {
	case !wrong || override || o.Misses > 0 || now.Sub(o.At) > staleAfter:
		delete(e.drift.wrong, name)
		return false
	case !known || before.wanted != wanted:
		e.drift.wrong[name] = sighting{o.At, wanted}
		return false
	}
	return o.At.After(before.at)
}

func actionFor(w plan.Wanted) plan.Action {
	if w == plan.Running {
		return plan.Start
	}
	return plan.Stop
}

// bringBack writes the run. The observation's instant is its fire, so that of
// several replicas that see the same one writes it.
func (e *Engine) bringBack(ctx context.Context, f *inForce, fire plan.Fire, o Observation, now time.Time) error {
	r, err := f.newRun(fire, now.UTC().Truncate(time.Microsecond))
	if err != nil {
		return err
	}
	r.Trigger = TriggerEnforce
	r.Message = fmt.Sprintf("LCS showed %s (%s) twice while the schedules want it otherwise", o.DeploymentState, o.Display)
	res, err := e.store.Enforce(ctx, r, now.Add(-enforceQuiet))
	if err != nil || len(res.Written) == 0 {
		return err
	}
	e.drift.mu.Lock()
	delete(e.drift.wrong, fire.Environment)
	e.drift.mu.Unlock()
	e.runLog(r).Warn("environment has drifted and is brought back", zap.String("event", "warning"), zap.String("message", r.Message))
	e.report(res, now)
	return nil
}
