package plan

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"time"
)

// A Stretch is a Span with the rule that decides at its begin.
type Stretch struct {
	From, To time.Time
	Wanted   Wanted
	Because  string
}

// Stretches yields what is wanted of the environment from from to to, without gaps. Unlike
// a span, a stretch also ends at a fire that asks for the same again.
func (p *Plan) Stretches(environment string, from, to time.Time) iter.Seq[Stretch] {
	spans := p.split(environment, from, to, func(t *timeline, i instant, last Wanted) bool {
		_, fires := t.fire(i)
		return fires || t.wanted(t.top(i), i) != last
	})
	return func(yield func(Stretch) bool) {
		for _, s := range spans {
			if !yield(Stretch{s.From, s.To, s.Wanted, p.Wanted(environment, s.From).Because}) {
				return
			}
		}
	}
}

// A Mark is something that a person wants to know of a day: a holiday, or a change of
// the clocks.
type Mark struct {
	At       time.Time // in the zone of the schedule
	Text     string
	Calendar string // the name of the calendar that has the holiday; "" for a change of the clocks
}

// Marks returns the days of the environment's calendars that begin from from (inclusive)
// to to (exclusive), and the changes of the clocks in its zones, sorted by instant and
// text, each once: of calendars with the same text the first by name.
func (p *Plan) Marks(environment string, from, to time.Time) []Mark {
	g := p.group[environment]
	if g == nil {
		return nil
	}
	var list []Mark
	zones := map[string]bool{}
	add := func(loc *time.Location, c *Calendar) {
		if !zones[loc.String()] {
			zones[loc.String()] = true
			list = append(list, clockChanges(loc, from, to)...)
		}
		if c != nil {
			list = append(list, c.marks(loc, from, to)...)
		}
	}
	for _, r := range g.windows {
		add(r.loc, r.calendar)
	}
	for _, r := range g.triggers {
		add(r.loc, r.calendar)
	}
	slices.SortFunc(list, func(a, b Mark) int {
		if n := a.At.Compare(b.At); n != 0 {
			return n
		}
		return cmp.Or(strings.Compare(a.Text, b.Text), strings.Compare(a.Calendar, b.Calendar))
	})
	return slices.CompactFunc(list, func(a, b Mark) bool { return a.At.Equal(b.At) && a.Text == b.Text })
}

// marks returns the days of the calendar that begin in the range, in a zone.
func (c *Calendar) marks(loc *time.Location, from, to time.Time) []Mark {
	var list []Mark
	for d := DateOf(from.In(loc)); ; d = d.AddDays(1) {
		at := d.In(loc)
		if !at.Before(to) {
			return list
		}
		if name, ok := c.holiday(d.number()); ok && !at.Before(from) {
			list = append(list, Mark{At: at, Text: name, Calendar: c.Name})
		}
	}
}

// clockChanges returns the instants in the range at which the clocks of a zone change.
func clockChanges(loc *time.Location, from, to time.Time) []Mark {
	var list []Mark
	c := newClock(loc)
	for at := instantOf(from).seconds(); ; {
		before := c.at(at)
		if before.end >= instantOf(to).seconds() {
			return list
		}
		after := c.at(before.end)
		at = before.end
		if after.offset == before.offset {
			continue // the zone has another name, and the same clock
		}
		list = append(list, Mark{At: time.Unix(at, 0).In(loc), Text: shiftText(loc, at, after.offset-before.offset)})
	}
}

// shiftText describes a change of the clocks at a second of Unix time, by some seconds.
func shiftText(loc *time.Location, at, by int64) string {
	const layout = "15:04"
	after := time.Unix(at, 0).In(loc)
	_, offset := after.Zone()
	before := after.In(time.FixedZone("", offset-int(by)))
	direction := "forward"
	if by < 0 {
		direction = "back"
	}
	return "clocks go " + direction + " from " + before.Format(layout) + " to " + after.Format(layout)
}
