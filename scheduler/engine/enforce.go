package engine

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

const (
	// enforceQuiet is how long an environment is left alone after it was brought back.
	enforceQuiet = 30 * time.Minute
	// staleAfter is how old an observation may be that shows drift.
	staleAfter = 10 * time.Minute
)

// An enforcer brings back environments that were seen in the wrong state twice, where
// their schedule says enforce: always, no override is active, and no person started or
// stopped them since the last fire. One goroutine uses it.
type enforcer struct {
	store   RequestStore
	leads   *leads
	manuals *manuals
	record  *recorder
	current *snapshots
	wrong   map[string]sighting // by environment: when it was first seen in the wrong state
}

type sighting struct {
	at     time.Time
	wanted plan.Wanted
}

// correct writes the runs that observations call for, and returns their tickets.
func (e *enforcer) correct(ctx context.Context, seen []scheduler.Observation, now time.Time) ([]scheduler.Ticket, error) {
	s := e.current.load()
	if len(s.Enforced) == 0 {
		return nil, nil
	}
	observed := s.observed(seen)
	var names []string
	for name, o := range observed {
		if s.Enforced[name] != "" && e.drifted(s, name, o, now) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	early, err := e.leads.startedEarly(ctx, names, now)
	if err != nil {
		return nil, err
	}
	manual, err := e.manuals.holding(ctx, now)
	if err != nil {
		return nil, err
	}
	var tickets []scheduler.Ticket
	for _, name := range names {
		action := actionFor(s.plan.Wanted(name, now).Wanted)
		if action == plan.Stop && early[name] {
			continue // it runs because its window is to come
		}
		if m, ok := manual[name]; ok && m.Action != action {
			continue // a person wants it as it is, until the next fire
		}
		more, err := e.bringBack(ctx, name, action, observed[name], now)
		if err != nil {
			return tickets, err
		}
		tickets = append(tickets, more...)
	}
	return tickets, nil
}

// drifted reports whether this is the second observation in a row that shows the
// environment in the wrong state, with the same state wanted.
func (e *enforcer) drifted(s *snapshot, name string, o scheduler.Observation, now time.Time) bool {
	wanted := s.plan.Wanted(name, now).Wanted
	_, override := s.plan.Overruled(name, now)
	wrong := wanted == plan.Running && o.Condition == lcs.Stopped || wanted == plan.Stopped && o.Condition == lcs.Running
	before, known := e.wrong[name]
	switch {
	case !wrong || override || o.Misses > 0 || now.Sub(o.At) > staleAfter:
		delete(e.wrong, name)
		return false
	case !known || before.wanted != wanted || before.at.After(now):
		e.wrong[name] = sighting{o.At, wanted}
		e.record.log.Debug("observed in the wrong state once; the next observation decides", zap.String("environment", name), zap.String("wanted", string(wanted)))
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

// bringBack writes the run. The observation's instant is its fire, so that of several
// replicas that see the same one writes it.
func (e *enforcer) bringBack(ctx context.Context, name string, action plan.Action, o scheduler.Observation, now time.Time) ([]scheduler.Ticket, error) {
	s := e.current.load()
	r, err := s.newRun(plan.Fire{At: o.At.In(s.zone()), Action: action, Environment: name, Schedule: s.Enforced[name]}, micros(now))
	if err != nil {
		return nil, err
	}
	r.Trigger = scheduler.TriggerEnforce
	r.Message = fmt.Sprintf("LCS showed %s (%s) twice while the schedules want it otherwise", o.DeploymentState, o.Display)
	w, err := e.store.InsertEnforced(ctx, r, now.Add(-enforceQuiet), e.record.inserted)
	if err != nil || len(w.Runs) == 0 {
		return nil, err
	}
	delete(e.wrong, name)
	e.record.drifted(r)
	e.record.written(w, now)
	return w.Tickets, nil
}
