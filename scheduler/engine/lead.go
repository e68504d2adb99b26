package engine

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/quota"
)

const (
	startsKnown   = 20               // the last starts of an environment that are learned from
	startsNeeded  = 3                // with fewer, the start time is not known
	startsUnknown = 20 * time.Minute // and taken to be this
	percentile    = 90               // of them is what is planned for
	relearn       = 10 * time.Minute // what was learned is read again
	leadHorizon   = 24 * time.Hour   // no environment is started earlier than this before its window
	leadMargin    = 30 * time.Second // for the beat of the ticks and a read of the state
	leadSpacing   = time.Minute      // beyond LCS's window: calls count from their answers
	onPage        = lcs.PageSize     // environments, of LCS's metadata
	perPage       = 10 * time.Second // 6 metadata calls a minute
)

// A RunStore reads runs.
type RunStore interface {
	// Run returns one run with its attempts, or ErrNoRun.
	Run(ctx context.Context, id string) (scheduler.Run, error)
	// List returns the runs that match, newest first, and the cursor of the next page.
	List(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error)
	// Unfinished returns every unfinished run without its attempts, best rank first.
	Unfinished(ctx context.Context) ([]scheduler.Run, error)
	// Since returns, by environment, the runs whose fire is at since or later, without
	// missed ones and attempts, in the order in which they were due.
	Since(ctx context.Context, environments []string, since time.Time) (map[string][]scheduler.Run, error)
	// StartTimes returns, by environment, how long its last verified starts took, newest
	// first and n at most.
	StartTimes(ctx context.Context, environments []string, n int) (map[string][]time.Duration, error)
	// LastManual returns, of each environment, the last run that a person asked for, of
	// those that did not fail and were not canceled.
	LastManual(ctx context.Context) ([]scheduler.Run, error)
}

// leads learns how long starts take, and plans the starts that are made early.
type leads struct {
	store   RunStore
	current *snapshots

	mu    sync.Mutex // guards what follows; written by ticks, read by them and by enforcement
	takes map[string]time.Duration
	at    map[string]time.Time // when it was read
	rest  rest
}

// A rest is a stretch of time in which no start becomes due early.
type rest struct {
	of    *snapshot
	until time.Time
}

func newLeads(s RunStore, current *snapshots) *leads {
	return &leads{store: s, current: current, takes: map[string]time.Duration{}, at: map[string]time.Time{}}
}

// startTimes returns how long a start of each environment is expected to take.
func (l *leads) startTimes(ctx context.Context, names []string, now time.Time) (map[string]time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var old []string
	for _, name := range names {
		if now.Sub(l.at[name]) >= relearn || now.Before(l.at[name]) {
			old = append(old, name)
		}
	}
	if len(old) > 0 {
		took, err := l.store.StartTimes(ctx, old, startsKnown)
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

// early returns the runs of starts that must be called before their fire, so that the
// environment is up when it comes: those of schedules with lead: auto. Until then none
// becomes due: there is nothing to do before rest, when it is given back to settle.
func (l *leads) early(ctx context.Context, s *snapshot, now time.Time) ([]scheduler.Run, rest, error) {
	l.mu.Lock()
	resting := l.rest.of == s && now.Before(l.rest.until) && now.After(l.rest.until.Add(-relearn))
	l.mu.Unlock()
	if resting || !s.leadsAuto() {
		return nil, rest{}, nil
	}
	coming := s.nextStarts(now)
	var names []string
	for _, c := range coming {
		names = append(names, c.Environment)
	}
	takes, err := l.startTimes(ctx, names, now)
	if err != nil {
		return nil, rest{}, err
	}
	calls := quota.Limit{Calls: quota.PerAccount.Calls, Window: quota.PerAccount.Window + leadSpacing + s.readingAgain(coming)}.Backward(s.deadlines(coming, takes))
	next := rest{s, now.Add(relearn)}
	due := map[string]time.Time{}
	for i, c := range coming {
		if c.At.Before(next.until) {
			next.until = c.At
		}
		if !s.Leads[c.Schedule].Auto {
			continue
		}
		if calls[i].After(now) {
			if calls[i].Before(next.until) {
				next.until = calls[i]
			}
			continue
		}
		if overruled, _ := s.plan.Overruled(c.Environment, now); !overruled { // or what decides now wants it stopped until it ends
			due[c.Environment] = calls[i]
		}
	}
	runs, err := l.earlyRuns(ctx, s, coming, due, now)
	for i := range runs {
		runs[i].Rank = quota.StartRank(takes[runs[i].Environment], s.environments[runs[i].Environment].CostPerHour)
	}
	return runs, next, err
}

// settle notes that the early runs are written: there are no others before a rest ends.
func (l *leads) settle(r rest) {
	if r.of == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = r
}

// earlyRuns returns the runs of the coming starts that are due, and not yet decided.
func (l *leads) earlyRuns(ctx context.Context, s *snapshot, coming []plan.Fire, due map[string]time.Time, now time.Time) ([]scheduler.Run, error) {
	recent, err := l.store.Since(ctx, slices.Sorted(maps.Keys(due)), now.Add(-leadHorizon))
	if err != nil {
		return nil, err
	}
	var runs []scheduler.Run
	for _, c := range coming {
		call, ok := due[c.Environment]
		if !ok || decided(c, recent[c.Environment], call, now) {
			continue
		}
		r, err := s.newRun(c, now)
		if err != nil {
			return nil, err
		}
		r.DueAt = now.Add(time.Microsecond) // never an instant of the clock, which a fire may have
		runs = append(runs, r)
	}
	return runs, nil
}

// decided reports whether nothing is to be done about a coming start before its
// fire: it was started early, or what a person did since stands until then. It
// follows from the runs alone, so that a restart and other replicas change nothing.
func decided(c plan.Fire, recent []scheduler.Run, call, now time.Time) bool {
	if len(recent) == 0 {
		return false
	}
	if slices.ContainsFunc(recent, func(r scheduler.Run) bool {
		return r.Schedule == c.Schedule && r.Action == c.Action && r.FireAt.Equal(c.At)
	}) {
		return true
	}
	last := recent[len(recent)-1]
	if last.Trigger != scheduler.TriggerManual {
		return false
	}
	started, ok := ahead(recent, now)
	return !last.CreatedAt.Before(call) || ok && !last.CreatedAt.Before(started.CreatedAt)
}

func (s *snapshot) leadsAuto() bool {
	for _, l := range s.Leads {
		if l.Auto {
			return true
		}
	}
	return false
}

// nextStarts are the next fires of the environments, where they are starts.
func (s *snapshot) nextStarts(now time.Time) []plan.Fire {
	var starts []plan.Fire
	seen := map[string]bool{}
	for _, fire := range s.plan.Fires(now.Add(time.Nanosecond), now.Add(leadHorizon)) {
		if !seen[fire.Environment] && fire.Action == plan.Start {
			starts = append(starts, fire)
		}
		seen[fire.Environment] = true
	}
	return starts
}

// readingAgain is how long it takes, before the calls of a window of LCS's quota, to
// read again the environments that waited for it: a page for each at worst.
func (s *snapshot) readingAgain(coming []plan.Fire) time.Duration {
	pages := 0
	for _, n := range s.inProjects(coming) {
		pages = max(pages, min(n/onPage+1, quota.PerAccount.Calls))
	}
	return time.Duration(pages) * perPage
}

func (s *snapshot) inProjects(coming []plan.Fire) map[string]int {
	count := map[string]int{}
	for _, c := range coming {
		count[s.environments[c.Environment].Project]++
	}
	return count
}

// deadlines says until when each start must be called. Before the call, the metadata
// of the project must be read, page by page, while others are being verified: it
// takes two rounds through the pages at worst.
func (s *snapshot) deadlines(coming []plan.Fire, takes map[string]time.Duration) []quota.Start {
	inProject := s.inProjects(coming)
	list := make([]quota.Start, len(coming))
	for i, c := range coming {
		env := s.environments[c.Environment]
		list[i] = quota.Start{Latest: c.At, Cost: env.CostPerHour, Accounts: s.projects[env.Project].AccountNames(), Fixed: !s.Leads[c.Schedule].Auto}
		if !list[i].Fixed {
			reading := 2 * time.Duration(inProject[env.Project]/onPage+1) * perPage
			list[i].Latest = c.At.Add(-takes[c.Environment] - reading - leadMargin)
		}
	}
	return list
}

// startedEarly reports which of the environments were started for a window that has
// not started. It asks the database, so that every replica knows, and the next process.
func (l *leads) startedEarly(ctx context.Context, names []string, now time.Time) (map[string]bool, error) {
	recent, err := l.store.Since(ctx, names, now.Add(-leadHorizon))
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

// ahead returns the last early start of an environment whose window has not started,
// even when something else came between.
func ahead(runs []scheduler.Run, now time.Time) (scheduler.Run, bool) {
	for _, r := range slices.Backward(runs) {
		if r.EarlyFor().After(now) {
			return r, true
		}
	}
	return scheduler.Run{}, false
}
