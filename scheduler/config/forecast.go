package config

import (
	"cmp"
	"iter"
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
	quotas   map[plan.Action]*quota.Forecaster
	accounts map[string][]string // by project
	project  map[string]string   // by environment
	auto     map[string]bool     // schedules with a learned lead
	counts   map[*string][]load  // by the first of the environments of a batch
}

// A load is calls that a batch asks of a project.
type load struct {
	project string
	calls   int
}

func newForecaster(c *Config) *forecaster {
	f := &forecaster{
		actions: []plan.Action{plan.Stop, plan.Start}, quotas: map[plan.Action]*quota.Forecaster{},
		accounts: map[string][]string{}, project: make(map[string]string, len(c.Environments)), auto: map[string]bool{}, counts: map[*string][]load{},
	}
	for _, a := range f.actions {
		f.quotas[a] = quota.PerAccount.Forecaster(nil)
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
		var demands []quota.Demand
		for _, b := range same {
			if b.Action != action || action == plan.Start && f.auto[b.Schedule] {
				continue
			}
			batches = append(batches, b)
			for _, l := range f.loads(b) {
				demands = append(demands, quota.Demand{At: b.At, Until: b.Next, Accounts: f.accounts[l.project], Calls: l.calls})
			}
		}
		if len(demands) == 0 {
			continue
		}
		for _, q := range f.quotas[action].Fire(same[0].At, demands) {
			forecast := Forecast{Forecast: q, Action: action, batches: batches, project: f.project}
			for _, b := range batches {
				f.add(&forecast, b)
			}
			if !yield(forecast) {
				return false
			}
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
