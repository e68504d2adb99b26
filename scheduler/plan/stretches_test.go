package plan_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
)

func TestStretchesAreWhatIsWanted(t *testing.T) {
	locations := map[string]*time.Location{}
	for _, zone := range zones() {
		locations[zone] = mustLoad(t, zone)
	}
	rapid.Check(t, func(rt *rapid.T) {
		w, p := drawPlan(rt, locations)
		from := w.from()
		to := from.AddDate(0, 0, rangeDays)
		for _, name := range w.spec.Environments {
			fires := map[time.Time]bool{}
			for _, f := range p.Fires(from.Add(1), to, name) {
				fires[f.At.UTC()] = true
			}
			end := from
			for s := range p.Stretches(name, from, to) {
				if !s.From.Equal(end) || !s.From.Before(s.To) {
					rt.Fatalf("stretch from %v to %v, want it from %v", s.From, s.To, end)
				}
				for _, at := range []time.Time{s.From, s.From.Add(s.To.Sub(s.From) / 2), s.To.Add(-time.Nanosecond)} {
					if got := p.Wanted(name, at).Wanted; got != s.Wanted {
						rt.Fatalf("%s is wanted %s at %v, but %s in the stretch from %v to %v\n%s", name, got, at, s.Wanted, s.From, s.To, w)
					}
				}
				if !s.From.Equal(from) && !fires[s.From.UTC()] && s.Wanted != plan.Unknown {
					rt.Fatalf("a stretch of %s begins at %v, which is no fire\n%s", name, s.From, w)
				}
				delete(fires, s.From.UTC())
				end = s.To
			}
			if !end.Equal(to) {
				rt.Fatalf("the stretches of %s end at %v, want %v", name, end, to)
			}
			if len(fires) > 0 {
				rt.Fatalf("no stretch of %s begins at its fires %v\n%s", name, fires, w)
			}
		}
	})
}

func TestStretchOfAnOverrideEndsWithItWhereNoScheduleDecidesAfterIt(t *testing.T) {
	from := instantAt(t, "2026-01-01T00:00:00Z")
	p, err := plan.Compile(plan.Spec{Environments: []string{"dev"}, Exceptions: []plan.Exception{{
		Name: plan.OverridePrefix + "1", Environments: []string{"dev"}, From: from.Add(time.Hour), Until: from.Add(2 * time.Hour), Location: time.UTC, Keep: plan.Stopped, Override: true,
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var got []plan.Wanted
	for s := range p.Stretches("dev", from, from.Add(5*time.Hour)) {
		got = append(got, s.Wanted)
	}
	if want := []plan.Wanted{plan.Unknown, plan.Stopped, plan.Unknown}; !slices.Equal(got, want) {
		t.Errorf("stretches are %v, want %v", got, want)
	}
}

func TestMarksNameHolidaysAndChangesOfTheClocks(t *testing.T) {
	copenhagen, newYork := mustLoad(t, "Europe/Copenhagen"), mustLoad(t, "America/New_York")
	christmas := &plan.Calendar{Name: "dk", Holiday: func(d plan.Date) (string, bool) {
		return "Christmas Day", d.Month == time.December && d.Day == 25
	}}
	window, err := plan.ParseWindow("mon-fri 07:00-19:00")
	if err != nil {
		t.Fatal(err)
	}
	p, err := plan.Compile(plan.Spec{Environments: []string{"dev", "us", "none"}, Schedules: []plan.Schedule{
		{Name: "a", Environments: []string{"dev"}, Location: copenhagen, Uptime: []plan.Window{window}, Calendar: christmas},
		{Name: "b", Environments: []string{"dev"}, Location: copenhagen, Uptime: []plan.Window{window}, Calendar: christmas},
		{Name: "c", Environments: []string{"us"}, Location: newYork, Uptime: []plan.Window{window}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, environment, from, to string
		want                        []string
	}{
		{"a holiday, once for two schedules", "dev", "2026-12-24T00:00:00+01:00", "2026-12-31T00:00:00+01:00", []string{"2026-12-25T00:00:00+01:00 Christmas Day dk"}},
		{"the end of the range is not part of it", "dev", "2026-12-24T00:00:00+01:00", "2026-12-25T00:00:00+01:00", nil},
		{"a day that began before the range is not in it", "dev", "2026-12-25T00:00:01+01:00", "2026-12-26T00:00:00+01:00", nil},
		{"clocks go forward", "dev", "2026-03-28T00:00:00Z", "2026-03-30T00:00:00Z", []string{"2026-03-29T03:00:00+02:00 clocks go forward from 02:00 to 03:00"}},
		{"clocks go back", "us", "2026-10-31T00:00:00Z", "2026-11-02T00:00:00Z", []string{"2026-11-01T01:00:00-05:00 clocks go back from 02:00 to 01:00"}},
		{"an environment without schedules has none", "none", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", nil},
		{"nor one that is unknown", "other", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, m := range p.Marks(tt.environment, instantAt(t, tt.from), instantAt(t, tt.to)) {
				got = append(got, strings.TrimSpace(m.At.Format(time.RFC3339)+" "+m.Text+" "+m.Calendar))
			}
			if len(got) != len(tt.want) || len(got) > 0 && got[0] != tt.want[0] {
				t.Errorf("Marks = %q, want %q", got, tt.want)
			}
		})
	}
}

func instantAt(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
