package plan

import "time"

const (
	// wantedFires is how many fires all streams together hold, about.
	wantedFires = 1 << 18
	minStretch  = instant(time.Hour)
	maxStretch  = nextFireDays * day
)

// A groupFire is a fire of all environments of a group.
type groupFire struct {
	instant instant
	action  Action
	cause   *cause
}

func (f *groupFire) time() time.Time { return f.instant.in(f.cause.loc) }

func (f *groupFire) fire() Fire {
	return Fire{At: f.time(), Action: f.action, Schedule: f.cause.name, Reason: f.cause.reason}
}

// A stream works out the fires of a group, stretch of time by stretch.
type stream struct {
	group   *group
	order   int // among the groups
	lo, hi  instant
	stretch instant
	wanted  int // fires in a stretch, about
	list    []groupFire
	taken   int
}

func newStream(g *group, lo, hi instant, wanted int) *stream {
	wanted = max(wanted, 8)
	perDay := 0
	for _, r := range g.triggers {
		perDay += len(r.trigger.minutes())
	}
	for _, l := range g.layers {
		perDay += 2 + 2*len(l.exception.Uptime)
	}
	perDay += 2 * len(g.windows)
	stretch := instant(max(1, wanted)) * day / instant(max(1, perDay))
	return &stream{group: g, lo: lo, hi: hi, wanted: wanted, stretch: min(max(stretch, minStretch), maxStretch)}
}

// at is the fire that is next, where there is one.
func (s *stream) at() *groupFire { return &s.list[s.taken] }

// advance moves on to the next fire and reports whether there is one.
func (s *stream) advance() bool {
	s.taken++
	return s.taken < len(s.list) || s.fill()
}

// fill works out the stretches up to the next fire and reports whether there is one.
func (s *stream) fill() bool {
	s.list, s.taken = s.list[:0], 0
	for len(s.list) == 0 && s.lo <= s.hi {
		end := min(s.hi, s.lo+s.stretch-1)
		s.list = s.group.fires(s.list, s.lo, end)
		s.lo = end + 1
		if len(s.list) < s.wanted/2 {
			s.stretch = min(2*s.stretch, maxStretch)
		}
	}
	return len(s.list) > 0
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

// A merger is a heap of streams: the first one has the earliest fire.
type merger struct{ streams []*stream }

func newMerger(groups []*group, lo, hi instant) *merger {
	m := &merger{}
	for i, g := range groups {
		s := newStream(g, lo, hi, wantedFires/len(groups))
		s.order = i
		if s.fill() {
			m.streams = append(m.streams, s)
		}
	}
	for i := len(m.streams)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	return m
}

// sift puts the first stream, whose fire was taken, in its new place; a stream that has
// come to its end is removed.
func (m *merger) sift() {
	last := len(m.streams) - 1
	if s := m.streams[0]; s.taken >= len(s.list) {
		m.streams[0] = m.streams[last]
		m.streams = m.streams[:last]
	}
	m.down(0)
}

func (m *merger) down(i int) {
	for {
		first := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(m.streams); child++ {
			if m.before(child, first) {
				first = child
			}
		}
		if first == i {
			return
		}
		m.streams[i], m.streams[first] = m.streams[first], m.streams[i]
		i = first
	}
}

func (m *merger) before(i, k int) bool {
	a, b := m.streams[i], m.streams[k]
	if x, y := a.at().instant, b.at().instant; x != y {
		return x < y
	}
	return a.order < b.order
}
