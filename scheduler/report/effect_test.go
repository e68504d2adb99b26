package report_test

import (
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

func TestEffectIsAgainstWhatIsWanted(t *testing.T) {
	window, err := plan.ParseWindow("07:00-19:00")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Compile(plan.Spec{
		Environments: []string{"dev-01", "bare-01"},
		Schedules:    []plan.Schedule{{Name: "office-hours", Location: time.UTC, Environments: []string{"dev-01"}, Uptime: []plan.Window{window}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	at := func(hour int) time.Time { return time.Date(2026, 11, 30, hour, 0, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name        string
		environment string
		seen        lcs.Condition
		keep        plan.Wanted
		from, until int
		want        report.Effect
	}{
		{"running within the window costs nothing", "dev-01", lcs.Running, plan.Running, 10, 18, report.Effect{}},
		{"running beyond the window costs what is beyond", "dev-01", lcs.Running, plan.Running, 18, 22, report.Effect{Longer: 3 * time.Hour, Money: 6}},
		{"stopped within the window saves", "dev-01", lcs.Running, plan.Stopped, 18, 22, report.Effect{Longer: -time.Hour, Money: -2}},
		{"stopped beyond the window saves nothing", "dev-01", lcs.Running, plan.Stopped, 20, 22, report.Effect{}},
		{"what runs without a schedule would go on", "bare-01", lcs.Running, plan.Running, 18, 22, report.Effect{}},
		{"and is stopped for good", "bare-01", lcs.Running, plan.Stopped, 18, 22, report.Effect{Longer: -4 * time.Hour, Money: -8}},
		{"what is stopped without a schedule would stay so", "bare-01", lcs.Stopped, plan.Running, 18, 22, report.Effect{Longer: 4 * time.Hour, Money: 8}},
		{"an end before the begin is no time", "dev-01", lcs.Running, plan.Running, 22, 18, report.Effect{}},
	} {
		s := scheduler.EnvironmentStatus{Environment: scheduler.Environment{Name: tt.environment, CostPerHour: 2}, Observation: scheduler.Observation{Condition: tt.seen}}
		if got := report.EffectOf(p, s, tt.keep, at(tt.from), at(tt.until)); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
