package store_test

import (
	"fmt"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
)

func TestMetadataIsLimitedPerProject(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ask := func(project int64, at time.Time) grant {
			t.Helper()
			call, wait, err := b.Observations.ReserveMetadata(t.Context(), at, scheduler.Contender{Name: "contoso", ID: project, Accounts: []string{"main"}})
			if err != nil {
				t.Fatal(err)
			}
			return grant{call, wait}
		}
		for range 6 {
			b.settle(ask(1, t0).Call, scheduler.OutcomeAccepted, t0)
		}
		if g := ask(1, t0.Add(59*time.Second)); g.Call != nil || !g.Until.Equal(t0.Add(61*time.Second)) {
			t.Errorf("seventh call in a minute = %+v, want a wait until the minute has passed", g)
		}
		if g := ask(2, t0); g.Call == nil {
			t.Errorf("call of another project = %+v, want it granted", g)
		}
	})
}

func TestOlderObservationNeverReplacesANewerOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		see := func(at time.Time, c lcs.Condition, page int) {
			t.Helper()
			seen := []scheduler.Observation{{Project: 1, ID: "e1", Page: page, At: at, Condition: c}, {Project: 1, ID: "e2", At: at}, {Project: 2, ID: "e1", At: at}}
			if err := b.Observations.Record(t.Context(), scheduler.Call{}, seen); err != nil {
				t.Fatal(err)
			}
		}
		see(t0.Add(time.Minute), lcs.Stopped, 3)
		see(t0, lcs.Running, 3)
		see(t0.Add(2*time.Minute), lcs.Stopped, 0) // read by id: its page is still known
		list, err := b.Observations.Observations(t.Context(), 1)
		if err != nil || len(list) != 2 {
			t.Fatalf("observations of project 1 = %+v, %v; want 2", list, err)
		}
		got := list[1] // by page
		if got.ID != "e1" || got.Condition != lcs.Stopped || got.Page != 3 || !got.At.Equal(t0.Add(2*time.Minute)) {
			t.Errorf("observation = %+v", got)
		}
		if all, err := b.Observations.Observations(t.Context()); err != nil || len(all) != 3 {
			t.Errorf("all observations = %+v, %v; want 3", all, err)
		}
	})
}

func TestRecordSettlesTheCallAndTakesTheNewestOfTwo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		call, _, err := b.Observations.ReserveMetadata(t.Context(), t0, scheduler.Contender{Name: "contoso", ID: 1, Accounts: []string{"main"}})
		if err != nil || call == nil || call.Account != "main" || call.Kind != lcs.CallMetadata {
			t.Fatalf("ReserveMetadata = %+v, %v; want a call", call, err)
		}
		var seen []scheduler.Observation
		for i := range 300 {
			seen = append(seen, scheduler.Observation{Project: 1, ID: fmt.Sprintf("e%03d", i), Page: 1 + i/100, At: t0, Condition: lcs.Running, Failed: i%2 == 0, Misses: i})
		}
		seen = append(seen, scheduler.Observation{Project: 1, ID: "e007", Page: 9, At: t0.Add(-time.Second)}, scheduler.Observation{Project: 1, ID: "e008", Page: 9, At: t0.Add(time.Second)})
		call.Done, call.Outcome = t0, scheduler.OutcomeThrottled // which does not count
		if err := b.Observations.Record(t.Context(), *call, seen); err != nil {
			t.Fatal(err)
		}
		got, err := b.Observations.Observations(t.Context(), 1)
		if err != nil || len(got) != 300 {
			t.Fatalf("%d observations, %v; want 300", len(got), err)
		}
		for _, o := range got {
			switch want := seen[o.Misses]; o.ID {
			case "e008":
			case want.ID:
				if o != want {
					t.Errorf("observation = %+v, want %+v", o, want)
				}
			}
		}
		if last := got[len(got)-1]; last.ID != "e008" || last.Page != 9 {
			t.Errorf("the last by page is %+v, want the newer one of e008", last)
		}
		for i := range 6 {
			if call, wait, err := b.Observations.ReserveMetadata(t.Context(), t0, scheduler.Contender{ID: 1, Accounts: []string{"main"}}); call == nil || err != nil {
				t.Errorf("call %d after the throttled one = %+v, %v; want it granted", i, wait, err)
			}
		}
	})
}
