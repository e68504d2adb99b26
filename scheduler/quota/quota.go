// Package quota says when the next LCS call may go. It is pure: the ledger of
// calls already made, the limits and the present instant are its arguments.
//
// The limits are those of Microsoft's pages "Start and stop environments" and
// "Environment metadata" of the Lifecycle Services API reference. LCS does not
// say whether its windows slide; a sliding window is the stricter reading of a
// fixed one only on average, so a guard is added to every window.
package quota

import (
	"slices"
	"time"
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
	PerAccount     = Limit{Calls: 30, Window: 30 * time.Minute} // start, and stop, per account
	PerEnvironment = Limit{Calls: 1, Window: 5 * time.Minute}   // start, and stop, per environment
	Metadata       = Limit{Calls: 6, Window: time.Minute}       // metadata, per project
)

// Slots gives the instants at which the next l.Calls calls may go, sorted, when
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

// Next gives the instant at which a call may go that has ahead others before it.
func (l Limit) Next(now time.Time, taken []time.Time, ahead int) time.Time {
	slots := l.Slots(now, taken)
	return slots[ahead%l.Calls].Add(time.Duration(ahead/l.Calls) * (l.Window + Guard))
}

// A Budget is one account's part in Best.
type Budget struct {
	Account string
	Taken   []time.Time // instants at which its calls of the last window counted
	Held    time.Time   // no call before this, zero when not held
}

// Best picks, for a call with ahead others before it, the account whose slot
// comes first, and tells when that slot is. It gives "" when there is no account.
func (l Limit) Best(now time.Time, budgets []Budget, ahead int) (account string, at time.Time) {
	type slot struct {
		at      time.Time
		account string
	}
	var slots []slot
	for _, b := range budgets {
		from := now
		if b.Held.After(now) {
			from = b.Held
		}
		for _, at := range l.Slots(from, b.Taken) {
			slots = append(slots, slot{at, b.Account})
		}
	}
	if len(slots) == 0 {
		return "", time.Time{}
	}
	slices.SortStableFunc(slots, func(a, b slot) int { return a.at.Compare(b.at) })
	s := slots[ahead%len(slots)]
	return s.account, s.at.Add(time.Duration(ahead/len(slots)) * (l.Window + Guard))
}
