package plan_test

import (
	"slices"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

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
