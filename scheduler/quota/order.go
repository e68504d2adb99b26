package quota

import (
	"math"
	"slices"
	"time"
)

// Of two runs that wait for the same calls, the one of lower rank goes first.

// StopRank orders stops the most expensive first: with too few calls, the most
// expensive hours are the ones that are not paid for.
func StopRank(costPerHour float64) float64 { return -costPerHour }

// StartRank orders starts so that all are up soonest: those that take longest go
// first. Of those that take equally long, to half a minute, the cheapest does.
func StartRank(takes time.Duration, costPerHour float64) float64 {
	return -math.Round(takes.Seconds()/30) + costPerHour/(1+costPerHour)
}

// Before returns the rank of what a person asked for: before everything scheduled.
func Before(rank float64) float64 { return rank - 1e9 }

// A Start is one start that is to be over at an instant.
type Start struct {
	Latest   time.Time // the call must go by then
	Cost     float64   // per hour: of two that could swap, the cheaper is called earlier
	Accounts []string  // any of these may call
	// Fixed starts go at Latest whatever happens; they only take up quota.
	Fixed bool
}

// Backward returns the instant of each start's call: by its Latest, as late as the
// limit allows, with the most expensive called last.
func (l Limit) Backward(starts []Start) []time.Time {
	order := make([]int, len(starts))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := starts[a], starts[b]
		switch {
		case x.Fixed != y.Fixed:
			if x.Fixed {
				return -1
			}
			return 1
		case !x.Latest.Equal(y.Latest):
			return y.Latest.Compare(x.Latest)
		case x.Cost > y.Cost:
			return -1
		case x.Cost < y.Cost:
			return 1
		}
		return 0
	})
	made := map[string][]time.Time{} // by account, sorted
	calls := make([]time.Time, len(starts))
	for _, i := range order {
		s := starts[i]
		calls[i] = s.Latest
		account := ""
		for n, a := range s.Accounts {
			at := s.Latest
			if !s.Fixed {
				at = l.latest(made[a], s.Latest)
			}
			if n == 0 || at.After(calls[i]) {
				account, calls[i] = a, at
			}
		}
		place, _ := slices.BinarySearchFunc(made[account], calls[i], time.Time.Compare)
		made[account] = slices.Insert(made[account], place, calls[i])
	}
	return calls
}

// latest is the last instant, not after at, at which one more call fits between
// those made, which are sorted.
func (l Limit) latest(made []time.Time, at time.Time) time.Time {
	for {
		over := l.crowded(made, at)
		if over.IsZero() {
			return at
		}
		at = over.Add(-l.Window - Guard)
	}
}

// crowded returns the call that must be out of the window of one at at, zero when
// it fits: the last of a full window that at would be part of.
func (l Limit) crowded(sorted []time.Time, at time.Time) time.Time {
	span := l.Window + Guard
	place, _ := slices.BinarySearchFunc(sorted, at, time.Time.Compare)
	// With the new call, any l.Calls+1 neighbours must stretch over a window.
	for first := max(0, place-l.Calls); first <= place; first++ {
		end := first + l.Calls - 1 // the neighbours are sorted[first..end] and at
		if end >= len(sorted) {
			break
		}
		lo, hi := sorted[first], sorted[end]
		if at.Before(lo) {
			lo = at
		}
		if at.After(hi) {
			hi = at
		}
		if hi.Sub(lo) < span {
			return sorted[end]
		}
	}
	return time.Time{}
}
