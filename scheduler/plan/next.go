package plan

import "time"

// A quietStretch is known to have no instant of any rule: after is not part of it,
// and until is the first instant that some rule has, or never.
type quietStretch struct{ after, until instant }

// neverHolds is how long it is taken for true that there is no instant within
// nextYears.
const neverHolds = instant(time.Hour)

// NextInstant returns the earliest instant after after at which any rule may act, in
// UTC, or the zero time if there is none within five years. Every fire is at such an
// instant, which need not be a fire. Asking again before that instant costs next to
// nothing.
func (p *Plan) NextInstant(after time.Time) time.Time {
	i := p.nextInstant(instantOf(after))
	if i == never {
		return time.Time{}
	}
	return i.in(time.UTC)
}

func (p *Plan) nextInstant(after instant) instant {
	if q := p.quiet.Load(); q != nil && q.after <= after && (after < q.until && q.until != never || after < q.after+neverHolds && q.until == never) {
		return q.until
	}
	next := never
	for _, r := range p.rules() {
		next = min(next, r.next(after))
	}
	if next > after+nextYears*daysPerYear*day {
		next = never
	}
	p.quiet.Store(&quietStretch{after, next})
	return next
}

// maxIdle is how long a range may be for which it is worth while to ask first whether
// any rule has an instant in it.
const maxIdle = instant(time.Hour)

// idle reports whether a short range has no instant of any rule. It may report false
// of one that has none.
func (p *Plan) idle(from, to time.Time) bool {
	lo, hi := instantOf(from), instantOf(to)-1
	return hi < lo || hi-lo < maxIdle && p.nextInstant(lo-1) > hi
}
