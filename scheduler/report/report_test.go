package report_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/store"
	"curfew/scheduler/zone"
)

// A past is what a test lets happen, kept by the real store.
type past struct {
	*store.Observations
	*store.Runs
}

type seen struct {
	at time.Time
	as lcs.Condition
}

// subject is one environment of 2 a hour that should run from 07:00 to 19:00, with
// overrides, and what was observed of it.
func subject(t *testing.T, overrides []plan.Exception, list []seen) report.Subject {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "curfew.db")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, o := range list {
		seen := []scheduler.Observation{{Project: 7, ID: "aa", Page: 1, At: o.at, Condition: o.as}}
		if err := s.Observations.Record(t.Context(), scheduler.Call{}, seen); err != nil {
			t.Fatal(err)
		}
	}
	window, err := plan.ParseWindow("07:00-19:00")
	if err != nil {
		t.Fatal(err)
	}
	copenhagen := at(t, "00:00").Location()
	alone, err := plan.Compile(plan.Spec{Environments: []string{"dev"}, Schedules: []plan.Schedule{
		{Name: "office", Environments: []string{"dev"}, Location: copenhagen, Uptime: []plan.Window{window}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	both, err := alone.WithExceptions(overrides)
	if err != nil {
		t.Fatal(err)
	}
	return report.Subject{
		Plan: both, Schedules: alone, Location: copenhagen, Past: past{s.Observations, s.Runs},
		Environments: []report.Environment{{Environment: scheduler.Environment{Name: "dev", ID: "A-A", CostPerHour: 2}, ProjectID: 7}},
	}
}

// at reads a time of 2026-11-23, or a whole local time.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	copenhagen, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	if len(s) == len("15:04") {
		s = "2026-11-23 " + s
	}
	instant, err := time.ParseInLocation("2006-01-02 15:04", s, copenhagen)
	if err != nil {
		t.Fatal(err)
	}
	return instant
}

// every returns observations of a condition, each 10 minutes from one time to another.
func every(t *testing.T, from, to string, as lcs.Condition) []seen {
	t.Helper()
	var list []seen
	for i := at(t, from); !i.After(at(t, to)); i = i.Add(10 * time.Minute) {
		list = append(list, seen{i, as})
	}
	return list
}

func keepRunning(t *testing.T, from, until string) []plan.Exception {
	t.Helper()
	return []plan.Exception{{Name: plan.OverridePrefix + "1", Environments: []string{"dev"}, From: at(t, from), Until: at(t, until), Location: at(t, from).Location(), Keep: plan.Running, Override: true}}
}

func TestSavingsAreWhatLCSShowed(t *testing.T) {
	tests := []struct {
		name       string
		overrides  []plan.Exception
		seen       []seen
		since, now string
		want       report.Sums
	}{
		{"nothing observed saves nothing", nil, nil, "00:00", "23:00", report.Sums{}},
		{"an hour stopped", nil, every(t, "20:00", "21:00", lcs.Stopped), "20:00", "21:00", report.Sums{HoursOff: 1, Saved: 2}},
		{"stopped within its window too: what was wanted does not count", nil, every(t, "09:00", "10:00", lcs.Stopped), "09:00", "10:00", report.Sums{HoursOff: 1, Saved: 2}},
		{"on its way it is paid for", nil, every(t, "20:00", "21:00", lcs.Stopping), "20:00", "21:00", report.Sums{}},
		{"running when it is wanted stopped is lost", nil, every(t, "18:00", "20:00", lcs.Running), "18:00", "20:00", report.Sums{LostFailed: 2}},
		{
			"an override's time is lost to it, and only beyond the schedule", keepRunning(t, "18:00", "20:30"), every(t, "18:00", "21:00", lcs.Running), "18:00", "21:00",
			report.Sums{LostFailed: 1, LostOverrides: 3},
		},
		{
			"a gap counts for 15 minutes", nil,
			[]seen{{at(t, "20:00"), lcs.Stopped}, {at(t, "22:00"), lcs.Stopped}},
			"20:00", "22:00",
			report.Sums{HoursOff: 0.25, Saved: 0.5},
		},
		{"until now, and no longer", nil, []seen{{at(t, "20:00"), lcs.Stopped}}, "20:00", "20:06", report.Sums{HoursOff: 0.1, Saved: 0.2}},
		{
			"the hour that comes twice is two", nil, every(t, "2026-10-25 00:00", "2026-10-25 04:00", lcs.Stopped), "2026-10-25 00:00", "2026-10-25 04:00",
			report.Sums{HoursOff: 5, Saved: 10},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []report.Sums
			err := report.Savings(t.Context(), subject(t, tt.overrides, tt.seen), at(t, tt.since), at(t, tt.now), func(_ report.Environment, sums report.Sums) error {
				got = append(got, sums)
				return nil
			})
			if err != nil || len(got) != 1 || fmt.Sprintf("%.6f", got[0]) != fmt.Sprintf("%.6f", tt.want) {
				t.Errorf("Savings = %+v, %v; want %+v", got, err, tt.want)
			}
		})
	}
}

func TestTimelineHasPastAndPlanOnOneAxis(t *testing.T) {
	s := subject(t, keepRunning(t, "19:00", "20:00"), slices.Concat(every(t, "12:00", "19:00", lcs.Running), []seen{{at(t, "20:05"), lcs.Stopped}}))
	var rows []report.Row
	err := report.Timeline(t.Context(), s, at(t, "12:00"), at(t, "2026-11-24 12:00"), at(t, "20:10"), func(r report.Row) error {
		rows = append(rows, r)
		return nil
	})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%d rows, %v; want 1", len(rows), err)
	}
	var got []string
	for _, w := range rows[0].Wanted {
		got = append(got, fmt.Sprintf("%s %s-%s", w.Wanted, w.From.Format("02 15:04"), w.To.Format("02 15:04")))
	}
	for _, o := range rows[0].Observed {
		got = append(got, fmt.Sprintf("seen %s %s-%s", o.Condition, o.From.In(s.Location).Format("02 15:04"), o.Until.In(s.Location).Format("02 15:04")))
	}
	want := []string{
		"running 23 12:00-23 19:00", "running 23 19:00-23 20:00", "stopped 23 20:00-24 07:00", "running 24 07:00-24 12:00",
		"seen running 23 12:00-23 19:15", "seen stopped 23 20:05-23 20:10",
	}
	if !slices.Equal(got, want) {
		t.Errorf("timeline:\n got %q\nwant %q", got, want)
	}
}
