package demo

import (
	"slices"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
)

// At whatever time of the week a demo begins, one environment is not as wanted, since its last
// run failed.
func TestOneEnvironmentIsNotAsWanted(t *testing.T) {
	path, err := writeFile(t.TempDir(), "http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	cfg, p, _, err := daemon.Load(path, config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	zone := cfg.Zone()
	for _, began := range []time.Time{
		time.Date(2026, 11, 23, 7, 0, 0, 0, zone), time.Date(2026, 11, 23, 8, 5, 0, 0, zone), time.Date(2026, 11, 24, 12, 0, 0, 0, zone),
		time.Date(2026, 11, 25, 17, 10, 0, 0, zone), time.Date(2026, 11, 26, 23, 0, 0, 0, zone), time.Date(2026, 11, 28, 18, 0, 0, 0, zone),
	} {
		h, err := newHistory(cfg, p, began)
		if err != nil {
			t.Fatal(err)
		}
		var last scheduler.Run
		for _, r := range h.runs {
			if r.Environment == failing {
				last = r
			}
		}
		wanted := p.Wanted(failing, began).Wanted
		if last.State != scheduler.Failed || (last.Action == plan.Start) != (wanted == plan.Running) {
			t.Errorf("%s: the last run is a %s that %s, and it is wanted %s", began.Format("Mon 15:04"), last.Action, last.State, wanted)
		}
		id := lcs.NormalizeID(cfg.Environments[slices.IndexFunc(cfg.Environments, func(e config.Environment) bool { return e.Name == failing })].ID)
		var shown lcs.Condition
		for _, s := range h.spans {
			if s.ID == id && s.Until.Equal(began) {
				shown = s.Condition
			}
		}
		if shown == lcs.Condition(wanted) || shown == "" {
			t.Errorf("%s: LCS showed it %q, as is wanted", began.Format("Mon 15:04"), shown)
		}
	}
}
