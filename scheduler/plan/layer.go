package plan

import (
	"fmt"
	"strings"
)

// A layer is an exception as it takes effect: over what lies below it, from from
// (inclusive) until until (exclusive).
type layer struct {
	exception   *Exception
	from, until instant
	windows     []interval // merged; nil when the layer keeps a state
	begins      *cause
}

// newLayer is the layer of e. It is never active when e ends before it begins.
func newLayer(e *Exception) *layer {
	l := &layer{exception: e, from: instantOf(e.From), until: instantOf(e.Until)}
	l.begins = &cause{name: e.Name, loc: e.Location, reason: l.title() + " begins: " + l.effect() + l.why()}
	if l.from < l.until && !l.keeps() {
		l.findWindows()
	}
	return l
}

// findWindows works out the windows of the days from From on. One that has begun by
// Until is not cut: it carries the layer beyond.
func (l *layer) findWindows() {
	e := l.exception
	first := newClock(e.Location).day(l.from)
	end := l.until
	for _, w := range e.Uptime {
		r := &windowRule{
			window: w, loc: e.Location,
			begins: &cause{e.Name, l.title() + ": window " + w.String() + " begins", e.Location},
			ends:   &cause{e.Name, l.title() + ": window " + w.String() + " ends", e.Location},
		}
		c := newClock(e.Location)
		for n := first; ; n++ {
			begin, stop := r.span(c, n)
			if begin >= end {
				break
			}
			if r.on(n) && begin < stop {
				l.windows = append(l.windows, interval{begin, stop, r.begins, r.ends})
				l.until = max(l.until, stop)
			}
		}
	}
	l.windows = merge(l.windows)
}

func (l *layer) keeps() bool { return l.exception.Keep != "" }

// active reports whether the layer is in effect at i.
func (l *layer) active(i instant) bool { return l.from <= i && i < l.until }

// at is what the layer wants at i, where it is active.
func (l *layer) at(i instant) Wanted {
	switch {
	case l.keeps():
		return l.exception.Keep
	case covered(l.windows, i):
		return Running
	}
	return Stopped
}

// ended is the cause of a fire at the end of the layer, when next decides from then
// on, or the schedules where next is nil.
func (l *layer) ended(next *layer, wanted Wanted) *cause {
	heir := "schedules want"
	if next != nil {
		heir = next.title() + " wants"
	}
	reason := fmt.Sprintf("%s ends: %s %s", l.title(), heir, wanted)
	return &cause{name: l.exception.Name, loc: l.exception.Location, reason: reason}
}

// next is the first instant after i at which the layer does something, or never.
func (l *layer) next(i instant) instant {
	found := never
	consider := func(at instant) {
		if at > i && at >= l.from {
			found = min(found, at)
		}
	}
	if l.from < l.until {
		consider(l.from)
		consider(l.until)
	}
	for _, v := range l.windows {
		consider(v.begin)
		consider(v.end)
	}
	return found
}

func (l *layer) title() string {
	if l.exception.Override {
		return "override " + strings.TrimPrefix(l.exception.Name, OverridePrefix)
	}
	// Exceptions of the file have no names of their own: theirs begins with the kind.
	return "exception " + strings.TrimPrefix(l.exception.Name, "exception:")
}

// effect is what the layer does, in a few words.
func (l *layer) effect() string {
	if l.keeps() {
		return "keep " + string(l.exception.Keep)
	}
	windows := make([]string, len(l.exception.Uptime))
	for i, w := range l.exception.Uptime {
		windows[i] = w.String()
	}
	return "uptime " + strings.Join(windows, ", ")
}

func (l *layer) why() string {
	if l.exception.Reason == "" {
		return ""
	}
	return " (" + l.exception.Reason + ")"
}
