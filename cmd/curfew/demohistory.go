package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

const (
	demoPast       = 7 * 24 * time.Hour // of which the demo shows a history
	demoAccepted   = 2 * time.Second
	demoStarting   = 11 * time.Minute // as real environments take
	demoStopping   = 4 * time.Minute
	demoRecent     = 15 * time.Minute // before the start, of which there is no history
	demoFailing    = "contoso-test"   // whose last stop failed
	demoMinuteTag  = "minutes"        // of those whose fires come every minute
	demoFailedText = "the environment did not arrive within 45m: LCS still shows Finished"
)

// A demoHistory is a week that the demo pretends to have behind it.
type demoHistory struct {
	runs  []scheduler.Run
	spans []scheduler.Span
}

// newDemoHistory makes the week before began from the fires of the demo's own file.
func newDemoHistory(cfg *config.Config, p *plan.Plan, began time.Time) (*demoHistory, error) {
	projects := map[string]int64{}
	for _, project := range cfg.Projects {
		projects[project.Name] = project.ID
	}
	h := &demoHistory{}
	until := began.Add(-demoRecent)
	for _, e := range cfg.Environments {
		if slices.Contains(e.Tags, demoMinuteTag) {
			continue
		}
		past := demoPastOf{history: h, environment: e, project: projects[e.Project], at: began.Add(-demoPast), as: lcs.Running}
		if p.Wanted(e.Name, past.at).Wanted == plan.Stopped {
			past.as = lcs.Stopped
		}
		fires := p.Fires(past.at, until, e.Name)
		for i, f := range fires {
			if err := past.fire(f, failsInDemo(e.Name, fires[i:])); err != nil {
				return nil, err
			}
		}
		past.see(began, past.as)
	}
	slices.SortFunc(h.runs, func(a, b scheduler.Run) int { return strings.Compare(a.ID, b.ID) })
	return h, nil
}

// failsInDemo reports whether the first of the remaining fires is the one that fails.
func failsInDemo(environment string, rest []plan.Fire) bool {
	return environment == demoFailing && rest[0].Action == plan.Stop && !slices.ContainsFunc(rest[1:], func(f plan.Fire) bool { return f.Action == plan.Stop })
}

// A demoPastOf is the past of one environment while it is made up.
type demoPastOf struct {
	history     *demoHistory
	environment config.Environment
	project     int64
	at          time.Time // how far it is made up
	as          lcs.Condition
}

// see ends the present span, and begins one in another condition.
func (d *demoPastOf) see(at time.Time, as lcs.Condition) {
	if at.After(d.at) {
		d.history.spans = append(d.history.spans, scheduler.Span{Project: d.project, ID: lcs.NormalizeID(d.environment.ID), From: d.at, Until: at, Condition: d.as})
		d.at = at
	}
	d.as = as
}

func (d *demoPastOf) fire(f plan.Fire, fails bool) error {
	took, by, end := demoStarting, lcs.Starting, lcs.Running
	if f.Action == plan.Stop {
		took, by, end = demoStopping, lcs.Stopping, lcs.Stopped
	}
	took += time.Duration(len(d.history.runs)%7) * 20 * time.Second
	id, err := idAt(f.At)
	if err != nil {
		return err
	}
	accepted := f.At.Add(demoAccepted)
	run := scheduler.Run{
		ID: id, Environment: d.environment.Name, Project: d.environment.Project, Schedule: f.Schedule, Action: f.Action, Trigger: scheduler.TriggerSchedule,
		State: scheduler.Succeeded, By: scheduler.BySchedule, FireAt: f.At, DueAt: f.At, CreatedAt: f.At, StartedAt: f.At, AcceptedAt: accepted, FinishedAt: accepted.Add(took),
		OperationActivityID: uuid.NewString(), Message: "LCS shows it " + string(end), Tries: 1,
	}
	if fails {
		run.State, run.FinishedAt, run.Message = scheduler.Failed, accepted.Add(45*time.Minute), demoFailedText
	} else {
		d.see(accepted, by)
		d.see(run.FinishedAt, end)
	}
	d.history.runs = append(d.history.runs, run)
	return nil
}

// idAt makes an id that sorts with those that were made at an instant.
func idAt(at time.Time) (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make the demo's history: %w", err)
	}
	ms := at.UnixMilli()
	for i := range 6 {
		id[i] = byte(ms >> (8 * (5 - i)) & 0xff)
	}
	return id.String(), nil
}

// keep writes the history as the database has it.
func (h *demoHistory) keep(ctx context.Context, s *store.Store, began time.Time) error {
	if _, err := s.Runs.CommitTick(ctx, scheduler.Cursor{}, began, h.runs, nil); err != nil {
		return err
	}
	return s.Observations.Backfill(ctx, h.spans)
}
