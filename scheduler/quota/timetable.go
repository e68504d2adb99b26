package quota

import (
	"slices"
	"sort"
	"strings"
	"time"
)

// A timetable holds the instants of the accounts' next calls, counted from now.
type timetable struct {
	calls   int // of an account in a window
	span    time.Duration
	index   map[string]int
	slots   [][]time.Duration // by account, of the first window; each comes again with every span
	offsets []time.Duration   // of all slots within a span, sorted, 0 among them
	end     time.Duration     // by now every slot of the first window is there
}

// timetable returns the slots of the budgets from now on.
func (l Limit) timetable(now time.Time, budgets []Budget) *timetable {
	t := &timetable{calls: l.Calls, span: l.Window + Guard, index: make(map[string]int, len(budgets)), slots: make([][]time.Duration, len(budgets))}
	t.offsets = append(t.offsets, 0)
	var unused []time.Duration // of an account that has made no calls
	for i, b := range budgets {
		from := now
		if b.Held.After(now) {
			from = b.Held
		}
		t.index[b.Account] = i
		if len(b.Taken) == 0 && from.Equal(now) {
			if unused == nil {
				unused = make([]time.Duration, l.Calls)
			}
			t.slots[i] = unused
			continue
		}
		t.slots[i] = make([]time.Duration, l.Calls)
		for n, at := range l.Slots(from, b.Taken) {
			after := at.Sub(now)
			t.slots[i][n] = after
			t.end = max(t.end, after)
			if n == 0 || after != t.slots[i][n-1] {
				t.offsets = append(t.offsets, after%t.span)
			}
		}
	}
	slices.Sort(t.offsets)
	t.offsets = slices.Compact(t.offsets)
	return t
}

// accounts are the numbers of the accounts that have a budget.
func (t *timetable) accounts(names []string) []int {
	list := make([]int, 0, len(names))
	for _, name := range names {
		if i, ok := t.index[name]; ok && !slices.Contains(list, i) {
			list = append(list, i)
		}
	}
	return list
}

// room is how many calls each account can make up to and including an instant.
func (t *timetable) room(at time.Duration) []int {
	room := make([]int, len(t.slots))
	for a, slots := range t.slots {
		each := 0
		for i, s := range slots {
			if s > at {
				break
			}
			if i == 0 || s != slots[i-1] { // slots often come together
				each = int((at-s)/t.span) + 1
			}
			room[a] += each
		}
	}
	return room
}

// slot is when call number n of an account goes, from 0 on.
func (t *timetable) slot(account, n int) time.Duration {
	return t.slots[account][n%t.calls] + time.Duration(n/t.calls)*t.span
}

// tick is instant number n at which there may be a slot, from 0 on.
func (t *timetable) tick(n int) time.Duration {
	return t.offsets[n%len(t.offsets)] + time.Duration(n/len(t.offsets))*t.span
}

// earliest is the first instant by which done holds. It must stay true from then
// on, and be true once an account alone could have made so many calls.
func (t *timetable) earliest(calls int, done func(at time.Duration) bool) time.Duration {
	if done(0) { // most often
		return 0
	}
	windows := int(t.end/t.span) + calls/t.calls + 2
	return t.tick(1 + sort.Search(windows*len(t.offsets), func(n int) bool { return done(t.tick(n + 1)) }))
}

// A tally counts calls by the set of accounts that can make them.
type tally struct {
	sets  [][]int
	calls []int // by set
	total int
}

// within counts the calls that only the accounts of a part can make.
func (c tally) within(part []bool) tally {
	in := tally{sets: c.sets, calls: make([]int, len(c.sets))}
	for set, n := range c.calls {
		if !slices.ContainsFunc(c.sets[set], func(a int) bool { return !part[a] }) {
			in.calls[set] = n
			in.total += n
		}
	}
	return in
}

// tallies returns the Calls of the demands, and those with the calls Behind, but none
// that no account can make.
func (t *timetable) tallies(demands []Demand) (first, all tally) {
	known := map[string]int{}
	for _, d := range demands {
		accounts := t.accounts(d.Accounts)
		if len(accounts) == 0 || d.Calls+d.Behind == 0 {
			continue
		}
		key := strings.Join(d.Accounts, "\n")
		set, seen := known[key]
		if !seen {
			set = len(all.sets)
			known[key] = set
			all.sets = append(all.sets, accounts)
			first.calls, all.calls = append(first.calls, 0), append(all.calls, 0)
		}
		first.calls[set] += d.Calls
		first.total += d.Calls
		all.calls[set] += d.Calls + d.Behind
		all.total += d.Calls + d.Behind
	}
	first.sets = all.sets
	return first, all
}

// flow assigns the calls of a tally that can go up to and including an instant; it
// returns how many cannot.
func (t *timetable) flow(c tally, at time.Duration) (f *flow, left int) {
	f = newFlow(c.sets, t.room(at))
	return f, f.putAll(c)
}
