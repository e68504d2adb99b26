package quota

import (
	"slices"
	"strings"
	"time"
)

// A Forecast describes calls of one fire that cannot all go at once.
type Forecast struct {
	At       time.Time
	Calls    int
	Earlier  int       // calls that come before them: made shortly before, or still waiting
	Accounts []string  // that all these share, sorted
	Last     time.Time // when the last of Calls goes, after all Earlier ones
	Needed   int       // so many accounts that all could use would make all calls at once
}

// Forecasts returns the fires that cannot be done at once, in the order of their
// instants, when accounts that have made no calls so far make those of all demands.
func (l Limit) Forecasts(demands []Demand) []Forecast {
	sorted := slices.Clone(demands)
	slices.SortStableFunc(sorted, func(a, b Demand) int { return a.At.Compare(b.At) })
	o := l.Forecaster(nil)
	var list []Forecast
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].At.Equal(sorted[0].At) {
			n++
		}
		list = append(list, o.Fire(sorted[0].At, sorted[:n])...)
		sorted = sorted[n:]
	}
	return list
}

// A Forecaster carries the calls of fires on to the fires after them: those made,
// while they count, and those that wait.
type Forecaster struct {
	limit    Limit
	now      time.Time // what could go before has gone
	budgets  []Budget
	accounts map[string]int
	sets     [][]int        // of accounts
	known    map[string]int // sets by the names of their accounts
	waiting  []wait         // those of earlier fires first
}

type wait struct {
	set, calls int
	until      time.Time
}

// Forecaster begins with what the accounts may still do; one that has no budget has
// made no calls.
func (l Limit) Forecaster(budgets []Budget) *Forecaster {
	o := &Forecaster{limit: l, budgets: slices.Clone(budgets), accounts: map[string]int{}, known: map[string]int{}}
	for i, b := range budgets {
		o.accounts[b.Account] = i
		o.budgets[i].Taken = slices.Clone(b.Taken)
	}
	return o
}

// Fire adds the calls of a fire, which is not before the one before it, and returns
// those that cannot go at once. Those without accounts are left out; At and Behind of
// a demand are not used.
func (o *Forecaster) Fire(at time.Time, demands []Demand) []Forecast {
	o.advance(at)
	earlier := len(o.waiting)
	for _, d := range demands {
		if d.Calls > 0 && len(d.Accounts) > 0 && (d.Until.IsZero() || d.Until.After(at)) {
			o.waiting = append(o.waiting, wait{o.set(d.Accounts), d.Calls, d.Until})
		}
	}
	before, fire := o.tally(o.waiting[:earlier]), o.tally(o.waiting[earlier:])
	t := o.limit.timetable(at, o.budgets)
	var list []Forecast
	for _, part := range t.bottlenecks(before, fire) {
		if in := fire.within(part); in.total > 0 {
			list = append(list, o.forecast(at, t, before.within(part), in))
		}
	}
	return list
}

// bottlenecks returns sets of accounts of which each is too small for its calls: no
// call that must wait could go to an account outside, even if others were moved, and
// no call from outside has to wait for one of them.
func (t *timetable) bottlenecks(before, fire tally) [][]bool {
	f := newFlow(before.sets, t.room(0))
	var parts [][]bool
	for _, c := range []tally{before, fire} {
		for set, n := range c.calls {
			if f.put(set, n) < n {
				parts = merge(parts, f.reach(set))
			}
		}
	}
	return parts
}

// forecast describes calls that share accounts and cannot all go at once.
func (o *Forecaster) forecast(at time.Time, t *timetable, before, fire tally) Forecast {
	calls := newFlow(before.sets, make([]int, len(t.slots)))
	last := t.earliest(before.total+fire.total, func(at time.Duration) bool {
		calls.reset(t.room(at))
		calls.putAll(before)
		return calls.putAll(fire) == 0
	})
	f := Forecast{At: at, Calls: fire.total, Earlier: before.total, Last: at.Add(last)}
	room, seen := t.room(0), map[int]bool{}
	for set, accounts := range fire.sets {
		for _, a := range accounts {
			if before.calls[set]+fire.calls[set] > 0 && !seen[a] {
				seen[a] = true
				f.Accounts = append(f.Accounts, o.budgets[a].Account)
				f.Earlier += o.limit.Calls - room[a]
			}
		}
	}
	slices.Sort(f.Accounts)
	f.Needed = o.limit.AccountsFor(f.Earlier + f.Calls)
	return f
}

// advance makes the calls that can go before an instant, and drops those that are
// canceled by then.
func (o *Forecaster) advance(to time.Time) {
	for o.now.Before(to) && len(o.waiting) > 0 {
		next := to
		for _, w := range o.waiting {
			if !w.until.IsZero() && w.until.Before(next) {
				next = w.until
			}
		}
		o.call(next)
		o.now = next
		o.waiting = slices.DeleteFunc(o.waiting, func(w wait) bool {
			return w.calls == 0 || !w.until.IsZero() && !w.until.After(next)
		})
	}
	o.now = to
	for i := range o.budgets {
		o.budgets[i].Taken = slices.DeleteFunc(o.budgets[i].Taken, func(at time.Time) bool {
			return !at.Add(o.limit.Window + Guard).After(to)
		})
	}
}

// call makes the calls that can go before an instant, each as early as it can.
func (o *Forecaster) call(before time.Time) {
	t := o.limit.timetable(o.now, o.budgets)
	given := make([]int, len(o.budgets))
	f := newFlow(o.sets, make([]int, len(o.budgets)))
	left := o.tally(o.waiting).total
	for n := 0; left > 0 && o.now.Add(t.tick(n)).Before(before); n++ {
		for a, room := range t.room(t.tick(n)) {
			f.free[a] += room - given[a]
			given[a] = room
		}
		full := make([]bool, len(o.sets))
		for i := range o.waiting {
			if w := &o.waiting[i]; w.calls > 0 && !full[w.set] {
				placed := f.put(w.set, w.calls)
				w.calls -= placed
				left -= placed
				full[w.set] = w.calls > 0
			}
		}
	}
	for a := range o.budgets {
		for n := range given[a] - f.free[a] {
			o.budgets[a].Taken = append(o.budgets[a].Taken, o.now.Add(t.slot(a, n)))
		}
	}
}

// set returns the number of a set of accounts.
func (o *Forecaster) set(names []string) int {
	key := strings.Join(names, "\n")
	n, ok := o.known[key]
	if !ok {
		var set []int
		for _, name := range names {
			a, ok := o.accounts[name]
			if !ok {
				a = len(o.budgets)
				o.accounts[name] = a
				o.budgets = append(o.budgets, Budget{Account: name})
			}
			set = append(set, a)
		}
		n = len(o.sets)
		o.known[key] = n
		o.sets = append(o.sets, set)
	}
	return n
}

func (o *Forecaster) tally(waiting []wait) tally {
	c := tally{sets: o.sets, calls: make([]int, len(o.sets))}
	for _, w := range waiting {
		c.calls[w.set] += w.calls
		c.total += w.calls
	}
	return c
}

// merge adds a set of accounts to disjoint ones, united with those that it shares
// accounts with.
func merge(parts [][]bool, part []bool) [][]bool {
	apart := make([][]bool, 0, len(parts)+1)
	for _, p := range parts {
		common := false
		for a := range p {
			common = common || p[a] && part[a]
		}
		if !common {
			apart = append(apart, p)
			continue
		}
		for a := range p {
			part[a] = part[a] || p[a]
		}
	}
	return append(apart, part)
}

// Components splits demands into sets that have no account in common, in the order
// of their first demands. Those without accounts are left out.
func Components(demands []Demand) [][]Demand {
	var parts [][]Demand
	for _, d := range demands {
		if len(d.Accounts) == 0 {
			continue
		}
		merged := []Demand{d}
		at := -1
		rest := parts[:0:0]
		for _, part := range parts {
			if !shares(part, d) {
				rest = append(rest, part)
				continue
			}
			merged = append(slices.Clone(part), merged...)
			if at < 0 {
				at = len(rest)
			}
		}
		if at < 0 {
			at = len(rest)
		}
		parts = slices.Insert(rest, at, merged)
	}
	return parts
}

func shares(part []Demand, d Demand) bool {
	return slices.ContainsFunc(part, func(p Demand) bool {
		return slices.ContainsFunc(p.Accounts, func(a string) bool { return slices.Contains(d.Accounts, a) })
	})
}
