package store_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

func TestQuotaHoldsAcrossRestart(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var runs []scheduler.Run
		for i := range 32 {
			runs = append(runs, newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0))
		}
		b.tick(time.Time{}, t0, runs...)
		for i, r := range runs[:30] {
			g := b.reserve(r, t0)
			if g.Call == nil {
				t.Fatalf("call %d was not granted: %+v", i+1, g)
			}
			b.settle(g.Call, scheduler.OutcomeAccepted, t0.Add(time.Second))
		}
		b.reopen()
		free := t0.Add(time.Second + 30*time.Minute + time.Second)
		if g := b.reserve(runs[30], t0.Add(2*time.Second)); g.Call != nil || !g.Until.Equal(free) || g.Reason != scheduler.WaitQuota {
			t.Errorf("call 31 = %+v, want a wait for quota until %v", g, free)
		}
		if g := b.reserve(runs[30], free.Add(-time.Millisecond)); g.Call != nil {
			t.Error("call 31 was granted before the window had passed")
		}
		if g := b.reserve(runs[31], t0.Add(2*time.Second), "main", "second"); g.Call == nil || g.Call.Account != "second" {
			t.Errorf("call with a second account = %+v, want one of second", g)
		}
		if g := b.reserve(runs[30], free); g.Call == nil {
			t.Errorf("call 31 after the window = %+v, want a call", g)
		}
	})
}

func TestEnvironmentTakesOneCallOfAVerbInFiveMinutes(t *testing.T) {
	tests := []struct {
		name    string
		outcome scheduler.Outcome
		wait    time.Duration
	}{
		{"an accepted call counts", scheduler.OutcomeAccepted, 5*time.Minute + time.Second},
		{"a refused call counts, for LCS may count it", scheduler.OutcomeRefused, 5*time.Minute + time.Second},
		{"a call without an answer counts", scheduler.OutcomeAmbiguous, 5*time.Minute + time.Second},
		{"a throttled call does not count", scheduler.OutcomeThrottled, 0},
		{"a call that never left does not count", scheduler.OutcomeUnsent, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				b.tick(time.Time{}, t0, r)
				b.settle(b.reserve(r, t0).Call, tt.outcome, t0)
				now := t0.Add(time.Minute)
				got := b.reserve(r, now)
				if tt.wait == 0 && got.Call == nil {
					t.Errorf("next call = %+v, want it granted", got)
				}
				if want := t0.Add(tt.wait); tt.wait > 0 && (got.Call != nil || !got.Until.Equal(want)) {
					t.Errorf("next call = %+v, want a wait until %v", got, want)
				}
			})
		})
	}
}

func TestBetterRankedRunGoesFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var runs []scheduler.Run
		for i := range 31 {
			r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
			r.Rank = float64(-i) // the last is the most expensive
			runs = append(runs, r)
		}
		b.tick(time.Time{}, t0, runs...)
		if g := b.reserve(runs[0], t0); g.Call != nil || !g.Until.After(t0) {
			t.Errorf("the cheapest of 31 = %+v, want it to wait for the 30 others", g)
		}
		if g := b.reserve(runs[1], t0); g.Call == nil {
			t.Errorf("the thirtieth of 31 = %+v, want a call", g)
		}
		busy := b.run(runs[30].ID)
		busy.Waiting = scheduler.WaitBusy
		if err := b.save(busy); err != nil {
			t.Fatal(err)
		}
		if g := b.reserve(runs[0], t0); g.Call == nil {
			t.Errorf("the cheapest while a more expensive one is busy = %+v, want a call", g)
		}
	})
}

func TestHoldsForbidCalls(t *testing.T) {
	until := t0.Add(time.Hour)
	tests := []struct {
		name, scope string
		reason      scheduler.WaitReason
	}{
		{"an account that cannot sign in", scheduler.AccountHold("main"), scheduler.WaitAccount},
		{"an account that LCS does not accept for the project", scheduler.MemberHold("main", 1), scheduler.WaitAccount},
		{"a throttled environment", scheduler.EnvironmentHold("dev-01", lcs.CallStop), scheduler.WaitThrottle},
		{"a throttled verb of an account", scheduler.VerbHold("main", lcs.CallStop), scheduler.WaitQuota},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				b.tick(time.Time{}, t0, r)
				if err := b.Holds.Hold(t.Context(), []scheduler.Hold{{Scope: tt.scope, Until: until, Reason: "why"}}); err != nil {
					t.Fatal(err)
				}
				if g := b.reserve(r, t0); g.Call != nil || !g.Until.Equal(until) || g.Reason != tt.reason {
					t.Errorf("call = %+v, want a wait for %s until %v", g, tt.reason, until)
				}
				if g := b.reserve(r, until); g.Call == nil {
					t.Errorf("call after the hold = %+v, want it granted", g)
				}
			})
		})
	}
}

func TestHoldOfOneProjectLeavesOthersAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if err := b.Holds.Hold(t.Context(), []scheduler.Hold{{Scope: scheduler.MemberHold("main", 2), Until: t0.Add(time.Hour), Reason: "no member"}}); err != nil {
			t.Fatal(err)
		}
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		if g := b.reserve(r, t0); g.Call == nil {
			t.Errorf("call in project 1 while the account is held in project 2 = %+v, want it granted", g)
		}
	})
}

func TestSharedAccountIsLeftToTheProjectThatHasNoOther(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var wide []scheduler.Run
		for i := range 40 { // more expensive than what follows, and free to use either account
			r := newRun(fmt.Sprintf("wide-%02d", i), plan.Stop, t0)
			r.Rank = -1
			wide = append(wide, r)
		}
		narrow := newRun("narrow-01", plan.Stop, t0)
		narrow.Project = "fabrikam"
		b.tick(time.Time{}, t0, append(wide, narrow)...)
		contenders := []scheduler.Contender{{Name: "contoso", ID: 1, Accounts: []string{"main", "second"}}, {Name: "fabrikam", ID: 2, Accounts: []string{"main"}}}
		ask := func(r scheduler.Run, at time.Time) grant {
			t.Helper()
			return b.reserveAmong(r, at, contenders...)
		}
		if g := ask(narrow, t0); g.Call == nil {
			t.Errorf("the narrow project while 40 more expensive stops wait = %+v, want a call: 60 fit in", g)
		}
		for i, r := range wide {
			g := ask(r, t0)
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
		expensive := newRun("expensive-01", plan.Stop, t0)
		expensive.Rank = -1
		runs := []scheduler.Run{expensive}
		for i := range 30 {
			r := newRun(fmt.Sprintf("cheap-%02d", i), plan.Stop, t0)
			r.Project = "northwind"
			runs = append(runs, r)
		}
		b.tick(time.Time{}, t0, runs...)
		both, main, second := []string{"second", "main"}, []string{"main"}, []string{"second"}
		g := b.reserveAmong(expensive, t0, scheduler.Contender{Name: "contoso", ID: 1, Accounts: both}, scheduler.Contender{Name: "idle", ID: 4, Accounts: main},
			scheduler.Contender{Name: "idle-too", ID: 5, Accounts: main}, scheduler.Contender{Name: "northwind", ID: 3, Accounts: second})
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
	names := []string{"contoso", "fabrikam", "northwind"}
	var runs []scheduler.Run
	for i := range replicas * each {
		r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
		r.Project = names[i/each]
		runs = append(runs, r)
	}
	stores[0].tick(time.Time{}, t0, runs...)
	var granted sync.Map
	var asked sync.WaitGroup
	for i, b := range stores {
		defer b.Close()
		ticket := b.pass(names[i])
		asked.Go(func() {
			for _, r := range runs[i*each : (i+1)*each] {
				res, err := b.Ledger.Reserve(t.Context(), scheduler.Reservation{
					Ticket: ticket, Now: t0, Kind: lcs.CallStop, Project: scheduler.Contender{Name: names[i], ID: int64(i), Accounts: []string{"main"}},
					Requests: []scheduler.Request{{Run: b.run(r.ID), Environment: r.Environment, Ready: true}},
				})
				if err != nil {
					t.Error(err)
				}
				for _, c := range res.Calls {
					granted.Store(c.Call.ID, true)
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
