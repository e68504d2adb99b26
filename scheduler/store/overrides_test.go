package store_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestOverrideBeginsAndEndsAfterTheLastTick(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0)
		before, err := b.Runs.Cursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := scheduler.Override{
			ID: "k3f9x2", Environments: []string{"dev-01", "dev-02"}, Keep: plan.Running, Reason: "demo",
			From: t0.Add(-time.Second), Until: t0.Add(time.Hour), CreatedAt: t0.Add(-time.Second), // by a clock that is behind
		}
		made, err := b.Overrides.Add(t.Context(), o, nil)
		if err != nil || !made.From.After(t0) {
			t.Fatalf("Add = %+v, %v; want it to begin after the tick", made, err)
		}
		if _, err := b.Runs.CommitTick(t.Context(), before, t0.Add(time.Minute), nil, nil); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("a tick that did not know of the override = %v, want ErrStale", err)
		}
		b.reopen()
		c, err := b.Runs.Cursor(t.Context())
		if err != nil || len(c.Overrides) != 1 || !slices.Equal(c.Overrides[0].Environments, o.Environments) || c.Overrides[0].Reason != "demo" {
			t.Fatalf("cursor after a restart = %+v, %v; want the override", c, err)
		}
		if _, err := b.Runs.CommitTick(t.Context(), c, t0.Add(time.Minute), nil, nil); err != nil {
			t.Errorf("a tick that knows of it = %v", err)
		}
		ended, err := b.Overrides.End(t.Context(), o.ID, t0.Add(time.Second), nil) // behind again
		if err != nil || !ended.Until.After(t0.Add(time.Minute)) || ended.ReleasedAt.IsZero() {
			t.Errorf("End = %+v, %v; want it to end after the tick", ended, err)
		}
		if _, err := b.Overrides.End(t.Context(), o.ID, t0.Add(2*time.Minute), nil); !errors.Is(err, scheduler.ErrOver) {
			t.Errorf("ending it again = %v, want ErrOver", err)
		}
		o.ID, o.Until = "short", t0.Add(time.Minute) // over by the clock that ticked
		if _, err := b.Overrides.Add(t.Context(), o, nil); !errors.Is(err, scheduler.ErrOver) {
			t.Errorf("one that ends before the last tick = %v, want ErrOver", err)
		}
		if _, err := b.Overrides.End(t.Context(), "nobody", t0, nil); !errors.Is(err, scheduler.ErrNoOverride) {
			t.Errorf("ending one that is not there = %v, want ErrNoOverride", err)
		}
		if list, err := b.Overrides.Since(t.Context(), ended.Until.Add(time.Microsecond)); err != nil || len(list) != 0 {
			t.Errorf("overrides that end later = %+v, %v; want none", list, err)
		}
	})
}
