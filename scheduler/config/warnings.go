package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/scheduler/plan"
)

const (
	shortGap    = 15 * time.Minute // a stop and a start take longer
	yearAhead   = 366
	weekAhead   = 8 * day
	oftenAsked  = 4 // days of quotaHorizon on which an approval is needed
	maxNotes    = 100
	officeBegin = 5 * 60 // between this and officeEnd a working day begins
	officeEnd   = 10 * 60
	eveningEnd  = 22 * 60 // between 16:00 and this a working day ends
	evening     = 16 * 60
)

// warnSchedules reports what schedules say that is probably not meant. It returns
// whether all schedules could be examined.
func (d *decoder) warnSchedules() bool {
	d.warnLinks()
	for i, s := range d.schedules {
		if s.Enabled {
			d.warnSwapped(s)
			d.warnLongWindows(s)
		}
		if d.opts.Notes && i < maxNotes {
			d.noteHours(i)
		}
	}
	groups := d.peers()
	seen := map[string]bool{}
	for _, p := range groups {
		d.warnShortGaps(p, seen)
	}
	if len(d.schedules) > maxChecked {
		return false
	}
	for _, p := range groups {
		if slices.ContainsFunc(p, func(i int) bool { return kindOfRules(d.schedules[i].Schedule) == 0 }) {
			d.warnEvents(p, seen)
		}
	}
	return true
}

// first reports whether something is to be said for the first time.
func first(seen map[string]bool, key string) bool {
	known := seen[key]
	seen[key] = true
	return !known
}

// warnShortGaps reports windows that end shortly before the next one begins.
func (d *decoder) warnShortGaps(p peers, seen map[string]bool) {
	gaps(d.week(p), func(before, after stretch) {
		length := after.begin - before.end
		if length >= int(shortGap/time.Minute) {
			return
		}
		a, b := d.schedules[before.schedule], d.schedules[after.schedule]
		end, begin := clockOf(before.window.End), clockOf(after.window.Begin)
		if !first(seen, fmt.Sprintf("gap %d %d %s %s", before.schedule, after.schedule, end, begin)) {
			return
		}
		next, want := "the next", "windows that touch, or 15 minutes between them"
		if before.schedule != after.schedule {
			next = fmt.Sprintf("one of schedule %q", b.Name)
		}
		if end == "23:59" {
			want = "24:00 as the end"
		}
		d.warnf(a.place, msgShortGap, end, next, begin, count(length, "minute"), want)
	})
}

func clockOf(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

// warnSwapped reports an only window that runs through the nights of working days, and
// leaves out the days, with begin and end about where a working day has end and begin.
func (d *decoder) warnSwapped(s scheduleEntry) {
	if len(s.Uptime) != 1 {
		return
	}
	w := s.Uptime[0]
	night := w.EndDay == 1 && evening <= w.Begin && w.Begin < eveningEnd && officeBegin <= w.End && w.End <= officeEnd
	if night && w.Days&^weekdays == 0 {
		d.warnf(s.place, msgSwapped, w, w.Days, clockOf(w.End), clockOf(w.Begin))
	}
}

// warnLongWindows reports windows of several days of which a calendar takes out one
// within a year, because it begins on one of its days.
func (d *decoder) warnLongWindows(s scheduleEntry) {
	c := d.built[s.Calendar]
	if c == nil {
		return
	}
	today := plan.DateOf(d.opts.Now.In(s.Location))
	for _, w := range s.Uptime {
		if w.EndDay*minutesPerDay+w.End-w.Begin <= minutesPerDay {
			continue
		}
		var lost []plan.Date
		for n := range yearAhead {
			date := today.AddDays(n)
			if _, off := c.Holiday(date); off && w.Days.Has(date.Weekday()) {
				lost = append(lost, date)
			}
		}
		if len(lost) > 0 {
			d.warnf(s.place, msgLongWindow, w, lost[0], c.Name, times(len(lost)))
		}
	}
}

// times says how often something happens within the next twelve months.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return strconv.Itoa(n) + " times"
}

// warnEvents reports starts and stops of the schedules of an environment that undo each
// other, and starts of several days that a calendar takes out.
func (d *decoder) warnEvents(p peers, seen map[string]bool) {
	now := d.opts.Now
	week := d.events(p, now, now.Add(weekAhead))
	for i := 1; i < len(week); i++ {
		d.warnUndone(week[i-1], week[i], seen)
	}
	withCalendar := slices.ContainsFunc(p, func(i int) bool {
		return d.built[d.schedules[i].Calendar] != nil && len(d.schedules[i].Starts) > 0
	})
	if !withCalendar || !hasLongRun(week) {
		return
	}
	d.warnLongStarts(d.events(p, now, now.AddDate(0, 0, yearAhead)), seen)
}

// warnUndone reports an event that the next one undoes within minutes.
func (d *decoder) warnUndone(a, b event, seen map[string]bool) {
	after := b.at.Sub(a.at)
	alone := a.schedule == b.schedule && (after > 0 || d.schedules[a.schedule].startWins)
	if a.action == b.action || alone || after >= shortGap {
		return
	}
	if !first(seen, fmt.Sprintf("undone %d %d %s", a.schedule, b.schedule, a.action)) {
		return
	}
	x, y := d.schedules[a.schedule], d.schedules[b.schedule]
	at := strings.ToLower(b.at.Format("Mon 15:04"))
	if after == 0 {
		d.warnf(y.place, msgStopLost, at, x.Name)
		return
	}
	d.warnf(y.place, msgUndone, b.action, at, count(int(after/time.Minute), "minute"), x.Name, a.action)
}

// manyHours is longer than a day, the longest included.
const manyHours = 25 * time.Hour

// hasLongRun reports whether a start among events, or one after them, may last for days.
func hasLongRun(list []event) bool {
	found := false
	runs(list, func(event, time.Time) { found = true })
	return found || len(list) < 3
}

// runs calls report for each start after which nothing comes for longer than a day, with
// the instant of what comes then.
func runs(list []event, report func(start event, until time.Time)) {
	for i, e := range list {
		if e.action != plan.Start {
			continue
		}
		for _, next := range list[i+1:] {
			if next.at.Equal(e.at) {
				continue
			}
			if next.at.Sub(e.at) > manyHours {
				report(e, next.at)
			}
			break
		}
	}
}

func (d *decoder) warnLongStarts(year []event, seen map[string]bool) {
	lost := map[int][]time.Time{}
	runs(year, func(start event, _ time.Time) {
		s := d.schedules[start.schedule]
		c := d.built[s.Calendar]
		if c == nil {
			return
		}
		if _, off := c.Holiday(plan.DateOf(start.at.In(s.Location))); off {
			lost[start.schedule] = append(lost[start.schedule], start.at.In(s.Location))
		}
	})
	for i, list := range lost {
		if s := d.schedules[i]; first(seen, fmt.Sprintf("start %d", i)) {
			d.warnf(s.place, msgLongStart, list[0].Format("2006-01-02 15:04"), s.Calendar, times(len(list)))
		}
	}
}

// noteHours says how long a schedule keeps its environments up in a week, calendars
// aside.
func (d *decoder) noteHours(i int) {
	s := d.schedules[i]
	var up time.Duration
	switch {
	case !s.Enabled:
		return
	case len(s.Uptime) > 0:
		up = time.Duration(minutesUp(d.week(peers{i}))) * time.Minute
	case len(s.Starts) > 0 && len(s.Stops) > 0:
		up = d.upBetween(i)
	default:
		return
	}
	d.report(Note, s.place.Line, s.place.Column, msgHours, s.Name, strconv.FormatFloat(up.Round(6*time.Minute).Hours(), 'f', -1, 64))
}

// upBetween is how long it is from starts to stops of a schedule in the week after this.
func (d *decoder) upBetween(i int) time.Duration {
	const week = 7 * day
	begin := d.opts.Now.Add(week)
	end := begin.Add(week)
	var up time.Duration
	var since, start time.Time // of the start that lasts, and the last one
	for _, e := range append(d.events(peers{i}, d.opts.Now, end), event{at: end, action: plan.Stop}) {
		if e.action == plan.Start {
			start = e.at
		}
		switch {
		case e.action == plan.Start && since.IsZero():
			since = e.at
		case e.action == plan.Stop && e.at.Equal(start): // the start wins
		case e.action == plan.Stop && !since.IsZero():
			if since.Before(begin) {
				since = begin
			}
			up += max(0, e.at.Sub(since))
			since = time.Time{}
		}
	}
	return up
}

// An approvals counts the coming fires that stop more than max_stops_per_fire.
type approvals struct {
	most     int // max_stops_per_fire; 0 for no bound
	at       time.Time
	stops    int
	days     map[string]map[plan.Date]bool // by the first schedule of the fire
	examples map[string]string
	schedule string
}

func newApprovals(most int) *approvals {
	return &approvals{most: most, days: map[string]map[plan.Date]bool{}, examples: map[string]string{}}
}

// add takes the fires in order. The stops of an instant are one fire.
func (a *approvals) add(b plan.Batch) {
	if a.most == 0 || b.Action != plan.Stop {
		return
	}
	if !b.At.Equal(a.at) {
		a.at, a.stops, a.schedule = b.At, 0, b.Schedule
	}
	a.stops += len(b.Environments)
	if a.stops <= a.most {
		return
	}
	if a.days[a.schedule] == nil {
		a.days[a.schedule] = map[plan.Date]bool{}
	}
	a.days[a.schedule][plan.DateOf(b.At)] = true
	a.examples[a.schedule] = strings.ToLower(b.At.Format("Mon 15:04")) + " stops " + count(a.stops, "environment")
}

// warnApprovals reports schedules whose stops wait for an approval on most days.
func (d *decoder) warnApprovals(a *approvals) {
	places := d.places()
	for name, days := range a.days {
		if place := places[name]; place != nil && len(days) >= oftenAsked {
			d.warnf(place, msgApprovals, a.examples[name], a.most, len(days), int(quotaHorizon/day))
		}
	}
}
