package config

import (
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"curfew/scheduler/plan"
)

const (
	minutesPerDay  = 24 * 60
	minutesPerWeek = 7 * minutesPerDay
	weekdays       = plan.Days(1<<time.Monday | 1<<time.Tuesday | 1<<time.Wednesday | 1<<time.Thursday | 1<<time.Friday)
)

// peers are the enabled schedules of one environment, by their places in the file, for
// all environments that have the same.
type peers []int

// peers lists each set of schedules that some environment has once.
func (d *decoder) peers() []peers {
	of := map[string]peers{}
	for i, s := range d.schedules {
		if s.Enabled {
			for _, e := range s.Environments {
				of[e] = append(of[e], i)
			}
		}
	}
	seen := map[string]bool{}
	var list []peers
	var key []byte
	for _, e := range d.cfg.Environments {
		p := of[e.Name]
		key = key[:0]
		for _, i := range p {
			key = binary.AppendUvarint(key, uint64(i)) //nolint:gosec // an index
		}
		if len(p) > 0 && !seen[string(key)] {
			seen[string(key)] = true
			list = append(list, p)
		}
	}
	return list
}

// A stretch is a window on one day of a week, in minutes from Monday 00:00.
type stretch struct {
	begin, end int
	schedule   int
	window     plan.Window
}

// week lays the windows of schedules out over a week in the zone of the first, calendars
// aside, in the order of their begins.
func (d *decoder) week(p peers) []stretch {
	var list []stretch
	for _, i := range p {
		s := d.schedules[i]
		shift := offset(d.schedules[p[0]].Location, d.opts.Now) - offset(s.Location, d.opts.Now)
		for _, w := range s.Uptime {
			length := w.EndDay*minutesPerDay + w.End - w.Begin
			for day := range 7 {
				if !w.Days.Has(time.Weekday((day + 1) % 7)) {
					continue
				}
				lead := int(s.Lead.Fixed / time.Minute)
				begin := (day*minutesPerDay + w.Begin - lead + shift + minutesPerWeek) % minutesPerWeek
				list = append(list, stretch{begin, begin + lead + length, i, w})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b stretch) int { return cmp.Compare(a.begin, b.begin) })
	return list
}

// offset is how far a zone is ahead of UTC, in minutes.
func offset(loc *time.Location, at time.Time) int {
	_, seconds := at.In(loc).Zone()
	return seconds / 60
}

// gaps calls report for each pause between windows of a week that follows the first
// window and is followed by the second.
func gaps(week []stretch, report func(before, after stretch)) {
	if len(week) == 0 {
		return
	}
	last := slices.MaxFunc(week, func(a, b stretch) int { return cmp.Compare(a.end, b.end) })
	last.end -= minutesPerWeek // of the week before
	for _, s := range week {
		if s.begin > last.end {
			report(last, s)
		}
		if s.end > last.end {
			last = s
		}
	}
}

// minutesUp is how many minutes of a week the windows cover.
func minutesUp(week []stretch) int {
	up := minutesPerWeek
	if len(week) == 0 {
		return 0
	}
	gaps(week, func(before, after stretch) { up -= after.begin - before.end })
	return up
}

// An event is an instant of a start or a stop of a schedule, its calendar aside.
type event struct {
	at       time.Time
	action   plan.Action
	schedule int
}

// events are the starts and stops of schedules from from to to, in order; of one
// instant, starts come first.
func (d *decoder) events(p peers, from, to time.Time) []event {
	var list []event
	for _, i := range p {
		s := d.schedules[i]
		for _, action := range []plan.Action{plan.Start, plan.Stop} {
			one := plan.Schedule{Name: s.Name, Environments: []string{"x"}, Location: s.Location, Starts: s.Starts}
			if action == plan.Stop {
				one.Starts, one.Stops = nil, s.Stops
			}
			alone, err := plan.Compile(plan.Spec{Environments: one.Environments, Schedules: []plan.Schedule{one}})
			if err != nil {
				continue // it has none
			}
			for _, f := range alone.Fires(from, to) {
				list = append(list, event{f.At, action, i})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b event) int {
		return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.action, b.action))
	})
	return list
}
