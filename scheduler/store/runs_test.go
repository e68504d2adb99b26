package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestTickIsWrittenOnceWhateverIsRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		if got := b.tick(time.Time{}, t0, r); len(got.Runs) != 1 {
			t.Fatalf("first tick wrote %d runs, want 1", len(got.Runs))
		}
		if _, err := b.Runs.CommitTick(t.Context(), scheduler.Cursor{}, t0, []scheduler.Run{r}, nil); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("the same tick again: %v, want ErrStale", err)
		}
		again := newRun("dev-01", plan.Stop, t0) // another id, the same fire
		if got := b.tick(t0, t0.Add(time.Minute), again); len(got.Runs) != 0 {
			t.Errorf("the same fire in a later tick wrote %d runs, want 0", len(got.Runs))
		}
		b.reopen()
		if got, err := b.Runs.Cursor(t.Context()); err != nil || !got.At.Equal(t0.Add(time.Minute)) {
			t.Errorf("cursor after a restart = %v, %v", got, err)
		}
		if runs, _, err := b.Runs.List(t.Context(), scheduler.RunFilter{}); err != nil || len(runs) != 1 || runs[0].ID != r.ID {
			t.Errorf("runs = %+v, %v, want the first one only", runs, err)
		}
	})
}

func TestLaterRunSupersedesOlderUnfinishedOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		stop, start := newRun("dev-01", plan.Stop, t0), newRun("dev-01", plan.Start, t0.Add(time.Hour))
		other := newRun("dev-02", plan.Stop, t0)
		b.tick(time.Time{}, t0, stop, other)
		res := b.tick(t0, t0.Add(time.Hour), start)
		if len(res.Superseded) != 1 || res.Superseded[0].ID != stop.ID {
			t.Fatalf("superseded = %+v, want the stop of dev-01", res.Superseded)
		}
		got := b.run(stop.ID)
		if got.State != scheduler.Canceled || got.SupersededBy != start.ID || got.FinishedAt.IsZero() {
			t.Errorf("old run = %+v, want canceled with its successor", got)
		}
		if got := b.run(other.ID); got.State != scheduler.Queued {
			t.Errorf("run of another environment = %s, want queued", got.State)
		}
		got.Generation = 1
		if err := b.save(got); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("writing a superseded run: %v, want ErrStale", err)
		}
	})
}

func TestRunOlderThanOneAlreadyThereIsBornSuperseded(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		newer, older := newRun("dev-01", plan.Start, t0.Add(time.Hour)), newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, newer)
		b.tick(t0, t0.Add(time.Hour), older)
		if got := b.run(older.ID); got.State != scheduler.Canceled || got.SupersededBy != newer.ID {
			t.Errorf("older run = %s superseded by %q, want canceled by %q", got.State, got.SupersededBy, newer.ID)
		}
		if got := b.run(newer.ID); got.State != scheduler.Queued {
			t.Errorf("newer run = %s, want queued", got.State)
		}
	})
}

func TestPersonsRunSupersedesEvenALaterOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		coming := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		b.tick(time.Time{}, t0, coming)
		manual := newRun("dev-01", plan.Stop, t0.Add(time.Minute))
		manual.Schedule, manual.Trigger = "", scheduler.TriggerManual
		res, err := b.Runs.InsertManual(t.Context(), manual, nil)
		if err != nil || len(res.Runs) != 1 || len(res.Superseded) != 1 || res.Superseded[0].ID != coming.ID {
			t.Fatalf("InsertManual = %+v, %v; want the start superseded", res, err)
		}
		if got := b.run(manual.ID); got.State != scheduler.Queued || got.Trigger != scheduler.TriggerManual {
			t.Errorf("run = %+v, want it queued", got)
		}
	})
}

func TestStartThatWasCalledOffEarlyLeavesItsFireToCome(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		early := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		early.DueAt = t0.Add(time.Microsecond)
		b.tick(time.Time{}, t0, early)
		stop := newRun("dev-01", plan.Stop, t0.Add(10*time.Minute))
		if res := b.tick(t0, t0.Add(10*time.Minute), stop); len(res.Superseded) != 1 || len(res.Runs) != 1 || res.Runs[0].State != scheduler.Queued {
			t.Fatalf("tick = %+v, want the stop to supersede the early start", res)
		}
		if r := b.run(early.ID); !r.CalledOff.Equal(t0.Add(time.Hour)) || !r.FireAt.Equal(early.DueAt) {
			t.Errorf("the early start is %+v, want its fire kept as called off", r)
		}
		again := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		if res := b.tick(t0.Add(10*time.Minute), t0.Add(time.Hour), again); len(res.Runs) != 1 || res.Runs[0].State != scheduler.Queued {
			t.Errorf("tick at the fire = %+v, want the start written", res)
		}
	})
}

func TestEarlyStartIsItsFire(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		early := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		early.DueAt = t0.Add(time.Microsecond)
		b.tick(time.Time{}, t0, early)
		if res := b.tick(t0, t0.Add(time.Hour), newRun("dev-01", plan.Start, t0.Add(time.Hour))); len(res.Runs) != 0 {
			t.Errorf("tick at the fire = %+v, want nothing written: it was begun early", res)
		}
	})
}

func TestEnforcedRunIsWrittenOnceAndOnlyWhereNothingElseGoesOn(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		enforce := func(env string, at time.Time) int {
			t.Helper()
			r := newRun(env, plan.Stop, at)
			r.Trigger = scheduler.TriggerEnforce
			res, err := b.Runs.InsertEnforced(t.Context(), r, at.Add(-30*time.Minute), nil)
			if err != nil {
				t.Fatal(err)
			}
			return len(res.Runs)
		}
		busy := newRun("dev-02", plan.Start, t0)
		b.tick(time.Time{}, t0, busy)
		if n := enforce("dev-02", t0.Add(time.Minute)); n != 0 {
			t.Errorf("an environment with an unfinished run got %d more, want none", n)
		}
		if n := enforce("dev-01", t0.Add(time.Minute)); n != 1 {
			t.Fatalf("%d runs were written, want 1", n)
		}
		r := b.runs(t, scheduler.RunFilter{Environment: "dev-01"})[0]
		r.State, r.FinishedAt = scheduler.Succeeded, t0.Add(5*time.Minute)
		if err := b.save(r); err != nil {
			t.Fatal(err)
		}
		if n := enforce("dev-01", t0.Add(31*time.Minute-time.Microsecond)); n != 0 {
			t.Errorf("within 30 minutes of the last, %d runs were written, want none", n)
		}
		if n := enforce("dev-01", t0.Add(32*time.Minute)); n != 1 {
			t.Errorf("after 30 minutes %d runs were written, want 1", n)
		}
	})
}

func TestTwoReplicasWriteOneTick(t *testing.T) {
	dsn := postgresDSN(t)
	a, b := newBench(t, dsn), newBench(t, dsn)
	var done sync.WaitGroup
	won := make([]error, 2)
	for i, s := range []*bench{a, b} {
		done.Go(func() {
			_, won[i] = s.Runs.CommitTick(t.Context(), scheduler.Cursor{}, t0, []scheduler.Run{newRun("dev-01", plan.Stop, t0)}, nil)
		})
	}
	done.Wait()
	if (won[0] == nil) == (won[1] == nil) || won[0] != nil && !errors.Is(won[0], scheduler.ErrStale) || won[1] != nil && !errors.Is(won[1], scheduler.ErrStale) {
		t.Errorf("two ticks at once = %v and %v, want one written and one stale", won[0], won[1])
	}
	if runs := a.runs(t, scheduler.RunFilter{}); len(runs) != 1 {
		t.Errorf("%d runs, want 1", len(runs))
	}
}
