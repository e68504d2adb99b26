package plan_test

import (
	"fmt"
	"slices"
	"testing"

	"curfew/scheduler/plan"
)

func TestWantedSaysWhy(t *testing.T) {
	const zone = "Europe/Copenhagen"
	noLayers := []string{"no override is active", "no exception is active"}
	christmas := plan.Exception{
		Name: "christmas", Keep: plan.Stopped, Reason: "closed",
		From: mustTime(t, "2026-12-24T00:00:00+01:00"), Until: mustTime(t, "2026-12-27T00:00:00+01:00"),
	}
	tests := []struct {
		name string
		plan sketch
		at   string
		want plan.Decision
	}{
		{"within a window", sketch{zone: zone, rules: []string{"uptime mon-fri 07:00-19:00"}}, "2026-03-02T07:00:00+01:00", plan.Decision{
			Wanted: plan.Running, Because: "schedule s0: window mon-fri 07:00-19:00 covers the time",
			Steps: append(slices.Clone(noLayers), "schedule s0: window mon-fri 07:00-19:00 covers the time"),
		}},
		{"at the end of a window", sketch{zone: zone, rules: []string{"uptime mon-fri 07:00-19:00"}}, "2026-03-02T19:00:00+01:00", plan.Decision{
			Wanted: plan.Stopped, Because: "no window of its schedules covers the time",
			Steps: append(slices.Clone(noLayers), "schedule s0: window mon-fri 07:00-19:00 does not cover the time"),
		}},
		{"on a calendar day", sketch{zone: zone, rules: []string{"uptime 07:00-19:00"}, calendar: closedOn("2026-12-25")}, "2026-12-25T12:00:00+01:00", plan.Decision{
			Wanted: plan.Stopped, Because: "schedule s0 has no window that begins on 2026-12-25: Christmas (calendar dk)",
			Steps: append(slices.Clone(noLayers), "schedule s0: window 07:00-19:00 of 2026-12-25 does not exist: Christmas (calendar dk)"),
		}},
		{"after an event", sketch{zone: zone, rules: []string{"start 06:30", "stop 0 22 * * *"}}, "2026-03-02T06:30:00+01:00", plan.Decision{
			Wanted: plan.Running, Because: "schedule s0: start 06:30, on Mon 2026-03-02 06:30, was the last event",
			Steps: append(slices.Clone(noLayers), "schedule s0: start 06:30 came last on Mon 2026-03-02 06:30",
				"schedule s1: stop 0 22 * * * came last on Sun 2026-03-01 22:00"),
		}},
		{"after a start that a calendar took", sketch{zone: zone, rules: []string{"start 06:30"}, calendar: closedOn("2026-12-25")}, "2026-12-25T07:00:00+01:00", plan.Decision{
			Wanted: plan.Running, Because: "schedule s0: start 06:30, on Thu 2026-12-24 06:30, was the last event",
			Steps: append(slices.Clone(noLayers), "schedule s0: start 06:30 came last on Thu 2026-12-24 06:30",
				"schedule s0: start 06:30 of 2026-12-25 does not come: Christmas (calendar dk)"),
		}},
		{"every minute", sketch{zone: zone, rules: []string{"start * * * * *"}}, "2026-03-02T06:30:01+01:00", plan.Decision{
			Wanted: plan.Running, Because: "schedule s0: start * * * * *, on Mon 2026-03-02 06:30, was the last event",
			Steps: append(slices.Clone(noLayers), "schedule s0: start * * * * * came last on Mon 2026-03-02 06:30"),
		}},
		{"every hour, when half an hour was skipped", sketch{zone: "Australia/Lord_Howe", rules: []string{"start 15 * * * *"}}, "2026-10-04T02:40:00+11:00", plan.Decision{
			Wanted: plan.Running, Because: "schedule s0: start 15 * * * *, on Sun 2026-10-04 01:15, was the last event",
			Steps: append(slices.Clone(noLayers), "schedule s0: start 15 * * * * came last on Sun 2026-10-04 01:15"),
		}},
		{"when the clock was turned back over midnight", sketch{zone: "America/St_Johns", rules: []string{"uptime sun 00:00-06:00"}}, "2010-11-06T23:30:00-03:30", plan.Decision{
			Wanted: plan.Running, Because: "schedule s0: window sun 00:00-06:00 covers the time",
			Steps: append(slices.Clone(noLayers), "schedule s0: window sun 00:00-06:00 covers the time"),
		}},
		{"after an event before the clock was turned back over midnight", sketch{zone: "America/St_Johns", rules: []string{"stop 00:00"}}, "2010-11-06T23:30:00-03:30", plan.Decision{
			Wanted: plan.Stopped, Because: "schedule s0: stop 00:00, on Sun 2010-11-07 00:00, was the last event",
			Steps: append(slices.Clone(noLayers), "schedule s0: stop 00:00 came last on Sun 2010-11-07 00:00"),
		}},
		{"a leap day years ago", sketch{zone: zone, rules: []string{"stop 0 12 29 2 *"}}, "2028-02-29T11:59:59+01:00", plan.Decision{
			Wanted: plan.Stopped, Because: "schedule s0: stop 0 12 29 2 *, on Thu 2024-02-29 12:00, was the last event",
			Steps: append(slices.Clone(noLayers), "schedule s0: stop 0 12 29 2 * came last on Thu 2024-02-29 12:00"),
		}},
		{"under an exception", sketch{zone: zone, rules: []string{"uptime 07:00-19:00"}, exceptions: []plan.Exception{christmas}}, "2026-12-25T12:00:00+01:00", plan.Decision{
			Wanted: plan.Stopped, Because: "exception christmas wants it stopped until 2026-12-27 00:00 (closed), and it stays stopped until 2026-12-27 07:00",
			Steps: []string{
				"no override is active", "exception christmas wants it stopped until 2026-12-27 00:00 (closed)",
				"schedules do not count while it lasts",
			},
		}},
		{"under an override over an exception", sketch{zone: zone, exceptions: []plan.Exception{
			christmas,
			{
				Name: "o1", Override: true, Uptime: []plan.Window{mustWindow(t, "10:00-14:00")},
				From: mustTime(t, "2026-12-25T00:00:00+01:00"), Until: mustTime(t, "2026-12-26T00:00:00+01:00"),
			},
		}}, "2026-12-25T12:00:00+01:00", plan.Decision{
			Wanted: plan.Running, Because: "override o1, uptime 10:00-14:00, wants it running until 2026-12-25 14:00",
			Steps: []string{
				"override o1, uptime 10:00-14:00, wants it running until 2026-12-25 14:00",
				"exception christmas wants it stopped until 2026-12-27 00:00 (closed): outranked",
				"schedules do not count while it lasts",
			},
		}},
		{"without a schedule", sketch{zone: zone}, "2026-12-25T12:00:00+01:00", plan.Decision{
			Wanted: plan.Unknown, Because: "no schedule covers it", Steps: append(slices.Clone(noLayers), "no schedule covers it"),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.plan.compile(t).Wanted("dev-01", mustTime(t, tt.at))
			if fmt.Sprintf("%+q", got) != fmt.Sprintf("%+q", tt.want) {
				t.Errorf("Wanted:\n got %+q\nwant %+q", got, tt.want)
			}
		})
	}
}

func TestWantedBeforeTheFirstEventIsUnknown(t *testing.T) {
	always := &plan.Calendar{Name: "closed", Holiday: func(plan.Date) (string, bool) { return "closed", true }}
	p := sketch{zone: "UTC", rules: []string{"start 06:30", "start 15 * * * *"}, calendar: always}.compile(t)
	at := newYear(2026)
	if got := p.Wanted("dev-01", at); got.Wanted != plan.Unknown || got.Because != "no event has ever come before" {
		t.Errorf("Wanted = %+v, want unknown", got)
	}
	if fires := p.Fires(at, at.AddDate(1, 0, 0)); len(fires) != 0 {
		t.Errorf("Fires = %v, want none", fires)
	}
	if got := p.Entries()[0].Schedule.Next(at); !got.IsZero() {
		t.Errorf("Next = %s, want the zero time", got)
	}
	if got := p.Wanted("dev-02", at); got.Wanted != plan.Unknown {
		t.Errorf("Wanted of an unknown environment = %+v", got)
	}
}

func TestWantedAfterAStartAndAStopAtTheSameInstantIsRunning(t *testing.T) {
	for _, rules := range [][]string{{"start 07:00", "stop 0 7 * * *"}, {"stop 0 7 * * *", "start 07:00"}} {
		p := sketch{zone: "UTC", rules: rules}.compile(t)
		for _, at := range []string{"2026-03-02T07:00:00Z", "2026-03-02T12:00:00Z", "2026-03-03T06:59:59Z"} {
			if got := p.Wanted("dev-01", mustTime(t, at)); got.Wanted != plan.Running {
				t.Errorf("%v: Wanted(%s) = %+v, want running", rules, at, got)
			}
		}
	}
}

func TestChangeIsTheInstantAtWhichSomethingElseIsWanted(t *testing.T) {
	berlin := "Europe/Berlin"
	override := func(keep plan.Wanted, from, until string) plan.Exception {
		return plan.Exception{Name: plan.OverridePrefix + from, Override: true, Keep: keep, From: mustTime(t, from), Until: mustTime(t, until)}
	}
	tests := []struct {
		name string
		plan sketch
		at   string
		want string // "" for none
	}{
		{"the end of the window", sketch{zone: berlin, rules: []string{"uptime 07:00-19:00"}}, "2026-03-02T12:00:00+01:00", "2026-03-02T19:00:00+01:00"},
		{"windows that touch are one", sketch{zone: berlin, rules: []string{"uptime 07:00-12:00", "uptime 12:00-19:00"}}, "2026-03-02T08:00:00+01:00", "2026-03-02T19:00:00+01:00"},
		{"an override over the end of the window", sketch{
			zone: berlin, rules: []string{"uptime 07:00-19:00"},
			exceptions: []plan.Exception{override(plan.Running, "2026-03-02T18:00:00+01:00", "2026-03-02T22:00:00+01:00")},
		}, "2026-03-02T12:00:00+01:00", "2026-03-02T22:00:00+01:00"},
		{"an override that ends within the window", sketch{
			zone: berlin, rules: []string{"uptime 07:00-19:00"},
			exceptions: []plan.Exception{override(plan.Running, "2026-03-02T06:00:00+01:00", "2026-03-02T08:00:00+01:00")},
		}, "2026-03-02T06:30:00+01:00", "2026-03-02T19:00:00+01:00"},
		{"a stop after a stop changes nothing", sketch{zone: berlin, rules: []string{"stop 19:00", "start 0 7 1 * *"}}, "2026-03-02T20:00:00+01:00", "2026-04-01T07:00:00+02:00"},
		{"never within a year", sketch{zone: berlin, rules: []string{"stop 19:00"}}, "2026-03-02T20:00:00+01:00", ""},
		{"without a schedule", sketch{zone: berlin}, "2026-03-02T20:00:00+01:00", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := tt.plan.compile(t).Change("dev-01", mustTime(t, tt.at))
			if ok != (tt.want != "") || ok && !got.Equal(mustTime(t, tt.want)) {
				t.Errorf("Change(%s) = %s, %t, want %s", tt.at, got, ok, tt.want)
			}
		})
	}
}
