package plan

import (
	"cmp"
	"slices"
	"sort"
)

// An interval is a stretch in which an environment should run, begin included and
// end not, with what causes its two edges.
type interval struct {
	begin, end   instant
	began, ended *cause
}

// merge unites intervals that overlap or touch. Of causes at the same instant the
// first in the list is kept.
func merge(list []interval) []interval {
	slices.SortStableFunc(list, func(a, b interval) int { return cmp.Compare(a.begin, b.begin) })
	merged := list[:0]
	for _, next := range list {
		last := len(merged) - 1
		switch {
		case last < 0 || next.begin > merged[last].end:
			merged = append(merged, next)
		case next.end > merged[last].end:
			merged[last].end, merged[last].ended = next.end, next.ended
		}
	}
	return merged
}

// find is the interval of a merged list that begins last of those not after i.
func find(list []interval, i instant) (interval, bool) {
	k := sort.Search(len(list), func(k int) bool { return list[k].begin > i })
	if k == 0 {
		return interval{}, false
	}
	return list[k-1], true
}

// covered reports whether i is within an interval of a merged list.
func covered(list []interval, i instant) bool {
	v, ok := find(list, i)
	return ok && i < v.end
}

// edge is the cause of the edge that a merged list has at i, nil if it has none.
func edge(list []interval, i instant) *cause {
	if v, ok := find(list, i); ok && v.begin == i {
		return v.began
	}
	if v, ok := find(list, i-1); ok && v.end == i {
		return v.ended
	}
	return nil
}

// An event is an instant from which on something else may be wanted.
type event struct {
	at     instant
	wanted Wanted
	cause  *cause
}

// A baseline is what the schedules of a group want between two instants.
type baseline struct {
	eventful bool
	windows  []interval // merged; of uptime schedules
	events   []event    // at most one an instant; the first may lie before the range
	silent   bool       // no schedule at all
}

// baseline is what the schedules want from lo to hi, both included.
func (g *group) baseline(lo, hi instant) baseline {
	switch {
	case len(g.windows) > 0:
		var list []interval
		for _, r := range g.windows {
			list = r.intervals(list, lo, hi)
		}
		return baseline{windows: merge(list)}
	case len(g.triggers) > 0:
		return baseline{eventful: true, events: g.events(lo, hi)}
	}
	return baseline{silent: true}
}

// events are the latest event before lo and those from lo to hi.
func (g *group) events(lo, hi instant) []event {
	var before event
	var list []event
	for _, r := range g.triggers {
		if at, ok := r.latest(lo); ok && (before.cause == nil || at > before.at || (at == before.at && r.wanted == Running && before.wanted == Stopped)) {
			before = event{at, r.wanted, r.cause}
		}
		for at := range r.times(lo, hi) {
			list = append(list, event{at, r.wanted, r.cause})
		}
	}
	slices.SortStableFunc(list, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.wanted, b.wanted)) // "running" sorts first: the start wins
	})
	list = slices.CompactFunc(list, func(a, b event) bool { return a.at == b.at })
	if before.cause != nil {
		list = slices.Insert(list, 0, before)
	}
	return list
}

// latest is the last event not after i.
func (b *baseline) latest(i instant) (event, bool) {
	k := sort.Search(len(b.events), func(k int) bool { return b.events[k].at > i })
	if k == 0 {
		return event{}, false
	}
	return b.events[k-1], true
}

// at is what the schedules want at i.
func (b *baseline) at(i instant) Wanted {
	if b.eventful {
		e, ok := b.latest(i)
		if !ok {
			return Unknown
		}
		return e.wanted
	}
	switch {
	case b.silent:
		return Unknown
	case covered(b.windows, i):
		return Running
	}
	return Stopped
}

// edge is the cause of what the schedules do at i, nil if they do nothing then.
func (b *baseline) edge(i instant) *cause {
	if !b.eventful {
		return edge(b.windows, i)
	}
	if e, ok := b.latest(i); ok && e.at == i {
		return e.cause
	}
	return nil
}

// A timeline is everything that decides about a group between two instants.
type timeline struct {
	base   baseline
	layers []*layer // those of the range, the one that beats the others first
}

// timeline answers for lo to hi, both included, and for the instant before lo.
func (g *group) timeline(lo, hi instant) *timeline {
	t := &timeline{base: g.baseline(lo-1, hi)}
	for _, l := range g.layers {
		if l.from <= hi && l.until >= lo-1 {
			t.layers = append(t.layers, l)
		}
	}
	return t
}

// top is the layer that decides at i, nil when the schedules do.
func (t *timeline) top(i instant) *layer {
	for _, l := range t.layers {
		if l.active(i) {
			return l
		}
	}
	return nil
}

func (t *timeline) wanted(top *layer, i instant) Wanted {
	if top != nil {
		return top.at(i)
	}
	return t.base.at(i)
}

// candidates are the instants from lo to hi at which a fire is possible, ascending,
// each once.
func (t *timeline) candidates(lo, hi instant) []instant {
	var list []instant
	add := func(i instant) {
		if lo <= i && i <= hi {
			list = append(list, i)
		}
	}
	for _, e := range t.base.events {
		add(e.at)
	}
	for _, v := range t.base.windows {
		add(v.begin)
		add(v.end)
	}
	for _, l := range t.layers {
		add(l.from)
		add(l.until)
		for _, v := range l.windows {
			add(v.begin)
			add(v.end)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// fire is the fire at i, and whether there is one. The state just before i is that
// at i-1: nothing happens between two instants.
func (t *timeline) fire(i instant) (groupFire, bool) {
	top, was := t.top(i), t.top(i-1)
	wanted := t.wanted(top, i)
	if wanted == Unknown {
		return groupFire{}, false
	}
	changes := wanted != t.wanted(was, i-1)
	eventful := top == nil && t.base.eventful && t.base.edge(i) != nil
	kept := top != nil && top.from == i && top.keeps()
	if !changes && !eventful && !kept {
		return groupFire{}, false
	}
	return groupFire{i, t.cause(top, was, i), wanted == Running}, true
}

// cause is what brings about the fire at i, where top decides and was decided
// before.
func (t *timeline) cause(top, was *layer, i instant) *cause {
	switch {
	case top != was && top != nil && top.from == i:
		return top.begins
	case top != was && was != nil:
		return was.ended(top, t.wanted(top, i))
	case top != nil:
		return edge(top.windows, i)
	}
	return t.base.edge(i)
}
