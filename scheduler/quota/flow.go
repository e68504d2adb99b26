package quota

import "slices"

// A flow is an assignment of calls to accounts that have room for so many each.
// Calls are put in one after the other, and make way for each other: one that is in
// stays in, but may change to another of its accounts. The last call put in is thus
// left out only if no assignment has room for it beside those before it.
type flow struct {
	sets  [][]int // the accounts of each kind of call
	users [][]use // by account: who may use it
	on    [][]int // by set and place in it: how many calls are there
	free  []int   // by account: how many more fit
}

// A use is an account's place in a set.
type use struct{ set, place int }

// A hop moves a call of a set from one of its places to another, on the way to an
// account with room.
type hop struct {
	set, from, to int // set is -1 where the search begins
	seen          bool
}

func newFlow(sets [][]int, free []int) *flow {
	f := &flow{sets: sets, users: make([][]use, len(free)), on: make([][]int, len(sets)), free: free}
	for s, accounts := range sets {
		f.on[s] = make([]int, len(accounts))
		for place, a := range accounts {
			f.users[a] = append(f.users[a], use{s, place})
		}
	}
	return f
}

// put puts in up to n calls of a set and tells how many have room.
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

// putAll puts in what has room of a crowd, and tells how many have none.
func (f *flow) putAll(c crowd) (left int) {
	for set, n := range c.calls {
		left += n - f.put(set, n)
	}
	return left
}

// reach gives the accounts that calls of a set could go to, if those there made way.
func (f *flow) reach(set int) []bool {
	_, ways := f.search(f.sets[set]...)
	part := make([]bool, len(f.free))
	for a, h := range ways {
		part[a] = h.seen
	}
	return part
}

// search looks for the nearest account with room to which calls on the given
// accounts can make way; end is -1 when there is none. It gives how each account
// that it saw is reached: where there is no room, all that calls there can go to.
func (f *flow) search(accounts ...int) (end int, ways []hop) {
	for _, a := range accounts {
		if f.free[a] > 0 { // most often
			return a, nil
		}
	}
	ways = make([]hop, len(f.free))
	queue := make([]int, 0, len(f.free))
	see := func(a int, h hop) {
		if !ways[a].seen {
			h.seen = true
			ways[a] = h
			queue = append(queue, a)
		}
	}
	for _, a := range accounts {
		see(a, hop{set: -1})
	}
	for i := 0; i < len(queue); i++ {
		a := queue[i]
		if f.free[a] > 0 {
			return a, ways
		}
		for _, u := range f.users[a] {
			if f.on[u.set][u.place] == 0 {
				continue
			}
			for to, b := range f.sets[u.set] {
				see(b, hop{set: u.set, from: u.place, to: to})
			}
		}
	}
	return -1, ways
}

// move takes up to n places at end, and has calls make way from there back to an
// account of the set. It tells how many places that gained.
func (f *flow) move(set, n, end int, ways []hop) int {
	var path []hop
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

// open gives those of the accounts on which one more call has room.
func (f *flow) open(accounts []int) []int {
	var list []int
	for _, a := range accounts {
		if end, _ := f.search(a); end >= 0 {
			list = append(list, a)
		}
	}
	return list
}
