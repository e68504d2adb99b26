package store

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// exactWaits is how many waits for quota are computed where accounts are to be chosen:
// the requests after those wait at least as long, and ask again.
const exactWaits = 30

// place goes through the requests in their order: each has its call now, or a wait, or
// keeps its place since it is not ready.
func (l *line) place() {
	for _, one := range l.r.Requests {
		if l.inLine(one) {
			l.behind++
		}
	}
	for _, one := range l.r.Requests {
		switch h, held := l.holds[scheduler.EnvironmentHold(one.Environment, l.r.Kind)]; {
		case l.stale(one):
			continue
		case held:
			l.waits[one.Run.ID] = scheduler.Wait{Until: h.Until, Reason: scheduler.WaitThrottle, Detail: h.Reason}
			continue
		}
		l.behind--
		if wait, waits := l.serve(one); waits {
			l.waits[one.Run.ID] = wait
		}
	}
}

func (l *line) stale(one scheduler.Request) bool {
	generation, there := l.generations[one.Run.ID]
	return !there || generation != one.Run.Generation
}

// inLine reports whether a request waits for its call and not for something else.
func (l *line) inLine(one scheduler.Request) bool {
	_, held := l.holds[scheduler.EnvironmentHold(one.Environment, l.r.Kind)]
	return !held && !l.stale(one)
}

// serve grants a request its call, or returns its wait.
func (l *line) serve(one scheduler.Request) (wait scheduler.Wait, waits bool) {
	if at := quota.PerEnvironment.Next(l.r.Now, l.made[one.Environment], 0); at.After(l.r.Now) {
		l.ahead++
		return scheduler.Wait{Until: at, Reason: scheduler.WaitQuota, QuotaOnly: true, Detail: "LCS allows one " + string(l.r.Kind) + " of an environment in 5 minutes"}, true
	}
	if len(l.free) == 0 {
		l.ahead++
		return scheduler.Wait{Until: l.held.Until, Reason: scheduler.WaitAccount, Detail: l.held.Reason}, true
	}
	claims, before := l.claims(one)
	account, at := l.slot(claims, before)
	switch {
	case at.After(l.r.Now):
		l.ahead++
		return scheduler.Wait{Until: at, Reason: scheduler.WaitQuota, QuotaOnly: true, Detail: fmt.Sprintf(
			"LCS allows 30 %s calls of an account in 30 minutes; %d runs go before this one", l.r.Kind, before)}, true
	case !one.Ready:
		l.ahead++
	default:
		l.grant(one, account)
	}
	return scheduler.Wait{}, false
}

// grant counts the call as the ledger counts one in flight.
func (l *line) grant(one scheduler.Request, account string) {
	counted := l.r.Now.Add(inFlight)
	l.granted = append(l.granted, grant{one, account})
	l.made[one.Environment] = append(l.made[one.Environment], counted)
	i, _ := slices.BinarySearchFunc(l.budgets, account, func(b quota.Budget, name string) int {
		switch {
		case b.Account < name:
			return -1
		case b.Account > name:
			return 1
		}
		return 0
	})
	l.budgets[i].Taken = append(l.budgets[i].Taken, counted)
}

// claims returns what waits next to a request: calls of better-ranked runs go before
// it, the others make way for it. It returns also how many go before it in all.
func (l *line) claims(one scheduler.Request) (claims []quota.Demand, before int) {
	at := place{one.Run.Rank, one.Run.ID}
	claims = make([]quota.Demand, 0, len(l.others))
	for _, c := range l.others {
		claim := quota.Demand{Accounts: c.accounts, Calls: l.ahead, Behind: l.behind}
		if !c.own {
			claim.Calls = sort.Search(len(c.places), func(i int) bool { return !c.places[i].before(at) })
			claim.Behind = len(c.places) - claim.Calls
		}
		before += claim.Calls
		claims = append(claims, claim)
	}
	return claims, before
}

// slot returns when the call of a request may go, and of which account. Once a request
// has to wait all those after it have to as well, and no earlier.
func (l *line) slot(claims []quota.Demand, before int) (account string, at time.Time) {
	if l.last.IsZero() {
		if account, at = quota.PerAccount.Best(l.r.Now, l.budgets, claims, l.free); !at.After(l.r.Now) {
			return account, at
		}
		l.slots = l.coming()
	}
	switch {
	case l.slots != nil:
		at = l.slots[before]
	case l.waiting >= exactWaits:
		return "", l.last
	case !l.last.IsZero():
		_, at = quota.PerAccount.Best(l.r.Now, l.budgets, claims, l.free)
	}
	l.waiting++
	l.last = at
	return "", at
}

// coming returns the instants of the next calls, for all that are in line, where one
// account makes all of them; nil where there is a choice.
func (l *line) coming() []time.Time {
	calls := len(l.r.Requests)
	for _, c := range l.others {
		if !c.own && len(c.places) > 0 && !slices.Equal(c.accounts, l.free) {
			return nil
		}
		calls += len(c.places)
	}
	if len(l.free) > 1 {
		return nil
	}
	i := slices.IndexFunc(l.budgets, func(b quota.Budget) bool { return b.Account == l.free[0] })
	from := l.r.Now
	if held := l.budgets[i].Held; held.After(from) {
		from = held
	}
	limit := quota.PerAccount
	first := limit.Slots(from, l.budgets[i].Taken)
	// A slot of the first window may be later than the first one of the second: as many
	// windows are laid out as make up for that.
	span := limit.Window + quota.Guard
	windows := calls/limit.Calls + 2 + int(first[len(first)-1].Sub(first[0])/span)
	list := make([]time.Time, 0, windows*limit.Calls)
	for n := range windows {
		for _, at := range first {
			list = append(list, at.Add(time.Duration(n)*span))
		}
	}
	slices.SortFunc(list, time.Time.Compare)
	return list
}
