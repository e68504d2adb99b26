package engine

import (
	"context"
	"slices"
	"time"

	"curfew/scheduler"
)

// readNeeds reads what runs need, the most urgent first, and returns when to read more.
func (o *round) readNeeds(ctx context.Context, moves []*move) time.Time {
	needs := o.needs(moves)
	if len(needs) == 0 {
		o.others = nil
		return time.Time{}
	}
	if o.readAfter.Until.After(o.now) {
		return o.readAfter.Until
	}
	for {
		if o.w.takeSlots(o.pass, 1) == 0 {
			return o.now.Add(retryDelay) // a slot that is free wakes the pass
		}
		from, ok, at := o.w.observer.next(o.project.ID, needs, o.now)
		if !ok {
			o.w.freeSlots(o.pass, 1)
			return at
		}
		c, wait, err := o.w.observer.reserve(ctx, o.project, from, o.afterCalls())
		if c == nil {
			o.w.freeSlots(o.pass, 1)
		}
		switch {
		case err != nil:
			o.read(reading{err: err})
			return o.readAfter.Until
		case c == nil:
			o.readAfter = wait
			return wait.Until
		}
		o.others = nil // this read is reported
		o.reads++
		go o.observe(ctx, o.project, from, *c)
	}
}

// afterCalls is now, or just after the last answer to a call: an observation of the same
// instant could be from before it.
func (o *round) afterCalls() time.Time {
	now := o.w.clock.Now()
	for _, c := range o.last {
		if next := micros(c.Done).Add(time.Microsecond); next.After(now) {
			now = next
		}
	}
	return now
}

// needs are those of the round, the most urgent first: before a call, or of a run that
// verifies and was not read for long; then of the others that verify, the one read longest
// ago first.
func (o *round) needs(moves []*move) []need {
	var list []need
	for _, m := range moves {
		if m.need.seen.ID == "" || o.calling[m.run.ID] || m.run.State.Finished() {
			continue
		}
		if w := o.waits[m.run.ID]; m.request && !m.ready && w.Until.After(o.now) {
			m.need.at = w.Until.Add(-o.good / 2) // its turn is later
		}
		m.need.poll = m.poll && o.now.Sub(m.need.seen.At) < o.s.Defaults.VerifyTimeout/verifyReads
		list = append(list, m.need)
	}
	slices.SortStableFunc(list, func(a, b need) int {
		switch {
		case a.poll && b.poll:
			return a.seen.At.Compare(b.seen.At)
		case a.poll:
			return 1
		case b.poll:
			return -1
		}
		return 0
	})
	return list
}

// observe makes one metadata call and reports it to the pass.
func (p *pass) observe(ctx context.Context, project scheduler.Project, from choice, c scheduler.Call) {
	r := reading{failed: true}
	defer func() {
		if bug := recover(); bug != nil {
			p.w.record.panicked("a metadata call", bug)
		}
		p.w.freeSlots(p, 1)
		p.readings <- r
	}()
	r = p.w.observer.read(ctx, project, from, c)
}
