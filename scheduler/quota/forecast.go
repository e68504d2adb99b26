package quota

import (
	"slices"
	"time"
)

// A Forecast tells of calls that cannot all go at once.
type Forecast struct {
	Calls    int
	Accounts []string  // that share the calls, sorted
	Last     time.Time // when the last call goes
	Needed   int       // so many accounts would make all calls at once
}

// Forecasts tells of each set of claims that share accounts, directly or through
// others, if its last call cannot go at now. Claims without accounts are left out.
func (l Limit) Forecasts(now time.Time, budgets []Budget, claims []Claim) []Forecast {
	var list []Forecast
	for _, part := range Components(claims) {
		f := Forecast{Last: l.Last(now, budgets, part)}
		for _, c := range part {
			f.Calls += c.Calls
			f.Accounts = append(f.Accounts, c.Accounts...)
		}
		if !f.Last.After(now) {
			continue
		}
		slices.Sort(f.Accounts)
		f.Accounts = slices.Compact(f.Accounts)
		f.Needed = l.AccountsFor(f.Calls)
		list = append(list, f)
	}
	return list
}

// Components splits claims into sets that have no account in common, in the order
// of their first claims.
func Components(claims []Claim) [][]Claim {
	var parts [][]Claim
	for _, c := range claims {
		if len(c.Accounts) == 0 {
			continue
		}
		merged := []Claim{c}
		at := -1
		rest := parts[:0:0]
		for _, part := range parts {
			if !shares(part, c) {
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

func shares(part []Claim, c Claim) bool {
	return slices.ContainsFunc(part, func(p Claim) bool {
		return slices.ContainsFunc(p.Accounts, func(a string) bool { return slices.Contains(c.Accounts, a) })
	})
}
