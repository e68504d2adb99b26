package plan

import (
	"iter"
	"slices"
	"time"
)

// nextFireDays is how far ahead NextFires searches.
const nextFireDays = 366

// All yields the fires from from (inclusive) to to (exclusive) of the environments
// named, or of all when none is, sorted by At and then Environment. Unknown
// environments have none. Memory is bounded by the number of environments, however
// long the range is.
func (p *Plan) All(from, to time.Time, environments ...string) iter.Seq[Fire] {
	return func(yield func(Fire) bool) {
		p.expand(p.Batches(from, to, environments...), yield)
	}
}

// expand yields the fires of batches by environment. It sorts numbers of environments
// and not fires.
func (p *Plan) expand(all iter.Seq[Batch], yield func(Fire) bool) {
	var same []Batch // of one instant
	var order []uint64
	for b := range all {
		if len(same) > 0 && !same[0].At.Equal(b.At) {
			if !p.expandInstant(same, &order, yield) {
				return
			}
			same = same[:0]
		}
		same = append(same, b)
	}
	p.expandInstant(same, &order, yield)
}

// expandInstant yields the fires of batches of one instant; order is room for it.
func (p *Plan) expandInstant(same []Batch, order *[]uint64, yield func(Fire) bool) bool {
	if len(same) == 1 {
		for _, name := range same[0].Environments {
			if !yield(same[0].of(name)) {
				return false
			}
		}
		return true
	}
	const bits = 32
	list := (*order)[:0]
	for i := range same {
		for _, place := range same[i].places {
			list = append(list, uint64(place)<<bits|uint64(i))
		}
	}
	slices.Sort(list)
	*order = list
	for _, n := range list {
		if !yield(same[n&(1<<bits-1)].of(p.sorted[n>>bits])) {
			return false
		}
	}
	return true
}

// Fires are the fires of All in one slice, which is never nil.
func (p *Plan) Fires(from, to time.Time, environments ...string) []Fire {
	if len(environments) == 0 && p.idle(from, to) {
		return []Fire{}
	}
	size := 0
	var all []Batch
	for b := range p.Batches(from, to, environments...) {
		all = append(all, b)
		size += len(b.Environments)
	}
	fires := make([]Fire, 0, size)
	p.expand(slices.Values(all), func(f Fire) bool {
		fires = append(fires, f)
		return true
	})
	return fires
}

// A Batch is one fire of all environments that have the same rules.
type Batch struct {
	Fire                   // Environment is ""
	Environments []string  // sorted; not to be changed
	Next         time.Time // the next fire of these environments within the range, zero for none

	places []uint32 // of Environments in the sorted names of the plan
}

func (b *Batch) of(environment string) Fire {
	f := b.Fire
	f.Environment = environment
	return f
}

// Batches yields the fires of All by environments with the same rules, sorted by At
// and then in the order in which the spec names the environments.
func (p *Plan) Batches(from, to time.Time, environments ...string) iter.Seq[Batch] {
	return batches(p.selected(environments), from, to, heldFires)
}

func batches(groups []*group, from, to time.Time, held int) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		m := newMerger(groups, instantOf(from), instantOf(to)-1, held)
		for m.chunk() {
			for _, i := range m.order {
				if !yield(m.list[i].batch()) {
					return
				}
			}
		}
	}
}

// selected are the groups, restricted to the environments named if any is.
func (p *Plan) selected(environments []string) []*group {
	if len(environments) == 0 {
		return p.groups
	}
	named := map[*group][]uint32{}
	for _, name := range environments {
		if g := p.group[name]; g != nil {
			i, _ := slices.BinarySearch(p.sorted, name)
			named[g] = append(named[g], uint32(i)) //nolint:gosec // a place in a list of names
		}
	}
	var groups []*group
	for _, g := range p.groups {
		list := named[g]
		if list == nil {
			continue
		}
		slices.Sort(list)
		part := *g
		part.places = slices.Compact(list)
		part.environments = make([]string, len(part.places))
		for i, place := range part.places {
			part.environments[i] = p.sorted[place]
		}
		groups = append(groups, &part)
	}
	return groups
}

// NextFires are the first fires after after (exclusive) by the schedule or exception
// that causes them, each on the first of its environments. Rules that cause none
// within 366 days are left out.
func (p *Plan) NextFires(after time.Time) map[string]Fire {
	next := map[string]Fire{}
	lo := instantOf(after) + 1
	hi := lo + nextFireDays*day - 1
	for _, g := range p.groups {
		missing := g.causes(lo, hi)
		s := newStream(g, lo, hi, leastFires)
		for f, ok := s.peek(); ok && len(missing) > 0; f, ok = s.peek() {
			s.taken++
			name := f.cause.name
			if !missing[name] {
				continue
			}
			delete(missing, name)
			if old, ok := next[name]; !ok || f.at < instantOf(old.At) {
				first := f.fire()
				first.Environment = g.environments[0]
				next[name] = first
			}
		}
	}
	return next
}

// causes are the names of the rules of the group that may cause a fire from lo to hi.
func (g *group) causes(lo, hi instant) map[string]bool {
	names := map[string]bool{}
	for _, r := range g.windows {
		names[r.begins.name] = true
	}
	for _, r := range g.triggers {
		names[r.cause.name] = true
	}
	for _, l := range g.layers {
		if l.from <= hi && l.until >= lo {
			names[l.exception.Name] = true
		}
	}
	return names
}
