package config

import (
	"errors"
	"fmt"
	"time"

	"gopkg.in/yaml.v3"

	"curfew/scheduler/plan"
)

const leadAuto = "auto"

// A scheduleEntry is a schedule and where it stands.
type scheduleEntry struct {
	Schedule
	place     *yaml.Node
	startWins bool // over a stop, which has been reported
}

func (d *decoder) decodeSchedules(f *fields) {
	if f.isEmpty("schedules") && f.isEmpty("exceptions") {
		d.warnf(f.node, msgNoSchedules)
	}
	defined := newNames("schedule")
	d.eachEntry(f, "schedules", scheduleSection(), func(entry *fields) {
		s := Schedule{
			Name:         d.define(entry, defined),
			Environments: d.selected(entry),
			Location:     d.zoneOr(entry, f.values["timezone"], "the schedule"),
			Warn:         entry.duration("warn", d.cfg.Defaults.Warn),
			Lead:         d.lead(entry),
			Enforce:      entry.enum("enforce", EnforceEdges),
			Enabled:      entry.flag("enabled", true),
		}
		if n := entry.values["calendar"]; n != nil {
			s.Calendar, _ = d.refer(n, d.calendars)
		}
		for _, name := range s.Environments {
			d.environments.used[name] = true
		}
		startWins := d.rules(entry, &s)
		place := entry.values["name"]
		if place == nil {
			place = entry.node
		}
		d.schedules = append(d.schedules, scheduleEntry{s, place, startWins})
		d.cfg.Schedules = append(d.cfg.Schedules, s)
	})
	d.checkMixed()
	d.fillSpec()
}

func (d *decoder) lead(f *fields) Lead {
	if n := f.values["lead"]; n != nil && n.Kind == yaml.ScalarNode && n.Value == leadAuto {
		return Lead{Auto: true}
	}
	return Lead{Fixed: f.duration("lead", 0)}
}

// rules reads uptime, start, stop and days. It returns whether a start wins over a stop.
func (d *decoder) rules(f *fields, s *Schedule) bool {
	hasUptime, hasEvents := f.has("uptime"), f.has("start") || f.has("stop")
	switch {
	case !hasUptime && !hasEvents:
		d.errorf(f.node, msgNoRule)
	case hasUptime && hasEvents:
		d.errorf(f.node, msgTwoRules)
		return false
	}
	s.Uptime = d.windows(f)
	if n := f.values["lead"]; n != nil && !hasUptime {
		d.warnf(n, msgLeadEvents)
		s.Lead = Lead{}
	}
	days := d.days(f, hasUptime)
	s.Starts = d.triggers(f, "start", days)
	s.Stops = d.triggers(f, "stop", days)
	d.checkDays(f, s, days)
	return d.checkStops(f, s)
}

func (d *decoder) windows(f *fields) []plan.Window {
	var list []plan.Window
	for _, n := range f.oneOrMore("uptime") {
		text, ok := d.text(n, "uptime", f.section.key("uptime").want)
		if !ok {
			continue
		}
		w, err := plan.ParseWindow(text)
		if err != nil {
			d.ruleError(n, err)
			continue
		}
		list = append(list, w)
	}
	return list
}

// ruleError places what the plan package says of a text.
func (d *decoder) ruleError(n *yaml.Node, err error) {
	offset := 0
	if e, ok := errors.AsType[*plan.SyntaxError](err); ok {
		offset = e.Offset
	}
	d.errorIn(n, offset, msgRule, err)
}

// days reads the days of start and stop: every day when there are none. They are 0
// after an error.
func (d *decoder) days(f *fields, hasUptime bool) plan.Days {
	n := f.values["days"]
	if n == nil {
		if f.has("days") {
			return 0
		}
		return plan.EveryDay
	}
	text, ok := d.text(n, "days", f.section.key("days").want)
	if !ok {
		return 0
	}
	days, err := plan.ParseDays(text)
	switch {
	case err != nil:
		d.ruleError(n, err)
		return 0
	case hasUptime:
		d.errorf(n, msgDaysUptime, text)
	}
	return days
}

func (d *decoder) triggers(f *fields, key string, days plan.Days) []plan.Trigger {
	if days == 0 {
		days = plan.EveryDay // reported; the times can be checked all the same
	}
	var list []plan.Trigger
	for _, n := range f.oneOrMore(key) {
		text, ok := d.text(n, key, f.section.key(key).want)
		if !ok {
			continue
		}
		t, err := plan.ParseTrigger(text, days)
		if err != nil {
			d.ruleError(n, err)
			continue
		}
		list = append(list, t)
	}
	return list
}

// checkDays finds days that apply to nothing, and the night that somebody took days
// for.
func (d *decoder) checkDays(f *fields, s *Schedule, days plan.Days) {
	n := f.values["days"]
	all := len(s.Starts) + len(s.Stops)
	if n == nil || days == 0 || all == 0 {
		return
	}
	starts, stops := timesOfDay(s.Starts), timesOfDay(s.Stops)
	if len(starts)+len(stops) == 0 {
		d.errorf(n, msgDaysCron)
		return
	}
	if len(starts) == 0 || len(stops) == 0 {
		return
	}
	start, stop := starts[0], stops[0]
	for _, t := range starts {
		start = min(start, t)
	}
	for _, t := range stops {
		stop = max(stop, t)
	}
	if start > stop {
		d.warnf(n, msgStartLater, start, stop, days, start, stop)
	}
}

// timesOfDay are the triggers that are no cron expressions, as HH:MM.
func timesOfDay(list []plan.Trigger) []string {
	var times []string
	for _, t := range list {
		if at, err := time.Parse("15:04", t.String()); !t.IsCron() && err == nil {
			times = append(times, at.Format("15:04"))
		}
	}
	return times
}

// checkStops reports stops that never take effect: of a start and a stop at one instant,
// the start wins. A schedule without any other stop is refused. It returns whether there
// are such stops.
func (d *decoder) checkStops(f *fields, s *Schedule) bool {
	starts := map[string]bool{}
	for _, t := range s.Starts {
		starts[t.String()] = true
	}
	var lost []plan.Trigger
	for _, t := range s.Stops {
		if starts[t.String()] {
			lost = append(lost, t)
		}
	}
	severity := Warning
	if len(lost) == len(s.Stops) {
		severity = Error
	}
	for _, t := range lost {
		n := f.values["stop"]
		d.report(severity, n.Line, n.Column, msgStartIsStop, t)
	}
	return len(lost) > 0
}

// checkMixed finds environments that have both kinds of schedules. Each pair of
// schedules is reported once, at the later one.
func (d *decoder) checkMixed() {
	type pair struct{ later, earlier int }
	first := map[string][2]int{} // by environment: 1 + the first schedule of events, of uptime
	mixed := map[pair][]string{}
	var order []pair
	for i, s := range d.schedules {
		kind := kindOfRules(s.Schedule)
		if !s.Enabled || kind < 0 {
			continue
		}
		for _, e := range s.Environments {
			at := first[e]
			if other := at[1-kind]; other > 0 {
				p := pair{i, other - 1}
				if mixed[p] == nil {
					order = append(order, p)
				}
				mixed[p] = append(mixed[p], e)
				continue
			}
			if at[kind] == 0 {
				at[kind] = i + 1
				first[e] = at
			}
		}
	}
	for _, p := range order {
		events, uptime := d.schedules[p.later], d.schedules[p.earlier]
		if kindOfRules(events.Schedule) == 1 {
			events, uptime = uptime, events
		}
		d.errorf(d.schedules[p.later].place, msgMixed, events.Name, several(mixed[p]), uptime.Name)
	}
}

// kindOfRules is 0 for events, 1 for uptime, and -1 for neither.
func kindOfRules(s Schedule) int {
	switch {
	case len(s.Starts)+len(s.Stops) > 0:
		return 0
	case len(s.Uptime) > 0:
		return 1
	}
	return -1
}

// several names the first of a list, and counts the others.
func several(list []string) string {
	if len(list) == 1 {
		return list[0]
	}
	return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
}

// fillSpec hands what is enabled to the plan.
func (d *decoder) fillSpec() {
	for _, e := range d.cfg.Environments {
		d.cfg.Spec.Environments = append(d.cfg.Spec.Environments, e.Name)
	}
	for _, s := range d.cfg.Schedules {
		if !s.Enabled {
			continue
		}
		d.cfg.Spec.Schedules = append(d.cfg.Spec.Schedules, plan.Schedule{
			Name: s.Name, Environments: s.Environments, Location: s.Location,
			Uptime: s.Uptime, Starts: s.Starts, Stops: s.Stops, Calendar: d.built[s.Calendar], Lead: s.Lead.Fixed,
		})
	}
}
