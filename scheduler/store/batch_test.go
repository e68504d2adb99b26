package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// stops writes the stops of n environments of a project, the first of which goes first.
func (b *bench) stops(project string, n int, rank float64) []scheduler.Run {
	b.t.Helper()
	runs := make([]scheduler.Run, n)
	for i := range runs {
		runs[i] = newRun(fmt.Sprintf("%s-%03d", project, i), plan.Stop, t0)
		runs[i].Project, runs[i].Rank = project, rank+float64(i)/1000
	}
	last, err := b.Runs.Cursor(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Runs.CommitTick(b.t.Context(), last, t0, runs, nil); err != nil {
		b.t.Fatal(err)
	}
	return runs
}

// reservation asks for the calls of all runs of a project's pass.
func (b *bench) reservation(project string, accounts ...string) scheduler.Reservation {
	b.t.Helper()
	ticket := b.pass(project)
	c := scheduler.Contender{Name: project, ID: projectID(project), Accounts: accounts}
	return scheduler.Reservation{Ticket: ticket, Now: t0, Kind: lcs.CallStop, Project: c, Contenders: []scheduler.Contender{c}, Requests: requests(b.claim(ticket).Runs)}
}

func (b *bench) reserveAll(r scheduler.Reservation) scheduler.Reserved {
	b.t.Helper()
	res, err := b.Ledger.Reserve(b.t.Context(), r)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func TestCallsOfABatchAreWrittenWithTheirRunsInTheirOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		runs := b.stops("contoso", 150, 0)
		ask := b.reservation("contoso", "a", "b", "c", "d", "e")
		ask.Requests[3].Unseen = true
		ask.Requests[4].Run.StartedAt = t0.Add(-time.Minute)
		res := b.reserveAll(ask)
		if len(res.Calls) != 150 || len(res.Waits) != 0 {
			t.Fatalf("%d calls and %d waits, want 150 and none", len(res.Calls), len(res.Waits))
		}
		used := map[string]int{}
		for i, c := range res.Calls {
			kept := b.run(c.Run.ID)
			if c.Run.ID != runs[i].ID || c.Call.Run != c.Run.ID || c.Call.Environment != c.Run.Environment || c.Call.Project != 1 || c.Call.Outcome != scheduler.OutcomePending || c.Call.Kind != lcs.CallStop {
				t.Fatalf("call %d = %+v, want that of %s", i, c, runs[i].Environment)
			}
			if kept.State != scheduler.Running || kept.Waiting != scheduler.WaitTurn || kept.Tries != 1 || len(kept.Attempts) != 1 || kept.Attempts[0].Account != c.Call.Account ||
				c.Run.State != kept.State || c.Run.Waiting != kept.Waiting || c.Run.Tries != kept.Tries {
				t.Fatalf("run %d = %+v and was returned as %+v, want it running with its attempt", i, kept, c.Run)
			}
			if kept.Attempts[0].Unseen != (i == 3) || kept.StartedAt.IsZero() != (i != 4) {
				t.Errorf("run %d = %+v, want what was asked for", i, kept)
			}
			used[c.Call.Account]++
		}
		for account, n := range used {
			if n != 30 {
				t.Errorf("%d calls of %s, want 30 of each account", n, account)
			}
		}
	})
}

func TestRequestsThatMustWaitAreReturnedWithTheirWaits(t *testing.T) {
	span := 30*time.Minute + time.Second
	onBoth(t, func(t *testing.T, b *bench) {
		for _, tt := range []struct {
			project  string
			accounts []string
			runs     int
			exact    int // waits that are computed
		}{
			{"contoso", []string{"main"}, 200, 170},
			{"fabrikam", []string{"second", "third"}, 200, 30},
		} {
			runs := b.stops(tt.project, tt.runs, 0)
			res := b.reserveAll(b.reservation(tt.project, tt.accounts...))
			now := 30 * len(tt.accounts)
			if len(res.Calls) != now || len(res.Waits) != tt.runs-now {
				t.Fatalf("%d calls and %d waits, want %d and %d", len(res.Calls), len(res.Waits), now, tt.runs-now)
			}
			// A call in flight counts for two minutes more.
			for i, r := range runs[now:] {
				want := scheduler.Wait{
					Until: t0.Add(2*time.Minute + span + time.Duration(i/now)*span), Reason: scheduler.WaitQuota, QuotaOnly: true,
					Detail: fmt.Sprintf("LCS allows 30 stop calls of an account in 30 minutes; %d runs go before this one", i),
				}
				if i >= tt.exact {
					want.Until = t0.Add(2*time.Minute + span)
				}
				if got := res.Waits[r.ID]; got != want {
					t.Fatalf("wait %d = %+v, want %+v", i, got, want)
				}
			}
		}
	})
}

func TestRequestThatIsNotReadyKeepsItsPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		runs := b.stops("contoso", 33, 0)
		ask := b.reservation("contoso", "main")
		for _, i := range []int{0, 7, 32} {
			ask.Requests[i].Ready = false
		}
		res := b.reserveAll(ask)
		var waits []string
		for i, r := range runs {
			if w, ok := res.Waits[r.ID]; ok {
				waits = append(waits, fmt.Sprint(i, " after ", w.Detail[strings.Index(w.Detail, "; ")+2:]))
			}
		}
		want := []string{"30 after 2 runs go before this one", "31 after 3 runs go before this one", "32 after 4 runs go before this one"}
		if len(res.Calls) != 28 || !slices.Equal(waits, want) {
			t.Errorf("%d calls, waits %v; want 28 calls, for two keep their places, and %v", len(res.Calls), waits, want)
		}
	})
}

func TestBetterRankedRunsOfContendersGoFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.stops("contoso", 20, 5)
		others := b.stops("fabrikam", 25, 0)
		b.stops("northwind", 25, 9)
		ask := b.reservation("contoso", "main")
		ask.Contenders = []scheduler.Contender{{Name: "northwind", ID: 3, Accounts: []string{"main"}}, ask.Project, {Name: "fabrikam", ID: 2, Accounts: []string{"main"}}}
		if res := b.reserveAll(ask); len(res.Calls) != 5 || len(res.Waits) != 15 {
			t.Fatalf("%d calls and %d waits while 25 better ones wait, want 5 and 15", len(res.Calls), len(res.Waits))
		}
		ticket := b.pass("fabrikam")
		held := b.claim(ticket).Runs
		for i, waiting := range []scheduler.WaitReason{scheduler.WaitBusy, scheduler.WaitMetadata, scheduler.WaitQuota, scheduler.WaitApproval, scheduler.WaitAccount, scheduler.WaitVerify} {
			held[i].Waiting = waiting
		}
		held[6].NotBefore = t0.Add(time.Second)
		held[7].State = scheduler.Verifying
		if stale, err := b.Passes.Save(t.Context(), ticket, held, nil); len(stale) > 0 || err != nil {
			t.Fatal(stale, err)
		}
		if held[2].ID != others[2].ID {
			t.Fatal("the runs are not in their order")
		}
		ask.Requests = requests(b.claim(ask.Ticket).Runs)[5:]
		if res := b.reserveAll(ask); len(res.Calls) != 7 { // all of those but the one that waits for quota wait for something else
			t.Errorf("%d more calls while 18 better ones wait, want 7", len(res.Calls))
		}
	})
}

func TestHeldEnvironmentStandsInNobodysWay(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		runs := b.stops("contoso", 31, 0)
		until := t0.Add(time.Hour)
		if err := b.Holds.Hold(t.Context(), []scheduler.Hold{{Scope: scheduler.EnvironmentHold(runs[0].Environment, lcs.CallStop), Until: until, Reason: "why"}}); err != nil {
			t.Fatal(err)
		}
		res := b.reserveAll(b.reservation("contoso", "main"))
		if want := (scheduler.Wait{Until: until, Reason: scheduler.WaitThrottle, Detail: "why"}); len(res.Calls) != 30 || res.Waits[runs[0].ID] != want {
			t.Errorf("%d calls and the waits %v, want 30 and %v", len(res.Calls), res.Waits, want)
		}
	})
}

func TestEnvironmentThatWasCalledJustNowKeepsItsPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		runs := b.stops("contoso", 31, 0)
		ask := b.reservation("contoso", "main")
		first := ask
		first.Requests = ask.Requests[:1]
		b.settle(&b.reserveAll(first).Calls[0].Call, scheduler.OutcomeRefused, t0.Add(time.Second))
		ask.Now = t0.Add(time.Minute)
		ask.Requests = requests(b.claim(ask.Ticket).Runs)
		res := b.reserveAll(ask)
		want := scheduler.Wait{Until: t0.Add(5*time.Minute + 2*time.Second), Reason: scheduler.WaitQuota, QuotaOnly: true, Detail: "LCS allows one stop of an environment in 5 minutes"}
		if len(res.Calls) != 28 || res.Waits[runs[0].ID] != want {
			t.Errorf("%d calls and the wait %+v, want 28, since one was made and one keeps its place, and %+v", len(res.Calls), res.Waits[runs[0].ID], want)
		}
	})
}

func TestAllWaitForTheAccountThatIsFreeFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		runs := b.stops("contoso", 3, 0)
		err := errors.Join(
			b.Holds.Hold(t.Context(), []scheduler.Hold{{Scope: scheduler.AccountHold("main"), Until: t0.Add(2 * time.Minute), Reason: "later"}}),
			b.Holds.Hold(t.Context(), []scheduler.Hold{{Scope: scheduler.MemberHold("second", 1), Until: t0.Add(time.Minute), Reason: "sooner"}}))
		if err != nil {
			t.Fatal(err)
		}
		res := b.reserveAll(b.reservation("contoso", "main", "second"))
		for _, r := range runs {
			if want := (scheduler.Wait{Until: t0.Add(time.Minute), Reason: scheduler.WaitAccount, Detail: "sooner"}); res.Waits[r.ID] != want || len(res.Calls) > 0 {
				t.Errorf("%d calls, wait = %+v; want none and %+v", len(res.Calls), res.Waits[r.ID], want)
			}
		}
	})
}

func TestStaleRunHasNeitherCallNorWait(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		runs := b.stops("contoso", 32, 0)
		ask := b.reservation("contoso", "main")
		for _, i := range []int{3, 31} {
			if _, err := b.Runs.Cancel(t.Context(), runs[i].ID, t0, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		ask.Requests[5].Run.Generation = 7
		res := b.reserveAll(ask)
		if len(res.Calls) != 29 || len(res.Waits) != 0 {
			t.Errorf("%d calls and %d waits, want 29 and none: 3 are stale", len(res.Calls), len(res.Waits))
		}
		for _, i := range []int{3, 5, 31} {
			if got := b.run(runs[i].ID); len(got.Attempts) != 0 {
				t.Errorf("run %d = %+v, want no attempt", i, got)
			}
		}
	})
}
