package plan_test

import (
	"slices"
	"sync"
	"time"

	"curfew/scheduler/plan"
)

// The oracle answers the same questions as the plan by walking over every minute of
// real time, looking at the clock on the wall, and remembering the latest local time
// it has shown. A local time has come as soon as the wall has shown it or a later
// one: that is all the oracle knows about changes of the clocks.

// wallMinutes are local times in minutes from 1970-01-01, one for each minute of
// real time, and the latest shown so far.
type wallMinutes struct{ shown, reached []int64 }

type wallKey struct {
	zone  string
	start int64
	n     int
}

// walls remembers the wall clocks of zones, which many examples share.
type walls struct {
	mu    sync.Mutex
	known map[wallKey]wallMinutes
}

func (w *walls) of(loc *time.Location, start time.Time, n int) wallMinutes {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := wallKey{loc.String(), start.Unix(), n}
	if m, ok := w.known[key]; ok {
		return m
	}
	m := wallMinutes{make([]int64, n), make([]int64, n)}
	var offset int
	for i := range n {
		t := start.Add(time.Duration(i) * time.Minute)
		if i%15 == 0 { // since 1970 clocks change at quarters of an hour, but for St. John's
			_, offset = t.In(loc).Zone()
		} else if loc.String() == "America/St_Johns" {
			_, offset = t.In(loc).Zone()
		}
		m.shown[i] = t.Unix()/60 + int64(offset)/60
		m.reached[i] = m.shown[i]
		if i > 0 {
			m.reached[i] = max(m.reached[i], m.reached[i-1])
		}
	}
	if w.known == nil {
		w.known = map[wallKey]wallMinutes{}
	}
	w.known[key] = m
	return m
}

const dayMinutes = 24 * 60

func weekdayOf(wallDay int64) time.Weekday { return time.Weekday((wallDay + 4) % 7) }

func dateOfWall(wallDay int64) plan.Date {
	return plan.DateOf(time.Unix(wallDay*86400, 0).UTC())
}

// oracleTrigger is a trigger in plain lists; nil lists are stars.
type oracleTrigger struct {
	hours, minutes []int
	dom            []int
	dow            []int
	elapsed        bool
}

func has(list []int, n int) bool {
	return slices.Contains(list, n)
}

func (o oracleTrigger) matches(wall int64) bool {
	minute := int(wall % dayMinutes)
	if !has(o.hours, minute/60) || !has(o.minutes, minute%60) {
		return false
	}
	d := dateOfWall(wall / dayMinutes)
	dom, dow := has(o.dom, d.Day), has(o.dow, int(weekdayOf(wall/dayMinutes)))
	switch {
	case o.dom == nil && o.dow == nil:
		return true
	case o.dom == nil:
		return dow
	case o.dow == nil:
		return dom
	}
	return dom || dow
}

// oracleSchedule is a schedule as the oracle sees it.
type oracleSchedule struct {
	wall          wallMinutes
	windows       []plan.Window
	starts, stops []oracleTrigger
	holidays      map[plan.Date]bool
}

// oracleException is an exception as the oracle sees it; from and until are minutes
// of the walk.
type oracleException struct {
	wall        wallMinutes
	from, until int
	keep        plan.Wanted
	windows     []plan.Window
	override    bool
}

// comes reports whether the trigger fires at minute i of the walk.
func (s *oracleSchedule) comes(o oracleTrigger, i int, start bool) bool {
	free := func(wall int64) bool { return !start || !s.holidays[dateOfWall(wall/dayMinutes)] }
	if o.elapsed {
		return o.matches(s.wall.shown[i]) && free(s.wall.shown[i])
	}
	for wall := s.wall.reached[i-1] + 1; wall <= s.wall.reached[i]; wall++ {
		if o.matches(wall) && free(wall) {
			return true
		}
	}
	return false
}

// open reports whether a window covers minute i of the walk; days may be refused.
func open(windows []plan.Window, reached int64, refused func(wallDay, begin int64) bool) bool {
	today := reached / dayMinutes
	for _, w := range windows {
		for d := today - 8; d <= today; d++ {
			begin := d*dayMinutes + int64(w.Begin)
			end := (d+int64(w.EndDay))*dayMinutes + int64(w.End)
			if w.Days.Has(weekdayOf(d)) && begin <= reached && reached < end && !refused(d, begin) {
				return true
			}
		}
	}
	return false
}

// state is what an exception wants at minute i, "" when it is not active.
func (e *oracleException) state(i int) plan.Wanted {
	if i < e.from || e.from >= e.until {
		return ""
	}
	if e.keep != "" {
		if i >= e.until {
			return ""
		}
		return e.keep
	}
	firstDay := e.wall.shown[e.from] / dayMinutes
	running := open(e.windows, e.wall.reached[i], func(d, begin int64) bool {
		return d < firstDay || begin > e.wall.reached[min(e.until, len(e.wall.reached))-1]
	})
	switch {
	case running:
		return plan.Running
	case i >= e.until:
		return ""
	}
	return plan.Stopped
}

// oracle walks over one environment.
type oracle struct {
	schedules  []oracleSchedule
	exceptions []oracleException // in file order
	last       plan.Wanted       // what the last event said
}

// oracleMinute is what the oracle found at one minute.
type oracleMinute struct {
	wanted plan.Wanted
	fires  bool
}

func (o *oracle) base(i int) (wanted plan.Wanted, event bool) {
	started, stopped, windows := false, false, false
	running := false
	for k := range o.schedules {
		s := &o.schedules[k]
		for _, t := range s.starts {
			started = started || s.comes(t, i, true)
		}
		for _, t := range s.stops {
			stopped = stopped || s.comes(t, i, false)
		}
		windows = windows || len(s.windows) > 0
		running = running || open(s.windows, s.wall.reached[i], func(d, _ int64) bool { return s.holidays[dateOfWall(d)] })
	}
	switch {
	case running:
		return plan.Running, false
	case windows:
		return plan.Stopped, false
	case started:
		o.last = plan.Running
	case stopped:
		o.last = plan.Stopped
	}
	return o.last, started || stopped
}

// walk returns the minutes from first to n of the walk.
func (o *oracle) walk(first, n int) []oracleMinute {
	o.last = plan.Unknown
	list := make([]oracleMinute, n)
	before := plan.Unknown
	for i := 1; i < n; i++ {
		wanted, event := o.base(i)
		kept := false
		if top := o.top(i); top != nil {
			wanted, event = top.state(i), false
			kept = top.keep != "" && i == top.from
		}
		list[i] = oracleMinute{wanted, wanted != plan.Unknown && (wanted != before || event || kept)}
		before = wanted
	}
	return list[first:]
}

// top is the exception that decides at minute i.
func (o *oracle) top(i int) *oracleException {
	var top *oracleException
	for k := range o.exceptions {
		e := &o.exceptions[k]
		if e.state(i) != "" && (top == nil || e.override || !top.override) {
			top = e
		}
	}
	return top
}
