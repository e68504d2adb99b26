package quota_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/quota"
)

var t0 = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

// exceeds reports whether some stretch of the window holds more calls than allowed.
func exceeds(l quota.Limit, calls []time.Time) bool {
	slices.SortFunc(calls, time.Time.Compare)
	for i := l.Calls; i < len(calls); i++ {
		if calls[i].Sub(calls[i-l.Calls]) <= l.Window {
			return true
		}
	}
	return false
}

func TestCallsMadeWhenNextSaysNeverExceedTheLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 6).Draw(t, "calls"), Window: time.Duration(rapid.IntRange(1, 100).Draw(t, "window")) * time.Second}
		now, made := t0, []time.Time(nil)
		for range rapid.IntRange(1, 40).Draw(t, "n") {
			now = now.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "pause")) * time.Second)
			at := l.Next(now, made, 0)
			if at.Before(now) {
				t.Fatalf("Next = %v, before now, %v", at, now)
			}
			if at.After(now) && !exceeds(l, append(slices.Clone(made), now)) && !exceeds(quota.Limit{Calls: l.Calls, Window: l.Window + quota.Guard}, append(slices.Clone(made), now)) {
				t.Fatalf("Next waits until %v although a call at %v is within the limit", at, now)
			}
			now = at
			made = append(made, at)
			if exceeds(l, slices.Clone(made)) {
				t.Fatalf("calls %v exceed %d in %v", made, l.Calls, l.Window)
			}
		}
	})
}

func TestNextTellsWhenAQueuedCallGoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := quota.Limit{Calls: rapid.IntRange(1, 5).Draw(t, "calls"), Window: 30 * time.Minute}
		var made []time.Time
		for range rapid.IntRange(0, l.Calls).Draw(t, "made") {
			made = append(made, t0.Add(-time.Duration(rapid.IntRange(0, 1799).Draw(t, "ago"))*time.Second))
		}
		ahead := rapid.IntRange(0, 20).Draw(t, "ahead")
		want := l.Next(t0, made, ahead)
		queue, now := slices.Clone(made), t0
		for range ahead + 1 { // the calls before it, one by one, each as soon as it may
			now = l.Next(now, queue, 0)
			queue = append(queue, now)
		}
		if !now.Equal(want) {
			t.Fatalf("with %d ahead Next = %v, but calls made one by one reach it at %v", ahead, want, now)
		}
	})
}

func TestBestTakesTheAccountWhoseSlotComesFirst(t *testing.T) {
	l := quota.Limit{Calls: 1, Window: time.Minute}
	full := []time.Time{t0}
	both := []string{"a", "b"}
	free := []quota.Budget{{Account: "a"}, {Account: "b"}}
	tests := []struct {
		name    string
		budgets []quota.Budget
		before  []quota.Demand
		own     []string
		account string
		after   time.Duration
	}{
		{"a free account at once", []quota.Budget{{Account: "a", Taken: full}, {Account: "b"}}, nil, both, "b", 0},
		{"the next one waits for the other account", []quota.Budget{{Account: "a", Taken: full}, {Account: "b"}}, []quota.Demand{{Accounts: both, Calls: 1}}, both, "a", 61 * time.Second},
		{"a held account waits for its hold", []quota.Budget{{Account: "a", Held: t0.Add(time.Hour)}}, nil, []string{"a"}, "a", time.Hour},
		{"rounds follow each other", free, []quota.Demand{{Accounts: both, Calls: 5}}, both, "a", 122 * time.Second},
		{"who can use both makes way for who can use one", free, []quota.Demand{{Accounts: both, Calls: 1}}, []string{"a"}, "a", 0},
		{"and takes what the other cannot", free, []quota.Demand{{Accounts: []string{"a"}}}, both, "b", 0},
		{"and what the others behind it cannot, however many use the rest", free, []quota.Demand{{Accounts: []string{"a"}, Behind: 3}, {Accounts: []string{"b"}}, {Accounts: []string{"b"}}}, both, "b", 0},
		{"the others end sooner", free, []quota.Demand{{Accounts: []string{"a"}, Behind: 2}, {Accounts: []string{"b"}, Behind: 3}}, both, "a", 0},
		{"a call on the way to the free slot changes account", []quota.Budget{{Account: "a"}, {Account: "b"}, {Account: "c"}}, []quota.Demand{{Accounts: both, Calls: 1}, {Accounts: []string{"b", "c"}, Calls: 1}}, both, "a", 0},
		{"no account", free, nil, nil, "", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			account, at := l.Best(t0, tt.budgets, tt.before, tt.own)
			if account != tt.account || account != "" && !at.Equal(t0.Add(tt.after)) {
				t.Errorf("Best = %s after %v, want %s after %v", account, at.Sub(t0), tt.account, tt.after)
			}
		})
	}
}
