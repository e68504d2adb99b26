package config

import (
	"cmp"
	"slices"
	"time"

	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// Lookback is how long before the first fire that is of interest the fires must begin
// that are forecast: their calls may still wait by then.
const Lookback = 2 * day

// A Forecast tells of a fire that LCS's limits do not let be done at once.
type Forecast struct {
	quota.Forecast
	Action   plan.Action
	Schedule string   // or exception: the first of several
	Projects []string // sorted
}

// With says with how many accounts the calls are made, and after how many others.
func (f Forecast) With() string {
	with := count(len(f.Accounts), "account")
	if f.Earlier > 0 {
		with += ", after " + count(f.Earlier, "call") + " shortly before"
	}
	return with
}

// delay is how many minutes it takes until the last call, at least one.
func (f Forecast) delay() int {
	return max(1, int(f.Last.Sub(f.At).Round(time.Minute)/time.Minute))
}

// A load is the calls that a fire of environments with the same rules asks of a
// project.
type load struct {
	plan.Fire           // of one of them
	until     time.Time // of their next fire, which cancels what still waits; zero for none
	project   string
	calls     int
}

// Forecasts tells which of the fires LCS's limits do not let be done at once. The
// fires are those of all environments, in the order of their instants. The calls that
// the daemon has made are not known here.
func (c *Config) Forecasts(fires []plan.Fire) []Forecast {
	type key struct {
		at, until         int64
		action            plan.Action
		schedule, project string
	}
	project := map[string]string{}
	for _, e := range c.Environments {
		project[e.Name] = e.Project
	}
	next, found := map[string]time.Time{}, map[key]int{}
	var loads []load
	for _, f := range slices.Backward(fires) {
		l := load{f, next[f.Environment], project[f.Environment], 1}
		next[f.Environment] = f.At
		k := key{f.At.Unix(), l.until.Unix(), f.Action, f.Schedule, l.project}
		if i, ok := found[k]; ok {
			loads[i].calls++
			continue
		}
		found[k] = len(loads)
		loads = append(loads, l)
	}
	slices.Reverse(loads)
	return c.forecasts(loads)
}

// forecasts leaves out starts that lead themselves: their calls are spread over the
// time before, so that none is left when the window begins.
func (c *Config) forecasts(loads []load) []Forecast {
	accounts, leads := map[string][]string{}, map[string]bool{}
	for _, p := range c.Projects {
		accounts[p.Name] = p.Accounts
	}
	for _, s := range c.Schedules {
		leads[s.Name] = s.Lead.Auto
	}
	var list []Forecast
	for _, action := range []plan.Action{plan.Stop, plan.Start} {
		demands, at := []quota.Demand(nil), map[int64][]load{}
		for _, l := range loads {
			if l.Action != action || action == plan.Start && leads[l.Schedule] {
				continue
			}
			demands = append(demands, quota.Demand{At: l.At, Until: l.until, Accounts: accounts[l.project], Calls: l.calls})
			at[l.At.UnixNano()] = append(at[l.At.UnixNano()], l)
		}
		for _, q := range quota.PerAccount.Forecasts(demands) {
			f := Forecast{Forecast: q, Action: action}
			for _, l := range at[q.At.UnixNano()] {
				f.add(l, accounts[l.project])
			}
			list = append(list, f)
		}
	}
	slices.SortStableFunc(list, func(a, b Forecast) int { return a.At.Compare(b.At) })
	return list
}

// add notes whose calls they are.
func (f *Forecast) add(l load, accounts []string) {
	if slices.ContainsFunc(accounts, func(a string) bool { return !slices.Contains(f.Accounts, a) }) {
		return
	}
	f.Schedule = cmp.Or(f.Schedule, l.Schedule)
	if place, found := slices.BinarySearch(f.Projects, l.project); !found {
		f.Projects = slices.Insert(f.Projects, place, l.project)
	}
}
