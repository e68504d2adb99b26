package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/internal/longtest"
	"curfew/scheduler/plan"
	"curfew/scheduler/zone"
)

// changes are days round which the clocks of a zone do something odd.
func changes() map[string][]string {
	return map[string][]string{
		"UTC":                 {"2026-01-05"},
		"Europe/Copenhagen":   {"2026-03-29", "2026-10-25"},
		"America/New_York":    {"2025-03-09", "2025-11-02"},
		"Australia/Lord_Howe": {"2026-04-05", "2026-10-04"},               // half an hour
		"America/Sao_Paulo":   {"2018-11-04", "2019-02-17"},               // no midnight, two of them
		"Africa/Cairo":        {"2026-04-24", "2026-10-30"},               // no midnight
		"Europe/Dublin":       {"2026-03-29", "2026-10-25"},               // winter is the exception
		"Pacific/Apia":        {"2011-12-30", "2011-09-24", "2012-04-01"}, // a day is missing
		"Asia/Pyongyang":      {"2015-08-15", "2018-05-05"},               // for good
		"America/Havana":      {"2026-03-08", "2026-11-01"},
		"Asia/Kathmandu":      {"1986-01-01", "2026-06-01"},
		"America/St_Johns":    {"2010-03-14", "2010-11-07"}, // at one minute past midnight
	}
}

func zones() []string {
	var list []string
	for zone := range changes() {
		list = append(list, zone)
	}
	slices.Sort(list)
	return list
}

func mustLoad(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := zone.Load(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

const (
	warmUpDays = 45 // so that the oracle has seen an event of every trigger
	rangeDays  = 9
	walkLength = (warmUpDays + rangeDays) * dayMinutes
)

// A world is one drawn example: for the plan, and for the oracle.
type world struct {
	t     *rapid.T
	walls *walls
	start time.Time // of the walk
	zones map[string]*time.Location
	near  string // the zone whose change the range is round
	spec  plan.Spec
	// oracles by environment
	oracles map[string]*oracle
}

func (w *world) from() time.Time { return w.at(warmUpDays * dayMinutes) }

func (w *world) at(i int) time.Time { return w.start.Add(time.Duration(i) * time.Minute) }

func newWorld(t *rapid.T, shared *walls, locations map[string]*time.Location) *world {
	near := rapid.SampledFrom(zones()).Draw(t, "zone")
	middle, err := time.Parse(time.DateOnly, rapid.SampledFrom(changes()[near]).Draw(t, "change"))
	if err != nil {
		t.Fatal(err)
	}
	if rapid.IntRange(0, 9).Draw(t, "elsewhere") == 0 {
		middle = middle.AddDate(0, 0, rapid.IntRange(-2000, 2000).Draw(t, "days"))
	}
	return &world{
		t: t, walls: shared, zones: locations, near: near,
		start:   middle.AddDate(0, 0, -warmUpDays-rangeDays/2),
		oracles: map[string]*oracle{},
	}
}

func (w *world) location() *time.Location {
	if rapid.IntRange(0, 4).Draw(w.t, "other zone") == 0 {
		return w.zones[rapid.SampledFrom(zones()).Draw(w.t, "zone")]
	}
	return w.zones[w.near]
}

func (w *world) days() plan.Days {
	if rapid.Bool().Draw(w.t, "every day") {
		return plan.EveryDay
	}
	return plan.Days(rapid.IntRange(1, int(plan.EveryDay)).Draw(w.t, "days"))
}

// minute prefers the hours in which clocks change.
func (w *world) minute() int {
	if rapid.Bool().Draw(w.t, "night") {
		return rapid.IntRange(0, 16).Draw(w.t, "quarter") * 15
	}
	return rapid.IntRange(0, dayMinutes-1).Draw(w.t, "minute")
}

func (w *world) window() plan.Window {
	v := plan.Window{Days: w.days(), Begin: w.minute(), End: w.minute()}
	if rapid.IntRange(0, 9).Draw(w.t, "to midnight") == 0 {
		v.End = dayMinutes
	}
	if v.End <= v.Begin {
		v.EndDay = 1
	}
	if rapid.IntRange(0, 5).Draw(w.t, "span") == 0 {
		v.Days = 1 << rapid.IntRange(0, 6).Draw(w.t, "first")
		v.EndDay += rapid.IntRange(0, 5).Draw(w.t, "length")
	}
	return v
}

func (w *world) windows() []plan.Window {
	var list []plan.Window
	for range rapid.IntRange(1, 3).Draw(w.t, "windows") {
		list = append(list, w.window())
	}
	return list
}

func allHours() []int {
	list := make([]int, 24)
	for i := range list {
		list[i] = i
	}
	return list
}

func field(list []int) string {
	if list == nil {
		return "*"
	}
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(list), " ", ","), "[]")
}

// trigger draws a trigger in the form of the plan and of the oracle.
func (w *world) trigger() (plan.Trigger, oracleTrigger) {
	o := oracleTrigger{}
	text := ""
	days := plan.EveryDay
	some := func(lo, hi, most int, label string) []int {
		return rapid.SliceOfNDistinct(rapid.IntRange(lo, hi), 1, most, rapid.ID[int]).Draw(w.t, label)
	}
	if rapid.Bool().Draw(w.t, "time of day") {
		days = w.days()
		m := w.minute()
		o.hours, o.minutes = []int{m / 60}, []int{m % 60}
		for d := time.Sunday; d <= time.Saturday; d++ {
			if days.Has(d) {
				o.dow = append(o.dow, int(d))
			}
		}
		text = fmt.Sprintf("%02d:%02d", m/60, m%60)
	} else {
		o.minutes = some(0, 59, 3, "minutes")
		o.elapsed = rapid.IntRange(0, 2).Draw(w.t, "every hour") == 0
		if o.hours = allHours(); !o.elapsed {
			o.hours = some(0, 5, 4, "hours")
		}
		if rapid.Bool().Draw(w.t, "month days") {
			o.dom = some(1, 28, 9, "dom")
		}
		if rapid.Bool().Draw(w.t, "weekdays") {
			o.dow = some(0, 6, 4, "dow")
		}
		hours := o.hours
		if o.elapsed {
			hours = nil
		}
		text = fmt.Sprintf("%s %s %s * %s", field(o.minutes), field(hours), field(o.dom), field(o.dow))
	}
	trigger, err := plan.ParseTrigger(text, days)
	if err != nil {
		w.t.Fatalf("ParseTrigger(%q) = %v", text, err)
	}
	return trigger, o
}

// calendar draws days of the range that are holidays, or none at all.
func (w *world) calendar() (*plan.Calendar, map[plan.Date]bool) {
	if rapid.Bool().Draw(w.t, "no calendar") {
		return nil, nil
	}
	first := plan.DateOf(w.from())
	days := map[plan.Date]bool{}
	for _, n := range rapid.SliceOfN(rapid.IntRange(-3, rangeDays), 1, 4).Draw(w.t, "holidays") {
		days[first.AddDays(n)] = true
	}
	return &plan.Calendar{Name: "closed", Fingerprint: fmt.Sprint(days), Holiday: func(d plan.Date) (string, bool) {
		return "a holiday", days[d]
	}}, days
}

func (w *world) addSchedule(environment string, uptime bool) {
	s := plan.Schedule{
		Name:         fmt.Sprintf("schedule-%d", len(w.spec.Schedules)),
		Environments: []string{environment},
		Location:     w.location(),
	}
	o := oracleSchedule{wall: w.walls.of(s.Location, w.start, walkLength)}
	s.Calendar, o.holidays = w.calendar()
	if uptime {
		s.Uptime = w.windows()
		o.windows = s.Uptime
	}
	for range rapid.IntRange(1, 3).Draw(w.t, "triggers") {
		if uptime {
			break
		}
		trigger, plain := w.trigger()
		if slices.ContainsFunc(slices.Concat(s.Starts, s.Stops), func(t plan.Trigger) bool { return t.String() == trigger.String() }) {
			continue // a start that is also a stop is refused
		}
		if rapid.Bool().Draw(w.t, "start") {
			s.Starts, o.starts = append(s.Starts, trigger), append(o.starts, plain)
		} else {
			s.Stops, o.stops = append(s.Stops, trigger), append(o.stops, plain)
		}
	}
	w.spec.Schedules = append(w.spec.Schedules, s)
	w.oracles[environment].schedules = append(w.oracles[environment].schedules, o)
}

func (w *world) addException(environment string) {
	first := warmUpDays * dayMinutes
	from := first + rapid.IntRange(-2*dayMinutes, 8*dayMinutes).Draw(w.t, "from")
	until := from + rapid.SampledFrom([]int{-60, 0, 1, 60, 1000, 1440, 2880, 4000}).Draw(w.t, "long")
	e := plan.Exception{
		Name:         fmt.Sprintf("exception-%d", len(w.spec.Exceptions)),
		Environments: []string{environment},
		From:         w.at(from), Until: w.at(until),
		Location: w.location(),
		Override: rapid.Bool().Draw(w.t, "override"),
	}
	o := oracleException{from: from, until: until, override: e.Override, wall: w.walls.of(e.Location, w.start, walkLength)}
	switch rapid.IntRange(0, 2).Draw(w.t, "kind") {
	case 0:
		e.Keep = plan.Running
	case 1:
		e.Keep = plan.Stopped
	default:
		e.Uptime = w.windows()
	}
	o.keep, o.windows = e.Keep, e.Uptime
	w.spec.Exceptions = append(w.spec.Exceptions, e)
	w.oracles[environment].exceptions = append(w.oracles[environment].exceptions, o)
}

func (w *world) addEnvironment(name string) {
	w.spec.Environments = append(w.spec.Environments, name)
	w.oracles[name] = &oracle{}
	uptime := rapid.Bool().Draw(w.t, "uptime")
	for range rapid.IntRange(0, 3).Draw(w.t, "schedules") {
		w.addSchedule(name, uptime)
	}
	for range rapid.IntRange(0, 4).Draw(w.t, "exceptions") {
		w.addException(name)
	}
}

func TestMain(m *testing.M) {
	longtest.Draw(40)
	m.Run()
}

func TestPlanAgreesWithWalkOverEveryMinute(t *testing.T) {
	shared := &walls{}
	locations := map[string]*time.Location{}
	for _, zone := range zones() {
		locations[zone] = mustLoad(t, zone)
	}
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t, shared, locations)
		for i := range rapid.IntRange(1, 2).Draw(t, "environments") {
			w.addEnvironment(fmt.Sprintf("env-%d", i))
		}
		p, err := plan.Compile(w.spec)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range w.spec.Environments {
			w.compare(p, name)
		}
	})
}

// compare holds the fires and the states of one environment against the oracle.
func (w *world) compare(p *plan.Plan, name string) {
	first := warmUpDays * dayMinutes
	minutes := w.oracles[name].walk(first-1, walkLength)
	if before := minutes[0].wanted; before == plan.Unknown && p.Wanted(name, w.at(first-1)).Wanted != plan.Unknown {
		return // an event from before the walk
	}
	minutes = minutes[1:]
	var want []string
	for i, m := range minutes {
		if !m.fires {
			continue
		}
		action := plan.Stop
		if m.wanted == plan.Running {
			action = plan.Start
		}
		want = append(want, fmt.Sprintf("%s %s", w.at(first+i).UTC().Format(time.RFC3339), action))
	}
	fires := p.Fires(w.from(), w.at(walkLength), name)
	var got []string
	for _, f := range fires {
		got = append(got, fmt.Sprintf("%s %s", f.At.UTC().Format(time.RFC3339), f.Action))
	}
	if !slices.Equal(got, want) {
		w.t.Fatalf("%s: fires from %s:\n got %v\nwant %v\n%s", name, w.from(), got, want, w)
	}
	w.compareStates(p, name, minutes)
	w.checkEntries(p, fires)
	w.checkSplit(p, name, fires)
}

// checkSplit wants the fires of a range to be those of its two parts, wherever it is
// cut: from is included and to is not.
func (w *world) checkSplit(p *plan.Plan, name string, fires []plan.Fire) {
	for _, f := range fires[:min(4, len(fires))] {
		for _, after := range []time.Duration{-time.Nanosecond, 0, 1, 2, 20 * time.Minute} {
			cut := f.At.Add(after)
			first, second := p.Fires(w.from(), cut, name), p.Fires(cut, w.at(walkLength), name)
			if got := slices.Concat(first, second); !slices.Equal(got, fires) {
				w.t.Fatalf("cut at %s: fires\n got %v\nwant %v\n%s", cut, got, fires, w)
			}
		}
	}
}

// compareStates checks every change, at the minute before it, and every few hours.
func (w *world) compareStates(p *plan.Plan, name string, minutes []oracleMinute) {
	first := warmUpDays * dayMinutes
	for i, m := range minutes {
		near := m.fires || (i+1 < len(minutes) && minutes[i+1].fires)
		inTheMiddle := i/dayMinutes == rangeDays/2 && i%23 == 0 // where the clocks change
		if !near && !inTheMiddle && i%197 != 0 {
			continue
		}
		at := w.at(first + i)
		if got := p.Wanted(name, at); got.Wanted != m.wanted || got.Because == "" || len(got.Steps) == 0 {
			w.t.Fatalf("Wanted(%s, %s) = %+v, want %s\n%s", name, at, got, m.wanted, w)
		}
		if next := slices.IndexFunc(minutes[i:], func(n oracleMinute) bool { return n.wanted != m.wanted }); next > 0 && i%3 == 0 {
			if got, ok := p.Change(name, at); !ok || !got.Equal(w.at(first+i+next)) {
				w.t.Fatalf("Change(%s, %s) = %s, %t, want %s\n%s", name, at, got, ok, w.at(first+i+next), w)
			}
		}
	}
}

// checkEntries wants every fire to be an instant of an entry.
func (w *world) checkEntries(p *plan.Plan, fires []plan.Fire) {
	entries := p.Entries()
	for _, f := range fires {
		if !slices.ContainsFunc(entries, func(e plan.Entry) bool {
			return e.Schedule.Next(f.At.Add(-time.Nanosecond)).Equal(f.At)
		}) {
			w.t.Fatalf("no entry wakes at %s for %+v\n%s", f.At, f, w)
		}
	}
}

// String shows the example for a failed check.
func (w *world) String() string {
	var b strings.Builder
	for _, s := range w.spec.Schedules {
		fmt.Fprintf(&b, "%s %v %s uptime %v starts %v stops %v calendar %v\n", s.Name, s.Environments, s.Location, s.Uptime, s.Starts, s.Stops, s.Calendar != nil)
	}
	for _, e := range w.spec.Exceptions {
		fmt.Fprintf(&b, "%s %v %s from %s until %s keep %q uptime %v override %t\n", e.Name, e.Environments, e.Location, e.From, e.Until, e.Keep, e.Uptime, e.Override)
	}
	return b.String()
}
