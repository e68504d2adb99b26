package plan_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
	"curfew/scheduler/zone"
)

func TestDate(t *testing.T) {
	d, err := plan.ParseDate("2026-12-31")
	if err != nil {
		t.Fatal(err)
	}
	if d.Weekday() != time.Thursday || d.AddDays(1).String() != "2027-01-01" || d.AddDays(-365).String() != "2025-12-31" {
		t.Errorf("%s is a %s, and is followed by %s", d, d.Weekday(), d.AddDays(1))
	}
	if !d.Before(d.AddDays(1)) || d.Before(d) || d.Compare(d.AddDays(-1)) != 1 || d.Compare(d) != 0 {
		t.Error("days are not in order")
	}
	saoPaulo := mustLoad(t, "America/Sao_Paulo")
	if got := (plan.Date{Year: 2018, Month: 11, Day: 4}).In(saoPaulo).Format(time.RFC3339); got != "2018-11-04T01:00:00-02:00" {
		t.Errorf("the first instant of a day without midnight = %s", got)
	}
	if got := plan.DateOf(mustTime(t, "2026-03-02T23:30:00Z").In(mustLoad(t, "Europe/Copenhagen"))).String(); got != "2026-03-03" {
		t.Errorf("DateOf = %s, want the day of the zone", got)
	}
	checkSyntax(t, []syntaxTest{
		{"", 0, "is not a date"},
		{"2026-02-30", 0, "is not a date"},
		{"2026-2-3", 0, "is not a date"},
		{"24.12.2026", 0, "is not a date"},
	}, func(s string) error { _, err := plan.ParseDate(s); return err })
}

func TestResolveOnTheLastDayOfALeapYearBeyondTheTable(t *testing.T) {
	for _, name := range zones() {
		loc, err := zone.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for year := 2040; year <= 2096; year += 4 {
			for day := 30; day <= 32; day++ {
				d := plan.DateOf(time.Date(year, 12, day, 0, 0, 0, 0, time.UTC))
				if at := plan.Resolve(d, 12*60, loc); plan.DateOf(at) != d || at.Hour() != 12 {
					t.Errorf("noon of %s in %s is %s", d, name, at)
				}
			}
		}
	}
}

func TestResolveKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		loc, err := zone.Load(rapid.SampledFrom(zones()).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		day := plan.DateOf(time.Date(rapid.IntRange(1900, 2100).Draw(t, "year"), 1, 1, 0, 0, 0, 0, time.UTC)).AddDays(rapid.IntRange(0, 365).Draw(t, "day"))
		minute := rapid.IntRange(0, 24*60-1).Draw(t, "minute")
		at := plan.Resolve(day, minute, loc)
		if next := plan.Resolve(day, minute+1, loc); next.Before(at) {
			t.Fatalf("%s minute %d is %s, the next minute %s", day, minute, at, next)
		}
		if shown := plan.DateOf(at); shown.Before(day) {
			t.Fatalf("%s minute %d is on %s", day, minute, shown)
		}
		if at.Hour()*60+at.Minute() == minute && plan.DateOf(at) == day {
			return
		}
		if earlier := at.Add(-time.Second); !plan.DateOf(earlier).Before(day) && earlier.Hour()*60+earlier.Minute() >= minute {
			t.Fatalf("%s minute %d is %s, which is not the end of a gap", day, minute, at)
		}
	})
}
