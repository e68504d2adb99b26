package calendar

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
)

func date(t testing.TB, s string) plan.Date {
	t.Helper()
	d, err := plan.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func newCalendar(t testing.TB, src Source) *plan.Calendar {
	t.Helper()
	c, err := New(src)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCountryHolidays(t *testing.T) {
	tests := []struct {
		name, country, date string
		want                string
	}{
		{"a fixed day", "DK", "2026-12-25", "Juledag"},
		{"a day that moves with Easter", "DK", "2026-04-02", "Skærtorsdag"},
		{"a day that was abolished", "DK", "2024-04-26", ""},
		{"an ordinary day", "DK", "2026-12-28", ""},
		{"codes are read in any case", "dk", "2027-01-01", "Nytårsdag"},
		{"a Saturday holiday itself", "US", "2026-07-04", "Independence Day"},
		{"the day on which a Saturday holiday is observed", "US", "2026-07-03", "Independence Day (observed)"},
		{"observed in the year before", "US", "2021-12-31", "New Year's Day (observed)"},
		{"what all states of Australia share", "AU", "2026-04-25", "ANZAC Day"},
		{"what one state of Australia has is no national holiday", "AU", "2026-03-02", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newCalendar(t, Source{Name: "c", Country: tt.country})
			got, ok := c.Holiday(date(t, tt.date))
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Holiday(%s) in %s = %q, %v, want %q", tt.date, tt.country, got, ok, tt.want)
			}
		})
	}
}

func TestEveryCountryHasHolidays(t *testing.T) {
	codes := Countries()
	if len(codes) < 30 || !slices.IsSorted(codes) {
		t.Fatalf("Countries() = %v, want at least 30 in order", codes)
	}
	for _, code := range codes {
		c := newCalendar(t, Source{Country: code})
		n := 0
		for d := date(t, "2026-01-01"); d.Year == 2026; d = d.AddDays(1) {
			if _, ok := c.Holiday(d); ok {
				n++
			}
		}
		if n < 4 || n > 40 {
			t.Errorf("%s has %d holidays in 2026, want 4 to 40", code, n)
		}
	}
}

func TestUnknownCountry(t *testing.T) {
	for _, code := range []string{"XX", "D", "DNK", "UK"} {
		if _, err := New(Source{Country: code}); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("New(country %s) = %v, want an error that names it", code, err)
		}
	}
}

func TestRangesIncludeBothEnds(t *testing.T) {
	c := newCalendar(t, Source{Ranges: []Range{
		{date(t, "2026-12-31"), date(t, "2027-01-01"), ""},
		{date(t, "2026-12-24"), date(t, "2026-12-24"), "Christmas Eve"},
	}})
	for day, want := range map[string]string{
		"2026-12-23": "", "2026-12-24": "Christmas Eve", "2026-12-25": "",
		"2026-12-30": "", "2026-12-31": "listed day", "2027-01-01": "listed day", "2027-01-02": "",
	} {
		if got, ok := c.Holiday(date(t, day)); got != want || ok != (want != "") {
			t.Errorf("Holiday(%s) = %q, %v, want %q", day, got, ok, want)
		}
	}
}

func TestRangeThatEndsBeforeItBegins(t *testing.T) {
	_, err := New(Source{Ranges: []Range{{date(t, "2026-12-24"), date(t, "2026-12-23"), ""}}})
	if err == nil {
		t.Error("New = nil, want an error")
	}
}

func TestFingerprintFollowsTheDays(t *testing.T) {
	a := Range{date(t, "2026-12-24"), date(t, "2026-12-24"), ""}
	b := Range{date(t, "2026-12-31"), date(t, "2026-12-31"), ""}
	print := func(src Source) string { return newCalendar(t, src).Fingerprint }
	first := print(Source{Country: "DK", Ranges: []Range{a, b}})
	if got := print(Source{Country: "dk", Ranges: []Range{b, a}}); got != first {
		t.Errorf("order and case changed the fingerprint: %s, want %s", got, first)
	}
	for name, src := range map[string]Source{
		"another country": {Country: "SE", Ranges: []Range{a, b}},
		"a day less":      {Country: "DK", Ranges: []Range{a}},
	} {
		if got := print(src); got == first {
			t.Errorf("%s did not change the fingerprint", name)
		}
	}
}

func TestHolidayIsSafeForConcurrentUse(t *testing.T) {
	c := newCalendar(t, Source{Country: "DE", Ranges: []Range{{date(t, "2020-01-01"), date(t, "2029-12-31"), "all"}}})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for d := date(t, "2020-01-01").AddDays(i); d.Year < 2030; d = d.AddDays(1) {
				if _, ok := c.Holiday(d); !ok {
					t.Errorf("Holiday(%s) = false", d)
				}
			}
		})
	}
	wg.Wait()
}

func TestHolidayAgreesWithTheRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := plan.Date{Year: 2026, Month: time.December, Day: 1}
		var ranges []Range
		for range rapid.IntRange(0, 6).Draw(t, "n") {
			first := base.AddDays(rapid.IntRange(-40, 60).Draw(t, "first"))
			ranges = append(ranges, Range{First: first, Last: first.AddDays(rapid.IntRange(0, 50).Draw(t, "length"))})
		}
		c, err := New(Source{Ranges: ranges})
		if err != nil {
			t.Fatal(err)
		}
		day := base.AddDays(rapid.IntRange(-60, 120).Draw(t, "day"))
		want := slices.ContainsFunc(ranges, func(r Range) bool { return r.First.Compare(day) <= 0 && day.Compare(r.Last) <= 0 })
		if _, got := c.Holiday(day); got != want {
			t.Errorf("Holiday(%s) of %v = %v, want %v", day, ranges, got, want)
		}
	})
}

func BenchmarkHoliday(b *testing.B) {
	c := newCalendar(b, Source{Country: "DK"})
	d := date(b, "2026-12-25")
	for b.Loop() {
		c.Holiday(d)
	}
}
