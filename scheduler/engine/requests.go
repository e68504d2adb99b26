package engine

import (
	"context"
	"fmt"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// A RequestStore writes the runs that no tick writes, and what people decide about runs.
type RequestStore interface {
	// InsertManual writes a run that a person asked for: it supersedes every unfinished
	// run of its environment.
	InsertManual(ctx context.Context, r scheduler.Run, emit Emit) (scheduler.Written, error)
	// InsertEnforced writes a run unless its environment has an unfinished one, or one
	// that was enforced after quietSince; nothing is written then.
	InsertEnforced(ctx context.Context, r scheduler.Run, quietSince time.Time, emit Emit) (scheduler.Written, error)
	// Cancel ends an unfinished run, the only one of Written.Runs. ErrNoRun, ErrFinished.
	Cancel(ctx context.Context, id string, now time.Time, message string, emit Emit) (scheduler.Written, error)
	// Approve lets the runs go that wait for an approval with this one, those of its
	// fire: Written.Runs. ErrNoRun, ErrFinished.
	Approve(ctx context.Context, id string, now time.Time, message string, emit Emit) (scheduler.Written, error)
}

// Request writes a run that a person asks for. It supersedes whatever the environment is
// about to do, and goes before scheduled runs.
func (e *Engine) Request(ctx context.Context, environment string, action plan.Action, by scheduler.Actor) (scheduler.Run, error) {
	s, now := e.current.load(), e.clock.Now()
	if _, ok := s.environments[environment]; !ok {
		return scheduler.Run{}, fmt.Errorf("%w: %q", scheduler.ErrNoEnvironment, environment)
	}
	at := micros(now)
	r, err := s.newRun(plan.Fire{At: at.In(s.zone()), Action: action, Environment: environment}, at)
	if err != nil {
		return scheduler.Run{}, err
	}
	r.Trigger, r.Rank, r.By = scheduler.TriggerManual, quota.Before(r.Rank), scheduler.Actor{Name: by.Name, Via: by.Via}
	w, err := e.stores.Requests.InsertManual(ctx, r, func(changed []scheduler.Run) []scheduler.Event {
		list := e.record.changedBy(by)(changed)
		for _, run := range changed {
			if run.ID == r.ID {
				list = append(list, requested(run, by, at))
			}
		}
		return list
	})
	if err != nil {
		return scheduler.Run{}, err
	}
	e.record.written(w, now)
	e.worker.start(w.Tickets...)
	if len(w.Runs) == 0 {
		return scheduler.Run{}, fmt.Errorf("%s %s: the same was asked for at the same instant; see its runs", action, environment)
	}
	return w.Runs[0], nil
}

// LastCall returns when the last of the calls would go, within LCS's limits, that start or
// stop environments now.
func (e *Engine) LastCall(ctx context.Context, action plan.Action, environments ...string) (time.Time, error) {
	return e.forecasts.lastCall(ctx, action, environments, e.clock.Now())
}

// Cancel ends an unfinished run. A call that LCS has accepted goes on there.
func (e *Engine) Cancel(ctx context.Context, id string, by scheduler.Actor) (scheduler.Run, error) {
	w, err := e.stores.Requests.Cancel(ctx, id, micros(e.clock.Now()), "canceled by "+person(by), func(changed []scheduler.Run) []scheduler.Event {
		list := e.record.changedBy(by)(changed)
		for i := range list {
			if list[i].Run == id {
				list[i].Change = changeOf(scheduler.ChangeCancel, "unfinished", string(scheduler.Canceled), list[i].Environment)
			}
		}
		return list
	})
	if err != nil {
		return first(w.Runs), err
	}
	e.record.ended(w.Runs...)
	e.worker.start(w.Tickets...)
	return first(w.Runs), nil
}

// person names who made a request, where it has a name.
func person(by scheduler.Actor) string {
	if by.Name != "" {
		return by.Name
	}
	return "a person"
}

func first(runs []scheduler.Run) scheduler.Run {
	if len(runs) == 0 {
		return scheduler.Run{}
	}
	return runs[0]
}

// Approve lets the fire go that a held run belongs to, and returns its runs.
func (e *Engine) Approve(ctx context.Context, id string, by scheduler.Actor) ([]scheduler.Run, error) {
	now := micros(e.clock.Now())
	message := "approved at " + now.Format(time.RFC3339)
	if by.Name != "" {
		message += " by " + by.Name
	}
	w, err := e.stores.Requests.Approve(ctx, id, now, message, approval(by, now))
	if err != nil {
		return nil, err
	}
	e.record.approved(w.Runs, by)
	e.worker.start(w.Tickets...)
	return w.Runs, nil
}
