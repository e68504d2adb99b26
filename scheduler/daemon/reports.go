package daemon

import (
	"context"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/store"
)

// reports answers what pages show of past and coming time, by the active file and what
// the database keeps.
type reports struct {
	engine    *engine.Engine
	store     *store.Store
	retention time.Duration // 0: for ever
}

// past is what the database keeps of what happened.
type past struct {
	*store.Observations
	*store.Runs
}

func (r reports) subject(ctx context.Context, since time.Time, names ...string) (report.Subject, error) {
	setup, withOverrides, err := r.engine.Plans(ctx, since)
	if err != nil {
		return report.Subject{}, err
	}
	zone, _ := r.Place()
	s := report.Subject{Plan: withOverrides, Schedules: setup.Plan, Location: zone, Past: past{r.store.Observations, r.store.Runs}, Summed: r.store.Months}
	if r.retention > 0 {
		s.Kept = r.store.Clock.Now().Add(-r.retention)
	}
	projects := make(map[string]int64, len(setup.Projects))
	for _, p := range setup.Projects {
		projects[p.Name] = p.ID
	}
	wanted := make(map[string]bool, len(names))
	for _, name := range names {
		wanted[name] = true
	}
	for _, e := range setup.Environments {
		if len(names) == 0 || wanted[e.Name] {
			s.Environments = append(s.Environments, report.Environment{Environment: e, ProjectID: projects[e.Project]})
		}
	}
	return s, nil
}

// Timeline calls each with the row of each environment named, of all when none is.
func (r reports) Timeline(ctx context.Context, from, to time.Time, names []string, each func(report.Row) error) error {
	s, err := r.subject(ctx, from, names...)
	if err != nil {
		return err
	}
	return report.Timeline(ctx, s, from, to, r.store.Clock.Now(), each)
}

// Savings calls each with the sums of each environment since an instant.
func (r reports) Savings(ctx context.Context, since time.Time, each func(report.Environment, report.Sums) error) error {
	return r.savingsUntil(ctx, since, r.store.Clock.Now(), each)
}

func (r reports) savingsUntil(ctx context.Context, since, until time.Time, each func(report.Environment, report.Sums) error) error {
	s, err := r.subject(ctx, since)
	if err != nil {
		return err
	}
	return report.Savings(ctx, s, since, until, each)
}

// LastFailed returns the runs of environments whose last run since an instant failed or was
// missed.
func (r reports) LastFailed(ctx context.Context, since time.Time) ([]scheduler.Run, error) {
	return r.store.Runs.LastFailed(ctx, since)
}

// Explain returns what is wanted of an environment at an instant, step by step.
func (r reports) Explain(ctx context.Context, environment string, at time.Time) (plan.Decision, error) {
	_, p, err := r.engine.Plans(ctx, at)
	if err != nil {
		return plan.Decision{}, err
	}
	return p.Wanted(environment, at), nil
}

// Plan returns the plan of the schedule file, without the overrides, and the zone of the file.
func (r reports) Plan(ctx context.Context) (*plan.Plan, *time.Location, error) {
	setup, _, err := r.engine.Plans(ctx, r.store.Clock.Now())
	if err != nil {
		return nil, nil, err
	}
	zone, _ := r.Place()
	return setup.Plan, zone, nil
}

// Plans returns the plan of the schedule file, and the one with the overrides.
func (r reports) Plans(ctx context.Context) (file, coming *plan.Plan, err error) {
	setup, coming, err := r.engine.Plans(ctx, r.store.Clock.Now())
	if err != nil {
		return nil, nil, err
	}
	return setup.Plan, coming, nil
}

// Asked returns what somebody asked for that keeps environments running.
func (r reports) Asked(ctx context.Context, by scheduler.Actor, since time.Time) ([]scheduler.Override, []scheduler.Run, error) {
	return r.store.Asked(ctx, by, since)
}

// Place returns the zone of the schedule file and the name of its currency.
func (r reports) Place() (*time.Location, string) { return r.engine.Place() }

// Audit returns the changes that people made since an instant, newest first.
func (r reports) Audit(ctx context.Context, since time.Time, before string, limit int) ([]scheduler.Event, error) {
	return r.store.Events.Audit(ctx, since, before, limit)
}

// Months returns the savings of each month since the one of an instant, oldest first.
func (r reports) Months(ctx context.Context, since time.Time) ([]scheduler.MonthSums, error) {
	zone, _ := r.Place()
	return r.store.Months.Sums(ctx, report.Month(since, zone), report.Month(r.store.Clock.Now(), zone))
}

// usualSince is of which time the usual duration of a run is learned.
const usualSince = 28 * 24 * time.Hour

// Usual returns how long starts and stops of environments usually take.
func (r reports) Usual(ctx context.Context, environments []string) (map[string]map[plan.Action]time.Duration, error) {
	runs, err := r.store.Runs.Since(ctx, environments, r.store.Clock.Now().Add(-usualSince))
	if err != nil {
		return nil, err
	}
	usual := make(map[string]map[plan.Action]time.Duration, len(runs))
	for name, list := range runs {
		usual[name] = report.Usual(list)
	}
	return usual, nil
}

// sumEvery is how often the savings are added to those of their month.
const sumEvery = time.Hour

// sum keeps the savings of each month, which outlive what they come from, until ctx ends.
func (r reports) sum(ctx context.Context, shown *savedMetrics, log *zap.Logger) error {
	t := time.NewTicker(sumEvery)
	defer t.Stop()
	for {
		err := r.sumMonths(ctx, r.store.Clock.Now())
		if err == nil {
			err = shown.count(ctx, r)
		}
		if err != nil && ctx.Err() == nil {
			log.Warn("savings not summed; retrying in an hour", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (r reports) sumMonths(ctx context.Context, now time.Time) error {
	from, err := r.store.Months.Summed(ctx)
	until := now.Add(-scheduler.ObservationHolds).Truncate(time.Minute)
	if err != nil || from.IsZero() || !from.Before(until) {
		return err
	}
	s, err := r.subject(ctx, from)
	if err != nil {
		return err
	}
	list, err := report.Months(ctx, s, from, until)
	if err != nil {
		return err
	}
	_, err = r.store.Months.Add(ctx, from, until, list)
	return err
}
