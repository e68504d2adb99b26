package review_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/plan"
	"curfew/scheduler/review"
	"curfew/scheduler/zone"
)

var copenhagen = func() *time.Location {
	l, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		panic(err)
	}
	return l
}()

// A rule is one schedule: uptime on week days, or every day, from and until an hour.
type rule struct {
	days       plan.Days
	begin, end int
	zone       *time.Location
	calendar   *plan.Calendar
}

const weekdays plan.Days = 0b0111110

// newFile has environments that all follow the rule, if there is one.
func newFile(t *testing.T, r *rule, costs map[string]float64) review.File {
	t.Helper()
	f := review.File{Currency: "EUR"}
	var names []string
	for name, cost := range costs {
		names = append(names, name)
		f.Environments = append(f.Environments, review.Environment{Name: name, Target: "id " + name, CostPerHour: cost})
	}
	slices.Sort(names)
	spec := plan.Spec{Environments: names}
	if r != nil {
		spec.Schedules = []plan.Schedule{{
			Name: "office-hours", Environments: names, Location: r.zone, Calendar: r.calendar,
			Uptime: []plan.Window{{Days: r.days, Begin: r.begin * 60, End: r.end * 60}},
		}}
	}
	p, err := plan.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	f.Plan = p
	return f
}

// summary is a difference in one line.
func summary(d *review.Difference) string {
	var b strings.Builder
	for _, g := range d.Groups() {
		fmt.Fprintf(&b, "%v %s", g.Environments, g.Kind)
		for _, p := range review.Patterns(g.Lost) {
			fmt.Fprintf(&b, " -%s %s %s x%d", p.Action, p.When, p.Zone, p.Fires)
		}
		for _, p := range review.Patterns(g.Gained) {
			fmt.Fprintf(&b, " +%s %s %s x%d", p.Action, p.When, p.Zone, p.Fires)
		}
		fmt.Fprintf(&b, " notes %d;", len(g.Notes))
	}
	fmt.Fprintf(&b, " hours %g→%g cost %g→%g unknown %v", d.Old.Hours, d.New.Hours, d.Old.Cost, d.New.Cost, d.Unknown)
	return strings.TrimSpace(b.String())
}

func TestCompare(t *testing.T) {
	office := func() *rule { return &rule{days: weekdays, begin: 7, end: 19, zone: copenhagen} }
	longer, elsewhere, holidays := office(), office(), office()
	longer.end, elsewhere.zone = 20, time.UTC
	holidays.calendar = &plan.Calendar{Name: "dk", Fingerprint: "1", Holiday: func(d plan.Date) (string, bool) { return "a day off", d.Day == 9 }}
	one, two := map[string]float64{"a": 1}, map[string]float64{"a": 1, "b": 2}
	tests := []struct {
		name             string
		before, after    *rule
		oldCost, newCost map[string]float64
		want             string
	}{
		{"the same rules do the same", office(), office(), two, two, "hours 120→120 cost 180→180 unknown []"},
		{"one change of many environments is one group", office(), longer, two, two, "[a b] changed -stop mon-fri 19:00 Europe/Copenhagen x20 +stop mon-fri 20:00 Europe/Copenhagen x20 notes 0; hours 120→130 cost 180→195 unknown []"},
		{"another zone moves every fire", office(), elsewhere, one, one, "[a] changed -start mon-fri 07:00 Europe/Copenhagen x20 -stop mon-fri 19:00 Europe/Copenhagen x20 +start mon-fri 07:00 UTC x20 +stop mon-fri 19:00 UTC x20 notes 0; hours 60→60 cost 60→60 unknown []"},
		{"a calendar takes fires of its days", office(), holidays, one, one, "[a] changed -start Mon 2026-11-09 07:00 Europe/Copenhagen x1 -stop Mon 2026-11-09 19:00 Europe/Copenhagen x1 notes 0; hours 60→57 cost 60→57 unknown []"},
		{"a new environment gains its fires", office(), office(), one, two, "[b] added +start mon-fri 07:00 Europe/Copenhagen x20 +stop mon-fri 19:00 Europe/Copenhagen x20 notes 0; hours 60→120 cost 60→180 unknown []"},
		{"one that is gone loses them", office(), office(), two, one, "[b] removed -start mon-fri 07:00 Europe/Copenhagen x20 -stop mon-fri 19:00 Europe/Copenhagen x20 notes 0; hours 120→60 cost 180→60 unknown []"},
		{"another cost is a difference", office(), office(), one, map[string]float64{"a": 2}, "[a] changed notes 1; hours 60→60 cost 60→120 unknown []"},
		{"hours that no rule decides are unknown, not saved", office(), nil, one, one, "[a] changed -start mon-fri 07:00 Europe/Copenhagen x20 -stop mon-fri 19:00 Europe/Copenhagen x20 notes 1; hours 0→0 cost 0→0 unknown [a]"},
	}
	from := time.Date(2026, 11, 2, 0, 0, 0, 0, copenhagen)
	for _, tt := range tests {
		d := review.Compare(newFile(t, tt.before, tt.oldCost), newFile(t, tt.after, tt.newCost), from, from.AddDate(0, 0, 28))
		if got := summary(d); got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, got, tt.want)
		}
		if got, want := d.Same(), !strings.Contains(tt.want, "notes"); got != want { // a group has notes, be it none
			t.Errorf("%s: Same = %v, want %v", tt.name, got, want)
		}
	}
}

func TestAnotherEnvironmentBehindANameIsADifference(t *testing.T) {
	r := &rule{days: weekdays, begin: 7, end: 19, zone: copenhagen}
	before, after := newFile(t, r, map[string]float64{"a": 1}), newFile(t, r, map[string]float64{"a": 1})
	after.Environments[0].Target = "id other"
	after.Currency = "DKK"
	from := time.Date(2026, 11, 2, 0, 0, 0, 0, copenhagen)
	d := review.Compare(before, after, from, from.AddDate(0, 0, 7))
	if d.Same() || len(d.Changes) != 1 || len(d.Changes[0].Notes) != 1 || len(d.Notes) != 1 {
		t.Errorf("difference = %+v, want one change with a note, and a note on the currency", d)
	}
}
