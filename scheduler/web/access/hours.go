package access

import (
	"context"
	"fmt"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// Hours are what the hours of requesters are counted from.
type Hours interface {
	// Asked returns the overrides of somebody that end at since or later, and their starts
	// by hand that were asked for at since or later, whatever became of them.
	Asked(ctx context.Context, by scheduler.Actor, since time.Time) ([]scheduler.Override, []scheduler.Run, error)
	// Plan returns the plan of the schedule file, without the overrides, and the zone of
	// the file.
	Plan(ctx context.Context) (*plan.Plan, *time.Location, error)
}

// A Budget is what a requester has left of one grant in a week.
type Budget struct {
	Grant
	From, Until time.Time // the week, from Monday to Monday in the zone of the file
	Used        time.Duration
}

// Left returns what is left of the budget, never less than nothing.
func (b Budget) Left() time.Duration { return max(0, b.total()-b.Used) }

func (b Budget) total() time.Duration { return time.Duration(b.HoursPerWeek * float64(time.Hour)) }

// Budgets returns what the identity of a context has left this week, one for each of its
// grants; none unless it is a requester.
func (c *Changes) Budgets(ctx context.Context) ([]Budget, error) {
	who := From(ctx)
	if who.Role != Requester {
		return nil, nil
	}
	b, err := c.book(ctx, who)
	if err != nil {
		return nil, err
	}
	week := weekOf(time.Now().In(b.zone))
	budgets := make([]Budget, len(who.Grants))
	for n, g := range who.Grants {
		budgets[n] = Budget{g, week.from, week.to, b.beyond(b.uses, week, n)}
	}
	return budgets, nil
}

// Could returns nil when the identity of a context may do an action to environments now, its
// hours counted, and why not otherwise. Until is the end of a keep.
func (c *Changes) Could(ctx context.Context, do Action, until time.Time, environments ...string) error {
	who := From(ctx)
	if err := who.May(do, environments...); err != nil {
		return err
	}
	now := time.Now()
	return c.within(ctx, who, func(b *book) []use {
		var uses []use
		for _, name := range environments {
			switch do {
			case Start:
				uses = append(uses, b.start(name, now))
			case Skip:
				uses = append(uses, b.skip(name, now)...)
			case KeepRunning:
				uses = append(uses, usesOf(scheduler.Override{Environments: []string{name}, Keep: plan.Running, Until: until}, now)...)
			default:
			}
		}
		return uses
	}, func() error { return nil })
}

// within carries out a change of a requester if what it uses is left of their hours; one
// of others always.
func (c *Changes) within(ctx context.Context, who Identity, uses func(*book) []use, change func() error) error {
	if who.Role != Requester {
		return change()
	}
	if err := c.turn.Acquire(ctx, 1); err != nil {
		return fmt.Errorf("wait for another request: %w", err)
	}
	defer c.turn.Release(1)
	b, err := c.book(ctx, who)
	if err != nil {
		return err
	}
	if err := b.fits(uses(b)); err != nil {
		return err
	}
	return change()
}

// A use is a time for which a user has asked that an environment runs.
type use struct {
	environment string
	stretch
}

type stretch struct{ from, to time.Time }

// A book is what a requester has asked for, with what it is counted by.
type book struct {
	who  Identity
	plan *plan.Plan
	zone *time.Location
	uses []use
}

// farthest is how far ahead of a start the boundary is searched at which it ends, and how
// long ago a start may be that still counts.
const farthest = 366 * 24 * time.Hour

func (c *Changes) book(ctx context.Context, who Identity) (*book, error) {
	p, zone, err := c.hours.Plan(ctx)
	if err != nil {
		return nil, err
	}
	b := &book{who: who, plan: p, zone: zone}
	now := time.Now().In(b.zone)
	overrides, starts, err := c.hours.Asked(ctx, who.Actor, weekOf(now).from.Add(-farthest))
	if err != nil {
		return nil, err
	}
	for _, o := range overrides {
		b.uses = append(b.uses, usesOf(o, o.From)...)
	}
	for _, r := range starts {
		// A start that ended without LCS's consent has kept nothing running.
		if !r.State.Finished() || r.State == scheduler.Succeeded || !r.AcceptedAt.IsZero() {
			b.uses = append(b.uses, b.start(r.Environment, r.FireAt))
		}
	}
	return b, nil
}

// start is what a start by hand uses: until the next boundary of the schedules.
func (b *book) start(environment string, at time.Time) use {
	last := at.Add(farthest)
	for f := range b.plan.All(at.Add(time.Nanosecond), last, environment) {
		last = f.At
		break
	}
	return use{environment, stretch{at, last}}
}

// skip is what leaving out the next stop uses; nothing when there is none.
func (b *book) skip(environment string, now time.Time) []use {
	s, ok := b.plan.Skip(environment, now, now.Add(scheduler.LongestOverride))
	if !ok {
		return nil
	}
	return []use{{environment, stretch{s.From, s.Until}}}
}

// usesOf returns what an override uses that starts at now at the earliest.
func usesOf(o scheduler.Override, now time.Time) []use {
	from := o.From
	if from.Before(now) {
		from = now
	}
	if o.Keep != plan.Running || !from.Before(o.Until) {
		return nil
	}
	list := make([]use, len(o.Environments))
	for i, name := range o.Environments {
		list[i] = use{name, stretch{from, o.Until}}
	}
	return list
}

// fits returns nil if the hours of each week have room for more uses.
func (b *book) fits(more []use) error {
	all := append(slices.Clone(b.uses), more...)
	for n, g := range b.who.Grants {
		for _, w := range b.weeks(more) {
			used, with := b.beyond(b.uses, w, n), b.beyond(all, w, n)
			left := Budget{Grant: g, Used: used}
			if with > used && with > left.total() {
				return denied("%s may use %s a week beyond the schedule for %s, and has %s left in the week from %s; this takes %s: ask for less, wait for Monday, or ask somebody with the role operator",
					b.who.Actor.Name, hoursText(left.total()), summary(g.Environments), hoursText(left.Left()), w.from.Format("Mon 2006-01-02"), hoursText(with-used))
			}
		}
	}
	return nil
}

// weeks returns the weeks that uses lie in, in order.
func (b *book) weeks(uses []use) []stretch {
	if len(uses) == 0 {
		return nil
	}
	first, last := uses[0].from, uses[0].to
	for _, u := range uses {
		if u.from.Before(first) {
			first = u.from
		}
		if u.to.After(last) {
			last = u.to
		}
	}
	var list []stretch
	for w := weekOf(first.In(b.zone)); w.from.Before(last); w = weekOf(w.to) {
		list = append(list, w)
	}
	return list
}

// weekOf returns the week of an instant, from Monday to Monday in its zone.
func weekOf(at time.Time) stretch {
	day := plan.DateOf(at)
	monday := day.AddDays(-((int(day.Weekday()) + 6) % 7))
	return stretch{monday.In(at.Location()), monday.AddDays(7).In(at.Location())}
}

// beyond sums the environment-hours of uses within a week in which the schedules do not
// want the environment running, once where uses overlap. It counts those of a grant: of its
// environments, and of those that are of no other grant any more.
func (b *book) beyond(uses []use, week stretch, grant int) time.Duration {
	by := map[string][]stretch{}
	for _, u := range uses {
		of := b.who.grant(u.environment)
		if within, ok := u.cut(week); ok && (of == grant || of < 0) {
			by[u.environment] = append(by[u.environment], within)
		}
	}
	var sum time.Duration
	for name, list := range by {
		for _, s := range united(list) {
			for _, span := range b.plan.Spans(name, s.from, s.to) {
				if span.Wanted != plan.Running {
					sum += span.To.Sub(span.From)
				}
			}
		}
	}
	return sum
}

// cut returns the part of s within another one, false when there is none.
func (s stretch) cut(by stretch) (stretch, bool) {
	if s.from.Before(by.from) {
		s.from = by.from
	}
	if s.to.After(by.to) {
		s.to = by.to
	}
	return s, s.from.Before(s.to)
}

// united sorts stretches and joins those that overlap.
func united(list []stretch) []stretch {
	slices.SortFunc(list, func(a, b stretch) int { return a.from.Compare(b.from) })
	var out []stretch
	for _, s := range list {
		if n := len(out); n > 0 && !s.from.After(out[n-1].to) {
			if s.to.After(out[n-1].to) {
				out[n-1].to = s.to
			}
			continue
		}
		out = append(out, s)
	}
	return out
}

// hoursText writes a duration as hours and minutes, rounded up to the minute.
func hoursText(d time.Duration) string {
	minutes := int64((d + time.Minute - 1) / time.Minute)
	switch h, m := minutes/60, minutes%60; {
	case h == 0:
		return fmt.Sprintf("%d min", m)
	case m == 0:
		return fmt.Sprintf("%d h", h)
	default:
		return fmt.Sprintf("%d h %d min", h, m)
	}
}
