package scheduler

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// inForce is a Setup with what follows from it and from the overrides. It never
// changes: what is new is built beside it and swapped.
type inForce struct {
	*Setup
	plan         *plan.Plan // of the file and the overrides
	revision     int64      // of the overrides
	environments map[string]Environment
	projects     map[string]Project
	rank         map[string]int // position in the file
	since        map[ruleKey]time.Time
}

type ruleKey struct{ name, environment string }

func newInForce(s *Setup) (*inForce, error) {
	f := &inForce{Setup: s, plan: s.Plan, environments: map[string]Environment{}, projects: map[string]Project{}, rank: map[string]int{}}
	for _, p := range s.Projects {
		if len(p.Accounts) == 0 {
			return nil, fmt.Errorf("set up project %s: it has no account", p.Name)
		}
		f.projects[p.Name] = p
	}
	for i, env := range s.Environments {
		if _, ok := f.projects[env.Project]; !ok {
			return nil, fmt.Errorf("set up environment %s: no project %q", env.Name, env.Project)
		}
		f.environments[env.Name], f.rank[env.Name] = env, i
	}
	return f, nil
}

// withRules is f with the instants since which its rules stand unchanged.
func (f *inForce) withRules(since map[Rule]time.Time) *inForce {
	next := *f
	next.since = make(map[ruleKey]time.Time, len(since))
	for r, at := range since {
		next.since[ruleKey{r.Name, r.Environment}] = at
	}
	return &next
}

// withOverrides is f with the overrides of a cursor. Environments that the file
// does not have any more are left out of them.
func (f *inForce) withOverrides(c Cursor) (*inForce, error) {
	var list []plan.Exception
	for _, o := range c.Overrides {
		known := slices.DeleteFunc(slices.Clone(o.Environments), func(name string) bool { return f.environments[name].Name == "" })
		if len(known) == 0 || !o.From.Before(o.Until) {
			continue // stale, or released before it began
		}
		list = append(list, plan.Exception{
			Name: plan.OverridePrefix + o.ID, Environments: known, From: o.From, Until: o.Until, Location: f.zone(),
			Keep: o.Keep, Reason: o.Reason, Override: true,
		})
	}
	p, err := f.Plan.WithExceptions(list)
	if err != nil {
		return nil, fmt.Errorf("apply the overrides: %w", err)
	}
	next := *f
	next.plan, next.revision = p, c.Revision
	return &next, nil
}

// zone is where instants are shown that have none of their own.
func (f *inForce) zone() *time.Location {
	if f.Location == nil {
		return time.UTC
	}
	return f.Location
}

// stale names the environments of an override that the file does not have.
func (f *inForce) stale(o Override) []string {
	var gone []string
	for _, name := range o.Environments {
		if _, ok := f.environments[name]; !ok {
			gone = append(gone, name)
		}
	}
	return gone
}

// isOverride tells whether the rule that caused a fire is an override.
func isOverride(rule string) bool { return strings.HasPrefix(rule, plan.OverridePrefix) }

// rivals are the projects that share accounts with p, directly or through others.
func (f *inForce) rivals(p Project) []Rival {
	var claims []quota.Claim
	for _, other := range f.Projects {
		claims = append(claims, quota.Claim{Accounts: other.accountNames()})
	}
	var shared []string
	for _, part := range quota.Components(claims) {
		for _, c := range part {
			if slices.Contains(c.Accounts, p.Accounts[0].Name) {
				for _, c := range part {
					shared = append(shared, c.Accounts...)
				}
				break
			}
		}
	}
	var list []Rival
	for _, other := range f.Projects {
		if slices.Contains(shared, other.Accounts[0].Name) {
			list = append(list, Rival{Name: other.Name, ID: other.ID, Accounts: other.accountNames()})
		}
	}
	return list
}

// written gives an environment's id as the file has it, from the normalised one:
// LCS writes ids in two forms, and is not known to take each for the other.
func (f *inForce) written(project int64, id string) string {
	for _, env := range f.Environments {
		if f.projects[env.Project].ID == project && lcs.NormalizeID(env.ID) == id {
			return env.ID
		}
	}
	return id
}

// observed gives the last observations by environment of the file.
func (f *inForce) observed(all []Observation) map[string]Observation {
	type key struct {
		project int64
		id      string
	}
	seen := make(map[key]Observation, len(all))
	for _, o := range all {
		seen[key{o.Project, o.ID}] = o
	}
	byName := make(map[string]Observation, len(f.Environments))
	for _, env := range f.Environments {
		if o, ok := seen[key{f.projects[env.Project].ID, lcs.NormalizeID(env.ID)}]; ok {
			byName[env.Name] = o
		}
	}
	return byName
}

// change replaces what is in force by what build makes of it.
func (e *Engine) change(build func(*inForce) (*inForce, error)) (*inForce, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	next, err := build(e.setup.Load())
	if err != nil {
		return nil, err
	}
	e.setup.Store(next)
	return next, nil
}

// current gives what is in force, with the overrides of the cursor.
func (e *Engine) current(c Cursor) (*inForce, error) {
	if f := e.setup.Load(); f.revision == c.Revision {
		return f, nil
	}
	f, err := e.change(func(f *inForce) (*inForce, error) { return f.withOverrides(c) })
	if err != nil {
		return nil, err
	}
	e.tellStale(f, c)
	e.rewind()
	return f, nil
}

// tellStale says which overrides are about environments that are gone.
func (e *Engine) tellStale(f *inForce, c Cursor) {
	for _, o := range c.Overrides {
		if gone := f.stale(o); len(gone) > 0 {
			e.log.Warn("override names environments that the schedule file does not have; it has no effect on them",
				zap.String("override", o.ID), zap.Strings("environments", gone))
		}
	}
}

// Reload puts another Setup in force. By itself it starts and stops nothing; runs
// of environments that are gone are canceled. Fires up to now are still those of the
// Setup before: rules that are new or changed have none before this instant.
func (e *Engine) Reload(ctx context.Context, s *Setup) error {
	f, err := newInForce(s)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	before := e.setup.Load()
	if before.since != nil { // nil: it is not in force yet
		if err := e.Tick(ctx, now); err != nil {
			return err
		}
	}
	since, err := e.store.SyncRules(ctx, now, s.Rules)
	if err != nil {
		return err
	}
	f = f.withRules(since)
	c, err := e.store.Cursor(ctx)
	if err != nil {
		return err
	}
	if f, err = f.withOverrides(c); err != nil {
		return err
	}
	if _, err := e.change(func(*inForce) (*inForce, error) { return f, nil }); err != nil {
		return err
	}
	e.tellStale(f, c)
	e.forgetAccounts(before, f)
	e.rewind()
	e.nudge()
	return e.cancelGone(ctx, f)
}

// cancelGone ends the runs of environments that the file does not have any more.
func (e *Engine) cancelGone(ctx context.Context, f *inForce) error {
	open, err := e.store.Unfinished(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range open {
		if _, ok := f.environments[r.Environment]; ok {
			continue
		}
		r, err := e.store.Cancel(ctx, r.ID, time.Now(), notInFile)
		switch {
		case errors.Is(err, ErrFinished):
		case err != nil:
			errs = append(errs, err)
		default:
			e.told(r)
		}
	}
	return errors.Join(errs...)
}

const notInFile = "the environment is no longer in the schedule file"
