package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

// A sketch is a plan for the environment dev-01 in few words: schedule lines are
// "uptime WINDOW", "start TRIGGER" or "stop TRIGGER".
type sketch struct {
	zone       string
	rules      []string
	days       plan.Days // of times of day; none are every day
	calendar   *plan.Calendar
	exceptions []plan.Exception
}

func (s sketch) compile(t *testing.T) *plan.Plan {
	t.Helper()
	loc := mustLoad(t, s.zone)
	days := s.days
	if days == 0 {
		days = plan.EveryDay
	}
	spec := plan.Spec{Environments: []string{"dev-01"}}
	for i, rule := range s.rules {
		kind, text, _ := strings.Cut(rule, " ")
		sched := plan.Schedule{Name: fmt.Sprintf("s%d", i), Environments: []string{"dev-01"}, Location: loc, Calendar: s.calendar}
		switch kind {
		case "uptime":
			sched.Uptime = []plan.Window{mustWindow(t, text)}
		case "start":
			sched.Starts = []plan.Trigger{mustTrigger(t, text, days)}
		case "stop":
			sched.Stops = []plan.Trigger{mustTrigger(t, text, days)}
		}
		spec.Schedules = append(spec.Schedules, sched)
	}
	for _, e := range s.exceptions {
		e.Environments, e.Location = []string{"dev-01"}, loc
		spec.Exceptions = append(spec.Exceptions, e)
	}
	return mustCompile(t, spec)
}

func closedOn(days ...string) *plan.Calendar {
	return &plan.Calendar{Name: "dk", Fingerprint: fmt.Sprint(days), Holiday: func(d plan.Date) (string, bool) {
		return "Christmas", slices.Contains(days, d.String())
	}}
}

// lines writes fires as "local time action schedule: reason".
func lines(fires []plan.Fire) []string {
	var list []string
	for _, f := range fires {
		list = append(list, fmt.Sprintf("%s %s %s: %s", f.At.Format("2006-01-02 15:04 -0700"), f.Action, f.Schedule, f.Reason))
	}
	return list
}

type firesTest struct {
	name     string
	plan     sketch
	from, to string // RFC 3339
	want     []string
}

func checkFires(t *testing.T, tests []firesTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := lines(tt.plan.compile(t).Fires(mustTime(t, tt.from), mustTime(t, tt.to)))
			if !slices.Equal(got, tt.want) {
				t.Errorf("Fires:\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(tt.want, "\n     "))
			}
		})
	}
}

func TestFires(t *testing.T) {
	const zone = "Europe/Copenhagen"
	monday, tuesday := "2026-03-02T00:00:00+01:00", "2026-03-03T00:00:00+01:00"
	checkFires(t, []firesTest{
		{"a window begins and ends", sketch{zone: zone, rules: []string{"uptime mon-fri 07:00-19:00"}}, monday, tuesday, []string{
			"2026-03-02 07:00 +0100 start s0: window mon-fri 07:00-19:00 begins",
			"2026-03-02 19:00 +0100 stop s0: window mon-fri 07:00-19:00 ends",
		}},
		{"from is included and to is not", sketch{zone: zone, rules: []string{"uptime 07:00-19:00"}}, "2026-03-02T07:00:00+01:00", "2026-03-02T19:00:00+01:00", []string{
			"2026-03-02 07:00 +0100 start s0: window 07:00-19:00 begins",
		}},
		{"touching windows cause no action", sketch{zone: zone, rules: []string{"uptime 07:00-12:00", "uptime 12:00-19:00"}}, monday, tuesday, []string{
			"2026-03-02 07:00 +0100 start s0: window 07:00-12:00 begins",
			"2026-03-02 19:00 +0100 stop s1: window 12:00-19:00 ends",
		}},
		{"overlapping windows are united", sketch{zone: zone, rules: []string{"uptime 08:00-20:00", "uptime 07:00-19:00"}}, monday, tuesday, []string{
			"2026-03-02 07:00 +0100 start s1: window 07:00-19:00 begins",
			"2026-03-02 20:00 +0100 stop s0: window 08:00-20:00 ends",
		}},
		{"whole days touch at midnight", sketch{zone: zone, rules: []string{"uptime 00:00-24:00"}}, monday, "2026-04-06T00:00:00+02:00", nil},
		{"a night belongs to the day it begins on", sketch{zone: zone, rules: []string{"uptime mon 22:00-06:00"}}, monday, "2026-03-09T00:00:00+01:00", []string{
			"2026-03-02 22:00 +0100 start s0: window mon 22:00-06:00 begins",
			"2026-03-03 06:00 +0100 stop s0: window mon 22:00-06:00 ends",
		}},
		{"every event is a fire, whatever is wanted already", sketch{zone: zone, rules: []string{"stop 19:00", "stop 0 22 * * *"}}, monday, tuesday, []string{
			"2026-03-02 19:00 +0100 stop s0: stop 19:00",
			"2026-03-02 22:00 +0100 stop s1: stop 0 22 * * *",
		}},
		{"a start beats a stop at the same instant", sketch{zone: zone, rules: []string{"stop 07:00", "start 0 7 * * *"}}, monday, tuesday, []string{
			"2026-03-02 07:00 +0100 start s1: start 0 7 * * *",
		}},
		{"a time of day fires on its days", sketch{zone: zone, rules: []string{"start 06:30"}, days: 1 << time.Tuesday}, monday, "2026-03-05T00:00:00+01:00", []string{
			"2026-03-03 06:30 +0100 start s0: start 06:30 tue",
		}},
		{"no window begins on a calendar day, one of the day before ends", sketch{
			zone: zone, rules: []string{"uptime mon-wed 22:00-06:00"}, calendar: closedOn("2026-03-03"),
		}, monday, "2026-03-05T00:00:00+01:00", []string{
			"2026-03-02 22:00 +0100 start s0: window mon-wed 22:00-06:00 begins",
			"2026-03-03 06:00 +0100 stop s0: window mon-wed 22:00-06:00 ends",
			"2026-03-04 22:00 +0100 start s0: window mon-wed 22:00-06:00 begins",
		}},
		{"on a calendar day stops fire and starts do not", sketch{
			zone: zone, rules: []string{"start 06:30", "stop 22:00"}, calendar: closedOn("2026-03-02"),
		}, monday, tuesday, []string{
			"2026-03-02 22:00 +0100 stop s1: stop 22:00",
		}},
		{"an environment without rules has no fires", sketch{zone: zone}, monday, tuesday, nil},
	})
}

func TestFiresAtChangesOfTheClocks(t *testing.T) {
	spring, springEnd := "2026-03-29T00:00:00+01:00", "2026-03-29T12:00:00+02:00"
	autumn, autumnEnd := "2026-10-25T00:00:00+02:00", "2026-10-25T12:00:00+01:00"
	checkFires(t, []firesTest{
		{"a skipped time fires at the end of the gap", sketch{zone: "Europe/Copenhagen", rules: []string{"stop 02:30"}}, spring, springEnd, []string{
			"2026-03-29 03:00 +0200 stop s0: stop 02:30",
		}},
		{"several skipped times fire once", sketch{zone: "Europe/Copenhagen", rules: []string{"stop */15 2 * * *"}}, spring, springEnd, []string{
			"2026-03-29 03:00 +0200 stop s0: stop */15 2 * * *",
		}},
		{"a repeated time fires the first time", sketch{zone: "Europe/Copenhagen", rules: []string{"stop 02:30"}}, autumn, autumnEnd, []string{
			"2026-10-25 02:30 +0200 stop s0: stop 02:30",
		}},
		{"every hour follows elapsed time in spring", sketch{zone: "Europe/Copenhagen", rules: []string{"stop 30 * * 3 *"}}, "2026-03-29T01:00:00+01:00", "2026-03-29T05:00:00+02:00", []string{
			"2026-03-29 01:30 +0100 stop s0: stop 30 * * 3 *",
			"2026-03-29 03:30 +0200 stop s0: stop 30 * * 3 *",
			"2026-03-29 04:30 +0200 stop s0: stop 30 * * 3 *",
		}},
		{"every hour follows elapsed time in autumn", sketch{zone: "Europe/Copenhagen", rules: []string{"stop 30 * * 10 *"}}, "2026-10-25T02:00:00+02:00", "2026-10-25T04:00:00+01:00", []string{
			"2026-10-25 02:30 +0200 stop s0: stop 30 * * 10 *",
			"2026-10-25 02:30 +0100 stop s0: stop 30 * * 10 *",
			"2026-10-25 03:30 +0100 stop s0: stop 30 * * 10 *",
		}},
		{"a window within the gap is empty", sketch{zone: "Europe/Copenhagen", rules: []string{"uptime 02:15-02:45"}}, spring, springEnd, nil},
		{"a missing midnight is the first instant of the day", sketch{zone: "America/Sao_Paulo", rules: []string{"uptime sun 00:00-06:00"}}, "2018-11-03T12:00:00-03:00", "2018-11-05T00:00:00-02:00", []string{
			"2018-11-04 01:00 -0200 start s0: window sun 00:00-06:00 begins",
			"2018-11-04 06:00 -0200 stop s0: window sun 00:00-06:00 ends",
		}},
		{"a missing day has no window", sketch{zone: "Pacific/Apia", rules: []string{"uptime fri 07:00-19:00"}}, "2011-12-29T00:00:00-10:00", "2012-01-01T00:00:00+14:00", nil},
	})
}

func TestExceptions(t *testing.T) {
	const zone = "Europe/Copenhagen"
	at := func(clock string) time.Time { return mustTime(t, "2026-03-02T"+clock+":00+01:00") }
	monday, wednesday := "2026-03-02T00:00:00+01:00", "2026-03-04T00:00:00+01:00"
	office := []string{"uptime 07:00-19:00"}
	checkFires(t, []firesTest{
		{"keep stopped suppresses starts, and its end brings the schedules back", sketch{zone: zone, rules: office, exceptions: []plan.Exception{
			{Name: "maintenance", From: at("06:00"), Until: at("12:00"), Keep: plan.Stopped, Reason: "servicing"},
		}}, monday, "2026-03-02T18:00:00+01:00", []string{
			"2026-03-02 06:00 +0100 stop maintenance: exception maintenance begins: keep stopped (servicing)",
			"2026-03-02 12:00 +0100 start maintenance: exception maintenance ends: schedules want running",
		}},
		{"an end that changes nothing is no fire", sketch{zone: zone, rules: office, exceptions: []plan.Exception{
			{Name: "longer", From: at("12:00"), Until: at("18:00"), Keep: plan.Running},
		}}, "2026-03-02T08:00:00+01:00", "2026-03-03T00:00:00+01:00", []string{
			"2026-03-02 12:00 +0100 start longer: exception longer begins: keep running",
			"2026-03-02 19:00 +0100 stop s0: window 07:00-19:00 ends",
		}},
		{"an override beats a later exception", sketch{zone: zone, rules: office, exceptions: []plan.Exception{
			{Name: "o1", From: at("10:00"), Until: at("11:00"), Keep: plan.Running, Override: true},
			{Name: "e1", From: at("09:00"), Until: at("12:00"), Keep: plan.Stopped},
		}}, "2026-03-02T08:00:00+01:00", "2026-03-02T18:00:00+01:00", []string{
			"2026-03-02 09:00 +0100 stop e1: exception e1 begins: keep stopped",
			"2026-03-02 10:00 +0100 start o1: override o1 begins: keep running",
			"2026-03-02 11:00 +0100 stop o1: override o1 ends: exception e1 wants stopped",
			"2026-03-02 12:00 +0100 start e1: exception e1 ends: schedules want running",
		}},
		{"of two exceptions the later in the list wins", sketch{zone: zone, rules: office, exceptions: []plan.Exception{
			{Name: "e1", From: at("09:00"), Until: at("12:00"), Keep: plan.Stopped},
			{Name: "e2", From: at("10:00"), Until: at("11:00"), Keep: plan.Running},
		}}, "2026-03-02T09:30:00+01:00", "2026-03-02T11:30:00+01:00", []string{
			"2026-03-02 10:00 +0100 start e2: exception e2 begins: keep running",
			"2026-03-02 11:00 +0100 stop e2: exception e2 ends: exception e1 wants stopped",
		}},
		{"uptime of an exception replaces the windows, and a night goes on after it", sketch{zone: zone, rules: office, exceptions: []plan.Exception{
			{Name: "late", From: at("00:00"), Until: at("23:30"), Uptime: []plan.Window{mustWindow(t, "22:00-02:00")}},
		}}, monday, wednesday, []string{
			"2026-03-02 22:00 +0100 start late: exception late: window 22:00-02:00 begins",
			"2026-03-03 02:00 +0100 stop late: exception late ends: schedules want stopped",
			"2026-03-03 07:00 +0100 start s0: window 07:00-19:00 begins",
			"2026-03-03 19:00 +0100 stop s0: window 07:00-19:00 ends",
		}},
		{"an exception on an environment without schedules ends in silence", sketch{zone: zone, exceptions: []plan.Exception{
			{Name: "e1", From: at("09:00"), Until: at("12:00"), Keep: plan.Running},
		}}, monday, wednesday, []string{
			"2026-03-02 09:00 +0100 start e1: exception e1 begins: keep running",
		}},
		{"an exception that ends before it begins does nothing", sketch{zone: zone, exceptions: []plan.Exception{
			{Name: "e1", From: at("09:00"), Until: at("08:00"), Keep: plan.Running},
			{Name: "e2", From: at("09:00"), Until: at("09:00"), Uptime: []plan.Window{mustWindow(t, "08:00-10:00")}},
		}}, monday, wednesday, nil},
	})
}
