package store_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// An oracle is the ledger as it was when each run asked for its call by itself: it goes
// through the requests one by one, and asks package quota for each of them.
type oracle struct {
	r      scheduler.Reservation
	taken  map[string][]time.Time // by account
	made   map[string][]time.Time // by environment
	holds  map[string]time.Time
	others map[string][]scheduler.Run // by contender: what waits for nothing but its call
	stale  map[string]bool
}

func (o *oracle) unheld(c scheduler.Contender) (free []string) {
	for _, a := range c.Accounts {
		if o.holds[scheduler.AccountHold(a)].IsZero() && o.holds[scheduler.MemberHold(a, c.ID)].IsZero() {
			free = append(free, a)
		}
	}
	return free
}

// answers returns for each request "call ACCOUNT", "wait REASON UNTIL" or "".
func (o *oracle) answers() map[string]string {
	answers := map[string]string{}
	var waiting []scheduler.Request // before the present one, and without a call
	computed, last := 0, time.Time{}
	free := o.unheld(o.r.Project)
	choice := o.choice(free)
	for i, one := range o.r.Requests {
		if o.stale[one.Run.ID] {
			continue
		}
		if until := o.holds[scheduler.EnvironmentHold(one.Environment, o.r.Kind)]; !until.IsZero() {
			answers[one.Run.ID] = fmt.Sprint("wait throttled ", until)
			continue
		}
		if at := quota.PerEnvironment.Next(o.r.Now, o.made[one.Environment], 0); at.After(o.r.Now) {
			answers[one.Run.ID] = fmt.Sprint("wait quota ", at)
			waiting = append(waiting, one)
			continue
		}
		if len(free) == 0 {
			answers[one.Run.ID] = "wait account"
			waiting = append(waiting, one)
			continue
		}
		account, at := quota.PerAccount.Best(o.r.Now, o.budgets(), o.claims(one, waiting, o.r.Requests[i+1:]), free)
		switch {
		case at.After(o.r.Now):
			if computed++; choice && computed > 30 {
				at = last
			}
			last = at
			answers[one.Run.ID] = fmt.Sprint("wait quota ", at)
			waiting = append(waiting, one)
		case !one.Ready:
			waiting = append(waiting, one)
		default:
			answers[one.Run.ID] = "call " + account
			o.taken[account] = append(o.taken[account], o.r.Now.Add(2*time.Minute))
		}
	}
	return answers
}

// choice reports whether some call could be made by more than the project's one account.
func (o *oracle) choice(free []string) bool {
	choice := len(free) > 1
	for _, c := range o.r.Contenders {
		if own := o.unheld(c); len(own) > 0 && len(o.others[c.Name]) > 0 && !slices.Equal(own, free) {
			choice = true
		}
	}
	return choice
}

func (o *oracle) budgets() (budgets []quota.Budget) {
	accounts := map[string]bool{}
	for _, c := range o.r.Contenders {
		for _, a := range o.unheld(c) {
			accounts[a] = true
		}
	}
	for _, a := range slices.Sorted(maps.Keys(accounts)) {
		budgets = append(budgets, quota.Budget{Account: a, Taken: o.taken[a], Held: o.holds[scheduler.VerbHold(a, o.r.Kind)]})
	}
	return budgets
}

func (o *oracle) claims(one scheduler.Request, before, after []scheduler.Request) (claims []quota.Demand) {
	for _, c := range o.r.Contenders {
		free := o.unheld(c)
		if len(free) == 0 {
			continue
		}
		claim := quota.Demand{Accounts: free}
		if c.Name == o.r.Project.Name {
			claim.Calls = len(before)
			for _, next := range after {
				if !o.stale[next.Run.ID] && o.holds[scheduler.EnvironmentHold(next.Environment, o.r.Kind)].IsZero() {
					claim.Behind++
				}
			}
		}
		for _, r := range o.others[c.Name] {
			if r.Rank < one.Run.Rank || r.Rank == one.Run.Rank && r.ID < one.Run.ID {
				claim.Calls++
			} else {
				claim.Behind++
			}
		}
		claims = append(claims, claim)
	}
	return claims
}

// TestReserveAnswersABatchAsOneByOne draws projects that share accounts, with calls
// made, holds and stale runs, and compares what one of them is granted with what the
// oracle says.
func TestReserveAnswersABatchAsOneByOne(t *testing.T) {
	b := newBench(t, filepath.Join(t.TempDir(), "curfew.db"))
	accounts := []string{"a", "b", "c"}
	last, serial := time.Time{}, 0
	rapid.Check(t, func(r *rapid.T) {
		serial++
		at := t0.Add(time.Duration(serial) * 24 * time.Hour) // what came before counts no more
		o := &oracle{
			taken: map[string][]time.Time{}, made: map[string][]time.Time{}, holds: map[string]time.Time{}, others: map[string][]scheduler.Run{}, stale: map[string]bool{},
			r: scheduler.Reservation{Now: at, Kind: lcs.CallStop},
		}
		var runs []scheduler.Run
		for i := range rapid.IntRange(1, 6).Draw(r, "projects") {
			c := scheduler.Contender{Name: fmt.Sprintf("p%d-%d", serial, i), ID: int64(10*serial + i), Accounts: rapid.Permutation(accounts).Draw(r, "accounts")[:rapid.IntRange(1, 3).Draw(r, "of")]}
			o.r.Contenders = append(o.r.Contenders, c)
			for n := range rapid.SampledFrom([]int{0, 1, 3, 30}).Draw(r, "runs") {
				run := newRun(fmt.Sprintf("%s-%03d", c.Name, n), plan.Stop, at)
				run.Project, run.Rank = c.Name, float64(rapid.IntRange(0, 5).Draw(r, "rank"))
				runs = append(runs, run)
				if i > 0 {
					o.others[c.Name] = append(o.others[c.Name], run)
				}
			}
		}
		o.r.Project = o.r.Contenders[0]
		o.r.Contenders = rapid.Permutation(o.r.Contenders).Draw(r, "contenders")
		b.tick(last, at, runs...)
		last = at
		if !slices.ContainsFunc(runs, func(run scheduler.Run) bool { return run.Project == o.r.Project.Name }) {
			return
		}
		o.draw(r, b, accounts)
		want := o.answers()
		res := b.reserveAll(o.r)
		got := map[string]string{}
		for _, c := range res.Calls {
			got[c.Run.ID] = "call " + c.Call.Account
		}
		for id, w := range res.Waits {
			if got[id] = fmt.Sprint("wait ", w.Reason, " ", w.Until); w.Reason == scheduler.WaitAccount {
				got[id] = "wait account"
			}
		}
		for i, one := range o.r.Requests {
			if got[one.Run.ID] != want[one.Run.ID] {
				r.Errorf("request %d of rank %v, ready %v, is answered %q, want %q", i, one.Run.Rank, one.Ready, got[one.Run.ID], want[one.Run.ID])
			}
		}
		if err := b.Prune(t.Context(), at.Add(24*time.Hour)); err != nil { // the holds
			t.Fatal(err)
		}
	})
}

// draw has the project's pass with its requests, and writes calls and holds.
func (o *oracle) draw(r *rapid.T, b *bench, accounts []string) {
	o.r.Ticket = b.pass(o.r.Project.Name)
	for _, run := range b.claim(o.r.Ticket).Runs {
		one := scheduler.Request{Run: run, Environment: run.Environment, Ready: rapid.IntRange(0, 5).Draw(r, "ready") > 0}
		if rapid.IntRange(0, 9).Draw(r, "stale") == 0 {
			one.Run.Generation++
			o.stale[run.ID] = true
		}
		o.r.Requests = append(o.r.Requests, one)
	}
	for _, a := range accounts {
		for range rapid.SampledFrom([]int{0, 0, 5, 20, 29, 33}).Draw(r, "calls") {
			done := o.r.Now.Add(-time.Duration(rapid.IntRange(0, 40*60).Draw(r, "seconds ago")) * time.Second)
			c := scheduler.Call{Kind: lcs.CallStop, Account: a, At: done.Add(-time.Second), Done: done, Outcome: scheduler.OutcomeAccepted, Project: o.r.Project.ID}
			if rapid.IntRange(0, 5).Draw(r, "on one of them") == 0 {
				c.Environment = rapid.SampledFrom(o.r.Requests).Draw(r, "environment").Environment
				o.made[c.Environment] = append(o.made[c.Environment], done)
			}
			if err := b.AddCall(b.t.Context(), c); err != nil {
				r.Fatal(err)
			}
			o.taken[a] = append(o.taken[a], done)
		}
		for _, scope := range []string{scheduler.AccountHold(a), scheduler.MemberHold(a, o.r.Project.ID), scheduler.VerbHold(a, lcs.CallStop)} {
			o.hold(r, b, scope)
		}
	}
	o.hold(r, b, scheduler.EnvironmentHold(o.r.Requests[0].Environment, lcs.CallStop))
}

func (o *oracle) hold(r *rapid.T, b *bench, scope string) {
	if rapid.IntRange(0, 14).Draw(r, "held") > 0 {
		return
	}
	until := o.r.Now.Add(time.Duration(rapid.IntRange(1, 3600).Draw(r, "seconds")) * time.Second)
	if err := b.Holds.Hold(b.t.Context(), []scheduler.Hold{{Scope: scope, Until: until}}); err != nil {
		r.Fatal(err)
	}
	o.holds[scope] = until
}
