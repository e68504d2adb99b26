package config

import "curfew/scheduler/plan"

// How far a calendar is searched for a day.
const (
	calendarYears = 1  // to come
	searchedYears = 20 // past, for the last day that it had
)

// warnEndedCalendars reports the calendars without a day in the coming twelve months:
// every holiday since their last one is a working day.
func (d *decoder) warnEndedCalendars() {
	if d.opts.Now.IsZero() {
		return
	}
	now := d.opts.Now
	if d.cfg.Location != nil {
		now = now.In(d.cfg.Location)
	}
	today := plan.DateOf(now)
	end := plan.DateOf(now.AddDate(calendarYears, 0, 0))
	for _, name := range d.calendars.order {
		c := d.built[name]
		if c == nil || hasDay(c, today, end) {
			continue
		}
		last := ""
		first := plan.Date{Year: today.Year - searchedYears, Month: today.Month, Day: 1}
		for day := today; !day.Before(first); day = day.AddDays(-1) {
			if _, ok := c.Holiday(day); ok {
				last = " (its last was " + day.String() + ")"
				break
			}
		}
		d.warnf(d.calendars.places[name], msgCalendarEnded, name, last)
	}
}

// hasDay reports whether the calendar has a day from first to end, exclusive.
func hasDay(c *plan.Calendar, first, end plan.Date) bool {
	for day := first; day.Before(end); day = day.AddDays(1) {
		if _, ok := c.Holiday(day); ok {
			return true
		}
	}
	return false
}
