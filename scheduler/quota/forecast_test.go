package quota_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/quota"
)

// after is an instant so much later than t0.
func after(d time.Duration) time.Time { return t0.Add(d) }

const span = 30*time.Minute + quota.Guard

func TestForecastsReportWhatCannotGoAtOnce(t *testing.T) {
	a, b, both := []string{"a"}, []string{"b"}, []string{"a", "b"}
	at := func(minutes, calls int, accounts []string) quota.Demand {
		return quota.Demand{At: after(time.Duration(minutes) * time.Minute), Accounts: accounts, Calls: calls}
	}
	tests := []struct {
		name    string
		demands []quota.Demand
		want    []quota.Forecast
	}{
		{"what goes at once is no matter", []quota.Demand{at(0, 30, a), at(0, 30, b)}, nil},
		{"round after round", []quota.Demand{at(0, 90, a)}, []quota.Forecast{{At: t0, Calls: 90, Accounts: a, Last: after(2 * span), Needed: 3}}},
		{"nor is what has no account", []quota.Demand{at(0, 31, nil)}, nil},
		{"accounts that hang together", []quota.Demand{at(0, 40, a), at(0, 50, []string{"c", "b"}), at(0, 41, both), at(0, 30, []string{"d"})}, []quota.Forecast{
			{At: t0, Calls: 131, Accounts: []string{"a", "b", "c"}, Last: after(span), Needed: 5},
		}},
		{"one account within two", []quota.Demand{at(0, 30, a), at(0, 60, both)}, []quota.Forecast{
			{At: t0, Calls: 90, Accounts: both, Last: after(span), Needed: 3},
		}},
		{"only those that cannot, with what they could use", []quota.Demand{at(0, 1, both), at(0, 31, a)}, []quota.Forecast{
			{At: t0, Calls: 31, Accounts: a, Last: after(span), Needed: 2},
		}},
		{"a project without calls joins nothing", []quota.Demand{at(0, 31, a), at(0, 0, both), at(0, 31, b)}, []quota.Forecast{
			{At: t0, Calls: 31, Accounts: a, Last: after(span), Needed: 2}, {At: t0, Calls: 31, Accounts: b, Last: after(span), Needed: 2},
		}},
		{"fires within a window of each other", []quota.Demand{at(20, 25, a), at(0, 25, a), at(10, 25, a), at(15, 25, a)}, []quota.Forecast{
			{At: after(10 * time.Minute), Calls: 25, Earlier: 25, Accounts: a, Last: after(span), Needed: 2},
			{At: after(15 * time.Minute), Calls: 25, Earlier: 50, Accounts: a, Last: after(2 * span), Needed: 3},
			{At: after(20 * time.Minute), Calls: 25, Earlier: 75, Accounts: a, Last: after(3 * span), Needed: 4},
		}},
		{"a window later", []quota.Demand{at(0, 30, a), at(31, 30, a)}, nil},
		{"calls that wait make way to another account", []quota.Demand{at(0, 80, both), at(5, 10, a), at(31, 20, []string{"a", "c"})}, []quota.Forecast{
			{At: t0, Calls: 80, Accounts: both, Last: after(span), Needed: 3},
			{At: after(5 * time.Minute), Calls: 10, Earlier: 80, Accounts: both, Last: after(span), Needed: 3},
		}},
		{"a later fire cancels what waits", []quota.Demand{
			{At: t0, Until: after(20 * time.Minute), Accounts: a, Calls: 60}, at(45, 30, a),
		}, []quota.Forecast{{At: t0, Calls: 60, Accounts: a, Last: after(span), Needed: 2}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := quota.PerAccount.Forecasts(tt.demands)
			if !slices.EqualFunc(got, tt.want, func(x, y quota.Forecast) bool {
				return x.At.Equal(y.At) && x.Last.Equal(y.Last) && x.Calls == y.Calls && x.Earlier == y.Earlier && x.Needed == y.Needed && slices.Equal(x.Accounts, y.Accounts)
			}) {
				t.Errorf("forecasts = %+v, want %+v", got, tt.want)
			}
		})
	}
}

// TestForecastsOfOneAccountAreWhatComesOfCallsOneByOne has every fire's calls made in
// their order, each as soon as it may go, and those canceled that come too late.
func TestForecastsOfOneAccountAreWhatComesOfCallsOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 4).Draw(t, "calls"), Window: 30 * time.Minute}
		var demands []quota.Demand
		at := t0
		for range rapid.IntRange(1, 8).Draw(t, "fires") {
			at = at.Add(time.Duration(rapid.IntRange(1, 60).Draw(t, "pause")) * time.Minute)
			demands = append(demands, quota.Demand{
				At: at, Until: at.Add(time.Duration(rapid.IntRange(1, 120).Draw(t, "until")) * time.Minute), Accounts: []string{"a"}, Calls: rapid.IntRange(0, 6).Draw(t, "asked"),
			})
		}
		got := map[time.Time]time.Time{}
		for _, f := range l.Forecasts(demands) {
			got[f.At] = f.Last
		}
		for i, a := range demands {
			last := lastOneByOne(l, demands[:i+1], a.At)
			if a.Calls == 0 || last.Equal(a.At) {
				last = time.Time{}
			}
			if !got[a.At].Equal(last) {
				t.Fatalf("of %+v fire %d ends at %v, one by one at %v", demands, i, got[a.At], last)
			}
		}
	})
}

// lastOneByOne is when the last of the calls goes. What is canceled after now is not
// known of then.
func lastOneByOne(l quota.Limit, demands []quota.Demand, now time.Time) time.Time {
	type call struct{ from, until time.Time }
	var queue []call
	for _, a := range demands {
		for range a.Calls {
			queue = append(queue, call{a.At, a.Until})
		}
	}
	var made []time.Time
	clock := t0
	for _, c := range queue {
		if c.from.After(clock) {
			clock = c.from
		}
		at := l.Next(clock, made, 0)
		if c.until.After(now) || at.Before(c.until) {
			made, clock = append(made, at), at
		}
	}
	return clock
}

// TestFireIsDoneWhenNoOrderAfterTheEarlierCallsIsFaster tries every assignment of the
// calls of two fires to accounts.
func TestFireIsDoneWhenNoOrderAfterTheEarlierCallsIsFaster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 2).Draw(t, "calls"), Window: 30 * time.Minute}
		accounts := []string{"a", "b", "c"}
		budgets := drawBudgets(t, l, accounts...)
		sets := drawSets(t, accounts)
		var able [][]string
		o := l.Forecaster(budgets)
		var forecasts []quota.Forecast
		earlier := 0
		for range 2 {
			earlier = len(able)
			var demands []quota.Demand
			for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(sets)-1), 0, 3).Draw(t, "fire") {
				demands = append(demands, quota.Demand{At: t0, Accounts: sets[i], Calls: 1})
				able = append(able, sets[i])
			}
			forecasts = o.Fire(t0, demands)
		}
		want := doneBy(l, budgets, able, earlier)
		got := t0
		for _, f := range forecasts {
			if f.Last.After(got) {
				got = f.Last
			}
			if f.Needed <= len(f.Accounts) {
				t.Errorf("forecast %+v wants no more accounts than there are", f)
			}
		}
		if !got.Equal(want) {
			t.Fatalf("of %v, the first %d earlier, the last goes after %v, want %v", able, earlier, got.Sub(t0), want.Sub(t0))
		}
	})
}

// doneBy is the first instant by which all calls after the earlier ones can go.
func doneBy(l quota.Limit, budgets []quota.Budget, able [][]string, earlier int) time.Time {
	times := []time.Time{t0}
	for _, b := range budgets {
		times = append(times, l.Slots(t0, b.Taken)...)
	}
	for round := 0; ; round++ {
		slices.SortFunc(times, time.Time.Compare)
		for i, at := range times {
			gone := goers(l, budgets, able, make([]bool, len(able)), at)
			if n := len(slices.DeleteFunc(gone, func(i int) bool { return i < earlier })); n == len(able)-earlier {
				return at
			}
			times[i] = at.Add(span)
		}
	}
}
