package plan

import (
	"fmt"
	"iter"
	"sort"
	"time"
)

const (
	// nextYears bounds the search for the next instant of a rule, as robfig/cron does.
	nextYears = 5
	// latestYears bounds the search for the last event before an instant.
	latestYears = 30

	daysPerYear = 366
	day         = instant(secondsPerDay) * second
)

// A cause is what a fire says about the rule behind it.
type cause struct {
	name   string // of the schedule or exception
	reason string
	loc    *time.Location
}

// A windowRule is one window of one schedule or exception.
type windowRule struct {
	window   Window
	lead     time.Duration // the environment is started so much before the window
	loc      *time.Location
	calendar *Calendar // nil: none
	begins   *cause
	ends     *cause
}

// A triggerRule is one trigger of one schedule.
type triggerRule struct {
	trigger  Trigger
	loc      *time.Location
	calendar *Calendar // nil: none, and always nil for a stop
	wanted   Wanted    // from its instants on
	cause    *cause
}

// holiday reports whether n is a day of c, which may be nil.
func (c *Calendar) holiday(n dayNumber) (string, bool) {
	if c == nil || c.Holiday == nil {
		return "", false
	}
	return c.Holiday(n.date())
}

// span is the stretch of the window that begins on the day n, empty when both its
// ends come to the same instant.
func (r *windowRule) span(c *clock, n dayNumber) (begin, end instant) {
	return c.resolve(n, r.window.Begin) - instant(r.lead), c.resolve(n+dayNumber(r.window.EndDay), r.window.End)
}

// String is the window, with its lead if it has one.
func (r *windowRule) String() string {
	if r.lead == 0 {
		return r.window.String()
	}
	return fmt.Sprintf("%s (%s early)", r.window, FormatDuration(r.lead))
}

// FormatDuration writes d in short: 2h, 90m, 31d.
func FormatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d == 0:
		return "0"
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return d.String()
}

// on reports whether a window begins on the day n.
func (r *windowRule) on(n dayNumber) bool {
	if !r.window.Days.Has(n.weekday()) {
		return false
	}
	_, holiday := r.calendar.holiday(n)
	return !holiday
}

// firstDay is no later than any day whose window is not over at i: a day more than
// the window is long, and one for a day that a change of zone skipped.
func (r *windowRule) firstDay(c *clock, i instant) dayNumber {
	return c.day(i) - dayNumber(r.window.EndDay) - 2
}

// intervals appends the stretches of the window that touch lo to hi, both included.
func (r *windowRule) intervals(list []interval, lo, hi instant) []interval {
	c := newClock(r.loc)
	last := c.day(hi+instant(r.lead)) + 1
	for n := r.firstDay(c, lo); n <= last; n++ {
		if !r.on(n) {
			continue
		}
		begin, end := r.span(c, n)
		if begin < end && end >= lo && begin <= hi {
			list = append(list, interval{begin, end, r.begins, r.ends})
		}
	}
	return list
}

// next is the first instant after i at which a window begins or ends, or never.
func (r *windowRule) next(i instant) instant {
	c := newClock(r.loc)
	found := never
	first := r.firstDay(c, i)
	for n := first; n < first+nextYears*daysPerYear; n++ {
		if !r.on(n) {
			continue
		}
		begin, end := r.span(c, n)
		if begin < end && end > i {
			found = min(found, end)
		}
		if begin < end && begin > i {
			return min(found, begin) // later windows begin and end later
		}
	}
	return found
}

// on reports whether the trigger fires on the day n.
func (r *triggerRule) on(n dayNumber) bool {
	if !r.trigger.on(n) {
		return false
	}
	_, holiday := r.calendar.holiday(n)
	return !holiday
}

// times yields the instants of the trigger from lo to hi, both included, each once.
func (r *triggerRule) times(lo, hi instant) iter.Seq[instant] {
	if r.trigger.elapsed() {
		return r.elapsedTimes(lo, hi)
	}
	return r.wallTimes(lo, hi)
}

// wallTimes resolves the local times of each day. Times that a gap brings to the
// same instant are one.
func (r *triggerRule) wallTimes(lo, hi instant) iter.Seq[instant] {
	return func(yield func(instant) bool) {
		c := newClock(r.loc)
		given := lo - 1
		minutes := r.trigger.minutes()
		last := c.day(hi) + 1
		for n := c.day(lo) - 1; n <= last; n++ {
			if !r.on(n) {
				continue
			}
			for _, m := range minutes[firstMinute(c, n, minutes, lo):] {
				at := c.resolve(n, m)
				if at > hi {
					return
				}
				if at == given {
					continue
				}
				given = at
				if !yield(at) {
					return
				}
			}
		}
	}
}

// firstMinute is the index of the first of the minutes of day n that comes at lo or
// later.
func firstMinute(c *clock, n dayNumber, minutes []int, lo instant) int {
	if c.resolve(n, minutes[0]) >= lo {
		return 0
	}
	return sort.Search(len(minutes), func(i int) bool { return c.resolve(n, minutes[i]) >= lo })
}

// elapsedTimes walks over the stretches of real time that lie in one local day and
// have one offset.
func (r *triggerRule) elapsedTimes(lo, hi instant) iter.Seq[instant] {
	return func(yield func(instant) bool) {
		c := newClock(r.loc)
		minutes := r.trigger.minutes()
		from, to := (lo + second - 1).seconds(), hi.seconds()
		for from <= to {
			p := c.at(from)
			n := floorDiv(from+p.offset, secondsPerDay)
			midnight := n*secondsPerDay - p.offset
			end := min(midnight+secondsPerDay, p.end)
			if r.on(dayNumber(n)) {
				first := sort.Search(len(minutes), func(i int) bool { return midnight+int64(minutes[i])*60 >= from })
				for _, m := range minutes[first:] {
					s := midnight + int64(m)*60
					if s >= end || s > to {
						break
					}
					if !yield(instant(s) * second) {
						return
					}
				}
			}
			from = end
		}
	}
}

// next is the first instant of the trigger after i, or never.
func (r *triggerRule) next(i instant) instant {
	for at := range r.times(i+1, i+nextYears*daysPerYear*day) {
		return at
	}
	return never
}

// latest is the last instant of the trigger before i, if there is one within
// latestYears.
func (r *triggerRule) latest(i instant) (instant, bool) {
	if r.trigger.elapsed() {
		return r.latestElapsed(i)
	}
	c := newClock(r.loc)
	minutes := r.trigger.minutes()
	first := c.day(i) + 1
	for n := first; n > first-latestYears*daysPerYear; n-- {
		if !r.on(n) {
			continue
		}
		if k := firstMinute(c, n, minutes, i); k > 0 {
			return c.resolve(n, minutes[k-1]), true
		}
	}
	return 0, false
}

func (r *triggerRule) latestElapsed(i instant) (instant, bool) {
	c := newClock(r.loc)
	minutes := r.trigger.minutes()
	to := (i - 1).seconds()
	limit := to - latestYears*daysPerYear*secondsPerDay
	for to > limit {
		p := c.at(to)
		n := floorDiv(to+p.offset, secondsPerDay)
		midnight := n*secondsPerDay - p.offset
		begin := max(midnight, p.start)
		k := sort.Search(len(minutes), func(i int) bool { return midnight+int64(minutes[i])*60 > to })
		if k > 0 && r.on(dayNumber(n)) {
			if s := midnight + int64(minutes[k-1])*60; s >= begin {
				return instant(s) * second, true
			}
		}
		to = begin - 1
	}
	return 0, false
}
