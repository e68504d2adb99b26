package scheduler

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

const (
	startsKnown   = 20               // the last starts of an environment that are learned from
	startsNeeded  = 3                // with fewer, the start time is not known
	startsUnknown = 20 * time.Minute // and taken to be this
	percentile    = 90               // of them is what is planned for
	relearn       = 10 * time.Minute // what was learned is looked up again
	leadHorizon   = 24 * time.Hour   // no environment is started earlier than this before its window
	leadMargin    = 30 * time.Second // for the beat of the ticks and a look at the state
	onPage        = 7                // environments, of LCS's metadata
	leadSpacing   = time.Minute      // beyond LCS's window: calls count from their answers
)

// learned is how long starts take, by environment.
type learned struct {
	mu    sync.Mutex // guards what follows; written by ticks, read by them and reloads
	takes map[string]time.Duration
	at    map[string]time.Time // when it was looked up
}

// startTimes gives how long a start of each environment is expected to take.
func (e *Engine) startTimes(ctx context.Context, names []string, now time.Time) (map[string]time.Duration, error) {
	l := &e.learned
	l.mu.Lock()
	defer l.mu.Unlock()
	var old []string
	for _, name := range names {
		if now.Sub(l.at[name]) >= relearn || now.Before(l.at[name]) {
			old = append(old, name)
		}
	}
	if len(old) > 0 {
		took, err := e.store.StartTimes(ctx, old, startsKnown)
		if err != nil {
			return nil, err
		}
		for _, name := range old {
			l.takes[name], l.at[name] = expected(took[name]), now
		}
	}
	found := make(map[string]time.Duration, len(names))
	for _, name := range names {
		found[name] = l.takes[name]
	}
	return found, nil
}

// expected is the 90th percentile of what starts took: at least nine in ten took
// no longer.
func expected(took []time.Duration) time.Duration {
	if len(took) < startsNeeded {
		return startsUnknown
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[(len(sorted)*percentile+99)/100-1]
}

// early gives the runs of starts that must be called before their fire, so that
// the environment is up when it comes: those of schedules with lead: auto.
func (e *Engine) early(ctx context.Context, f *inForce, now time.Time) ([]Run, error) {
	if !f.leadsItself() {
		return nil, nil
	}
	coming := f.comingStarts(now)
	var names []string
	for _, c := range coming {
		names = append(names, c.Environment)
	}
	takes, err := e.startTimes(ctx, names, now)
	if err != nil {
		return nil, err
	}
	calls := quota.Limit{Calls: quota.PerAccount.Calls, Window: quota.PerAccount.Window + leadSpacing + f.lookingAnew(coming)}.Backward(f.wishes(coming, takes))
	due := map[string]time.Time{}
	for i, c := range coming {
		if !f.Leads[c.Schedule].Auto || calls[i].After(now) {
			continue
		}
		if overruled, _ := f.plan.Overruled(c.Environment, now); !overruled { // or what decides now wants it stopped until it ends
			due[c.Environment] = calls[i]
		}
	}
	recent, err := e.store.RunsSince(ctx, slices.Sorted(maps.Keys(due)), now.Add(-leadHorizon))
	if err != nil {
		return nil, err
	}
	var runs []Run
	for _, c := range coming {
		call, ok := due[c.Environment]
		if !ok || decided(c, recent[c.Environment], call, now) {
			continue
		}
		r, err := f.newRun(c, now)
		if err != nil {
			return nil, err
		}
		r.DueAt = now.Add(time.Microsecond) // never an instant of the clock, which a fire may have
		r.Rank = quota.StartRank(takes[c.Environment], f.environments[c.Environment].CostPerHour)
		runs = append(runs, r)
	}
	return runs, nil
}

// decided tells whether nothing is to be done about a coming start before its
// fire: it was begun early, or what a person did since stands until then. It
// follows from the runs alone, so that a restart and other replicas change nothing.
func decided(c plan.Fire, recent []Run, call, now time.Time) bool {
	if len(recent) == 0 {
		return false
	}
	if slices.ContainsFunc(recent, func(r Run) bool { return r.Schedule == c.Schedule && r.Action == c.Action && r.FireAt.Equal(c.At) }) {
		return true
	}
	last := recent[len(recent)-1]
	if last.Trigger != TriggerManual {
		return false
	}
	begun, ok := ahead(recent, now)
	return !last.CreatedAt.Before(call) || ok && !last.CreatedAt.Before(begun.CreatedAt)
}

func (f *inForce) leadsItself() bool {
	for _, l := range f.Leads {
		if l.Auto {
			return true
		}
	}
	return false
}

// comingStarts are the next fires of the environments, where they are starts.
func (f *inForce) comingStarts(now time.Time) []plan.Fire {
	var starts []plan.Fire
	seen := map[string]bool{}
	for _, fire := range f.plan.Fires(now.Add(time.Nanosecond), now.Add(leadHorizon)) {
		if !seen[fire.Environment] && fire.Action == plan.Start {
			starts = append(starts, fire)
		}
		seen[fire.Environment] = true
	}
	return starts
}

// lookingAnew is how long it takes, before the calls of a window of LCS's quota, to
// look again at the environments that waited for it: a page for each at worst.
func (f *inForce) lookingAnew(coming []plan.Fire) time.Duration {
	pages := 0
	for _, n := range f.inProjects(coming) {
		pages = max(pages, min(n/onPage+1, quota.PerAccount.Calls))
	}
	return time.Duration(pages) * perPage
}

func (f *inForce) inProjects(coming []plan.Fire) map[string]int {
	count := map[string]int{}
	for _, c := range coming {
		count[f.environments[c.Environment].Project]++
	}
	return count
}

// wishes says until when each start must be called. Before the call, the metadata
// of the project must be read, page by page, while others are being verified: it
// takes two rounds through the pages at worst.
func (f *inForce) wishes(coming []plan.Fire, takes map[string]time.Duration) []quota.Start {
	inProject := f.inProjects(coming)
	list := make([]quota.Start, len(coming))
	for i, c := range coming {
		env := f.environments[c.Environment]
		list[i] = quota.Start{Latest: c.At, Cost: env.CostPerHour, Accounts: f.projects[env.Project].accountNames(), Fixed: !f.Leads[c.Schedule].Auto}
		if !list[i].Fixed {
			reading := 2 * time.Duration(inProject[env.Project]/onPage+1) * perPage
			list[i].Latest = c.At.Add(-takes[c.Environment] - reading - leadMargin)
		}
	}
	return list
}

// startedEarly tells which of the environments were started for a window that has
// not begun. It asks the database, so that every replica knows, and the next process.
func (e *Engine) startedEarly(ctx context.Context, names []string, now time.Time) (map[string]bool, error) {
	recent, err := e.store.RunsSince(ctx, names, now.Add(-leadHorizon))
	if err != nil {
		return nil, err
	}
	early := map[string]bool{}
	for name, runs := range recent {
		_, ok := ahead(runs, now)
		early[name] = ok && runs[len(runs)-1].Action == plan.Start
	}
	return early, nil
}

// ahead gives the last early start of an environment whose window has not begun,
// even when something else came between.
func ahead(runs []Run, now time.Time) (Run, bool) {
	for _, r := range slices.Backward(runs) {
		if r.earlyFor().After(now) {
			return r, true
		}
	}
	return Run{}, false
}

// upBy is the instant by which a start was to be over, zero when nobody said.
func (f *inForce) upBy(r Run) time.Time {
	lead, ok := f.Leads[r.Schedule]
	if r.Action != plan.Start || !ok {
		return time.Time{}
	}
	return r.FireAt.Add(lead.Fixed)
}

// missedLead warns when an environment was not up when its window began.
func (e *Engine) missedLead(r Run) {
	by := e.setup.Load().upBy(r)
	if by.IsZero() || r.State != Succeeded && r.State != Failed || !r.FinishedAt.After(by) {
		return
	}
	e.metrics.leadMisses.Inc()
	e.warn(r, "environment was not up when its window began", zap.Time("window_began", by), zap.Duration("late", r.FinishedAt.Sub(by).Round(time.Second)))
}

// warn logs what an operator should look at and has no run state of its own.
func (e *Engine) warn(r Run, message string, fields ...zap.Field) {
	e.tell(e.runLog(r), Notice{Event: EventWarning, Run: &r, Message: message}, fields...)
}
