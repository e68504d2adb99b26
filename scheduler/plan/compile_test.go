package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

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
		`environment "dev-02" is named twice`,
		`schedule "a" has the name of another`,
		`environment "dev-01" has uptime from schedule "a" and start or stop from "a"`,
		`schedule "b" names the environment "dev-03", which is not in the file`,
		`schedule "b" has no timezone`,
		`schedule "c" has no rule`,
		`schedule "d" starts and stops at the same times, 07:00`,
		`schedule "e" has an empty start or stop`,
		`schedule "e" has the impossible window sun 01:00-01:00`,
		`exception "a" has the name of another`,
		`exception "x" has no effect`,
		`exception "y" has keep "unknown"`,
		`exception "z" has both keep and uptime`,
		`exception "nowhere" has no timezone`,
		`exception "nowhere" names the environment "dev-04", which is not in the file`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
	if got := strings.Count(err.Error(), "\n") + 1; got != 15 {
		t.Errorf("%d problems, want 15:\n%v", got, err)
	}
}

func TestAStartWinsOverAStopOfItsSchedule(t *testing.T) {
	seven, evening := mustTrigger(t, "07:00", plan.EveryDay), mustTrigger(t, "19:00", plan.EveryDay)
	p := mustCompile(t, plan.Spec{Environments: []string{"dev-01"}, Schedules: []plan.Schedule{{
		Name: "s", Environments: []string{"dev-01"}, Location: time.UTC, Starts: []plan.Trigger{seven}, Stops: []plan.Trigger{seven, evening},
	}}})
	from := mustTime(t, "2026-03-02T00:00:00Z")
	var got []string
	for _, f := range p.Fires(from, from.AddDate(0, 0, 1)) {
		got = append(got, string(f.Action)+f.At.Format(" 15:04"))
	}
	if want := []string{"start 07:00", "stop 19:00"}; !slices.Equal(got, want) {
		t.Errorf("fires %q, want %q", got, want)
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
