package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

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
			Wanted: plan.Stopped, Because: "exception christmas wants it stopped until 2026-12-27 00:00 (closed)",
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
			Wanted: plan.Running, Because: "override o1, uptime 10:00-14:00, wants it running until 2026-12-26 00:00",
			Steps: []string{
				"override o1, uptime 10:00-14:00, wants it running until 2026-12-26 00:00",
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

func TestZoneChange(t *testing.T) {
	tests := []struct {
		zone, rule, from string // the first fire from then on
		want             string // "" is no change
	}{
		{"Europe/Berlin", "stop 30 2 * * *", "2026-03-29T00:00:00+01:00", "02:30 does not exist on 2026-03-29 in Europe/Berlin; fires at 03:00"},
		{"Europe/Berlin", "stop 02:30", "2026-10-25T00:00:00+02:00", "02:30 comes twice on 2026-10-25 in Europe/Berlin; fires the first time"},
		{"Europe/Berlin", "stop 02:30", "2026-03-30T00:00:00+02:00", ""},
		{"Europe/Berlin", "stop 03:00", "2026-03-29T00:00:00+01:00", ""},
		{"Europe/Berlin", "stop 30 * * * *", "2026-10-25T01:00:00Z", ""},
		{"Europe/Berlin", "uptime 02:00-06:00", "2026-03-29T00:00:00+01:00", "02:00 does not exist on 2026-03-29 in Europe/Berlin; fires at 03:00"},
		{"Europe/Berlin", "uptime sat 22:00-02:59", "2026-03-29T00:00:00+01:00", "02:59 does not exist on 2026-03-29 in Europe/Berlin; fires at 03:00"},
		{"Europe/Berlin", "uptime fri 19:00 - sun 02:00", "2026-10-25T00:00:00+02:00", "02:00 comes twice on 2026-10-25 in Europe/Berlin; fires the first time"},
		{"America/Sao_Paulo", "uptime sat 20:00-24:00", "2018-11-04T00:00:00-03:00", "00:00 does not exist on 2018-11-04 in America/Sao_Paulo; fires at 01:00"},
		{"Pacific/Apia", "stop 0 12 30 12 *", "2011-12-29T00:00:00-10:00", "12:00 does not exist on 2011-12-30 in Pacific/Apia; fires at 2011-12-31 00:00"},
		{"Australia/Lord_Howe", "start 02:15", "2026-10-04T00:00:00+10:30", "02:15 does not exist on 2026-10-04 in Australia/Lord_Howe; fires at 02:30"},
	}
	for _, tt := range tests {
		t.Run(tt.zone+" "+tt.rule+" "+tt.from, func(t *testing.T) {
			p := sketch{zone: tt.zone, rules: []string{tt.rule}}.compile(t)
			from := mustTime(t, tt.from)
			fires := p.Fires(from, from.AddDate(0, 0, 7))
			if len(fires) == 0 {
				t.Fatal("no fire")
			}
			if got, ok := p.ZoneChange(fires[0]); got != tt.want || ok != (tt.want != "") {
				t.Errorf("ZoneChange(%+v) = %q, %t, want %q", fires[0], got, ok, tt.want)
			}
		})
	}
}

func TestEntriesAreOnePerDistinctRule(t *testing.T) {
	rules := []string{"uptime mon-fri 07:00-19:00", "uptime 22:00-06:00", "uptime mon-fri 07:00-19:00"}
	var names []string
	for _, e := range (sketch{zone: "Europe/Copenhagen", rules: rules, calendar: closedOn("2026-12-25")}).compile(t).Entries() {
		names = append(names, e.Name)
	}
	want := []string{"mon-fri 07:00-19:00 Europe/Copenhagen without dk", "22:00-06:00 Europe/Copenhagen without dk"}
	if !slices.Equal(names, want) {
		t.Errorf("Entries = %q, want %q", names, want)
	}
	p := sketch{zone: "UTC", rules: []string{"start 07:00", "stop 07:00", "stop 0 7 * * *"}}
	if got := len(p.compile(t).Entries()); got != 2 {
		t.Errorf("a start and a stop at the same times, and a cron expression, make %d entries, want 2", got)
	}
}

func TestNextIsAfterTheTimeGivenInItsZone(t *testing.T) {
	entry := sketch{zone: "Europe/Copenhagen", rules: []string{"uptime mon 07:00-19:00"}}.compile(t).Entries()[0].Schedule
	tests := []struct{ from, want string }{
		{"2026-03-02T05:59:59Z", "2026-03-02T06:00:00Z"},
		{"2026-03-02T06:00:00Z", "2026-03-02T18:00:00Z"},
		{"2026-03-02T18:00:00Z", "2026-03-09T06:00:00Z"},
	}
	for _, tt := range tests {
		if got := entry.Next(mustTime(t, tt.from)).Format(time.RFC3339); got != tt.want {
			t.Errorf("Next(%s) = %s, want %s", tt.from, got, tt.want)
		}
	}
}

func TestNextOfAnExceptionIsNotBeforeItBegins(t *testing.T) {
	entries := sketch{zone: "UTC", exceptions: []plan.Exception{{
		Name: "e1", Uptime: []plan.Window{mustWindow(t, "09:00-14:00")},
		From: mustTime(t, "2026-03-02T10:00:00Z"), Until: mustTime(t, "2026-03-02T20:00:00Z"),
	}}}.compile(t).Entries()
	var got []string
	for at := entries[0].Schedule.Next(newYear(2026)); !at.IsZero(); at = entries[0].Schedule.Next(at) {
		got = append(got, at.Format("02 15:04"))
	}
	if want := []string{"02 10:00", "02 14:00", "02 20:00"}; !slices.Equal(got, want) {
		t.Errorf("the exception wakes at %v, want %v", got, want)
	}
}

func TestNextFires(t *testing.T) {
	p := sketch{zone: "UTC", rules: []string{"uptime mon 07:00-19:00", "uptime mon 08:00-18:00", "uptime 00:00-00:01"}, exceptions: []plan.Exception{
		{Name: "summer", Keep: plan.Stopped, From: mustTime(t, "2026-07-01T00:00:00Z"), Until: mustTime(t, "2026-08-01T00:00:00Z")},
		{Name: "past", Keep: plan.Stopped, From: mustTime(t, "2025-07-01T00:00:00Z"), Until: mustTime(t, "2025-08-01T00:00:00Z")},
	}}.compile(t)
	got := p.NextFires(mustTime(t, "2026-03-02T07:00:00Z"))
	want := map[string]string{"s0": "stop 2026-03-02T19:00:00Z", "s2": "start 2026-03-03T00:00:00Z", "summer": "stop 2026-07-01T00:00:00Z"}
	for name, text := range want {
		f := got[name]
		if have := fmt.Sprintf("%s %s", f.Action, f.At.Format(time.RFC3339)); have != text || f.Environment != "dev-01" {
			t.Errorf("next fire of %s = %+v, want %s", name, f, text)
		}
	}
	if len(got) != len(want) {
		t.Errorf("NextFires = %v, want those of %v", got, want)
	}
}

func TestFingerprintChangesWithTheRules(t *testing.T) {
	one := func(s sketch) string { return s.compile(t).Fingerprint("s0") }
	base := one(sketch{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:00"}, calendar: closedOn("2026-12-25")})
	if want := "515c80a6"; !strings.HasPrefix(base, want) {
		t.Errorf("Fingerprint = %s, want %s: stored ones no longer match", base, want)
	}
	same := one(sketch{zone: "UTC", rules: []string{"uptime mon-fri  07:00 - 19:00", "uptime 09:00-10:00"}, calendar: closedOn("2026-12-25")})
	if same != base {
		t.Error("another schedule or other spaces change the fingerprint")
	}
	seen := map[string]bool{base: true}
	for _, s := range []sketch{
		{zone: "Europe/London", rules: []string{"uptime mon-fri 07:00-19:00"}, calendar: closedOn("2026-12-25")},
		{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:01"}, calendar: closedOn("2026-12-25")},
		{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:00"}, calendar: closedOn("2026-12-26")},
		{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:00"}},
		{zone: "UTC", rules: []string{"start 07:00"}},
		{zone: "UTC", rules: []string{"stop 07:00"}},
		{zone: "UTC", rules: []string{"stop 0 7 * * *"}},
	} {
		if f := one(s); seen[f] || f == "" {
			t.Errorf("%+v has the fingerprint of another", s)
		} else {
			seen[f] = true
		}
	}
	if got := (sketch{zone: "UTC"}).compile(t).Fingerprint("s0"); got != "" {
		t.Errorf("Fingerprint of an unknown name = %q", got)
	}
}

func TestFiresOfNamedEnvironments(t *testing.T) {
	p := fleet(t, 12)
	from, to := newYear(2026), newYear(2026).AddDate(0, 0, 14)
	all := p.Fires(from, to)
	sorted := slices.IsSortedFunc(all, func(a, b plan.Fire) int {
		if c := a.At.Compare(b.At); c != 0 {
			return c
		}
		return strings.Compare(a.Environment, b.Environment)
	})
	if !sorted {
		t.Error("fires are not sorted by time and environment")
	}
	want := slices.DeleteFunc(all, func(f plan.Fire) bool { return f.Environment != "env-0004" && f.Environment != "env-0010" })
	if got := p.Fires(from, to, "env-0010", "env-0004", "env-0010", "nobody"); !slices.Equal(got, want) || len(got) == 0 {
		t.Errorf("Fires = %v, want %v", got, want)
	}
	if got := p.Fires(from, to, "nobody"); len(got) != 0 {
		t.Errorf("Fires of an unknown environment = %v", got)
	}
	if got := p.Fires(to, from); len(got) != 0 {
		t.Errorf("Fires of a range that ends before it begins = %v", got)
	}
}

func TestCompileReportsAllProblems(t *testing.T) {
	window := []plan.Window{mustWindow(t, "07:00-19:00")}
	start := []plan.Trigger{mustTrigger(t, "07:00", plan.EveryDay)}
	dev := []string{"dev-01"}
	_, err := plan.Compile(plan.Spec{
		Environments: []string{"dev-01", "dev-02", "dev-02"},
		Schedules: []plan.Schedule{
			{Name: "a", Environments: dev, Location: time.UTC, Uptime: window},
			{Name: "a", Environments: dev, Location: time.UTC, Starts: start},
			{Name: "b", Environments: []string{"dev-03"}, Uptime: window},
			{Name: "c", Location: time.UTC},
			{Name: "d", Location: time.UTC, Starts: start, Stops: start},
			{Name: "e", Location: time.UTC, Stops: []plan.Trigger{{}}, Uptime: []plan.Window{{Days: 1, Begin: 60, End: 60}}},
		},
		Exceptions: []plan.Exception{
			{Name: "a", Location: time.UTC, Keep: plan.Running},
			{Name: "x", Location: time.UTC},
			{Name: "y", Location: time.UTC, Keep: plan.Unknown},
			{Name: "z", Location: time.UTC, Keep: plan.Running, Uptime: window},
			{Name: "nowhere", Keep: plan.Running, Environments: []string{"dev-04"}},
		},
	})
	if err == nil {
		t.Fatal("Compile accepts it")
	}
	for _, want := range []string{
		`environment "dev-02" is given twice`,
		`schedule "a" has the name of another`,
		`environment "dev-01" has uptime from schedule "a" and start or stop from "a"`,
		`schedule "b" names the unknown environment "dev-03"`,
		`schedule "b" has no timezone`,
		`schedule "c" says nothing`,
		`schedule "d" starts and stops at the same times, 07:00`,
		`schedule "e" has an empty trigger`,
		`schedule "e" has the impossible window sun 01:00-01:00`,
		`exception "a" has the name of another`,
		`exception "x" says nothing`,
		`exception "y" keeps "unknown"`,
		`exception "z" has both keep and uptime`,
		`exception "nowhere" has no timezone`,
		`exception "nowhere" names the unknown environment "dev-04"`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 15 {
		t.Errorf("%d problems, want 15:\n%v", got, err)
	}
}

func TestWithExceptionsLeavesThePlanAlone(t *testing.T) {
	p := sketch{zone: "UTC", rules: []string{"uptime 07:00-19:00"}}.compile(t)
	noon := mustTime(t, "2026-03-02T12:00:00Z")
	over, err := p.WithExceptions([]plan.Exception{{
		Name: "o1", Environments: []string{"dev-01"}, Location: time.UTC, Override: true,
		Keep: plan.Stopped, From: noon.Add(1), Until: noon.Add(time.Hour + 500*time.Millisecond),
	}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		plan *plan.Plan
		at   time.Time
		want plan.Wanted
	}{
		{p, noon.Add(time.Minute), plan.Running},
		{over, noon, plan.Running},
		{over, noon.Add(1), plan.Stopped},
		{over, noon.Add(time.Hour + 499*time.Millisecond), plan.Stopped},
		{over, noon.Add(time.Hour + 500*time.Millisecond), plan.Running},
	}
	for _, tt := range tests {
		if got := tt.plan.Wanted("dev-01", tt.at).Wanted; got != tt.want {
			t.Errorf("Wanted(%s) = %s, want %s", tt.at, got, tt.want)
		}
	}
	fires := over.Fires(noon, noon.Add(2*time.Hour))
	if len(fires) != 2 || !fires[0].At.Equal(noon.Add(1)) || !fires[1].At.Equal(noon.Add(time.Hour+500*time.Millisecond)) {
		t.Errorf("Fires = %v, want the two ends of the override to the nanosecond", fires)
	}
}
