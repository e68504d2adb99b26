package demo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"curfew/lcs"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

const (
	past          = 7 * 24 * time.Hour // of which the demo shows a history
	acceptedAfter = 2 * time.Second
	startsIn      = 11 * time.Minute // as real environments take
	stopsIn       = 4 * time.Minute
	recent        = 15 * time.Minute // before the start, of which there is no history
	failing       = "contoso-test"   // whose last fire failed, so that it is not as wanted
	minuteTag     = "minutes"        // of those whose fires come every minute
	failedText    = "the environment did not arrive within 45m: LCS still shows "
)

// A history is a week that the demo pretends to have behind it.
type history struct {
	runs  []scheduler.Run
	spans []scheduler.Span
}

// newHistory makes the week before began from the fires of the demo's own file.
func newHistory(cfg *config.Config, p *plan.Plan, began time.Time) (*history, error) {
	projects := map[string]int64{}
	for _, project := range cfg.Projects {
		projects[project.Name] = project.ID
	}
	h := &history{}
	until := began.Add(-recent)
	for _, e := range cfg.Environments {
		if slices.Contains(e.Tags, minuteTag) {
			continue
		}
		past := pastOf{history: h, environment: e, project: projects[e.Project], at: began.Add(-past), as: lcs.Running}
		if p.Wanted(e.Name, past.at).Wanted == plan.Stopped {
			past.as = lcs.Stopped
		}
		last := until
		if e.Name == failing {
			last = began
		}
		fires := p.Fires(past.at, last, e.Name)
		for i, f := range fires {
			if err := past.fire(f, e.Name == failing && i == len(fires)-1); err != nil {
				return nil, err
			}
		}
		past.see(began, past.as)
	}
	slices.SortFunc(h.runs, func(a, b scheduler.Run) int { return strings.Compare(a.ID, b.ID) })
	return h, nil
}

// A pastOf is the past of one environment while it is made up.
type pastOf struct {
	history     *history
	environment config.Environment
	project     int64
	at          time.Time // how far it is made up
	as          lcs.Condition
}

// see ends the present span, and begins one in another condition.
func (d *pastOf) see(at time.Time, as lcs.Condition) {
	if at.After(d.at) {
		d.history.spans = append(d.history.spans, scheduler.Span{Project: d.project, ID: lcs.NormalizeID(d.environment.ID), From: d.at, Until: at, Condition: d.as})
		d.at = at
	}
	d.as = as
}

func (d *pastOf) fire(f plan.Fire, fails bool) error {
	took, by, end := startsIn, lcs.Starting, lcs.Running
	if f.Action == plan.Stop {
		took, by, end = stopsIn, lcs.Stopping, lcs.Stopped
	}
	took += time.Duration(len(d.history.runs)%7) * 20 * time.Second
	id, err := idAt(f.At)
	if err != nil {
		return err
	}
	accepted := f.At.Add(acceptedAfter)
	run := scheduler.Run{
		ID: id, Environment: d.environment.Name, Project: d.environment.Project, Schedule: f.Schedule, Action: f.Action, Trigger: scheduler.TriggerSchedule,
		State: scheduler.Succeeded, By: scheduler.BySchedule, FireAt: f.At, DueAt: f.At, CreatedAt: f.At, StartedAt: f.At, AcceptedAt: accepted, FinishedAt: accepted.Add(took),
		OperationActivityID: uuid.NewString(), Message: "LCS shows it " + string(end), Tries: 1,
	}
	if fails {
		still := lcssim.Stopped
		if f.Action == plan.Stop {
			still = lcssim.Finished
		}
		run.State, run.FinishedAt, run.Message = scheduler.Failed, accepted.Add(45*time.Minute), failedText+string(still)
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
func (h *history) keep(ctx context.Context, s *store.Store, began time.Time) error {
	if _, err := s.Runs.CommitTick(ctx, scheduler.Cursor{}, began, h.runs, nil); err != nil {
		return err
	}
	return s.Observations.Backfill(ctx, h.spans)
}
