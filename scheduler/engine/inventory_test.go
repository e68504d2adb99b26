package engine_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/internal/longtest"
	"curfew/lcs"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
)

func TestCompareNamesWhatOneSideLacks(t *testing.T) {
	file := []scheduler.Environment{{Name: "dev-01", ID: "{55EB4327-0000-0000-0000-000000000001}"}, {Name: "dev-02", ID: "2"}, {Name: "dev-03", ID: "3"}}
	listed := []scheduler.Observation{
		{ID: "55eb4327000000000000000000000001", Name: "LCS 1", Condition: lcs.Stopped},
		{ID: "3", Name: "LCS 3", Condition: lcs.Unsupported},
		{ID: "5", Name: "LCS 5", Condition: lcs.Unknown},
		{ID: "4", Name: "LCS 4", Condition: lcs.Running},
		{ID: "6", Name: "LCS 6", Condition: lcs.Unsupported},
	}
	tests := []struct {
		name         string
		listed       []scheduler.Observation
		file         []scheduler.Environment
		reason, next string
	}{
		{"nothing", listed[:1], file[:1], "", ""},
		{"LCS lacks one", listed[:1], file[:2], "LCS does not list dev-02", "correct their ids"},
		{"the file lacks two", listed, file[:1], "the schedule file does not have LCS 4, LCS 5", "curfew environments --yaml prints the entries"},
		{"Microsoft manages one", listed[:2], []scheduler.Environment{file[0], file[2]}, "LCS starts and stops customer-managed environments only, not dev-03", "remove them"},
		{
			"each lacks something", listed, file,
			"LCS does not list dev-02; LCS starts and stops customer-managed environments only, not dev-03; the schedule file does not have LCS 4 and 1 more", "correct their ids",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := engine.Compare(tt.file, tt.listed)
			most := 2
			if strings.Contains(tt.reason, "more") {
				most = 1
			}
			if got := d.Reason(most); got != tt.reason || d.Empty() != (tt.reason == "") || !strings.HasPrefix(d.NextStep(), tt.next) {
				t.Errorf("Compare() = %q, %q; want %q, %q", got, d.NextStep(), tt.reason, tt.next)
			}
		})
	}
}

// differs lists the lines of the log that say how the file and LCS differ.
func (w *world) differs() []string {
	var list []string
	for _, l := range w.logs.FilterMessage("the schedule file and LCS differ").All() {
		list = append(list, l.ContextMap()["message"].(string))
	}
	return list
}

func TestDifferenceOfFileAndLCSIsReportedOnceUntilItChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{PageSize: 1}) // pages of one: a scan takes some time
		w.schedule.Environments = []string{"dev-00"}     // so that runs of dev-02 do not matter
		w.setup.Environments = append(w.setup.Environments, scheduler.Environment{Name: "dev-02", Project: "contoso", ID: envID(2)})
		w.sim.AddEnvironment(project, lcssim.Environment{ID: envID(3), Name: "LCS 3", State: lcssim.Stopped})
		w.sim.AddEnvironment(project, lcssim.Environment{ID: envID(4), Name: "LCS 4", Infrastructure: "SelfService"})
		first := "LCS does not list dev-02; the schedule file does not have LCS 3"
		check := func(day string, want ...string) {
			t.Helper()
			until(day)
			if got := w.differs(); !slices.Equal(got, want) {
				t.Errorf("until %s the log says %q, want %q", day, got, want)
			}
		}
		w.start()
		check("2000-01-01 00:20:00", first)
		check("2000-01-02 00:20:00", first) // a day later the same is not said again
		w.stop()
		w.start()
		check("2000-01-02 00:40:00", first, first) // a new process says it in its log
		w.sim.AddEnvironment(project, lcssim.Environment{ID: envID(2), Name: "LCS 2", State: lcssim.Stopped})
		second := "the schedule file does not have LCS 3"
		until("2000-01-02 01:00:00")
		if longtest.Or(true, false) { // a load of the file compares at once, not a day after the last time
			w.reload()
		}
		check(longtest.Or("2000-01-02 01:10:00", "2000-01-03 01:00:00"), first, first, second)
		w.setup.Environments = append(w.setup.Environments, scheduler.Environment{Name: "dev-03", Project: "contoso", ID: envID(3)})
		w.reload()
		check(longtest.Or("2000-01-02 01:20:00", "2000-01-03 01:10:00"), first, first, second)
		var events []string
		for _, e := range w.events(scheduler.EventWarning) {
			if strings.HasPrefix(e.Reason, "project contoso: ") && e.NextStep != "" {
				events = append(events, strings.TrimPrefix(e.Reason, "project contoso: "))
			}
		}
		if want := []string{first, second}; !slices.Equal(events, want) { // once over restarts
			t.Errorf("events %q, want %q", events, want)
		}
		holds, err := w.store.Holds.Holds(t.Context(), time.Time{})
		if err != nil || len(holds) > 0 {
			t.Errorf("marks of what was corrected stay: %v, %v", holds, err)
		}
		w.stop()
	})
}
