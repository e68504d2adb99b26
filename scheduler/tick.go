package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"curfew/scheduler/plan"
)

const (
	// onTime is how late a fire may be taken up and still count as the schedule's
	// own; later ones are catch-up.
	onTime = time.Minute
	// farthest is how far back a tick looks: what was missed before is of no use
	// to anyone, and a year of it would be a million rows.
	farthest = 7 * 24 * time.Hour
	// jump is a step back of the clock that is worth a line in the log.
	jump = time.Minute
)

// Tick writes the runs of every fire since the last recorded tick, up to and
// including now. A late, doubled or missed wake changes nothing.
func (e *Engine) Tick(ctx context.Context, now time.Time) error {
	now = now.UTC().Truncate(time.Microsecond)
	last, err := e.store.Cursor(ctx)
	if err != nil {
		return err
	}
	if !now.After(last) {
		if last.Sub(now) > jump {
			e.log.Warn("the clock is behind the last tick; nothing fires until it has caught up", zap.Time("last_tick", last))
		}
		return nil
	}
	runs, err := e.due(last, now)
	if err != nil {
		return err
	}
	res, err := e.store.CommitTick(ctx, last, now, runs)
	if errors.Is(err, ErrStale) {
		return nil // another replica wrote this tick
	}
	if err != nil {
		return err
	}
	e.metrics.lastTick.Set(float64(now.UnixMicro()) / 1e6)
	e.report(res, now)
	return nil
}

// due gives the runs of the fires in (last, now]. The very first tick has none:
// a schedule seen for the first time never fires for the past.
func (e *Engine) due(last, now time.Time) ([]Run, error) {
	if last.IsZero() {
		return nil, nil
	}
	if oldest := now.Add(-farthest); last.Before(oldest) {
		e.log.Warn("the daemon was away for long; fires before this instant are left out of history", zap.Time("from", oldest))
		last = oldest
	}
	f := e.setup.Load()
	fires := map[string][]plan.Fire{}
	var order []string
	for _, fire := range f.Plan.Fires(last.Add(time.Nanosecond), now.Add(time.Nanosecond)) {
		if since, ok := f.since[ruleKey{fire.Schedule, fire.Environment}]; ok && fire.At.Before(since) {
			continue
		}
		if fires[fire.Environment] == nil {
			order = append(order, fire.Environment)
		}
		fires[fire.Environment] = append(fires[fire.Environment], fire)
	}
	var runs []Run
	for _, name := range order {
		more, err := f.runsOf(fires[name], now)
		if err != nil {
			return nil, err
		}
		runs = append(runs, more...)
	}
	return runs, nil
}

// runsOf makes the runs of one environment's fires, oldest first: only the last
// is to be carried out, if it is not too old.
func (f *inForce) runsOf(fires []plan.Fire, now time.Time) ([]Run, error) {
	runs := make([]Run, 0, len(fires))
	for i, fire := range fires {
		r, err := f.newRun(fire, now)
		if err != nil {
			return nil, err
		}
		switch late := now.Sub(fire.At); {
		case i < len(fires)-1:
			r.State, r.FinishedAt = Missed, now
			r.Message = "curfew was not running; a later fire came due too"
		case late > f.Defaults.CatchUp && late > onTime:
			r.State, r.FinishedAt = Missed, now
			r.Message = fmt.Sprintf("curfew was not running; %s late is more than catch_up, %s", late.Round(time.Second), f.Defaults.CatchUp)
		case late > onTime:
			r.Trigger = TriggerCatchUp
		}
		runs = append(runs, r)
	}
	return runs, nil
}

func (f *inForce) newRun(fire plan.Fire, now time.Time) (Run, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return Run{}, fmt.Errorf("make a run's id: %w", err)
	}
	env := f.environments[fire.Environment]
	return Run{
		ID: id.String(), Environment: env.Name, Project: env.Project, Schedule: fire.Schedule, Action: fire.Action,
		Trigger: TriggerSchedule, State: Queued, FireAt: fire.At, CreatedAt: now, Rank: f.rankOf(env, fire.Action),
	}, nil
}

// rankOf orders stops dearest first and starts cheapest first: with too few
// calls, the dearest hours are the ones not paid for.
func (f *inForce) rankOf(env Environment, action plan.Action) float64 {
	switch {
	case f.Defaults.Order == "file":
		return float64(f.rank[env.Name])
	case action == plan.Stop:
		return -env.CostPerHour
	default:
		return env.CostPerHour
	}
}

func (e *Engine) report(res TickResult, now time.Time) {
	for _, r := range res.Written {
		log := e.runLog(r)
		e.metrics.runs.WithLabelValues(string(r.Action), string(r.State)).Inc()
		switch r.State {
		case Missed:
			log.Warn("run missed", zap.String("message", r.Message))
		case Canceled:
			log.Info("run canceled", zap.String("message", r.Message), zap.String("superseded_by", r.SupersededBy))
		default:
			e.metrics.lateness.Observe(now.Sub(r.FireAt).Seconds())
			log.Info("run queued", zap.String("trigger", string(r.Trigger)))
		}
	}
	for _, r := range res.Superseded {
		e.metrics.runs.WithLabelValues(string(r.Action), string(Canceled)).Inc()
		e.runLog(r).Info("run canceled", zap.String("message", r.Message), zap.String("superseded_by", r.SupersededBy))
	}
}

// runLog gives a logger that says which run it speaks of.
func (e *Engine) runLog(r Run) *zap.Logger {
	return e.log.With(zap.String("environment", r.Environment), zap.String("project", r.Project), zap.String("schedule", r.Schedule),
		zap.String("action", string(r.Action)), zap.Time("fire_at", r.FireAt), zap.String("run_id", r.ID), zap.Int("attempt", r.Tries))
}
