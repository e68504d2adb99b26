package store_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
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
		made, _, err := b.Overrides.Add(t.Context(), o, nil, nil)
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
		if _, _, err := b.Overrides.Add(t.Context(), o, nil, nil); !errors.Is(err, scheduler.ErrOver) {
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

// Of the same requests at once, one alone makes an override; the others are answered with it.
func TestRepeatOfAnOverrideMakesNone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0)
		always := func(_, _ scheduler.Override) bool { return true }
		var events atomic.Int32
		type answer struct {
			kept scheduler.Override
			made bool
			err  error
		}
		ask := func(id string, until time.Time) answer {
			o := scheduler.Override{ID: id, Environments: []string{"dev-01"}, Keep: plan.Running, From: t0, Until: until, CreatedAt: t0, By: scheduler.ByToken}
			kept, made, err := b.Overrides.Add(t.Context(), o, always, func(scheduler.Override) []scheduler.Event { events.Add(1); return nil })
			return answer{kept, made, err}
		}
		answers := make(chan answer)
		for i := range 10 {
			go func() { answers <- ask(fmt.Sprint("o", i), t0.Add(time.Hour)) }()
		}
		made, ids := 0, map[string]bool{}
		for range 10 {
			a := <-answers
			if a.err != nil {
				t.Fatal(a.err)
			}
			ids[a.kept.ID] = true
			if a.made {
				made++
			}
		}
		if made != 1 || len(ids) != 1 || events.Load() != 1 {
			t.Errorf("ten requests made %d overrides, with %d events, and were answered with %v; want one", made, events.Load(), ids)
		}
		if a := ask("later", t0.Add(2*time.Hour)); a.err != nil || !a.made {
			t.Errorf("one with another end = %+v, want it made", a)
		}
		for id := range ids {
			if _, err := b.Overrides.End(t.Context(), id, t0.Add(time.Minute), nil); err != nil {
				t.Fatal(err)
			}
		}
		if a := ask("again", t0.Add(time.Hour)); a.err != nil || !a.made {
			t.Errorf("the same after its release = %+v, want it made", a)
		}
	})
}
