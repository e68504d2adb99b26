// Package quota computes when the next LCS call may go. It is pure: the ledger of
// calls already made, the limits and the present instant are its arguments.
//
// Where several accounts may make a call, the choice is a bipartite matching of calls
// to slots of accounts; flow.go finds it as a maximum flow, by augmenting paths.
//
// The limits are those of Microsoft's pages "Start and stop environments" and
// "Environment metadata" of the Lifecycle Services API reference. LCS does not
// say whether its windows slide; a sliding window is the stricter reading of a
// fixed one only on average, so a guard is added to every window.
package quota

import (
	"slices"
	"time"

	"curfew/lcs"
)

// A Limit allows Calls calls in any stretch of Window.
type Limit struct {
	Calls  int
	Window time.Duration
}

// Guard is added to every window, for the clocks of LCS and of this machine.
const Guard = time.Second

// The documented limits of LCS.
var (
	PerAccount     = Limit(lcs.OperationsPerAccount)     // start, and stop, per account
	PerEnvironment = Limit(lcs.OperationsPerEnvironment) // start, and stop, per environment
	Metadata       = Limit(lcs.MetadataPerProject)       // metadata, per project
)

// Slots returns the instants at which the next l.Calls calls may go, sorted, when
// calls were made (or counted by LCS) at taken. No instant is before now. Call
// number n from now on (0-based) may go at Slots[n%l.Calls] plus n/l.Calls windows.
func (l Limit) Slots(now time.Time, taken []time.Time) []time.Time {
	slots := make([]time.Time, 0, l.Calls)
	for _, t := range taken {
		if free := t.Add(l.Window + Guard); free.After(now) {
			slots = append(slots, free)
		}
	}
	slices.SortFunc(slots, time.Time.Compare)
	if over := len(slots) - l.Calls; over > 0 {
		slots = slots[over:] // more calls than allowed were counted: only the latest free a slot
	}
	free := make([]time.Time, l.Calls-len(slots), l.Calls)
	for i := range free {
		free[i] = now
	}
	return append(free, slots...)
}

// Next returns the instant at which a call may go when ahead others go before it.
func (l Limit) Next(now time.Time, taken []time.Time, ahead int) time.Time {
	slots := l.Slots(now, taken)
	return slots[ahead%l.Calls].Add(time.Duration(ahead/l.Calls) * (l.Window + Guard))
}

// A Budget is what one account may still do.
type Budget struct {
	Account string
	Taken   []time.Time // instants at which its calls of the last window counted
	Held    time.Time   // no call before this, zero when not held
}

// A Demand is calls that somebody wants to make, each of which any one of Accounts
// may make.
type Demand struct {
	At       time.Time // of the fire; for Forecasts
	Until    time.Time // those that still wait then are canceled; zero for never; for forecasts
	Accounts []string
	Calls    int
	Behind   int // further calls that wait, but yield to the one that Best is asked about
}

// Best returns the account for a call that one of own may make, when the Calls of the
// demands go first, and the instant of its slot: as early as leaves theirs as early as
// they can be. Of several accounts it takes the one that leaves most to all others
// that wait: as many as can go by then, and the last of them as early as can be. Of
// accounts that are alike in that it is the one that the fewest demands could use. The
// account is "" when there is none.
func (l Limit) Best(now time.Time, budgets []Budget, demands []Demand, own []string) (account string, at time.Time) {
	t := l.timetable(now, budgets)
	mine := t.accounts(own)
	if len(mine) == 0 {
		return "", time.Time{}
	}
	first, all := t.tallies(demands)
	slot := t.earliest(first.total+1, func(at time.Duration) bool {
		f, _ := t.flow(first, at)
		return len(f.open(mine)) > 0
	})
	best := mine[0]
	if len(mine) > 1 {
		f, _ := t.flow(first, slot)
		choice, wanted := t.choose(all, slot, f.open(mine)), t.wanted(demands)
		best = slices.MinFunc(choice, func(a, b int) int { return wanted[a] - wanted[b] })
	}
	return budgets[best].Account, now.Add(slot)
}

// choose narrows the accounts for one call more, at an instant, to those that leave
// most to the calls that wait.
func (t *timetable) choose(all tally, at time.Duration, choice []int) []int {
	f, left := t.flow(all, at)
	if open := f.open(choice); len(open) > 0 {
		choice = open
		if left == 0 {
			return choice // all go
		}
	}
	if len(choice) < 2 {
		return choice
	}
	last := t.earliest(all.total+1, func(at time.Duration) bool {
		f, left := t.flow(all, at)
		return left == 0 && len(f.open(choice)) > 0
	})
	f, _ = t.flow(all, last)
	return f.open(choice)
}

// wanted counts by account the demands that could use it.
func (t *timetable) wanted(demands []Demand) []int {
	wanted := make([]int, len(t.slots))
	for _, d := range demands {
		for _, a := range t.accounts(d.Accounts) {
			wanted[a]++
		}
	}
	return wanted
}

// AccountsFor returns how many accounts it takes to make so many calls at once.
func (l Limit) AccountsFor(calls int) int { return (calls + l.Calls - 1) / l.Calls }
