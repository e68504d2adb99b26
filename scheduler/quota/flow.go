package quota

import "slices"

// A flow is a maximum flow of calls to accounts that each have room for a number of
// them, found by augmenting paths. Calls are added one after the other: one that is
// assigned stays assigned, but may be moved to another of its accounts. A call is thus
// left out only if no assignment has room for it in addition to those before it.
type flow struct {
	sets  [][]int  // the accounts of each kind of call
	seats [][]seat // by account: the sets that it belongs to
	on    [][]int  // by set and place in it: how many calls are assigned there
	free  []int    // by account: how many more fit

	ways  []step // of the last search, by account
	queue []int  // of the last search
}

// A seat is an account's place in a set.
type seat struct{ set, place int }

// A step of an augmenting path moves a call of a set from one of its places to
// another, on the way to an account with room.
type step struct {
	set, from, to int // set is -1 where the search begins
	seen          bool
}

func newFlow(sets [][]int, free []int) *flow {
	f := &flow{sets: sets, seats: make([][]seat, len(free)), on: make([][]int, len(sets)), free: free}
	for s, accounts := range sets {
		f.on[s] = make([]int, len(accounts))
		for place, a := range accounts {
			f.seats[a] = append(f.seats[a], seat{s, place})
		}
	}
	return f
}

// reset takes all calls out, and lets the accounts make so many.
func (f *flow) reset(free []int) {
	f.free = free
	for _, places := range f.on {
		clear(places)
	}
}

// put adds up to n calls of a set and returns how many have room.
func (f *flow) put(set, n int) int {
	left := n
	for left > 0 {
		end, ways := f.search(f.sets[set]...)
		if end < 0 {
			break
		}
		left -= f.move(set, left, end, ways)
	}
	return n - left
}

// putAll adds the calls of a tally that have room, and returns how many have none.
func (f *flow) putAll(c tally) (left int) {
	for set, n := range c.calls {
		left += n - f.put(set, n)
	}
	return left
}

// reach returns the accounts that calls of a set could go to, if those there were moved.
func (f *flow) reach(set int) []bool {
	_, ways := f.search(f.sets[set]...)
	part := make([]bool, len(f.free))
	for a, h := range ways {
		part[a] = h.seen
	}
	return part
}

// search finds a shortest augmenting path from the given accounts to one with room;
// end is -1 when there is none. It returns how each account that it has seen is
// reached, until the next search: where there is no room, all that calls there can go
// to.
func (f *flow) search(accounts ...int) (end int, ways []step) {
	for _, a := range accounts {
		if f.free[a] > 0 { // most often
			return a, nil
		}
	}
	if f.ways == nil {
		f.ways = make([]step, len(f.free))
	}
	clear(f.ways)
	f.queue = f.queue[:0]
	for _, a := range accounts {
		f.see(a, step{set: -1})
	}
	for i := 0; i < len(f.queue); i++ {
		a := f.queue[i]
		if f.free[a] > 0 {
			return a, f.ways
		}
		for _, u := range f.seats[a] {
			if f.on[u.set][u.place] == 0 {
				continue
			}
			for to, b := range f.sets[u.set] {
				f.see(b, step{set: u.set, from: u.place, to: to})
			}
		}
	}
	return -1, f.ways
}

// see notes how an account is reached, the first time.
func (f *flow) see(a int, h step) {
	if !f.ways[a].seen {
		h.seen = true
		f.ways[a] = h
		f.queue = append(f.queue, a)
	}
}

// move takes up to n places at end, and moves calls along the path from there back to
// an account of the set. It returns how many places that has gained.
func (f *flow) move(set, n, end int, ways []step) int {
	var path []step
	first := end
	n = min(n, f.free[end])
	for ways != nil && ways[first].set >= 0 {
		h := ways[first]
		path = append(path, h)
		n = min(n, f.on[h.set][h.from])
		first = f.sets[h.set][h.from]
	}
	f.free[end] -= n
	for _, h := range path {
		f.on[h.set][h.to] += n
		f.on[h.set][h.from] -= n
	}
	f.on[set][slices.Index(f.sets[set], first)] += n
	return n
}

// open returns those of the accounts on which one more call has room.
func (f *flow) open(accounts []int) []int {
	var list []int
	for _, a := range accounts {
		if end, _ := f.search(a); end >= 0 {
			list = append(list, a)
		}
	}
	return list
}
