package quota_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/quota"
)

// permutations calls f with each order of 0 to n-1.
func permutations(n int, f func([]int)) {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	var permute func(int)
	permute = func(k int) {
		if k == n {
			f(order)
			return
		}
		for i := k; i < n; i++ {
			order[k], order[i] = order[i], order[k]
			permute(k + 1)
			order[k], order[i] = order[i], order[k]
		}
	}
	permute(0)
}

// ranked returns the order in which runs of these ranks go.
func ranked(ranks []float64) []int {
	order := make([]int, len(ranks))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case ranks[a] < ranks[b]:
			return -1
		case ranks[a] > ranks[b]:
			return 1
		}
		return 0
	})
	return order
}

// drawBudgets returns accounts that have made some of their calls.
func drawBudgets(t *rapid.T, l quota.Limit, accounts ...string) []quota.Budget {
	list := make([]quota.Budget, len(accounts))
	for i, a := range accounts {
		list[i].Account = a
		for range rapid.IntRange(0, l.Calls).Draw(t, "made") {
			list[i].Taken = append(list[i].Taken, t0.Add(-time.Duration(rapid.IntRange(0, 1799).Draw(t, "ago"))*time.Second))
		}
	}
	return list
}

// instants returns when calls go that are made one after the other, each by any account.
func instants(l quota.Limit, budgets []quota.Budget, accounts []string, n int) []time.Time {
	at := make([]time.Time, n)
	for i := range at {
		_, at[i] = l.Best(t0, budgets, []quota.Demand{{Accounts: accounts, Calls: i}}, accounts)
	}
	return at
}

func TestStopsInTheOrderOfTheirRankCostLeast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 2).Draw(t, "calls"), Window: 30 * time.Minute}
		accounts := []string{"a", "b"}[:rapid.IntRange(1, 2).Draw(t, "accounts")]
		budgets := drawBudgets(t, l, accounts...)
		costs := rapid.SliceOfN(rapid.Float64Range(0, 10), 1, 6).Draw(t, "costs")
		at := instants(l, budgets, accounts, len(costs))
		spent := func(order []int) float64 {
			total := 0.0
			for place, i := range order {
				total += costs[i] * at[place].Sub(t0).Hours()
			}
			return total
		}
		ranks := make([]float64, len(costs))
		for i, c := range costs {
			ranks[i] = quota.StopRank(c)
		}
		least := math.Inf(1)
		permutations(len(costs), func(order []int) { least = min(least, spent(order)) })
		if got := spent(ranked(ranks)); got > least+1e-9 {
			t.Fatalf("stops by rank cost %g, the best order %g", got, least)
		}
	})
}

func TestStartsInTheOrderOfTheirRankAreUpSoonest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 2).Draw(t, "calls"), Window: 30 * time.Minute}
		accounts := []string{"a", "b"}[:rapid.IntRange(1, 2).Draw(t, "accounts")]
		budgets := drawBudgets(t, l, accounts...)
		takes := rapid.SliceOfN(rapid.IntRange(1, 90), 1, 6).Draw(t, "takes") // half minutes
		at := instants(l, budgets, accounts, len(takes))
		up := func(order []int) time.Time {
			var last time.Time
			for place, i := range order {
				if end := at[place].Add(time.Duration(takes[i]) * 30 * time.Second); end.After(last) {
					last = end
				}
			}
			return last
		}
		ranks := make([]float64, len(takes))
		for i, n := range takes {
			ranks[i] = quota.StartRank(time.Duration(n)*30*time.Second, rapid.Float64Range(0, 1000).Draw(t, "cost"))
		}
		soonest := up(ranked(ranks))
		permutations(len(takes), func(order []int) {
			if other := up(order); other.Before(soonest) {
				t.Fatalf("by rank all are up at %v, in the order %v at %v", soonest, order, other)
			}
		})
	})
}

func TestCheapestOfEquallyLongStartsGoesFirst(t *testing.T) {
	if quota.StartRank(3*time.Minute, 1) >= quota.StartRank(3*time.Minute+10*time.Second, 1.25) {
		t.Error("of two starts that take as long, the more expensive goes first")
	}
	if quota.Before(quota.StartRank(time.Minute, 1e6)) >= quota.StopRank(1e6) {
		t.Error("a scheduled stop goes before what a person asked for")
	}
}

// optimum tries every order and every account: when the last call can go at best.
func optimum(l quota.Limit, budgets []quota.Budget, calls [][]string) time.Time {
	best := time.Time{}
	taken := map[string][]time.Time{}
	for _, b := range budgets {
		taken[b.Account] = b.Taken
	}
	var try func(left [][]string, last time.Time)
	try = func(left [][]string, last time.Time) {
		if !best.IsZero() && last.After(best) {
			return
		}
		if len(left) == 0 {
			best = last
			return
		}
		for _, a := range left[0] { // calls of one account are alike: their order is of no matter
			before := taken[a]
			at := l.Next(t0, before, 0)
			for n := len(before); n > 0 && before[n-1].After(at); n = 0 {
				at = l.Next(before[n-1], before, 0)
			}
			taken[a] = append(slices.Clone(before), at)
			next := last
			if at.After(last) {
				next = at
			}
			try(left[1:], next)
			taken[a] = before
		}
	}
	try(calls, t0)
	return best
}

// drawSets returns sets of accounts, which may overlap in any way.
func drawSets(t *rapid.T, accounts []string) [][]string {
	sets := make([][]string, rapid.IntRange(1, 5).Draw(t, "projects"))
	for i := range sets {
		for mask := rapid.IntRange(1, 1<<len(accounts)-1).Draw(t, "set"); len(sets[i]) == 0; {
			for n, a := range accounts {
				if mask>>n&1 == 1 {
					sets[i] = append(sets[i], a)
				}
			}
		}
	}
	return sets
}

func TestLastCallGoesAsEarlyAsAnyAssignmentAllows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 2).Draw(t, "calls"), Window: 30 * time.Minute}
		accounts := []string{"a", "b", "c", "d"}[:rapid.IntRange(2, 4).Draw(t, "accounts")]
		budgets := drawBudgets(t, l, accounts...)
		var demands []quota.Demand
		var calls [][]string
		for _, set := range drawSets(t, accounts) {
			n := rapid.IntRange(0, min(3, 8-len(calls))).Draw(t, "demand")
			demands = append(demands, quota.Demand{Accounts: set, Calls: n})
			for range n {
				calls = append(calls, set)
			}
		}
		if len(calls) == 0 {
			return
		}
		got, want := lastOf(l, budgets, demands), optimum(l, budgets, calls)
		if !got.Equal(want) {
			t.Fatalf("last call after %v, the best assignment ends after %v", got.Sub(t0), want.Sub(t0))
		}
	})
}

// lastOf is when the last call of a fire goes.
func lastOf(l quota.Limit, budgets []quota.Budget, demands []quota.Demand) time.Time {
	last := t0
	for _, f := range l.Forecaster(budgets).Fire(t0, demands) {
		if f.Last.After(last) {
			last = f.Last
		}
	}
	return last
}

func TestProjectsThatSwapAccountsAllGoAtOnce(t *testing.T) {
	l := quota.PerAccount
	budgets := []quota.Budget{{Account: "a"}, {Account: "b"}, {Account: "c"}}
	a, b, c := "a", "b", "c"
	demands := []quota.Demand{{Accounts: []string{a}}, {Accounts: []string{c}}, {Accounts: []string{a, b}, Calls: 30}, {Accounts: []string{b, c}, Calls: 30}, {Accounts: []string{a, c}, Calls: 30}}
	if got := lastOf(l, budgets, demands); !got.Equal(t0) {
		t.Errorf("last call after %v, want at once", got.Sub(t0))
	}
}

// goers are the waiting calls that can go by an instant: in their order, each is left
// out only for those before it.
func goers(l quota.Limit, budgets []quota.Budget, able [][]string, gone []bool, by time.Time) (list []int) {
	var in [][]string
	for i, set := range able {
		if next := append(slices.Clip(in), set); !gone[i] && !optimum(l, budgets, next).After(by) {
			list, in = append(list, i), next
		}
	}
	return list
}

// without is the budgets after one more call of an account at t0.
func without(budgets []quota.Budget, account string) []quota.Budget {
	list := slices.Clone(budgets)
	for i := range list {
		if list[i].Account == account {
			list[i].Taken = append(slices.Clip(list[i].Taken), t0)
		}
	}
	return list
}

// demandsOfOthers counts the calls that wait in addition to one of them, by set.
func demandsOfOthers(own int, sets [][]string, calls []int, gone []bool) []quota.Demand {
	demands := make([]quota.Demand, len(sets))
	for i, set := range sets {
		demands[i].Accounts = set
	}
	for i, set := range calls {
		switch {
		case gone[i] || i == own:
		case i < own:
			demands[set].Calls++
		default:
			demands[set].Behind++
		}
	}
	return demands
}

// leaves reports how many others can go at t0, and when the last goes.
func leaves(l quota.Limit, budgets []quota.Budget, able [][]string, gone []bool) (now int, last time.Time) {
	var rest [][]string
	for i, set := range able {
		if !gone[i] {
			rest = append(rest, set)
		}
	}
	return len(goers(l, budgets, able, gone, t0)), optimum(l, budgets, rest)
}

// TestBestLeavesMostToTheOthers demands for each of the calls that wait, in any order,
// as workers do, and has those made that may go.
func TestBestLeavesMostToTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 2).Draw(t, "calls"), Window: 30 * time.Minute}
		budgets := drawBudgets(t, l, "a", "b", "c")
		sets := drawSets(t, []string{"a", "b", "c"})
		calls := rapid.SliceOfN(rapid.IntRange(0, len(sets)-1), 1, 6).Draw(t, "waiting") // best rank first
		able, order := make([][]string, len(calls)), make([]int, len(calls))
		for i, set := range calls {
			able[i], order[i] = sets[set], i
		}
		gone := make([]bool, len(calls))
		want, _ := leaves(l, budgets, able, gone)
		order = rapid.Permutation(order).Draw(t, "order")
		made := 0
		for i := 0; i < len(order); i++ {
			own := order[i]
			account, at := l.Best(t0, budgets, demandsOfOthers(own, sets, calls, gone), able[own])
			if goes := slices.Contains(goers(l, budgets, able, gone, t0), own); at.Equal(t0) != goes {
				t.Fatalf("call %d of %v may go after %v; it is one that can go at once: %v", own, able, at.Sub(t0), goes)
			}
			if !at.Equal(t0) {
				continue
			}
			leavesMost(t, l, budgets, able, gone, own, account)
			gone[own], budgets = true, without(budgets, account)
			made++
			order, i = slices.Delete(order, i, i+1), -1
		}
		if made != want {
			t.Fatalf("%d of the calls %v go at once, %d could", made, able, want)
		}
	})
}

// leavesMost fails if another account for the call would leave more to the others.
func leavesMost(t *rapid.T, l quota.Limit, budgets []quota.Budget, able [][]string, gone []bool, own int, account string) {
	rest := slices.Clone(gone)
	rest[own] = true
	now, last := leaves(l, without(budgets, account), able, rest)
	first := slices.DeleteFunc(goers(l, budgets, able, gone, t0), func(i int) bool { return i >= own })
	for _, b := range budgets {
		if !slices.Contains(able[own], b.Account) || l.Next(t0, b.Taken, 0).After(t0) {
			continue
		}
		others := without(budgets, b.Account)
		if after := goers(l, others, able, rest, t0); len(after) < len(first) || !slices.Equal(after[:len(first)], first) {
			continue // it would be at the cost of those before it
		}
		if n, end := leaves(l, others, able, rest); n > now || n == now && end.Before(last) {
			t.Fatalf("call %d of %v goes by %s and leaves %d at once, the last after %v; by %s it would leave %d, the last after %v",
				own, able, account, now, last.Sub(t0), b.Account, n, end.Sub(t0))
		}
	}
}

func TestBackwardCallsAreInTimeWithinTheLimitAndAsLateAsCanBe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 2).Draw(t, "calls"), Window: 30 * time.Minute}
		starts := make([]quota.Start, rapid.IntRange(1, 6).Draw(t, "starts"))
		for i := range starts {
			starts[i] = quota.Start{
				Latest: t0.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "latest")) * time.Minute), Accounts: []string{"a"}, Cost: rapid.Float64Range(0, 9).Draw(t, "cost"),
			}
		}
		calls := l.Backward(starts)
		for i, at := range calls {
			if at.After(starts[i].Latest) {
				t.Fatalf("call %d goes at %v, after %v", i, at, starts[i].Latest)
			}
		}
		if exceeds(l, slices.Clone(calls)) {
			t.Fatalf("calls %v exceed %d in %v", calls, l.Calls, l.Window)
		}
		// The mirrored problem is the one that TestLastCall has: each call as early as
		// it may, in the best of all orders.
		first := slices.MinFunc(calls, time.Time.Compare)
		permutations(len(starts), func(order []int) {
			var made []time.Time
			for _, i := range order {
				made = append(made, latestFit(l, made, starts[i].Latest))
			}
			if earliest := slices.MinFunc(made, time.Time.Compare); earliest.After(first) {
				t.Fatalf("the first call goes at %v, and could go at %v", first, earliest)
			}
		})
	})
}

// latestFit is the last instant up to at that fits: at itself, or a window before
// one of the calls made.
func latestFit(l quota.Limit, made []time.Time, at time.Time) time.Time {
	span := l.Window + quota.Guard
	options := []time.Time{at}
	for _, m := range made {
		if before := m.Add(-span); before.Before(at) {
			options = append(options, before)
		}
	}
	slices.SortFunc(options, func(a, b time.Time) int { return b.Compare(a) })
	for _, o := range options {
		if !exceeds(quota.Limit{Calls: l.Calls, Window: span - 1}, append(slices.Clone(made), o)) {
			return o
		}
	}
	panic("the earliest option always fits")
}

func TestMostExpensiveIsStartedLast(t *testing.T) {
	l := quota.Limit{Calls: 1, Window: 30 * time.Minute}
	calls := l.Backward([]quota.Start{
		{Latest: t0, Accounts: []string{"a"}, Cost: 1},
		{Latest: t0, Accounts: []string{"a"}, Cost: 3},
		{Latest: t0, Accounts: []string{"a"}, Cost: 2},
		{Latest: t0, Accounts: []string{"b"}, Fixed: true},
		{Latest: t0, Accounts: []string{"b"}},
	})
	span := l.Window + quota.Guard
	want := []time.Time{t0.Add(-2 * span), t0, t0.Add(-span), t0, t0.Add(-span)}
	if !slices.EqualFunc(calls, want, time.Time.Equal) {
		t.Errorf("calls = %v, want %v", calls, want)
	}
}
