package plan_test

import (
	"slices"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

// checkValidation takes the text of a vector to the parser that would meet it.
func checkValidation(t *testing.T, v vector) string {
	parse, reason := validationText(v)
	if reason != "" {
		return reason
	}
	var expected string
	decode(t, v.Expected, &expected)
	valid := expected == "valid"
	if v.Adopt == "differs" {
		valid = !valid
	}
	if err := parse(); (err == nil) != valid {
		t.Errorf("error %v, want valid %t", err, valid)
	}
	return ""
}

func validationText(v vector) (parse func() error, reason string) {
	s := v.Schedule
	window := func(text string) func() error {
		return func() error { _, err := plan.ParseWindow(text); return err }
	}
	trigger := func(text string) func() error {
		return func() error { _, err := plan.ParseTrigger(text, plan.EveryDay); return err }
	}
	days := func(text string) func() error {
		return func() error { _, err := plan.ParseDays(text); return err }
	}
	byID := map[string]func() error{ // those written in a form of their own
		"v113": window("00:00-24:00"), "v223": trigger("90:00"), "v225": days("1-2"), "v227": trigger("99:00"),
		"v229": window("mon-fri"), "v233": days("sat-mon"), "v279": window("17:31-17:31"), "v281": window("22:00-06:00"),
		"v283": days("1"), "v285": trigger("0 0 -15:5 * *"), "v335": days("mon,mon"), "v337": window("00:00-23:00"),
		"v339": window("10:00-10:00"), "v341": window("mon-sat 06:00-05:00"),
	}
	switch {
	case byID[v.ID] != nil:
		return byID[v.ID], ""
	case slices.Contains([]string{"v045", "v231", "v235", "v343"}, v.ID):
		return nil, forConfig
	case slices.Contains([]string{"v121", "v123", "v149", "v287"}, v.ID):
		return nil, noMonthRules
	case v.ID == "v347":
		return sameStartAndStop(s), ""
	case s.Timespan != "":
		return window(s.Timespan[:len(s.Timespan)-len(" UTC")]), ""
	case s.Monthdays != "":
		return trigger("0 0 " + s.Monthdays + " * *"), ""
	case s.Months != "":
		return trigger("0 0 1 " + s.Months + " *"), ""
	case s.Weekdays != "":
		return trigger("0 0 * * " + s.Weekdays), ""
	case s.Periods[0].Begin != "" && s.Periods[0].End != "":
		return window(s.Periods[0].window()), ""
	}
	return trigger(s.Periods[0].Begin + s.Periods[0].End), ""
}

func sameStartAndStop(s vectorSchedule) func() error {
	return func() error {
		start, err := plan.ParseTrigger(s.Start, 0)
		if err != nil {
			return err
		}
		_, err = plan.Compile(plan.Spec{Schedules: []plan.Schedule{{
			Name: "same", Location: time.UTC, Starts: []plan.Trigger{start}, Stops: []plan.Trigger{start},
		}}})
		return err
	}
}

// A worded vector is one whose input is in words: what is asked of the plan instead.
type worded struct {
	zone           string
	uptime         string
	start, stop    string
	days           string
	holiday        string
	keep           plan.Wanted // an exception of one hour from `at` on
	at             string      // RFC 3339
	within         time.Duration
	wanted         plan.Wanted // at at; "" is not looked at
	fires          []string    // from at on, within; nil is none
	firesNotLooked bool
}

func wordedVectors() map[string]worded {
	const hour, week = time.Hour, 7 * 24 * time.Hour
	return map[string]worded{
		"v047": {stop: "20:00", at: "2026-03-02T19:55:00Z", within: 4 * time.Minute},
		"v095": {uptime: "10:00-20:00", at: "2026-03-02T15:05:00Z", wanted: plan.Running, firesNotLooked: true},
		"v097": {uptime: "10:00-20:00", at: "2026-03-02T22:05:00Z", wanted: plan.Stopped, firesNotLooked: true},
		"v099": {uptime: "10:00-20:00", at: "2026-03-02T20:00:00Z", within: time.Minute, fires: []string{"stop 2026-03-02T20:00:00Z"}},
		"v101": {uptime: "10:00-20:00", at: "2026-03-02T05:00:00Z", within: hour},
		"v103": {
			uptime: "20:00-22:00", keep: plan.Running, at: "2024-01-25T14:00:00Z", within: time.Minute,
			wanted: plan.Running, fires: []string{"start 2024-01-25T14:00:00Z"},
		},
		"v105": {uptime: "10:00-20:00", keep: plan.Stopped, at: "2026-03-02T12:00:00Z", wanted: plan.Stopped, firesNotLooked: true},
		"v213": {zone: "America/New_York", start: "07:00", at: "2015-12-01T07:00:00-05:00", within: hour, fires: []string{"start 2015-12-01T12:00:00Z"}},
		"v215": {zone: "America/New_York", start: "19:00", holiday: "2015-12-01", at: "2015-12-01T19:00:00-05:00", within: hour},
		"v217": {start: "19:00", at: "2016-08-14T00:00:00Z", within: week, fires: []string{
			"start 2016-08-14T19:00:00Z", "start 2016-08-15T19:00:00Z", "start 2016-08-16T19:00:00Z", "start 2016-08-17T19:00:00Z",
			"start 2016-08-18T19:00:00Z", "start 2016-08-19T19:00:00Z", "start 2016-08-20T19:00:00Z",
		}},
		"v219": {stop: "19:00", days: "fri", at: "2016-02-14T00:00:00Z", within: week, fires: []string{"stop 2016-02-19T19:00:00Z"}},
		"v221": {stop: "19:00", days: "mon-fri", at: "2016-05-26T20:00:00Z", within: hour},
		"v237": {
			start: "02:00", stop: "07:00", at: "2022-04-12T01:59:30Z", within: hour,
			wanted: plan.Stopped, fires: []string{"start 2022-04-12T02:00:00Z"},
		},
		"v239": {start: "02:00", stop: "07:00", at: "2022-04-12T07:00:01Z", within: hour, wanted: plan.Stopped},
		"v243": {start: "02:00", stop: "07:00", at: "2022-04-12T02:00:01Z", within: 5*hour - 2*time.Second, wanted: plan.Running},
	}
}

func checkByID(t *testing.T, v vector) string {
	c, ok := wordedVectors()[v.ID]
	if !ok {
		return forEngine
	}
	p, at := c.compile(t), mustTime(t, c.at)
	if got := p.Wanted("env", at); c.wanted != "" && got.Wanted != c.wanted {
		t.Errorf("Wanted(%s) = %+v, want %s", c.at, got, c.wanted)
	}
	if c.firesNotLooked {
		return ""
	}
	var got []string
	for _, f := range p.Fires(at, at.Add(c.within)) {
		got = append(got, string(f.Action)+" "+f.At.UTC().Format(time.RFC3339))
	}
	if !slices.Equal(got, c.fires) {
		t.Errorf("Fires = %v, want %v", got, c.fires)
	}
	return ""
}

func (c worded) compile(t *testing.T) *plan.Plan {
	t.Helper()
	days := plan.EveryDay
	var err error
	if c.days != "" {
		if days, err = plan.ParseDays(c.days); err != nil {
			t.Fatal(err)
		}
	}
	var s plan.Schedule
	if c.uptime != "" {
		s.Uptime = []plan.Window{mustWindow(t, c.uptime)}
	}
	if c.start != "" {
		s.Starts = []plan.Trigger{mustTrigger(t, c.start, days)}
	}
	if c.stop != "" {
		s.Stops = []plan.Trigger{mustTrigger(t, c.stop, days)}
	}
	if c.holiday != "" {
		s.Calendar = &plan.Calendar{Name: "closed", Holiday: func(d plan.Date) (string, bool) { return "", d.String() == c.holiday }}
	}
	p := onlySchedule(t, c.zone, s)
	if c.keep == "" {
		return p
	}
	at := mustTime(t, c.at)
	p, err = p.WithExceptions([]plan.Exception{{
		Name: "kept", Environments: []string{"env"}, Location: time.UTC, Keep: c.keep, From: at, Until: at.Add(time.Hour),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
