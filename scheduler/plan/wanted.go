package plan

import (
	"cmp"
	"fmt"
	"time"
)

// Wanted is what the rules want of the environment at at, and why. An environment
// without any rule, or before its first event, is Unknown.
func (p *Plan) Wanted(environment string, at time.Time) Decision {
	g := p.group[environment]
	if g == nil {
		return Decision{Wanted: Unknown, Because: fmt.Sprintf("the plan has no environment %q", environment)}
	}
	i := instantOf(at)
	t := g.timeline(i, i)
	d := Decision{}
	d.explainLayers(t, i)
	if top := t.top(i); top != nil {
		d.Wanted = top.at(i)
		d.Because = top.because(i) + g.beyond(top, i)
		d.step("schedules do not count while it lasts")
		return d
	}
	d.Wanted = t.base.at(i)
	switch {
	case t.base.silent:
		d.explainSilence()
	case t.base.eventful:
		d.explainEvents(g, &t.base, i)
	default:
		d.explainWindows(g, i)
	}
	return d
}

// Overruled reports whether an override or exception decides about the environment
// at at, and not the schedules; override whether it is an override.
func (p *Plan) Overruled(environment string, at time.Time) (overruled, override bool) {
	g := p.group[environment]
	if g == nil {
		return false, false
	}
	i := instantOf(at)
	t := timeline{}
	for _, l := range g.layers {
		if l.active(i) {
			t.layers = append(t.layers, l)
		}
	}
	top := t.top(i)
	return top != nil, top != nil && top.exception.Override
}

func (d *Decision) step(format string, args ...any) {
	d.Steps = append(d.Steps, fmt.Sprintf(format, args...))
}

// explainLayers adds which overrides and exceptions are active at i.
func (d *Decision) explainLayers(t *timeline, i instant) {
	outranked := false
	for _, kind := range []bool{true, false} {
		found := false
		for _, l := range t.layers {
			if l.exception.Override != kind || !l.active(i) {
				continue
			}
			found = true
			text := l.because(i)
			if outranked {
				text += ": outranked"
			}
			d.step("%s", text)
			outranked = true
		}
		switch {
		case !found && kind:
			d.step("no override is active")
		case !found:
			d.step("no exception is active")
		}
	}
}

func (l *layer) because(i instant) string {
	return fmt.Sprintf("%s wants it %s until %s%s", l.describe(), l.at(i), l.time(l.edgeAfter(i)), l.why())
}

func (l *layer) time(i instant) string {
	return i.in(l.exception.Location).Format("2006-01-02 15:04")
}

// edgeAfter is the end of what the layer wants at i: its own end, or an edge of its windows.
func (l *layer) edgeAfter(i instant) instant {
	end := l.until
	for _, v := range l.windows {
		for _, edge := range []instant{v.begin, v.end} {
			if edge > i {
				end = min(end, edge)
			}
		}
	}
	return end
}

// beyond says until when the same is wanted after what l wants has ended.
func (g *group) beyond(l *layer, i instant) string {
	edge := l.edgeAfter(i)
	t := g.timeline(edge, edge)
	if t.wanted(t.top(edge), edge) != l.at(i) {
		return ""
	}
	if end, ok := g.change(edge); ok {
		return fmt.Sprintf(", and it stays %s until %s", l.at(i), l.time(end))
	}
	return fmt.Sprintf(", and it stays %s", l.at(i))
}

// describe is the title, with the uptime that the layer brings.
func (l *layer) describe() string {
	if l.keeps() {
		return l.title()
	}
	return l.title() + ", " + l.effect() + ","
}

func (d *Decision) explainSilence() {
	d.Because = "no schedule covers it"
	d.step("%s", d.Because)
}

// explainWindows goes through the windows of uptime schedules.
func (d *Decision) explainWindows(g *group, i instant) {
	because := ""
	for _, r := range g.windows {
		title := fmt.Sprintf("schedule %s: window %s", r.begins.name, r)
		n, in := r.covering(i)
		if !in {
			d.step("%s does not cover the time", title)
			continue
		}
		name, holiday := r.calendar.holiday(n)
		switch {
		case holiday:
			d.step("%s of %s does not exist: %s (calendar %s)", title, n.date(), name, r.calendar.Name)
			if d.Wanted == Stopped && because == "" {
				because = fmt.Sprintf("schedule %s has no window that begins on %s: %s (calendar %s)",
					r.begins.name, n.date(), name, r.calendar.Name)
			}
		default:
			d.step("%s covers the time", title)
			if because == "" {
				because = title + " covers the time"
			}
		}
	}
	d.Because = cmp.Or(because, "no window of its schedules covers the time")
}

// covering is the day whose window, were it not for the calendar, covers i. A day
// on which the window does exist is preferred.
func (r *windowRule) covering(i instant) (day dayNumber, ok bool) {
	c := newClock(r.loc)
	last := c.day(i+instant(r.lead)) + 1
	for n := r.firstDay(c, i); n <= last; n++ {
		if !r.window.Days.Has(n.weekday()) {
			continue
		}
		begin, end := r.span(c, n)
		if begin <= i && i < end {
			day, ok = n, true
			if r.on(n) {
				break
			}
		}
	}
	return day, ok
}

// explainEvents goes through the triggers, each with its latest instant.
func (d *Decision) explainEvents(g *group, b *baseline, i instant) {
	latest, ok := b.latest(i)
	if !ok {
		d.Because = "no event has ever come before"
	} else {
		d.Because = fmt.Sprintf("schedule %s: %s, on %s, was the last event", latest.cause.name, latest.cause.reason, eventTime(latest.at, latest.cause))
	}
	for _, r := range g.triggers {
		at, ok := r.latest(i + 1)
		if !ok {
			d.step("schedule %s: %s has never come", r.cause.name, r.cause.reason)
			continue
		}
		d.step("schedule %s: %s came last on %s", r.cause.name, r.cause.reason, eventTime(at, r.cause))
		d.explainHoliday(r, at, i)
	}
}

// explainHoliday adds that the calendar took a start between the last one and i.
func (d *Decision) explainHoliday(r *triggerRule, last, i instant) {
	if r.calendar == nil {
		return
	}
	free := *r
	free.calendar = nil
	at, ok := free.latest(i + 1)
	if !ok || at <= last {
		return
	}
	n := newClock(r.loc).day(at)
	if name, holiday := r.calendar.holiday(n); holiday {
		d.step("schedule %s: %s of %s does not come: %s (calendar %s)", r.cause.name, r.cause.reason, n.date(), name, r.calendar.Name)
	}
}

func eventTime(i instant, c *cause) string {
	return i.in(c.loc).Format("Mon 2006-01-02 15:04")
}
