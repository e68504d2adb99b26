package store_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// Runs are written all the time while a listener reads.
func TestEachNewRunIsToldOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		const n = 150
		w, err := b.Updates.Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		written := make(chan error, 1)
		go func() {
			var errs []error
			for i := range n {
				_, err := b.Runs.InsertManual(t.Context(), newRun(fmt.Sprintf("dev-%03d", i), plan.Stop, t0), func(runs []scheduler.Run) []scheduler.Event {
					return []scheduler.Event{{Kind: scheduler.EventRequest, At: t0, Environment: runs[0].Environment, Run: runs[0].ID}}
				})
				errs = append(errs, err)
			}
			written <- errors.Join(errs...)
		}()
		told := map[string]int{}
		for last := false; ; {
			list, err := w.Read(t.Context(), time.Now())
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range list {
				if told[u.ID]++; told[u.ID] > 1 {
					t.Errorf("the run of %s was told %d times", u.Environment, told[u.ID])
				}
			}
			if last {
				break
			}
			select {
			case err := <-written:
				if err != nil {
					t.Fatal(err)
				}
				last = true
			default:
			}
		}
		if len(told) != n {
			t.Errorf("%d runs were told, want %d", len(told), n)
		}
	})
}
