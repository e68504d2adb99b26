package plan

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// An Entry is one distinct rule to wake up for.
type Entry struct {
	Name string // for display
	// Schedule returns the instants at which the rule may act; see Entries.
	Schedule cron.Schedule
}

// Entries are the distinct rules of the plan: windows, triggers and exceptions.
// Rules that come at the same instants, whatever schedules and environments they
// belong to, are one. Next of an entry is the first instant after the one given, or
// the zero time if there is none within five years. Every fire is at an instant of
// an entry; an instant of an entry need not be a fire.
func (p *Plan) Entries() []Entry {
	rules := p.rules()
	list := make([]Entry, len(rules))
	for i, r := range rules {
		list[i] = Entry{r.name(), r.next}
	}
	return list
}

// A rule is one of the distinct rules of a plan.
type rule struct {
	name func() string // for display
	next nextFunc
}

// distinctRules are the rules that come at different instants.
func (p *Plan) distinctRules() []rule {
	var list []rule
	seen := map[string]bool{}
	add := func(key string, r rule) {
		if !seen[key] {
			seen[key] = true
			list = append(list, r)
		}
	}
	for i := range p.spec.Schedules {
		s := &p.spec.Schedules[i]
		for _, r := range p.schedules[i].windows {
			add(ruleKey(windowKey(r.window)+leadKey(r.lead), r.loc, r.calendar), rule{func() string { return entryName(r.String(), s, r.calendar) }, r.next})
		}
		for _, r := range p.schedules[i].triggers {
			add(ruleKey(r.trigger.canonical(), r.loc, r.calendar), rule{func() string { return entryName(r.trigger.describe(), s, r.calendar) }, r.next})
		}
	}
	for _, l := range p.layers {
		add(exceptionKey(l.exception), rule{l.title, l.next})
	}
	return list
}

func entryName(rule string, s *Schedule, c *Calendar) string {
	name := rule + " " + s.Location.String()
	if c != nil {
		name += " without " + c.Name
	}
	return name
}

// nextFunc makes a cron.Schedule of a function.
type nextFunc func(instant) instant

// Next is the first instant after t, in the zone of t, or the zero time.
func (f nextFunc) Next(t time.Time) time.Time {
	i := instantOf(t)
	at := f(i)
	if at == never || at > i+nextYears*daysPerYear*day {
		return time.Time{}
	}
	return at.in(t.Location())
}

// ruleKey is the same for rules that come at the same instants. A calendar without
// a fingerprint is only ever like itself.
func ruleKey(rule string, loc *time.Location, c *Calendar) string {
	key := rule + "|" + loc.String()
	if c != nil {
		key += "|" + calendarKey(c)
		if c.Fingerprint == "" {
			key += fmt.Sprintf("|%p", c)
		}
	}
	return key
}

func calendarKey(c *Calendar) string { return fmt.Sprintf("calendar %q %q", c.Name, c.Fingerprint) }

func windowKey(w Window) string {
	return fmt.Sprintf("window %s %d %d", w.Days, w.Begin, w.EndDay*minutesPerDay+w.End)
}

// leadKey is "" without a lead: what was fingerprinted before there was one stays
// the same.
func leadKey(lead time.Duration) string {
	if lead == 0 {
		return ""
	}
	return fmt.Sprintf(" lead %d", lead)
}

// exceptionKey is the same for exceptions that do the same at the same instants.
func exceptionKey(e *Exception) string {
	key := fmt.Sprintf("exception %d %d %t %s", instantOf(e.From), instantOf(e.Until), e.Override, e.Keep)
	if len(e.Uptime) == 0 {
		return key
	}
	key += "|" + e.Location.String()
	for _, w := range e.Uptime {
		key += "|" + windowKey(w)
	}
	return key
}
