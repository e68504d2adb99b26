package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/plan"
)

// A snapshot is a Setup with what follows from it and from the overrides. It never
// changes: a new one is built and swapped in.
type snapshot struct {
	*scheduler.Setup
	clock        *clock.Clock // of the ids of runs
	plan         *plan.Plan   // of the file and the overrides
	revision     int64        // of the overrides
	environments map[string]scheduler.Environment
	projects     map[string]scheduler.Project
	ids          map[string]map[string]string // by project and environment: the normalised id
	contenders   map[string][]scheduler.Contender
	names        map[idKey]string // the environment that has an id
	rank         map[string]int   // position in the file
	since        map[ruleKey]time.Time
}

type ruleKey struct{ name, environment string }

type idKey struct {
	project int64
	id      string // normalised
}

func newSnapshot(s *scheduler.Setup, c *clock.Clock) (*snapshot, error) {
	f := &snapshot{
		Setup: s, clock: c, plan: s.Plan, environments: make(map[string]scheduler.Environment, len(s.Environments)), projects: map[string]scheduler.Project{},
		ids: map[string]map[string]string{}, names: make(map[idKey]string, len(s.Environments)), rank: make(map[string]int, len(s.Environments)),
	}
	for _, p := range s.Projects {
		if len(p.Accounts) == 0 {
			return nil, fmt.Errorf("set up project %s: it has no account", p.Name)
		}
		f.projects[p.Name], f.ids[p.Name] = p, map[string]string{}
	}
	for i, env := range s.Environments {
		p, ok := f.projects[env.Project]
		if !ok {
			return nil, fmt.Errorf("set up environment %s: no project %q", env.Name, env.Project)
		}
		id := lcs.NormalizeID(env.ID)
		f.environments[env.Name], f.rank[env.Name], f.ids[p.Name][env.Name] = env, i, id
		f.names[idKey{p.ID, id}] = env.Name
	}
	f.contenders = contenders(s.Projects)
	return f, nil
}

// contenders returns, by project, the projects that share accounts with it, directly or
// through others, itself among them.
func contenders(projects []scheduler.Project) map[string][]scheduler.Contender {
	group := map[string]*[]scheduler.Contender{} // by account
	for _, p := range projects {
		joined := &[]scheduler.Contender{{Name: p.Name, ID: p.ID, Accounts: p.AccountNames()}}
		for _, account := range p.AccountNames() {
			if other := group[account]; other != nil && other != joined {
				*joined = append(*other, *joined...)
			}
			for _, c := range *joined {
				for _, a := range c.Accounts {
					group[a] = joined
				}
			}
		}
	}
	by := make(map[string][]scheduler.Contender, len(projects))
	for _, p := range projects {
		by[p.Name] = *group[p.Accounts[0].Name]
	}
	return by
}

// withRules returns s with the instants since which its rules are unchanged.
func (s *snapshot) withRules(since map[scheduler.Rule]time.Time) *snapshot {
	next := *s
	next.since = make(map[ruleKey]time.Time, len(since))
	for r, at := range since {
		next.since[ruleKey{r.Name, r.Environment}] = at
	}
	return &next
}

// rulesAtMost returns s with no rule that is unchanged since an instant in the future.
func (s *snapshot) rulesAtMost(now time.Time) *snapshot {
	next := *s
	next.since = maps.Clone(s.since)
	for r, at := range next.since {
		if at.After(now) {
			next.since[r] = now
		}
	}
	return &next
}

// withOverrides returns s with the overrides of a cursor. Environments that the file
// does not have any more are left out of them.
func (s *snapshot) withOverrides(c scheduler.Cursor) (*snapshot, error) {
	var list []plan.Exception
	for _, o := range c.Overrides {
		known := slices.DeleteFunc(slices.Clone(o.Environments), func(name string) bool { return s.environments[name].Name == "" })
		if len(known) == 0 || !o.From.Before(o.Until) {
			continue // stale, or released before it started
		}
		list = append(list, plan.Exception{
			Name: plan.OverridePrefix + o.ID, Environments: known, From: o.From, Until: o.Until, Location: s.zone(),
			Keep: o.Keep, Reason: o.Reason, Override: true,
		})
	}
	next := *s
	next.plan, next.revision = s.Plan, c.Revision
	if len(list) == 0 { // most often: a plan of thousands takes a moment to compile
		return &next, nil
	}
	p, err := s.Plan.WithExceptions(list)
	if err != nil {
		return nil, fmt.Errorf("apply the overrides: %w", err)
	}
	next.plan = p
	return &next, nil
}

// zone is where instants are shown that have none of their own.
func (s *snapshot) zone() *time.Location {
	if s.Location == nil {
		return time.UTC
	}
	return s.Location
}

// stale returns the environments of an override that the file does not have.
func (s *snapshot) stale(o scheduler.Override) []string {
	var gone []string
	for _, name := range o.Environments {
		if _, ok := s.environments[name]; !ok {
			gone = append(gone, name)
		}
	}
	return gone
}

// isOverride reports whether the rule that caused a fire is an override.
func isOverride(rule string) bool { return strings.HasPrefix(rule, plan.OverridePrefix) }

// contender returns a project as one that asks for calls.
func contender(p scheduler.Project) scheduler.Contender {
	return scheduler.Contender{Name: p.Name, ID: p.ID, Accounts: p.AccountNames()}
}

// written returns an environment's id as the file has it, from the normalised one: LCS
// writes ids in two forms, and is not known to accept each for the other.
func (s *snapshot) written(project int64, id string) string {
	if name, ok := s.names[idKey{project, id}]; ok {
		return s.environments[name].ID
	}
	return id
}

// observed returns the last observations by environment of the file.
func (s *snapshot) observed(all []scheduler.Observation) map[string]scheduler.Observation {
	byName := make(map[string]scheduler.Observation, len(all))
	for _, o := range all {
		if name, ok := s.names[idKey{o.Project, o.ID}]; ok {
			byName[name] = o
		}
	}
	return byName
}

// windowBegin is the instant by which a start was to have succeeded, zero when nobody
// asked for that.
func (s *snapshot) windowBegin(r scheduler.Run) time.Time {
	lead, ok := s.Leads[r.Schedule]
	if r.Action != plan.Start || !ok {
		return time.Time{}
	}
	return r.FireAt.Add(lead.Fixed)
}

// A accountUse is an account with the projects that it works for.
type accountUse struct {
	scheduler.Account
	projects []scheduler.Project
}

// accounts returns each account once, in the order in which projects name them.
func (s *snapshot) accounts() []accountUse {
	var list []accountUse
	at := map[string]int{}
	for _, p := range s.Projects {
		for _, a := range p.Accounts {
			i, ok := at[a.Name]
			if !ok {
				i = len(list)
				at[a.Name] = i
				list = append(list, accountUse{Account: a})
			}
			list[i].projects = append(list[i].projects, p)
		}
	}
	return list
}

// scopes are those of the holds that a new password or login can end.
func (a accountUse) scopes() []string {
	scopes := []string{scheduler.AccountHold(a.Name)}
	for _, p := range a.projects {
		scopes = append(scopes, scheduler.MemberHold(a.Name, p.ID))
	}
	return scopes
}

func (a accountUse) projectNames() []string {
	names := make([]string, len(a.projects))
	for i, p := range a.projects {
		names[i] = p.Name
	}
	return names
}

// snapshots holds the active snapshot.
type snapshots struct {
	changing sync.Mutex // one writer at a time
	active   atomic.Pointer[snapshot]
}

func (s *snapshots) load() *snapshot { return s.active.Load() }

// change replaces the active snapshot by what build makes of it.
func (s *snapshots) change(build func(*snapshot) (*snapshot, error)) (*snapshot, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	next, err := build(s.active.Load())
	if err != nil {
		return nil, err
	}
	s.active.Store(next)
	return next, nil
}
