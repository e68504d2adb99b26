package store_test

import (
	"errors"
	"slices"
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
		if err := b.Holds.Hold(b.t.Context(), []scheduler.Hold{{Scope: scope, Until: t0.Add(time.Hour), Reason: "why"}}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// heldUntil returns what is held at t0, by scope.
func (b *bench) heldUntil() map[string]time.Time {
	b.t.Helper()
	holds, err := b.Holds.Holds(b.t.Context(), t0)
	if err != nil {
		b.t.Fatal(err)
	}
	until := map[string]time.Time{}
	for _, h := range holds {
		until[h.Scope] = h.Until
	}
	return until
}

func TestFreeIssuesTicketsForTheProjectsThatHaveWork(t *testing.T) {
	tests := []struct {
		name    string
		project string
		state   scheduler.State
		waiting scheduler.WaitReason
		want    bool // a ticket
	}{
		{"a queued run that waits for its account", "contoso", scheduler.Queued, scheduler.WaitAccount, true},
		{"one that was called already", "contoso", scheduler.Running, scheduler.WaitAccount, true},
		{"one whose metadata cannot be read", "contoso", scheduler.Verifying, scheduler.WaitAccount, true},
		{"one of another project needs none", "fabrikam", scheduler.Queued, scheduler.WaitAccount, false},
		{"one that is at its end needs none", "contoso", scheduler.Failed, scheduler.WaitAccount, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				r.Project, r.State, r.Waiting = tt.project, tt.state, tt.waiting
				r = b.writeWaiting(r)
				b.hold(scheduler.AccountHold("main"))
				var want []scheduler.Ticket
				if tt.want {
					want = []scheduler.Ticket{{Project: "contoso", Generation: 2}}
				}
				got, err := b.Holds.Free(t.Context(), t0, []string{scheduler.AccountHold("main")}, []string{"contoso", "northwind"})
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("Free = %v, %v; want %v", got, err, want)
				}
				if now := b.run(r.ID); now.Generation != 1 || now.State != tt.state || now.Waiting != tt.waiting {
					t.Errorf("run = %s waiting for %q in generation %d, want it as it was", now.State, now.Waiting, now.Generation)
				}
				b.workUntil(want...)
			})
		})
	}
}

func TestFreeOfAProjectWithAPassReturnsItsTicket(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
		ticket := b.pass("contoso")
		b.hold(scheduler.AccountHold("main"))
		got, err := b.Holds.Free(t.Context(), t0, []string{scheduler.AccountHold("main")}, []string{"contoso"})
		if err != nil || !slices.Equal(got, []scheduler.Ticket{ticket}) {
			t.Errorf("Free = %v, %v; want the ticket of the pass, %v", got, err, ticket)
		}
	})
}

func TestFreeEndsTheHoldsOfItsScopesOnly(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		freed := []string{scheduler.AccountHold("main"), scheduler.MemberHold("main", 1)}
		kept := []string{scheduler.AccountHold("main2"), scheduler.MemberHold("main", 12), scheduler.VerbHold("main", lcs.CallStop)}
		b.hold(slices.Concat(freed, kept)...)
		if got, err := b.Holds.Free(t.Context(), t0, freed, []string{"contoso"}); len(got) != 0 || err != nil {
			t.Errorf("Free = %v, %v; want no ticket", got, err)
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
			t.Errorf("a start of the freed account = %+v, want a call", g)
		}
	})
}

func TestFreeDoesNothingWhereNoneOfTheScopesIsHeld(t *testing.T) {
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
				if got, err := b.Holds.Free(t.Context(), tt.now, tt.scopes, []string{"contoso"}); len(got) != 0 || err != nil {
					t.Errorf("Free = %v, %v; want nothing done", got, err)
				}
				if got := b.wake("contoso"); got[0].Generation != 2 {
					t.Errorf("the next ticket is %v, want the second", got)
				}
				if held := b.heldUntil(); len(held) != len(tt.held) {
					t.Errorf("held are %v, want %v", held, tt.held)
				}
			})
		})
	}
}

func TestOfFreesAtOnceOneDoesTheWork(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		replicas := b.replicas()
		projects := []string{"contoso", "fabrikam", "northwind"}
		for _, project := range projects {
			r := newRun("dev-of-"+project, plan.Stop, t0)
			r.Project, r.Waiting = project, scheduler.WaitAccount
			b.writeWaiting(r)
		}
		scopes := []string{scheduler.AccountHold("main"), scheduler.MemberHold("main", 1)}
		b.hold(scopes...)
		const callers = 8
		var found [callers]int
		var errs [callers]error
		var done sync.WaitGroup
		for i := range callers {
			done.Go(func() {
				var tickets []scheduler.Ticket
				tickets, errs[i] = replicas[i%2].Holds.Free(t.Context(), t0, scopes, projects)
				found[i] = len(tickets)
			})
		}
		done.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		slices.Sort(found[:])
		if want := [callers]int{callers - 1: 3}; found != want {
			t.Errorf("tickets = %v, want %v", found, want)
		}
		for _, ticket := range b.wake(projects...) {
			if ticket.Generation != 3 {
				t.Errorf("the next ticket of %s is %d, want the third", ticket.Project, ticket.Generation)
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
				if err := b.Holds.Hold(t.Context(), []scheduler.Hold{{Scope: tt.scope, Until: t0.Add(tt.until), Reason: "why"}}); err != nil {
					t.Fatal(err)
				}
				for range 2 { // as often as one likes
					if err := b.Holds.Shorten(t.Context(), t0.Add(5*time.Minute), tt.scopes); err != nil {
						t.Fatal(err)
					}
				}
				holds, err := b.Holds.Holds(t.Context(), t0.Add(-24*time.Hour))
				if want := t0.Add(tt.after); err != nil || len(holds) != 1 || !holds[0].Until.Equal(want) || holds[0].Reason != "why" {
					t.Errorf("holds = %+v, %v; want one until %v", holds, err, want)
				}
			})
		})
	}
}

func TestHoldEventsAreWrittenOncePerHold(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		main, member := scheduler.AccountHold("main"), scheduler.MemberHold("main", 1)
		down, up := scheduler.Event{Kind: scheduler.EventUnreachable, Account: "main", At: t0}, scheduler.Event{Kind: scheduler.EventReachable, Account: "main", At: t0}
		hold := func(until time.Time, scopes ...string) {
			t.Helper()
			var holds []scheduler.Hold
			for _, scope := range scopes {
				holds = append(holds, scheduler.Hold{Scope: scope, Until: until, Reason: "why"})
			}
			if err := b.Holds.Hold(t.Context(), holds, down); err != nil {
				t.Fatal(err)
			}
		}
		clear := func(scopes ...string) {
			t.Helper()
			if err := b.Holds.Clear(t.Context(), scopes, up); err != nil {
				t.Fatal(err)
			}
		}
		wants := func(step string, want ...string) {
			t.Helper()
			if got := b.events(); !slices.Equal(got, want) {
				t.Errorf("after %s the events are %v, want %v", step, got, want)
			}
		}
		clear(main)
		wants("a clear of nothing")
		hold(t0.Add(time.Minute), main, member)
		wants("the first hold", "unreachable")
		hold(t0.Add(2*time.Minute), main)
		wants("a longer hold", "unreachable")
		if _, err := b.Holds.Free(t.Context(), t0.Add(time.Second), []string{main, member}, nil); err != nil {
			t.Fatal(err)
		}
		hold(t0.Add(time.Hour), main)
		wants("a hold after one that was freed", "unreachable")
		hold(t0.Add(time.Hour), "account/second", main)
		wants("a hold of another account", "unreachable", "unreachable")
		clear(main, member)
		wants("the clear", "unreachable", "unreachable", "reachable")
		clear(main, member)
		wants("another clear", "unreachable", "unreachable", "reachable")
		if held := b.heldUntil(); len(held) != 1 || held["account/second"].IsZero() {
			t.Errorf("held are %v, want the other account alone", held)
		}
		hold(t0.Add(time.Hour), main)
		wants("the next hold", "unreachable", "unreachable", "reachable", "unreachable")
	})
}

func TestHoldsOfReplicasAtOnceMakeOneEvent(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		replicas := b.replicas()
		var errs [8]error
		var done sync.WaitGroup
		for i := range errs {
			done.Go(func() {
				errs[i] = replicas[i%2].Holds.Hold(t.Context(), []scheduler.Hold{{Scope: "account/main", Until: t0}}, scheduler.Event{Kind: scheduler.EventUnreachable, At: t0})
			})
		}
		done.Wait()
		if err := errors.Join(errs[:]...); err != nil {
			t.Fatal(err)
		}
		if got := b.events(); len(got) != 1 {
			t.Errorf("events = %v, want one", got)
		}
	})
}
