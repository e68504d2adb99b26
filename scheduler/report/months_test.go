package report_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/report"
)

// summed are sums of months.
type summed struct {
	until time.Time
	sums  []scheduler.MonthSums
}

func (s summed) Summed(context.Context) (time.Time, error) { return s.until, nil }

func (s summed) Sums(_ context.Context, first, last string) ([]scheduler.MonthSums, error) {
	var list []scheduler.MonthSums
	for _, one := range s.sums {
		if one.Month >= first && one.Month <= last {
			list = append(list, one)
		}
	}
	return list, nil
}

func TestMonthsBeginInTheZoneOfTheFile(t *testing.T) {
	s := subject(t, nil, every(t, "2026-10-31 20:00", "2026-11-01 02:00", lcs.Stopped))
	got, err := report.Months(t.Context(), s, at(t, "2026-10-31 20:00"), at(t, "2026-11-01 02:00"))
	want := []scheduler.MonthSums{
		{Month: "2026-10", Environment: "dev", Savings: report.Sums{HoursOff: 4, Saved: 8}},
		{Month: "2026-11", Environment: "dev", Savings: report.Sums{HoursOff: 2, Saved: 4}},
	}
	if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Months = %+v, %v; want %+v", got, err, want)
	}
	if got, err := report.Months(t.Context(), s, at(t, "2026-12-01 00:00"), at(t, "2027-01-01 00:00")); err != nil || len(got) != 0 {
		t.Errorf("Months without observations = %+v, %v; want none", got, err)
	}
}

func TestSavingsBeyondWhatIsKeptAreThoseOfWholeMonths(t *testing.T) {
	month := func(name, environment string, hours float64) scheduler.MonthSums {
		return scheduler.MonthSums{Month: name, Environment: environment, Savings: report.Sums{HoursOff: hours}}
	}
	// Two hours are observed in November, of which the months know the first.
	seen := every(t, "2026-11-23 20:00", "2026-11-23 22:00", lcs.Stopped)
	sums := []scheduler.MonthSums{month("2026-08", "dev", 100), month("2026-09", "dev", 10), month("2026-10", "dev", 1), month("2026-10", "gone", 5), month("2026-11", "dev", 1)}
	tests := []struct {
		name        string
		since, kept string
		until       string // of what is summed
		want        string
	}{
		{"all that counts is kept", "2026-11-23 00:00", "2026-11-01 00:00", "2026-11-23 21:00", "dev 2"},
		{"whole months before", "2026-09-01 00:00", "2026-10-15 00:00", "2026-11-23 21:00", "dev 13 gone 5"},
		{"a part of a month is not known", "2026-08-02 00:00", "2026-10-15 00:00", "2026-11-23 21:00", "dev 13 gone 5"},
		{"this month began before what is kept", "2026-10-01 00:00", "2026-11-10 00:00", "2026-11-23 21:00", "dev 3 gone 5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := subject(t, nil, seen)
			s.Kept, s.Summed = at(t, tt.kept), summed{at(t, tt.until), sums}
			got := ""
			err := report.Savings(t.Context(), s, at(t, tt.since), at(t, "2026-11-23 22:00"), func(e report.Environment, sums report.Sums) error {
				got += fmt.Sprintf(" %s %g", e.Name, sums.HoursOff)
				return nil
			})
			if err != nil || got != " "+tt.want {
				t.Errorf("Savings =%s, %v; want %s", got, err, tt.want)
			}
		})
	}
}
