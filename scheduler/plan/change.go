package plan

import "time"

// changeSteps are how far ahead Change searches, in days: most often the next change is near.
var changeSteps = []instant{2, 14, 120, 366}

// Change returns the first instant after at at which something else is wanted of the
// environment than at at, by overrides, exceptions and schedules together; false when
// there is none within a year.
func (p *Plan) Change(environment string, at time.Time) (time.Time, bool) {
	g := p.group[environment]
	if g == nil {
		return time.Time{}, false
	}
	c, ok := g.change(instantOf(at))
	if !ok {
		return time.Time{}, false
	}
	return c.in(at.Location()), true
}

func (g *group) change(i instant) (instant, bool) {
	lo := i
	for _, days := range changeSteps {
		hi := i + days*day
		t := g.timeline(lo, hi)
		before := t.wanted(t.top(lo), lo)
		for _, c := range t.candidates(lo+1, hi) {
			if t.wanted(t.top(c), c) != before {
				return c, true
			}
		}
		lo = hi
	}
	return 0, false
}
