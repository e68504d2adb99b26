package plan

import "time"

// A Span is a stretch of time in which one state is wanted, To excluded.
type Span struct {
	From, To time.Time // in the zone of the range that was asked for
	Wanted   Wanted
}

// Spans returns what is wanted of an environment from from to to, without gaps. An
// environment that the plan does not have is Unknown all the time.
func (p *Plan) Spans(environment string, from, to time.Time) []Span {
	return p.split(environment, from, to, func(t *timeline, i instant, last Wanted) bool { return t.wanted(t.top(i), i) != last })
}

// split cuts a range into spans: one begins at each instant, among those at which something
// may change, of which begins says so. last is what is wanted in the span before.
func (p *Plan) split(environment string, from, to time.Time, begins func(t *timeline, i instant, last Wanted) bool) []Span {
	lo, hi := instantOf(from), instantOf(to)
	if lo >= hi {
		return nil
	}
	g := p.group[environment]
	if g == nil {
		return []Span{{from, to, Unknown}}
	}
	t := g.timeline(lo, hi-1)
	spans := []Span{{from, to, t.wanted(t.top(lo), lo)}}
	for _, i := range t.candidates(lo+1, hi-1) {
		last := &spans[len(spans)-1]
		if begins(t, i, last.Wanted) {
			last.To = i.in(from.Location())
			spans = append(spans, Span{last.To, to, t.wanted(t.top(i), i)})
		}
	}
	return spans
}

// Alike returns the environments in groups of those that have the same rules. The
// groups are not to be changed.
func (p *Plan) Alike() [][]string {
	all := make([][]string, len(p.groups))
	for i, g := range p.groups {
		all[i] = g.environments
	}
	return all
}
