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

// A Budget is what one account may still do.
type Budget struct {
	Account string
	Taken   []time.Time // instants at which its calls of the last window counted
	Held    time.Time   // no call before this, zero when not held
}

// A Claim is calls that wait, each of which any one of Accounts may make.
type Claim struct {
	Accounts []string
	Calls    int
}

// Best picks the account for a call of own, when the calls of before go first,
// and tells when its slot is. Where several have a slot at the same instant, it is
// the one that the fewest others can use. It gives "" when there is no account.
func (l Limit) Best(now time.Time, budgets []Budget, before []Claim, own []string) (account string, at time.Time) {
	f := l.field(now, budgets, append(slices.Clip(before), Claim{own, 1}))
	for _, c := range byChoice(before) {
		for range c.Calls {
			f.take(c.Accounts)
		}
	}
	return f.take(own)
}

// Last tells when the last of the claims' calls goes, in the order that makes it
// earliest; the zero time when there is none, or no account for one of them.
func (l Limit) Last(now time.Time, budgets []Budget, claims []Claim) time.Time {
	f := l.field(now, budgets, claims)
	var last time.Time
	for _, c := range byChoice(claims) {
		for range c.Calls {
			account, at := f.take(c.Accounts)
			if account == "" {
				return time.Time{}
			}
			if at.After(last) {
				last = at
			}
		}
	}
	return last
}

// byChoice puts the claims with the fewest accounts first: the others can make way.
func byChoice(claims []Claim) []Claim {
	sorted := slices.Clone(claims)
	slices.SortStableFunc(sorted, func(a, b Claim) int { return len(a.Accounts) - len(b.Accounts) })
	return sorted
}

// AccountsFor is how many accounts make so many calls at once.
func (l Limit) AccountsFor(calls int) int { return (calls + l.Calls - 1) / l.Calls }

// A field is the free slots of several accounts, which are taken one by one.
type field struct {
	limit    Limit
	accounts map[string]*row
}

// A row is the slots of one account: those of the first window, which come again
// with each further one.
type row struct {
	slots  []time.Time
	taken  int
	wanted int // by so many claims
}

func (l Limit) field(now time.Time, budgets []Budget, claims []Claim) *field {
	f := &field{l, make(map[string]*row, len(budgets))}
	for _, b := range budgets {
		from := now
		if b.Held.After(now) {
			from = b.Held
		}
		f.accounts[b.Account] = &row{slots: l.Slots(from, b.Taken)}
	}
	for _, c := range claims {
		for _, a := range c.Accounts {
			if r := f.accounts[a]; r != nil {
				r.wanted++
			}
		}
	}
	return f
}

func (f *field) next(r *row) time.Time {
	return r.slots[r.taken%f.limit.Calls].Add(time.Duration(r.taken/f.limit.Calls) * (f.limit.Window + Guard))
}

// take takes the first slot of any of the accounts.
func (f *field) take(accounts []string) (account string, at time.Time) {
	var best *row
	for _, a := range accounts {
		r := f.accounts[a]
		if r == nil {
			continue
		}
		next := f.next(r)
		if best == nil || next.Before(at) || next.Equal(at) && r.wanted < best.wanted {
			best, account, at = r, a, next
		}
	}
	if best != nil {
		best.taken++
	}
	return account, at
}
