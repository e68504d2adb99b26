package engine_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

// reached lists what was said of whether LCS answers, with the time.
func (w *world) reached() []string {
	var list []string
	for _, e := range w.events(scheduler.EventUnreachable, scheduler.EventReachable) {
		list = append(list, fmt.Sprintf("%s %s %s", e.Kind, e.Project, e.At.Format("15:04")))
	}
	return list
}

func TestProjectThatLCSDoesNotAnswerForIsReportedOnceAndAgainOnReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		until("2000-01-01 10:00:00")
		w.start()
		until("2000-01-01 10:06:00")
		back := time.Date(2000, 1, 1, 11, 5, 0, 0, time.UTC)
		w.sim.Inject(lcssim.Fault{Kind: lcssim.Error503, From: time.Now(), Until: back})
		until("2000-01-01 10:30:00")
		list := w.reached()
		if len(list) != 1 || list[0][:len("unreachable contoso")] != "unreachable contoso" {
			t.Fatalf("%q, want one report", list)
		}
		w.stop()
		w.start() // a restart reports it no second time
		until("2000-01-01 11:00:00")
		if got := w.reached(); !slices.Equal(got, list) {
			t.Errorf("after a restart %q, want %q", got, list)
		}
		w.stop()
		until("2000-01-01 11:05:00")
		w.start() // and one that finds LCS back says so
		until("2000-01-01 11:30:00")
		if got := w.reached(); len(got) != 2 || got[1][:len("reachable contoso")] != "reachable contoso" {
			t.Errorf("after its return %q, want that it answers again", got)
		}
		w.stop()
	})
}
