package scheduler

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// ErrNoEnvironment means that the file in force has no environment of the name.
var ErrNoEnvironment = errors.New("no such environment")

// LongestOverride is how far ahead an override may end.
const LongestOverride = 31 * 24 * time.Hour

// Act writes a run that a person asks for. It supersedes whatever the environment
// is about to do, and goes before scheduled runs.
func (e *Engine) Act(ctx context.Context, environment string, action plan.Action) (Run, error) {
	f, now := e.setup.Load(), time.Now()
	if _, ok := f.environments[environment]; !ok {
		return Run{}, fmt.Errorf("%w: %q", ErrNoEnvironment, environment)
	}
	at := now.UTC().Truncate(time.Microsecond)
	r, err := f.newRun(plan.Fire{At: at.In(f.zone()), Action: action, Environment: environment}, at)
	if err != nil {
		return Run{}, err
	}
	r.Trigger, r.Rank = TriggerManual, quota.Before(r.Rank)
	res, err := e.store.Insist(ctx, r)
	if err != nil {
		return Run{}, err
	}
	e.report(res, now)
	if len(res.Written) == 0 {
		return Run{}, fmt.Errorf("%s %s: the same was asked for at the same instant; look at its runs", action, environment)
	}
	return res.Written[0], nil
}

// Cancel ends an unfinished run. A call that LCS has accepted goes on there.
func (e *Engine) Cancel(ctx context.Context, id string) (Run, error) {
	r, err := e.store.Cancel(ctx, id, time.Now().UTC().Truncate(time.Microsecond), "canceled by a person")
	if err != nil {
		return r, err
	}
	e.told(r)
	return r, nil
}

// Approve lets the fire go that a held run belongs to, and gives its runs.
func (e *Engine) Approve(ctx context.Context, id string) ([]Run, error) {
	runs, err := e.store.Approve(ctx, id, time.Now())
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		e.runLog(r).Info("run approved")
	}
	return runs, nil
}

// An Invalid is what is wrong with a request, for who made it.
type Invalid struct{ Message string }

func (e *Invalid) Error() string { return e.Message }

// Override keeps environments running or stopped until an instant. ID, From and
// CreatedAt are filled in; From may be given, to begin later.
func (e *Engine) Override(ctx context.Context, o Override) (Override, error) {
	f, now := e.setup.Load(), time.Now().UTC().Truncate(time.Microsecond)
	if o.From.Before(now) {
		o.From = now
	}
	if err := f.checkOverride(o, now); err != nil {
		return o, err
	}
	slices.Sort(o.Environments)
	o.Environments = slices.Compact(o.Environments)
	o.ID, o.CreatedAt, o.Until = overrideID(), now, o.Until.UTC().Truncate(time.Microsecond)
	o, err := e.store.AddOverride(ctx, o)
	if err != nil {
		return o, err
	}
	e.log.Info("override made", overrideFields(o)...)
	e.nudge()
	return o, nil
}

func (f *inForce) checkOverride(o Override, now time.Time) error {
	switch {
	case len(o.Environments) == 0:
		return &Invalid{"environments: want at least one name"}
	case o.Keep != plan.Running && o.Keep != plan.Stopped:
		return &Invalid{fmt.Sprintf("keep: %q is not known; want running or stopped", o.Keep)}
	case o.Until.IsZero():
		return &Invalid{"until: an override must have an end; want an instant, 31 days from now at most"}
	case !o.Until.After(o.From):
		return &Invalid{fmt.Sprintf("until: %s is not after its begin, %s", o.Until.Format(time.RFC3339), o.From.Format(time.RFC3339))}
	case o.Until.After(now.Add(LongestOverride)):
		return &Invalid{fmt.Sprintf("until: %s is more than 31 days from now; want an earlier end, or an exception in the schedule file", o.Until.Format(time.RFC3339))}
	}
	for _, name := range o.Environments {
		if _, ok := f.environments[name]; !ok {
			return fmt.Errorf("%w: %q", ErrNoEnvironment, name)
		}
	}
	return nil
}

// overrideID gives a short id that people can type.
func overrideID() string { return strings.ToLower(rand.Text()[:8]) }

func overrideFields(o Override) []zap.Field {
	return []zap.Field{
		zap.String("override", o.ID), zap.Strings("environments", o.Environments), zap.String("keep", string(o.Keep)),
		zap.Time("from", o.From), zap.Time("until", o.Until), zap.String("reason", o.Reason),
	}
}

// Release ends an override now.
func (e *Engine) Release(ctx context.Context, id string) (Override, error) {
	o, err := e.store.EndOverride(ctx, id, time.Now().UTC().Truncate(time.Microsecond))
	if err != nil {
		return o, err
	}
	e.log.Info("override released", overrideFields(o)...)
	e.nudge()
	return o, nil
}

// An OverrideStatus is an override and what is the matter with it.
type OverrideStatus struct {
	Override
	State string   // pending, active, expired or released
	Stale []string // its environments that the schedule file does not have
}

// overridesShown is how long ended overrides are still listed.
const overridesShown = 24 * time.Hour

// Overrides gives those that have not ended, or ended in the last day.
func (e *Engine) Overrides(ctx context.Context) ([]OverrideStatus, error) {
	f, now := e.setup.Load(), time.Now()
	all, err := e.store.Overrides(ctx, now.Add(-overridesShown))
	if err != nil {
		return nil, err
	}
	list := make([]OverrideStatus, len(all))
	for i, o := range all {
		list[i] = OverrideStatus{Override: inZone(o, f.zone()), State: stateOf(o, now), Stale: f.stale(o)}
	}
	return list, nil
}

func inZone(o Override, zone *time.Location) Override {
	o.From, o.Until, o.CreatedAt = o.From.In(zone), o.Until.In(zone), o.CreatedAt.In(zone)
	return o
}

func stateOf(o Override, now time.Time) string {
	switch {
	case !o.ReleasedAt.IsZero():
		return "released"
	case !now.Before(o.Until):
		return "expired"
	case now.Before(o.From):
		return "pending"
	}
	return "active"
}

// reportEnded logs the overrides that ended between two ticks.
func (e *Engine) reportEnded(c Cursor, now time.Time) {
	for _, o := range c.Overrides {
		if o.Until.After(c.At) && !o.Until.After(now) && o.ReleasedAt.IsZero() {
			e.log.Info("override expired; its environments are brought to what the schedules want", overrideFields(o)...)
		}
	}
}

func newRunID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a run's id: %w", err)
	}
	return id.String(), nil
}
