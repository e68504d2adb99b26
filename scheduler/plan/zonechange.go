package plan

import (
	"fmt"
	"time"
)

// ZoneChange reports whether the rule behind f names a local time that a change of the
// clocks skips or repeats on that day, with a sentence for display. Rules that follow
// elapsed time, and the ends of exceptions, are never moved.
func (p *Plan) ZoneChange(f Fire) (string, bool) {
	at, ok := p.place[f.Schedule]
	switch {
	case !ok:
		return "", false
	case at.schedule:
		return p.schedules[at.index].zoneChange(f)
	}
	e := &p.spec.Exceptions[at.index]
	if e.Keep != "" {
		return "", false
	}
	s := Schedule{Name: e.Name, Location: e.Location, Uptime: e.Uptime}
	return compileSchedule(&s).zoneChange(f)
}

func (c compiled) zoneChange(f Fire) (string, bool) {
	for _, r := range c.windows {
		if text, ok := r.zoneChange(f); ok {
			return text, true
		}
	}
	for _, r := range c.triggers {
		if text, ok := r.zoneChange(f); ok {
			return text, true
		}
	}
	return "", false
}

// zoneChange checks the edges of windows around the day of f: a change of zone may
// have moved a time by a day.
func (r *windowRule) zoneChange(f Fire) (string, bool) {
	c := newClock(r.loc)
	at := instantOf(f.At)
	today := c.day(at)
	for n := today - dayNumber(r.window.EndDay) - 2; n <= today+1; n++ {
		if !r.on(n) {
			continue
		}
		edge, minute := n, r.window.Begin
		if f.Action == Stop {
			edge, minute = n+dayNumber(r.window.EndDay), r.window.End
		}
		if text, ok := c.describeShift(edge, minute, at); ok {
			return text, true
		}
	}
	return "", false
}

func (r *triggerRule) zoneChange(f Fire) (string, bool) {
	if r.trigger.elapsed() || (r.wanted == Running) != (f.Action == Start) {
		return "", false
	}
	c := newClock(r.loc)
	at := instantOf(f.At)
	today := c.day(at)
	for n := today - 1; n <= today+1; n++ {
		if !r.on(n) {
			continue
		}
		minutes := r.trigger.minutes()
		for _, m := range minutes[firstMinute(c, n, minutes, at):] {
			if c.resolve(n, m) != at {
				break
			}
			if text, ok := c.describeShift(n, m, at); ok {
				return text, true
			}
		}
	}
	return "", false
}

// ChangesNear reports whether a change of the clocks is so near that ZoneChange may
// have something to say of a fire at at, in its zone: a time that is skipped comes at
// the change, and one that is repeated comes before it.
func ChangesNear(at time.Time) bool {
	s := instantOf(at).seconds()
	p := newClock(at.Location()).at(s)
	return s == p.start || p.end < s+2*maxOffset
}

// describeShift says what a change of the clocks did to minute of day n, if that
// comes at at and is touched by one.
func (c *clock) describeShift(n dayNumber, minute int, at instant) (string, bool) {
	if c.resolve(n, minute) != at {
		return "", false
	}
	if minute == minutesPerDay {
		n, minute = n+1, 0
	}
	date := n.date()
	switch c.shift(n, minute) {
	case inGap:
		layout := "15:04"
		if c.day(at) != n {
			layout = "2006-01-02 15:04"
		}
		return fmt.Sprintf("%s does not exist on %s in %s; fires at %s",
			formatClock(minute), date, c.loc, at.in(c.loc).Format(layout)), true
	case inFold:
		return fmt.Sprintf("%s comes twice on %s in %s; fires the first time", formatClock(minute), date, c.loc), true
	default:
		return "", false
	}
}
