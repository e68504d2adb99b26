package plan

import (
	"cmp"
	"slices"
	"time"
)

const (
	// nextFireDays is how far NextFires looks.
	nextFireDays = 366
	// soonDays is where it looks first: most rules fire within a week.
	soonDays = 8
)

// Fires are the fires from from (inclusive) to to (exclusive) of the environments
// named, or of all when none is, sorted by At and then Environment. Unknown
// environments have none.
func (p *Plan) Fires(from, to time.Time, environments ...string) []Fire {
	lo, hi := instantOf(from), instantOf(to)-1
	if len(environments) == 0 {
		return expand(p.groups, lo, hi)
	}
	named := map[*group][]string{}
	for _, name := range environments {
		if g := p.group[name]; g != nil {
			named[g] = append(named[g], name)
		}
	}
	var groups []*group
	for _, g := range p.groups {
		if list := named[g]; list != nil {
			part := *g
			part.environments = slices.Compact(slices.Sorted(slices.Values(list)))
			groups = append(groups, &part)
		}
	}
	return expand(groups, lo, hi)
}

// fires are the fires of the group from lo to hi, both included, with no
// environment.
func (g *group) fires(lo, hi instant) []Fire {
	if lo > hi {
		return nil
	}
	t := g.timeline(lo, hi)
	var list []Fire
	for _, i := range t.candidates(lo, hi) {
		if f, ok := t.fire(i); ok {
			list = append(list, f)
		}
	}
	return list
}

// expand gives each environment of the groups its fires. It sorts instants of
// groups, which are few, and not the fires.
func expand(groups []*group, lo, hi instant) []Fire {
	type groupFire struct {
		fire Fire
		g    *group
	}
	var list []groupFire
	size := 0
	for _, g := range groups {
		for _, f := range g.fires(lo, hi) {
			list = append(list, groupFire{f, g})
			size += len(g.environments)
		}
	}
	slices.SortStableFunc(list, func(a, b groupFire) int { return a.fire.At.Compare(b.fire.At) })
	fires := make([]Fire, 0, size)
	for i := 0; i < len(list); {
		first := len(fires)
		at := list[i].fire.At
		k := i
		for ; k < len(list) && list[k].fire.At.Equal(at); k++ {
			for _, name := range list[k].g.environments {
				f := list[k].fire
				f.Environment = name
				fires = append(fires, f)
			}
		}
		if k > i+1 {
			slices.SortFunc(fires[first:], func(a, b Fire) int { return cmp.Compare(a.Environment, b.Environment) })
		}
		i = k
	}
	return fires
}

// NextFires are the first fires after after (exclusive) by the schedule or exception
// that causes them, each on the first of its environments. Rules that cause none
// within 366 days are left out.
func (p *Plan) NextFires(after time.Time) map[string]Fire {
	next := map[string]Fire{}
	missing := map[string]bool{}
	for _, s := range p.spec.Schedules {
		missing[s.Name] = true
	}
	for _, e := range p.spec.Exceptions {
		missing[e.Name] = true
	}
	lo := instantOf(after) + 1
	for _, days := range []instant{soonDays, nextFireDays} {
		for _, g := range p.groups {
			if !g.causes(missing) {
				continue
			}
			for _, f := range g.fires(lo, lo+days*day-1) {
				f.Environment = g.environments[0]
				if old, ok := next[f.Schedule]; missing[f.Schedule] && (!ok || f.At.Before(old.At)) {
					next[f.Schedule] = f
				}
			}
		}
		for name := range next {
			delete(missing, name)
		}
	}
	return next
}

// causes tells whether a rule of the group has one of the names.
func (g *group) causes(names map[string]bool) bool {
	return slices.ContainsFunc(g.windows, func(r *windowRule) bool { return names[r.begins.name] }) ||
		slices.ContainsFunc(g.triggers, func(r *triggerRule) bool { return names[r.cause.name] }) ||
		slices.ContainsFunc(g.layers, func(l *layer) bool { return names[l.exception.Name] })
}
