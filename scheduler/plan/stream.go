package plan

import (
	"slices"
	"time"
)

const (
	heldFires  = 1 << 18 // of groups, that Batches holds at a time, about
	leastFires = 8       // of one group, worked out at a time
	minStretch = instant(time.Minute)
	maxStretch = nextFireDays * day
)

// A groupFire is a fire of all environments of a group.
type groupFire struct {
	at    instant
	cause *cause
	start bool
}

func (f groupFire) fire() Fire {
	action := Stop
	if f.start {
		action = Start
	}
	return Fire{At: f.at.in(f.cause.loc), Action: action, Schedule: f.cause.name, Reason: f.cause.reason}
}

// fires appends the fires of the group from lo to hi, both included.
func (g *group) fires(list []groupFire, lo, hi instant) []groupFire {
	t := g.timeline(lo, hi)
	for _, i := range t.candidates(lo, hi) {
		if f, ok := t.fire(i); ok {
			list = append(list, f)
		}
	}
	return list
}

// perDay is no less than the fires of the group on a day, changes of the clocks and
// begins and ends of exceptions aside.
func (g *group) perDay() int {
	n := 1 + 2*len(g.windows)
	for _, r := range g.triggers {
		n += len(r.trigger.minutes())
	}
	for _, l := range g.layers {
		n += 2 * len(l.exception.Uptime)
	}
	return n
}

// stretchOf is how long it takes until there are so many fires at so many a day.
func stretchOf(fires, perDay int) instant {
	return min(max(instant(fires)*day/instant(max(1, perDay)), minStretch), maxStretch)
}

// A stream works out the fires of a group, stretch of time by stretch.
type stream struct {
	group   *group
	lo, hi  instant // what is still to be worked out
	stretch instant
	list    []groupFire
	taken   int
}

func newStream(g *group, lo, hi instant, fires int) *stream {
	return &stream{group: g, lo: lo, hi: hi, stretch: stretchOf(max(fires, leastFires), g.perDay())}
}

// peek returns the fire that is next, if there is one.
func (s *stream) peek() (groupFire, bool) {
	if s.taken == len(s.list) {
		s.fill()
	}
	if s.taken == len(s.list) {
		return groupFire{}, false
	}
	return s.list[s.taken], true
}

// fill works out the stretches up to the next fire. Where fires are rare the stretches
// grow.
func (s *stream) fill() {
	s.list, s.taken = s.list[:0], 0
	for len(s.list) == 0 && s.lo <= s.hi {
		end := min(s.hi, s.lo+s.stretch-1)
		s.list = s.group.fires(s.list, s.lo, end)
		s.lo = end + 1
		if len(s.list) == 0 {
			s.stretch = min(2*s.stretch, maxStretch)
		}
	}
}

// A pending is a fire of a chunk.
type pending struct {
	groupFire
	next  instant // of the group's next fire, or never
	group *group
	kind  int // which of the chunk's instants it has
}

func (p *pending) batch() Batch {
	b := Batch{Fire: p.fire(), Environments: p.group.environments, places: p.group.places}
	if p.next != never {
		b.Next = p.next.in(p.cause.loc)
	}
	return b
}

// A merger brings the fires of streams in order, chunk of time by chunk: a heap of
// streams would be slower, for it jumps from stream to stream in memory.
type merger struct {
	streams []*stream
	lo, hi  instant // what is still to come
	width   instant // of the next chunk
	widest  instant
	list    []pending // of the chunk, stream by stream
	order   []int     // of list, by instant
}

// newMerger holds so many fires at a time, about.
func newMerger(groups []*group, lo, hi instant, fires int) *merger {
	perDay := 0
	for _, g := range groups {
		perDay += g.perDay()
	}
	m := &merger{lo: lo, hi: hi, widest: stretchOf(fires, perDay)}
	const shortest = 16 // the first chunk is so much shorter, for those who want few fires
	m.width = max(m.widest/shortest, minStretch)
	for _, g := range groups {
		m.streams = append(m.streams, newStream(g, lo, hi, fires/len(groups)))
	}
	return m
}

// chunk brings the fires of the next chunk of time in order. It reports whether there
// may be more chunks.
func (m *merger) chunk() bool {
	m.list = m.list[:0]
	if m.lo > m.hi || len(m.streams) == 0 {
		return false
	}
	end := min(m.hi, m.lo+m.width-1)
	kinds := map[instant]int{}
	var instants []instant
	m.streams = slices.DeleteFunc(m.streams, func(s *stream) bool {
		f, ok := s.peek()
		for ok && f.at <= end {
			kind, seen := kinds[f.at]
			if !seen {
				kind = len(instants)
				kinds[f.at] = kind
				instants = append(instants, f.at)
			}
			s.taken++
			p := pending{f, never, s.group, kind}
			if f, ok = s.peek(); ok {
				p.next = f.at
			}
			m.list = append(m.list, p)
		}
		return !ok
	})
	m.sort(kinds, instants)
	m.lo, m.width = end+1, min(2*m.width, m.widest)
	return true
}

// sort orders the fires of the chunk by instant, and those of an instant as they are:
// it sorts instants, which are few, and counts the fires of each.
func (m *merger) sort(kinds map[instant]int, instants []instant) {
	places := make([]int, len(instants)) // by kind: where the next fire of it goes
	for i := range m.list {
		places[m.list[i].kind]++
	}
	slices.Sort(instants)
	before := 0
	for _, at := range instants {
		kind := kinds[at]
		places[kind], before = before, before+places[kind]
	}
	m.order = slices.Grow(m.order[:0], len(m.list))[:len(m.list)]
	for i := range m.list {
		place := &places[m.list[i].kind]
		m.order[*place] = i
		*place++
	}
}
