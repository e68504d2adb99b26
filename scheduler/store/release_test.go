package store_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// hold holds scopes for an hour from t0.
func (b *bench) hold(scopes ...string) {
	b.t.Helper()
	for _, scope := range scopes {
		if err := b.Hold(b.t.Context(), scheduler.Hold{Scope: scope, Until: t0.Add(time.Hour), Reason: "why"}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// heldUntil gives what is held at t0, by scope.
func (b *bench) heldUntil() map[string]time.Time {
	b.t.Helper()
	holds, err := b.Holds(b.t.Context(), t0)
	if err != nil {
		b.t.Fatal(err)
	}
	until := map[string]time.Time{}
	for _, h := range holds {
		until[h.Scope] = h.Until
	}
	return until
}

// writeWaiting writes a run that waits as r says.
func (b *bench) writeWaiting(r scheduler.Run) scheduler.Run {
	b.t.Helper()
	if _, err := b.Insist(b.t.Context(), r); err != nil {
		b.t.Fatal(err)
	}
	return b.run(r.ID)
}

func TestReleaseHasTheRunsThatWaitForAnAccountLookedAtAtOnce(t *testing.T) {
	tests := []struct {
		name    string
		project string
		state   scheduler.State
		waiting scheduler.WaitReason
		want    int64 // generation
	}{
		{"a queued run that waits for its account", "contoso", scheduler.Queued, scheduler.WaitAccount, 2},
		{"one that was called already", "contoso", scheduler.Running, scheduler.WaitAccount, 2},
		{"one whose metadata cannot be read", "contoso", scheduler.Verifying, scheduler.WaitAccount, 2},
		{"one that waits for something else stays as it is", "contoso", scheduler.Queued, scheduler.WaitQuota, 1},
		{"one that waits for nothing stays as it is", "contoso", scheduler.Queued, "", 1},
		{"one of another project stays as it is", "fabrikam", scheduler.Queued, scheduler.WaitAccount, 1},
		{"one that is at its end stays as it is", "contoso", scheduler.Failed, scheduler.WaitAccount, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				r.Project, r.State, r.Waiting = tt.project, tt.state, tt.waiting
				r = b.writeWaiting(r)
				b.hold(scheduler.AccountHold("main"))
				n, err := b.Release(t.Context(), t0, []string{scheduler.AccountHold("main")}, []string{"contoso", "northwind"})
				if err != nil || n != int(tt.want-1) {
					t.Errorf("Release = %d, %v; want %d", n, err, tt.want-1)
				}
				got := b.run(r.ID)
				if got.Generation != tt.want || got.State != tt.state || got.Waiting != tt.waiting {
					t.Errorf("run = %s waiting for %q in generation %d, want only the generation changed, to %d", got.State, got.Waiting, got.Generation, tt.want)
				}
				if tt.want == 1 {
					return
				}
				if err := b.SaveRun(t.Context(), r); !errors.Is(err, scheduler.ErrStale) {
					t.Errorf("what a step of the old ticket writes = %v, want ErrStale", err)
				}
				b.workUntil(scheduler.Ticket{Run: r.ID, Generation: 2})
			})
		})
	}
}

func TestReleaseEndsTheHoldsOfItsScopesOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		released := []string{scheduler.AccountHold("main"), scheduler.MemberHold("main", 1)}
		kept := []string{scheduler.AccountHold("main2"), scheduler.MemberHold("main", 12), scheduler.VerbHold("main", lcs.CallStop)}
		b.hold(slices.Concat(released, kept)...)
		if n, err := b.Release(t.Context(), t0, released, []string{"contoso"}); n != 0 || err != nil {
			t.Errorf("Release = %d, %v; want no run", n, err)
		}
		held := b.heldUntil()
		for _, scope := range kept {
			if !held[scope].Equal(t0.Add(time.Hour)) {
				t.Errorf("%s is held until %v, want it held as before", scope, held[scope])
			}
		}
		if len(held) != len(kept) {
			t.Errorf("held are %v, want %v", held, kept)
		}
		if g := b.reserve(newStart(b, "dev-01"), t0); g.Call == nil {
			t.Errorf("a start of the released account = %+v, want a call", g)
		}
	})
}

func TestReleaseDoesNothingWhereNoneOfTheScopesIsHeld(t *testing.T) {
	main := []string{scheduler.AccountHold("main")}
	tests := []struct {
		name   string
		held   []string
		now    time.Time
		scopes []string
	}{
		{"nothing is held", nil, t0, main},
		{"another account is held", []string{scheduler.AccountHold("second")}, t0, main},
		{"the hold has ended already", main, t0.Add(time.Hour), main},
		{"no scope is named", main, t0, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				r.Waiting = scheduler.WaitAccount
				b.writeWaiting(r)
				b.hold(tt.held...)
				if n, err := b.Release(t.Context(), tt.now, tt.scopes, []string{"contoso"}); n != 0 || err != nil {
					t.Errorf("Release = %d, %v; want nothing done", n, err)
				}
				if got := b.run(r.ID); got.Generation != 1 {
					t.Errorf("generation = %d, want 1", got.Generation)
				}
				if held := b.heldUntil(); len(held) != len(tt.held) {
					t.Errorf("held are %v, want %v", held, tt.held)
				}
			})
		})
	}
}

func TestOfReleasesAtOnceOneDoesTheWork(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		replicas := b.replicas()
		var runs []scheduler.Run
		for _, env := range []string{"dev-01", "dev-02", "dev-03"} {
			r := newRun(env, plan.Stop, t0)
			r.Waiting = scheduler.WaitAccount
			runs = append(runs, b.writeWaiting(r))
		}
		scopes := []string{scheduler.AccountHold("main"), scheduler.MemberHold("main", 1)}
		b.hold(scopes...)
		const callers = 8
		var found [callers]int
		var errs [callers]error
		var done sync.WaitGroup
		for i := range callers {
			done.Go(func() {
				found[i], errs[i] = replicas[i%2].Release(t.Context(), t0, scopes, []string{"contoso"})
			})
		}
		done.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		slices.Sort(found[:])
		if want := [callers]int{callers - 1: 3}; found != want {
			t.Errorf("runs found = %v, want %v", found, want)
		}
		for _, r := range runs {
			if got := b.run(r.ID); got.Generation != 2 {
				t.Errorf("%s is in generation %d, want 2", got.Environment, got.Generation)
			}
		}
	})
}

func TestShortenedHoldEndsAtAnInstantAtTheLatest(t *testing.T) {
	tests := []struct {
		name         string
		scope        string
		scopes       []string
		until, after time.Duration // from t0
	}{
		{"a long hold ends then", "account/main", []string{"account/main"}, time.Hour, 5 * time.Minute},
		{"a shorter one stays as it is", "account/main", []string{"account/main"}, time.Minute, time.Minute},
		{"one that has ended stays as it is", "account/main", []string{"account/main"}, -time.Minute, -time.Minute},
		{"one of several scopes", "account/main", []string{"account/second", "account/main"}, time.Hour, 5 * time.Minute},
		{"a scope that begins alike stays as it is", "account/main/stop", []string{"account/main"}, time.Hour, time.Hour},
		{"no scopes mean no hold", "account/main", nil, time.Hour, time.Hour},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				if err := b.Hold(t.Context(), scheduler.Hold{Scope: tt.scope, Until: t0.Add(tt.until), Reason: "why"}); err != nil {
					t.Fatal(err)
				}
				for range 2 { // as often as one likes
					if err := b.ShortenHolds(t.Context(), t0.Add(5*time.Minute), tt.scopes); err != nil {
						t.Fatal(err)
					}
				}
				holds, err := b.Holds(t.Context(), t0.Add(-24*time.Hour))
				if want := t0.Add(tt.after); err != nil || len(holds) != 1 || !holds[0].Until.Equal(want) || holds[0].Reason != "why" {
					t.Errorf("holds = %+v, %v; want one until %v", holds, err, want)
				}
			})
		})
	}
}

func TestOfApprovalsAtOnceOneLetsTheFireGo(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		replicas := b.replicas()
		r := newRun("dev-01", plan.Stop, t0)
		r.Waiting = scheduler.WaitApproval
		b.writeWaiting(r)
		var errs [2]error
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() { _, errs[i] = replicas[i].Approve(t.Context(), r.ID, t0) })
		}
		done.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs[:]...), scheduler.ErrFinished) {
			t.Errorf("two approvals at once = %v, want one to be done and ErrFinished for the other", errs)
		}
		if got := b.run(r.ID); got.Generation != 2 {
			t.Errorf("generation = %d, want 2", got.Generation)
		}
	})
}

// replicas gives two that share the database, or one twice where it has one.
func (b *bench) replicas() [2]*bench {
	b.t.Helper()
	if strings.HasPrefix(b.dsn, "postgres://") {
		return [2]*bench{b, newBench(b.t, b.dsn)}
	}
	return [2]*bench{b, b}
}
