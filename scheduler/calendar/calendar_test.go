package calendar

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
)

var update = flag.Bool("update", false, "write the golden files again")

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
		name, country, date string // country with its region
		want                string
	}{
		{"a fixed day", "DK", "2026-12-25", "Juledag"},
		{"a day that moves with Easter", "DK", "2026-04-02", "Skærtorsdag"},
		{"a day that was abolished", "DK", "2024-04-26", ""},
		{"a day off of some trades", "DK", "2026-06-05", ""},
		{"an ordinary day", "DK", "2026-12-28", ""},
		{"codes are read in any case", "dk", "2027-01-01", "Nytårsdag"},
		{"a Saturday holiday itself", "US", "2026-07-04", "Independence Day"},
		{"the day on which a Saturday holiday is observed", "US", "2026-07-03", "Independence Day (observed)"},
		{"observed in the year before", "US", "2021-12-31", "New Year's Day (observed)"},
		{"what all states of Australia share", "AU", "2026-04-25", "ANZAC Day"},
		{"what one state of Australia has is no national holiday", "AU", "2026-03-02", ""},
		{"and is one of the state", "AU-WA", "2026-03-02", "Labour Day"},
		{"each fifth year", "NL", "2030-05-05", "Bevrijdingsdag"},
		{"in no other year", "NL", "2029-05-05", ""},
		{"King's Day on a Sunday is on Saturday", "NL", "2025-04-26", "Koningsdag"},
		{"a day of some employers", "NL", "2026-04-03", ""},
		{"Matariki", "NZ", "2029-07-06", "Matariki"},
		{"no Matariki before its act", "NZ", "2021-06-25", ""},
		{"moved to the Monday before", "AR", "2026-06-15", "Aniversario paso a la inmortalidad del General Martín Miguel de Güemes"},
		{"the day itself is worked then", "AR", "2026-06-17", ""},
		{"moved to the Monday after", "AR", "2026-11-23", "Día de la Soberanía Nacional"},
		{"not moved from a Monday", "AR", "2026-08-17", "Aniversario paso a la inmortalidad del General José de San Martín"},
		{"Good Friday", "AR", "2026-04-03", "Viernes Santo"},
		{"Maundy Thursday is a choice of the employer", "AR", "2027-03-25", ""},
		{"new from its first year", "PL", "2025-12-24", "Wigilia Bożego Narodzenia"},
		{"not in the year before", "PL", "2024-12-24", ""},
		{"worked since 2024", "SK", "2024-09-01", ""},
		{"worked since 2025", "SK", "2025-11-17", ""},
		{"a day off until then", "SK", "2024-11-17", "Deň boja za slobodu a demokraciu"},
		{"worked in 2026 alone", "SK", "2026-09-15", ""},
		{"a day off again", "SK", "2027-09-15", "Sviatok Panny Márie Sedembolestnej, patrónky Slovenska"},
		{"a Monday of Mexico", "MX", "2027-02-01", "Día de la Constitución"},
		{"nothing is moved from weekends", "MX", "2027-12-31", ""},
		{"a president takes office", "MX", "2030-10-01", "Transmisión del Poder Ejecutivo Federal"},
		{"in no other year", "MX", "2026-10-01", ""},
		{"Ukraine keeps Christmas in December", "UA", "2026-01-07", ""},
		{"and a holiday of a Saturday on Monday", "UA", "2027-05-10", "День пам’яті та перемоги над нацизмом (observed)"},
		{"two holidays of one weekend take Monday and Tuesday", "UA", "2027-05-04", "Великдень"},
		{"the same in Serbia", "RS", "2027-05-04", "Praznik rada"},
		{"half a day is none", "IS", "2026-12-24", ""},
		{"eves that the law counts as Sundays", "SE", "2026-06-19", "Midsommarafton"},
		{"a decree of the year", "HU", "2026-12-24", "Pihenőnap"},
		{"the first week of January", "RU", "2027-01-05", "Новогодние каникулы"},
		{"Europe Day", "LU", "2028-05-09", "Europadag"},
		{"what all provinces share", "CA", "2026-09-07", "Labour Day"},
		{"what some provinces have", "CA", "2026-05-18", ""},
		{"one of them", "CA-ON", "2026-05-18", "Victoria Day"},
		{"optional by decree", "BR", "2026-02-17", ""},
		{"a regional holiday", "DE-BY", "2026-01-06", "Heilige Drei Könige"},
		{"it is none of the country", "DE", "2026-01-06", ""},
		{"a new one of a region", "DE-MV", "2027-03-08", "Frauentag"},
		{"Scotland", "GB-SCT", "2027-01-04", "2nd January (observed)"},
		{"Scotland, New Year on Saturday", "GB-SCT", "2028-01-04", "2nd January (observed)"},
		{"Scotland has no Easter Monday", "GB-SCT", "2027-03-29", ""},
		{"Northern Ireland", "GB-NIR", "2027-07-12", "Battle of the Boyne"},
		{"Geneva", "CH-GE", "2026-09-10", "Jeûne genevois"},
		{"Vaud", "CH-VD", "2026-09-21", "Lundi du Jeûne fédéral"},
		{"Glarus, outside of Holy Week", "CH-GL", "2026-04-09", "Näfelser Fahrt"},
		{"no third day off in a row", "CH-AI", "2028-12-26", ""},
		{"Alsace", "FR-67", "2026-04-03", "Vendredi saint"},
		{"Madeira", "PT-30", "2026-07-01", "Dia da Região Autónoma da Madeira"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			country, region, _ := strings.Cut(tt.country, "-")
			c := newCalendar(t, Source{Name: "c", Country: country, Region: region})
			got, ok := c.Holiday(date(t, tt.date))
			if got != tt.want || ok != (tt.want != "") {
				t.Errorf("Holiday(%s) in %s = %q, %v, want %q", tt.date, tt.country, got, ok, tt.want)
			}
		})
	}
}

// TestListsOfDays holds the days of every country and region against a file, in which a
// change can be read. A list that changes has to change the fingerprint of calendars:
// raise edition, and write the file again with -update.
func TestListsOfDays(t *testing.T) {
	var b strings.Builder
	fmt.Fprintf(&b, "edition %d\n", edition)
	for _, country := range Countries() {
		for _, region := range append([]string{""}, Regions(country)...) {
			c := newCalendar(t, Source{Country: country, Region: region})
			for year := 2026; year <= 2030; year++ {
				fmt.Fprintf(&b, "%s %d:", strings.TrimSuffix(country+"-"+region, "-"), year)
				for d := (plan.Date{Year: year, Month: time.January, Day: 1}); d.Year == year; d = d.AddDays(1) {
					if _, ok := c.Holiday(d); ok {
						fmt.Fprintf(&b, " %s%s", d.String()[len("2026-"):], d.Weekday().String()[:2])
					}
				}
				b.WriteByte('\n')
			}
		}
	}
	const file = "testdata/holidays.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(b.String(), "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(got) || got[i] != line {
			t.Fatalf("line %d of %s: got\n%s\nwant\n%s", i+1, file, got[min(i, len(got)-1)], line)
		}
	}
	if len(got) != strings.Count(string(want), "\n")+1 {
		t.Errorf("%d lines, want %d", len(got), strings.Count(string(want), "\n")+1)
	}
}

func TestCountryMeant(t *testing.T) {
	for code, want := range map[string]string{"UK": "GB", "DNK": "DK", "dk": "DK", "IN": "IN", "HK": "HK", "XX": "", "EU": "", "Denmark": "", "": ""} {
		if got, ok := CountryMeant(code); got != want || ok != (want != "") {
			t.Errorf("CountryMeant(%q) = %q, %v, want %q", code, got, ok, want)
		}
	}
}

func TestExceptionsAreWorked(t *testing.T) {
	d := date(t, "2026-12-25")
	c := newCalendar(t, Source{Country: "DK", Ranges: []Range{{d, d.AddDays(5), ""}}, Except: []Range{{d, d.AddDays(1), ""}, {d.AddDays(3), d.AddDays(3), ""}}})
	for n, want := range []bool{false, false, true, false, true, true, false} {
		if _, got := c.Holiday(d.AddDays(n)); got != want {
			t.Errorf("Holiday(%s) = %v, want %v", d.AddDays(n), got, want)
		}
	}
}

func TestUnknownCountry(t *testing.T) {
	for _, code := range []string{"XX", "D", "DNK", "UK"} {
		if _, err := New(Source{Country: code}); err == nil || !strings.Contains(err.Error(), code) {
			t.Errorf("New(country %s) = %v, want an error that names it", code, err)
		}
	}
	for _, src := range []Source{{Country: "SE", Region: "AB"}, {Country: "DE", Region: "by"}} {
		if _, err := New(src); err == nil || !strings.Contains(err.Error(), src.Region) {
			t.Errorf("New(%s-%s) = %v, want an error that names it", src.Country, src.Region, err)
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
		"a day worked":    {Country: "DK", Ranges: []Range{a, b}, Except: []Range{a}},
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
