package plan_test

import (
	"testing"
	"time"

	"curfew/scheduler/plan"
)

func TestSkip(t *testing.T) {
	trigger := func(s string) []plan.Trigger {
		tr, err := plan.ParseTrigger(s, plan.EveryDay)
		if err != nil {
			t.Fatal(err)
		}
		return []plan.Trigger{tr}
	}
	office := plan.Schedule{Uptime: []plan.Window{{Days: 0b0111110, Begin: 7 * 60, End: 19 * 60}}}
	const layout = "Mon 02 15:04"
	tests := []struct {
		name              string
		schedule          plan.Schedule
		now               string
		stop, from, until string // "" for nothing to skip
	}{
		{"until the next start, when it comes before the stop after next", office, "Mon 02 15:00", "Mon 02 19:00", "Mon 02 15:00", "Tue 03 07:00"},
		{"over the weekend", office, "Fri 06 15:00", "Fri 06 19:00", "Fri 06 15:00", "Mon 09 07:00"},
		{"before the window it begins with its start", office, "Mon 02 05:00", "Mon 02 19:00", "Mon 02 07:00", "Tue 03 07:00"},
		{"the stop of this very instant is past", office, "Mon 02 19:00", "Tue 03 19:00", "Tue 03 07:00", "Wed 04 07:00"},
		{"until the stop after next, when no start comes before it", plan.Schedule{Stops: trigger("0 22 * * *")}, "Mon 02 15:00", "Mon 02 22:00", "Mon 02 22:00", "Tue 03 22:00"},
		{"no stop", plan.Schedule{Starts: trigger("0 7 * * *")}, "Mon 02 15:00", "", "", ""},
		{"nothing after the stop", plan.Schedule{Stops: trigger("0 0 1 12 *")}, "Mon 02 15:00", "", "", ""},
	}
	for _, tt := range tests {
		tt.schedule.Name, tt.schedule.Environments, tt.schedule.Location = "s", []string{"a"}, time.UTC
		p, err := plan.Compile(plan.Spec{Environments: []string{"a"}, Schedules: []plan.Schedule{tt.schedule}})
		if err != nil {
			t.Fatal(err)
		}
		now, err := time.Parse("2006-01 "+layout, "2026-11 "+tt.now)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := p.Skip("a", now, now.AddDate(0, 0, 31))
		if ok != (tt.stop != "") {
			t.Errorf("%s: ok = %v", tt.name, ok)
			continue
		}
		if got, want := []string{s.Stop.At.Format(layout), s.From.Format(layout), s.Until.Format(layout)}, []string{tt.stop, tt.from, tt.until}; ok && (got[0] != want[0] || got[1] != want[1] || got[2] != want[2]) {
			t.Errorf("%s: stop, from, until = %v, want %v", tt.name, got, want)
		}
		if _, ok := p.Skip("nobody", now, now.AddDate(0, 0, 31)); ok {
			t.Errorf("%s: an environment that is not there has a stop", tt.name)
		}
	}
}
