package config

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

// Lookback is how long before the first fire that is of interest the fires must begin
// that are forecast: their calls may still wait by then.
const Lookback = 2 * day

// A Forecast describes a fire that LCS's limits do not let be done at once.
type Forecast struct {
	quota.Forecast
	Action   plan.Action
	Schedule string   // or exception: the first of several
	Projects []string // sorted

	batches []plan.Batch // of the instant and action
	project map[string]string
}

// With says with how many accounts the calls are made, and after how many others.
func (f Forecast) With() string {
	with := count(len(f.Accounts), "account")
	if f.Earlier > 0 {
		with += ", after " + count(f.Earlier, "call") + " shortly before"
	}
	return with
}

// Includes reports whether a call for the environment is among those that are forecast.
func (f Forecast) Includes(environment string) bool {
	if _, found := slices.BinarySearch(f.Projects, f.project[environment]); !found {
		return false
	}
	return slices.ContainsFunc(f.batches, func(b plan.Batch) bool {
		_, found := slices.BinarySearch(b.Environments, environment)
		return found
	})
}

// delay is how many minutes it takes until the last call, at least one.
func (f Forecast) delay() int {
	return max(1, int(f.Last.Sub(f.At).Round(time.Minute)/time.Minute))
}

// Forecasts yields the fires that LCS's limits do not let be done at once, in the order
// of their instants. The batches are the fires of all environments, in that order too.
// The calls that the daemon has made are not known here.
func (c *Config) Forecasts(batches iter.Seq[plan.Batch]) iter.Seq[Forecast] {
	return func(yield func(Forecast) bool) {
		f := newForecaster(c)
		var same []plan.Batch // of one instant
		for b := range batches {
			if len(same) > 0 && !same[0].At.Equal(b.At) {
				if !f.instant(same, yield) {
					return
				}
				same = same[:0]
			}
			same = append(same, b)
		}
		f.instant(same, yield)
	}
}

// A forecaster carries calls on from instant to instant, stops and starts apart: LCS
// counts them apart.
type forecaster struct {
	actions  []plan.Action
	quotas   map[shared]*quota.Forecaster
	groups   map[string]int      // by project: those that share accounts, directly or through others, have the same
	accounts map[string][]string // by project
	project  map[string]string   // by environment
	auto     map[string]bool     // schedules with a learned lead
	counts   map[*string][]load  // by the first of the environments of a batch
}

// shared is an action on projects that share accounts: its calls wait for no others.
type shared struct {
	action plan.Action
	group  int
}

// A load is calls that a batch asks of a project.
type load struct {
	project string
	calls   int
}

func newForecaster(c *Config) *forecaster {
	f := &forecaster{
		actions: []plan.Action{plan.Stop, plan.Start}, quotas: map[shared]*quota.Forecaster{}, groups: groups(c.Projects),
		accounts: map[string][]string{}, project: make(map[string]string, len(c.Environments)), auto: map[string]bool{}, counts: map[*string][]load{},
	}
	for _, p := range c.Projects {
		f.accounts[p.Name] = p.Accounts
	}
	for _, e := range c.Environments {
		f.project[e.Name] = e.Project
	}
	for _, s := range c.Schedules {
		f.auto[s.Name] = s.Lead.Auto
	}
	return f
}

// groups numbers the projects that share accounts.
func groups(projects []Project) map[string]int {
	of := map[string]int{} // by account
	for i, p := range projects {
		for _, account := range p.Accounts {
			other, known := of[account]
			of[account] = i
			if !known || other == i {
				continue
			}
			for a, group := range of {
				if group == other {
					of[a] = i
				}
			}
		}
	}
	list := make(map[string]int, len(projects))
	for i, p := range projects {
		if list[p.Name] = i; len(p.Accounts) > 0 {
			list[p.Name] = of[p.Accounts[0]]
		}
	}
	return list
}

// forecaster returns what carries the calls of a group on.
func (f *forecaster) forecaster(s shared) *quota.Forecaster {
	if f.quotas[s] == nil {
		f.quotas[s] = quota.PerAccount.Forecaster(nil)
	}
	return f.quotas[s]
}

// loads counts the calls of a batch by project, in the order of their names.
func (f *forecaster) loads(b plan.Batch) []load {
	key := &b.Environments[0]
	if known, ok := f.counts[key]; ok {
		return known
	}
	var list []load
	for _, e := range b.Environments {
		name := f.project[e]
		i, found := slices.BinarySearchFunc(list, name, func(l load, name string) int { return cmp.Compare(l.project, name) })
		if !found {
			list = slices.Insert(list, i, load{project: name})
		}
		list[i].calls++
	}
	f.counts[key] = list
	return list
}

// instant yields what is to be said of the fires of one instant. Starts that lead
// themselves are left out: their calls are spread over the time before, so that none is
// left when the window begins.
func (f *forecaster) instant(same []plan.Batch, yield func(Forecast) bool) bool {
	for _, action := range f.actions {
		var batches []plan.Batch
		demands := map[int][]quota.Demand{}
		for _, b := range same {
			if b.Action != action || action == plan.Start && f.auto[b.Schedule] {
				continue
			}
			batches = append(batches, b)
			for _, l := range f.loads(b) {
				g := f.groups[l.project]
				demands[g] = append(demands[g], quota.Demand{At: b.At, Until: b.Next, Accounts: f.accounts[l.project], Calls: l.calls})
			}
		}
		for _, g := range slices.Sorted(maps.Keys(demands)) {
			if !f.yieldAll(f.forecaster(shared{action, g}).Fire(same[0].At, demands[g]), Forecast{Action: action, batches: batches, project: f.project}, yield) {
				return false
			}
		}
	}
	return true
}

// yieldAll yields forecasts that have the rest in common.
func (f *forecaster) yieldAll(list []quota.Forecast, common Forecast, yield func(Forecast) bool) bool {
	for _, q := range list {
		forecast := common
		forecast.Forecast = q
		for _, b := range common.batches {
			f.add(&forecast, b)
		}
		if !yield(forecast) {
			return false
		}
	}
	return true
}

// add notes whose calls of a batch are among those that are forecast.
func (f *forecaster) add(to *Forecast, b plan.Batch) {
	for _, l := range f.loads(b) {
		if slices.ContainsFunc(f.accounts[l.project], func(a string) bool { return !slices.Contains(to.Accounts, a) }) {
			continue
		}
		to.Schedule = cmp.Or(to.Schedule, b.Schedule)
		if place, found := slices.BinarySearch(to.Projects, l.project); !found {
			to.Projects = slices.Insert(to.Projects, place, l.project)
		}
	}
}
