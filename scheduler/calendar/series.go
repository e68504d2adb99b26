package calendar

import (
	"slices"
	"strconv"
	"time"

	"curfew/scheduler/plan"
)

// texts are what a filter reads of an event.
type texts struct {
	name string   // for display
	all  []string // SUMMARY, each of CATEGORIES, DESCRIPTION, fit for globs
}

// An occurrence is the days that one repetition covers whole.
type occurrence struct {
	first, last plan.Date
	texts       *texts
}

// A series is the events with one UID: those that stand for themselves, and those
// that replace repetitions of them.
type series struct {
	masters  []event
	replaced []event
}

// expand works out the days of all events.
func expand(s *splitter, given Zones) (*ICS, error) {
	z := newZones(s.zones, given)
	var order []string
	all := map[string]*series{}
	recurring := 0
	for i, raw := range s.events {
		e, ok, err := z.read(raw)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if e.rule != nil {
			recurring++
		}
		if recurring > maxRecurring {
			return nil, raw.begin.errorf("the file has more than %d repeating events; want a calendar of holidays", maxRecurring)
		}
		key := "uid " + e.uid
		if e.uid == "" {
			key = strconv.Itoa(i) // without a UID, nothing says that two events are one
		}
		if all[key] == nil {
			all[key] = &series{}
			order = append(order, key)
		}
		all[key].add(e)
	}
	x := &expander{ics: &ICS{}, steps: maxSteps}
	for _, key := range order {
		if err := x.series(all[key]); err != nil {
			return nil, err
		}
	}
	return x.ics, nil
}

func (s *series) add(e event) {
	if e.replaces == nil {
		s.masters = append(s.masters, e)
	} else {
		s.replaced = append(s.replaced, e)
	}
}

// latest returns the events with the highest SEQUENCE that are not cancelled, and
// whether one with that number is. One that is cancelled takes away what begins with it.
func latest(versions []event) (standing []event, cancelled bool) {
	highest := slices.MaxFunc(versions, func(a, b event) int { return a.sequence - b.sequence }).sequence
	var gone []event
	for _, e := range versions {
		if e.cancelled && e.sequence == highest {
			gone = append(gone, e)
		}
	}
	for _, e := range versions {
		taken := slices.ContainsFunc(gone, func(g event) bool {
			return e.replaces != nil || g.begin.IsZero() || g.begin.Equal(e.begin)
		})
		if e.sequence == highest && !e.cancelled && !taken {
			standing = append(standing, e)
		}
	}
	return standing, len(gone) > 0
}

// An expander collects days within the bounds of a file.
type expander struct {
	ics   *ICS
	steps int
}

func (x *expander) series(s *series) error {
	var masters []event
	if len(s.masters) > 0 {
		var cancelled bool
		if masters, cancelled = latest(s.masters); len(masters) == 0 && cancelled {
			return nil
		}
	}
	on := event{clock: time.UTC}
	if len(masters) > 0 {
		on = masters[0]
	}
	versions := map[time.Time][]event{}
	var order []time.Time
	for _, e := range s.replaced {
		at := on.at(*e.replaces)
		if versions[at] == nil {
			order = append(order, at)
		}
		versions[at] = append(versions[at], e)
	}
	var current []replacement
	for _, at := range order {
		standing, _ := latest(versions[at])
		r := replacement{at: at, day: versions[at][0].replaces.day, onward: versions[at][0].onward, by: standing}
		current = append(current, r)
	}
	slices.SortStableFunc(current, func(a, b replacement) int { return a.at.Compare(b.at) })
	return x.repetitions(masters, current)
}

// A replacement is what stands in the place of the repetition that began at an
// instant; with onward, of all after it too.
type replacement struct {
	at     time.Time
	day    bool // any time of that day
	onward bool
	by     []event // none for a repetition that is cancelled
}

func (r replacement) matches(begin time.Time) bool {
	return r.at.Equal(begin) || r.day && r.at.Equal(dayOf(begin))
}

// repetitions adds the days of the masters and of what replaces their repetitions.
func (x *expander) repetitions(masters []event, current []replacement) error {
	for _, m := range masters {
		list, err := x.of(m)
		if err != nil {
			return err
		}
		for _, one := range list {
			if moved, ok := replace(one, current, m.clock); ok {
				if err := x.add(moved, m); err != nil {
					return err
				}
			}
		}
		x.note(m, list)
	}
	for _, r := range current {
		if r.onward && len(masters) > 0 {
			continue // it has moved the repetitions themselves
		}
		for _, e := range r.by {
			list, err := x.of(e)
			if err != nil {
				return err
			}
			for _, one := range list {
				if err := x.add(one, e); err != nil {
					return err
				}
			}
			x.note(e, list)
		}
	}
	return nil
}

// of returns the repetitions of an event, without those that EXDATE takes out.
func (x *expander) of(e event) ([]repetition, error) {
	begins, err := e.begins(&x.steps)
	if err != nil {
		return nil, err
	}
	var list []repetition
	for _, b := range begins {
		list = append(list, repetition{b, e.length, e.texts})
	}
	list = append(list, e.more...)
	gone := map[time.Time]bool{}
	goneDays := map[time.Time]bool{}
	for _, s := range e.except {
		if s.day {
			goneDays[s.written] = true
		} else {
			gone[e.at(s)] = true
		}
	}
	return slices.DeleteFunc(list, func(r repetition) bool { return gone[r.begin] || goneDays[dayOf(r.begin)] }), nil
}

// replace returns the repetition as the replacements leave it, and false when one of
// them stands for it or takes it away.
func replace(one repetition, current []replacement, clock *time.Location) (repetition, bool) {
	begin := one.begin
	for _, r := range current {
		switch {
		case r.onward && (r.matches(begin) || begin.After(r.at)):
			if len(r.by) == 0 {
				return one, false
			}
			e := r.by[0]
			moved := instantOn(e, clock).Sub(r.at)
			one = repetition{begin.Add(moved), e.length, e.texts}
		case !r.onward && r.matches(begin):
			return one, false
		}
	}
	return one, true
}

// instantOn is what clock shows when e begins.
func instantOn(e event, clock *time.Location) time.Time {
	if e.clock == clock || e.allDay {
		return e.begin
	}
	return wall(instant(e.begin, e.clock), clock)
}

// add adds the days that a repetition covers whole.
func (x *expander) add(one repetition, e event) error {
	first := dayOf(one.begin)
	if one.begin.After(first) {
		first = first.Add(24 * time.Hour)
	}
	end := dayOf(toMidnight(one.begin.Add(one.length)))
	if !end.After(first) {
		return nil
	}
	if len(x.ics.occurrences) == maxDays {
		return e.place.errorf("the file has more than %d days; want a calendar of holidays", maxDays)
	}
	x.ics.occurrences = append(x.ics.occurrences, occurrence{plan.DateOf(first), plan.DateOf(end).AddDays(-1), one.texts})
	return nil
}

// note counts the event when none of its repetitions covers a day.
func (x *expander) note(e event, list []repetition) {
	if len(list) == 0 {
		return
	}
	for _, one := range list {
		first := dayOf(one.begin.Add(24*time.Hour - time.Second))
		if dayOf(toMidnight(one.begin.Add(one.length))).After(first) {
			return
		}
	}
	x.ics.short = append(x.ics.short, e.texts)
}
