package store_test

import (
	"slices"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
)

func TestSavingsAreAddedToTheirMonthOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if at, err := b.Months.Summed(t.Context()); err != nil || !at.IsZero() {
			t.Fatalf("Summed of an empty database = %v, %v; want none", at, err)
		}
		record(t, b, scheduler.Observation{Project: 7, ID: "a", Page: 1, At: t0, Condition: lcs.Stopped})
		if at, err := b.Months.Summed(t.Context()); err != nil || !at.Equal(t0) {
			t.Fatalf("Summed = %v, %v; want the first observation at %v", at, err, t0)
		}
		add := func(from, until time.Duration, want bool, list ...scheduler.MonthSums) {
			t.Helper()
			if added, err := b.Months.Add(t.Context(), t0.Add(from), t0.Add(until), list); err != nil || added != want {
				t.Fatalf("Add from %v to %v = %v, %v; want %v", from, until, added, err, want)
			}
		}
		of := func(month, environment string, hours float64) scheduler.MonthSums {
			return scheduler.MonthSums{Month: month, Environment: environment, Savings: scheduler.Savings{HoursOff: hours, Saved: 2 * hours, LostFailed: hours / 2, LostOverrides: hours / 4}}
		}
		add(0, time.Hour, true, of("2026-10", "dev-01", 1), of("2026-11", "dev-01", 1))
		add(0, time.Hour, false, of("2026-10", "dev-01", 1))          // another process was first
		add(time.Hour, 2*time.Hour, true, of("2026-11", "dev-01", 2)) // the month goes on
		add(2*time.Hour, 3*time.Hour, true)                           // nothing was saved
		add(3*time.Hour, 4*time.Hour, true, of("2026-11", "dev-02", 4), of("2026-12", "dev-01", 8))
		if at, err := b.Months.Summed(t.Context()); err != nil || !at.Equal(t0.Add(4*time.Hour)) {
			t.Errorf("Summed = %v, %v; want %v", at, err, t0.Add(4*time.Hour))
		}
		got, err := b.Months.Sums(t.Context(), "2026-10", "2026-11")
		if want := []scheduler.MonthSums{of("2026-10", "dev-01", 1), of("2026-11", "dev-01", 3), of("2026-11", "dev-02", 4)}; err != nil || !slices.Equal(got, want) {
			t.Errorf("Sums = %+v, %v; want %+v", got, err, want)
		}
	})
}

func TestMonthsOutliveTheHistory(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		record(t, b, scheduler.Observation{Project: 7, ID: "a", Page: 1, At: t0, Condition: lcs.Stopped})
		if _, err := b.Months.Add(t.Context(), t0, t0.Add(time.Hour), []scheduler.MonthSums{{Month: "2026-11", Environment: "dev-01", Savings: scheduler.Savings{HoursOff: 1}}}); err != nil {
			t.Fatal(err)
		}
		if _, err := b.PruneHistory(t.Context(), t0.AddDate(10, 0, 0)); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Months.Sums(t.Context(), "2026-11", "2026-11"); err != nil || len(got) != 1 {
			t.Errorf("Sums = %v, %v; want the month", got, err)
		}
	})
}
