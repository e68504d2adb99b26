package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

func TestOverrideBeginsAndEndsAfterTheLastTick(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0)
		before, err := b.Cursor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := scheduler.Override{
			ID: "k3f9x2", Environments: []string{"dev-01", "dev-02"}, Keep: plan.Running, Reason: "demo",
			From: t0.Add(-time.Second), Until: t0.Add(time.Hour), CreatedAt: t0.Add(-time.Second), // by a clock that is behind
		}
		made, err := b.AddOverride(t.Context(), o)
		if err != nil || !made.From.After(t0) {
			t.Fatalf("AddOverride = %+v, %v; want it to begin after the tick", made, err)
		}
		if _, err := b.CommitTick(t.Context(), before, t0.Add(time.Minute), nil); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("a tick that did not know of the override = %v, want ErrStale", err)
		}
		b.reopen()
		c, err := b.Cursor(t.Context())
		if err != nil || len(c.Overrides) != 1 || !slices.Equal(c.Overrides[0].Environments, o.Environments) || c.Overrides[0].Reason != "demo" {
			t.Fatalf("cursor after a restart = %+v, %v; want the override", c, err)
		}
		if _, err := b.CommitTick(t.Context(), c, t0.Add(time.Minute), nil); err != nil {
			t.Errorf("a tick that knows of it = %v", err)
		}
		ended, err := b.EndOverride(t.Context(), o.ID, t0.Add(time.Second)) // behind again
		if err != nil || !ended.Until.After(t0.Add(time.Minute)) || ended.ReleasedAt.IsZero() {
			t.Errorf("EndOverride = %+v, %v; want it to end after the tick", ended, err)
		}
		if _, err := b.EndOverride(t.Context(), o.ID, t0.Add(2*time.Minute)); !errors.Is(err, scheduler.ErrOver) {
			t.Errorf("ending it again = %v, want ErrOver", err)
		}
		o.ID, o.Until = "short", t0.Add(time.Minute) // over by the clock that ticked
		if _, err := b.AddOverride(t.Context(), o); !errors.Is(err, scheduler.ErrOver) {
			t.Errorf("one that ends before the last tick = %v, want ErrOver", err)
		}
		if _, err := b.EndOverride(t.Context(), "nobody", t0); !errors.Is(err, scheduler.ErrNoOverride) {
			t.Errorf("ending one that is not there = %v, want ErrNoOverride", err)
		}
		if list, err := b.Overrides(t.Context(), ended.Until.Add(time.Microsecond)); err != nil || len(list) != 0 {
			t.Errorf("overrides that end later = %+v, %v; want none", list, err)
		}
	})
}

func TestPersonsRunSupersedesEvenALaterOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		coming := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		b.tick(time.Time{}, t0, coming)
		manual := newRun("dev-01", plan.Stop, t0.Add(time.Minute))
		manual.Schedule, manual.Trigger = "", scheduler.TriggerManual
		res, err := b.Insist(t.Context(), manual)
		if err != nil || len(res.Written) != 1 || len(res.Superseded) != 1 || res.Superseded[0].ID != coming.ID {
			t.Fatalf("Insist = %+v, %v; want the start superseded", res, err)
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
		if res := b.tick(t0, t0.Add(10*time.Minute), stop); len(res.Superseded) != 1 || len(res.Written) != 1 || res.Written[0].State != scheduler.Queued {
			t.Fatalf("tick = %+v, want the stop to supersede the early start", res)
		}
		if r := b.run(early.ID); !r.CalledOff.Equal(t0.Add(time.Hour)) || !r.FireAt.Equal(early.DueAt) {
			t.Errorf("the early start is %+v, want its fire kept as called off", r)
		}
		again := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		if res := b.tick(t0.Add(10*time.Minute), t0.Add(time.Hour), again); len(res.Written) != 1 || res.Written[0].State != scheduler.Queued {
			t.Errorf("tick at the fire = %+v, want the start written", res)
		}
	})
}

func TestEarlyStartIsItsFire(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		early := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		early.DueAt = t0.Add(time.Microsecond)
		b.tick(time.Time{}, t0, early)
		if res := b.tick(t0, t0.Add(time.Hour), newRun("dev-01", plan.Start, t0.Add(time.Hour))); len(res.Written) != 0 {
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
			res, err := b.Enforce(t.Context(), r, at.Add(-30*time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			return len(res.Written)
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
		if err := b.SaveRun(t.Context(), r); err != nil {
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

func TestCancelEndsAnUnfinishedRunOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		got, err := b.Cancel(t.Context(), r.ID, t0.Add(time.Minute), "canceled by a person")
		if err != nil || got.State != scheduler.Canceled || got.FinishedAt.IsZero() || got.Message != "canceled by a person" {
			t.Errorf("Cancel = %+v, %v", got, err)
		}
		if _, err := b.Cancel(t.Context(), r.ID, t0, ""); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("again = %v, want ErrFinished", err)
		}
		if _, err := b.Cancel(t.Context(), "nobody", t0, ""); !errors.Is(err, scheduler.ErrNoRun) {
			t.Errorf("of nothing = %v, want ErrNoRun", err)
		}
	})
}

func TestApprovalOfOneRunLetsItsFireGo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var held []scheduler.Run
		for i := range 3 {
			r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
			r.Waiting = scheduler.WaitApproval
			held = append(held, r)
		}
		b.tick(time.Time{}, t0, held...)
		if g := b.reserve(newStart(b, "dev-09"), t0); g.Call == nil {
			t.Errorf("a start while stops wait for an approval = %+v, want a call", g)
		}
		runs, err := b.Approve(t.Context(), held[1].ID, t0.Add(time.Hour))
		if err != nil || len(runs) != 3 {
			t.Fatalf("Approve = %d runs, %v; want the 3 of the fire", len(runs), err)
		}
		for _, r := range held {
			if got := b.run(r.ID); got.Waiting != "" || got.Generation != 2 {
				t.Errorf("%s waits for %q in generation %d, want nothing, 2", r.Environment, got.Waiting, got.Generation)
			}
		}
		if _, err := b.Approve(t.Context(), held[0].ID, t0); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("again = %v, want ErrFinished", err)
		}
		b.workUntil(scheduler.Ticket{Run: held[0].ID, Generation: 2}, scheduler.Ticket{Run: held[2].ID, Generation: 2})
	})
}

func TestApprovalByARunThatDoesNotWaitLetsNothingGo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		held := []scheduler.Run{newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0)}
		for i := range held {
			held[i].Waiting = scheduler.WaitApproval
		}
		b.tick(time.Time{}, t0, held...)
		if _, err := b.Cancel(t.Context(), held[0].ID, t0, "by a person"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Approve(t.Context(), held[0].ID, t0); !errors.Is(err, scheduler.ErrFinished) {
			t.Errorf("Approve of a canceled run = %v, want ErrFinished", err)
		}
		if got := b.run(held[1].ID); got.Waiting != scheduler.WaitApproval {
			t.Errorf("the other run of the fire waits for %q, want an approval still", got.Waiting)
		}
	})
}

// newStart writes a run of its own beside those of a test.
func newStart(b *bench, env string) scheduler.Run {
	b.t.Helper()
	r := newRun(env, plan.Start, t0)
	if _, err := b.Insist(b.t.Context(), r); err != nil {
		b.t.Fatal(err)
	}
	return r
}

func TestStartTimesAreThoseOfTheLastVerifiedStarts(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		from := time.Time{}
		for i := range 4 {
			at := t0.Add(time.Duration(i) * time.Hour)
			r := newRun("dev-01", plan.Start, at)
			b.tick(from, at, r)
			from = at
			r = b.run(r.ID)
			r.State, r.FinishedAt = scheduler.Succeeded, at.Add(10*time.Minute)
			if i > 0 { // the first was up already: no call, nothing to learn
				r.AcceptedAt = at.Add(time.Duration(i) * time.Minute)
			}
			if err := b.SaveRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.StartTimes(t.Context(), []string{"dev-01", "dev-02"}, 2)
		want := []time.Duration{7 * time.Minute, 8 * time.Minute}
		if err != nil || !slices.Equal(got["dev-01"], want) || got["dev-02"] != nil {
			t.Errorf("StartTimes = %v, %v; want %v of dev-01", got, err, want)
		}
	})
}

func TestRunsSinceAreInTheOrderInWhichTheyWereDue(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		old, missed := newRun("dev-01", plan.Stop, t0.Add(-time.Microsecond)), newRun("dev-01", plan.Stop, t0)
		missed.State, missed.FinishedAt = scheduler.Missed, t0
		early := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		early.DueAt = t0.Add(time.Microsecond)
		b.tick(time.Time{}, t0, old, missed, early, newRun("dev-02", plan.Stop, t0), newRun("dev-03", plan.Stop, t0))
		manual := newRun("dev-01", plan.Stop, t0.Add(time.Minute))
		manual.Schedule = ""
		if _, err := b.Insist(t.Context(), manual); err != nil {
			t.Fatal(err)
		}
		got, err := b.RunsSince(t.Context(), []string{"dev-01", "dev-02", "dev-04"}, t0)
		if err != nil || len(got) != 2 || len(got["dev-02"]) != 1 {
			t.Fatalf("RunsSince = %+v, %v; want those of dev-01 and dev-02", got, err)
		}
		if runs := got["dev-01"]; len(runs) != 2 || runs[0].ID != early.ID || runs[1].ID != manual.ID {
			t.Errorf("runs of dev-01 = %+v, want the early start, then the stop", runs)
		}
	})
}

func TestHistoryIsPrunedInBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var old []scheduler.Run
		for i := range 501 {
			r := newRun(fmt.Sprintf("dev-%03d", i), plan.Stop, t0)
			r.State, r.FinishedAt = scheduler.Missed, t0
			old = append(old, r)
		}
		open, recent := newRun("open", plan.Stop, t0), newRun("recent", plan.Stop, t0)
		recent.State, recent.FinishedAt = scheduler.Missed, t0.Add(2*time.Hour)
		b.tick(time.Time{}, t0, append(old, open, recent)...)
		b.settle(b.reserve(open, t0).Call, scheduler.OutcomeAccepted, t0)
		var steps []int
		for {
			n, err := b.PruneHistory(t.Context(), t0.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			steps = append(steps, n)
		}
		if !slices.Equal(steps, []int{500, 1}) {
			t.Errorf("removed %v, want batches of 500 and 1", steps)
		}
		left := b.runs(t, scheduler.RunFilter{})
		if len(left) != 2 || len(b.run(open.ID).Attempts) != 1 {
			t.Errorf("left are %+v, want the unfinished run with its call, and the recent one", left)
		}
	})
}

func TestSharedAccountIsLeftToTheProjectThatHasNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var wide []scheduler.Run
		for i := range 40 { // dearer than what follows, and free to use either account
			r := newRun(fmt.Sprintf("wide-%02d", i), plan.Stop, t0)
			r.Rank = -1
			wide = append(wide, r)
		}
		narrow := newRun("narrow-01", plan.Stop, t0)
		narrow.Project = "fabrikam"
		b.tick(time.Time{}, t0, append(wide, narrow)...)
		rivals := []scheduler.Rival{{Name: "contoso", ID: 1, Accounts: []string{"main", "second"}}, {Name: "fabrikam", ID: 2, Accounts: []string{"main"}}}
		ask := func(r scheduler.Run, project int, at time.Time) scheduler.Grant {
			t.Helper()
			r = b.run(r.ID)
			g, err := b.Reserve(t.Context(), scheduler.Reservation{
				Now: at, Kind: lcs.CallStop, Accounts: rivals[project-1].Accounts, Project: int64(project), Environment: r.Environment, Run: &r, Rivals: rivals,
			})
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		if g := ask(narrow, 2, t0); g.Call == nil {
			t.Errorf("the narrow project while 40 dearer stops wait = %+v, want a call: 60 fit in", g)
		}
		for i, r := range wide {
			g := ask(r, 1, t0)
			want := "second"
			if i >= 30 {
				want = "main"
			}
			if g.Call == nil || g.Call.Account != want {
				t.Fatalf("stop %d = %+v, want a call with %s", i, g, want)
			}
		}
	})
}

func TestACallLeavesTheAccountThatOthersNeed(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		dear := newRun("dear-01", plan.Stop, t0)
		dear.Rank = -1
		runs := []scheduler.Run{dear}
		for i := range 30 {
			r := newRun(fmt.Sprintf("cheap-%02d", i), plan.Stop, t0)
			r.Project = "northwind"
			runs = append(runs, r)
		}
		b.tick(time.Time{}, t0, runs...)
		both, main, second := []string{"second", "main"}, []string{"main"}, []string{"second"}
		r := b.run(dear.ID)
		g, err := b.Reserve(t.Context(), scheduler.Reservation{
			Now: t0, Kind: lcs.CallStop, Accounts: both, Project: 1, Environment: r.Environment, Run: &r,
			Rivals: []scheduler.Rival{{Name: "contoso", ID: 1, Accounts: both}, {Name: "idle", ID: 2, Accounts: main}, {Name: "idle-too", ID: 3, Accounts: main}, {Name: "northwind", ID: 4, Accounts: second}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if g.Call == nil || g.Call.Account != "main" {
			t.Errorf("the call is %+v, want one of main: 30 cheaper stops wait that only second can make", g.Call)
		}
	})
}

func TestReplicasTogetherKeepWithinTheQuota(t *testing.T) {
	dsn := postgresDSN(t)
	const replicas, each = 3, 30
	stores := make([]*bench, replicas)
	var opened sync.WaitGroup
	for i := range stores { // all at once, on an empty database
		opened.Go(func() {
			s, err := store.Open(t.Context(), store.Options{DSN: dsn})
			if err != nil {
				t.Error(err)
				return
			}
			stores[i] = &bench{Store: s, t: t, dsn: dsn}
		})
	}
	opened.Wait()
	if t.Failed() {
		return
	}
	var runs []scheduler.Run
	for i := range replicas * each {
		runs = append(runs, newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0))
	}
	stores[0].tick(time.Time{}, t0, runs...)
	var granted sync.Map
	var asked sync.WaitGroup
	for i, b := range stores {
		defer b.Close()
		asked.Go(func() {
			for _, r := range runs[i*each : (i+1)*each] {
				r = b.run(r.ID)
				g, err := b.Reserve(t.Context(), scheduler.Reservation{Now: t0, Kind: lcs.CallStop, Accounts: []string{"main"}, Project: 1, Environment: r.Environment, Run: &r})
				if err != nil {
					t.Error(err)
				} else if g.Call != nil {
					granted.Store(g.Call.ID, true)
				}
			}
		})
	}
	asked.Wait()
	n := 0
	granted.Range(func(any, any) bool { n++; return true })
	if n != 30 {
		t.Errorf("%d replicas were granted %d calls together, want 30", replicas, n)
	}
}

func TestTwoReplicasWriteOneTick(t *testing.T) {
	dsn := postgresDSN(t)
	a, b := newBench(t, dsn), newBench(t, dsn)
	var done sync.WaitGroup
	won := make([]error, 2)
	for i, s := range []*bench{a, b} {
		done.Go(func() {
			_, won[i] = s.CommitTick(t.Context(), scheduler.Cursor{}, t0, []scheduler.Run{newRun("dev-01", plan.Stop, t0)})
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

func TestSinceSelectsByTheFireEvenOfRunsWrittenBeforeIt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		now := time.Now().UTC().Truncate(time.Microsecond) // ids are made by the clock
		early, late := newRun("dev-01", plan.Start, now.Add(24*time.Hour)), newRun("dev-02", plan.Start, now.Add(-time.Hour))
		b.tick(time.Time{}, now, early, late)
		for _, tt := range []struct {
			since time.Time
			want  string
		}{
			{now.Add(-2 * time.Hour), "dev-02 dev-01"},
			{now, "dev-01"},
			{now.Add(24 * time.Hour), "dev-01"},
			{now.Add(25 * time.Hour), ""},
		} {
			var got []string
			for _, r := range b.runs(t, scheduler.RunFilter{Since: tt.since}) {
				got = append(got, r.Environment)
			}
			slices.Sort(got)
			slices.Reverse(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("since %v: %v, want %s", tt.since.Sub(now), got, tt.want)
			}
		}
	})
}
