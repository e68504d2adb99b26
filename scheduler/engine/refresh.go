package engine

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/clock"
)

const (
	slowBeat     = 10 * time.Second // between two passes over the projects
	fastBeat     = time.Second      // and while pages are read for a fire
	refreshRests = 20 * time.Second // without a fire to come, a project's page is read at most this often: half of its calls stay free for runs
	atOnce       = 32               // projects are refreshed at a time
	perBeat      = 80               // pages are read in one beat when no fire is near, after a start too
	downAfter    = 10               // refreshes that fail in a row: LCS is down, and one project a beat finds out when it is back
	firstBeat    = time.Second      // after the start, which is busy enough
	aheadMargin  = 10 * time.Second // before a fire, its pages are read this much earlier
	// pagesPerSecond bounds the refreshes of all projects together: with thousands of
	// environments each is read less often, so that an idle daemon stays idle.
	pagesPerSecond = 0.6
)

// A refresher keeps observations from growing old: it reads the pages that a fire to come
// needs in the minutes before it, and every page now and then. One goroutine uses it.
type refresher struct {
	observer  *observer
	current   *snapshots
	clock     *clock.Clock
	slots     chan struct{}
	read      map[int64]time.Time // by project: when its last page was read by a refresh
	notBefore map[int64]time.Time // by project: LCS lets no page be read before
	settled   map[int64]time.Time // by project: nothing is to be read for a fire before
	coming    coming
	steps     int          // of the shared time: what was noted before may lie in the future
	first     int          // where the next beat begins
	failed    atomic.Int64 // refreshes in a row; written by reads
}

// coming are the environments of fires to come, by project; it is worked out again after
// until, or when the snapshot changes.
type coming struct {
	of    *snapshot
	until time.Time
	fires map[string]map[string]time.Time // by project and environment: the instant of its next fire
}

// run refreshes until ctx ends, and waits for its reads.
func (r *refresher) run(ctx context.Context) error {
	var reads sync.WaitGroup
	defer reads.Wait()
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(firstBeat):
	}
	for {
		next := slowBeat
		if r.beat(ctx, &reads) {
			next = fastBeat
		}
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return nil
		case <-t.C:
		}
	}
}

// beat reads a page of each project that needs one now, and reports whether a fire is so
// near that more are needed soon.
func (r *refresher) beat(ctx context.Context, reads *sync.WaitGroup) (fast bool) {
	s := r.current.load()
	if steps := r.clock.Steps(); steps != r.steps {
		r.steps = steps
		clear(r.read)
		clear(r.notBefore)
		clear(r.settled)
		r.coming = coming{}
		r.observer.forgetTimes()
	}
	r.comingFires(s, r.clock.Now())
	share, start := perBeat, r.first
	if r.failed.Load() >= downAfter {
		share = 1
	}
	for i := range s.Projects {
		if len(r.slots) == cap(r.slots) { // slow answers: the others have their turn first in the next beat
			r.first = (start + i) % len(s.Projects)
			return true
		}
		p := s.Projects[(start+i)%len(s.Projects)]
		now := r.clock.Now()
		t, ok, near := r.due(ctx, s, p, now, share > 0)
		fast = fast || near
		if !ok {
			continue
		}
		if share--; share == 0 {
			r.first = (start + i + 1) % len(s.Projects) // the others are first in the next beat
		}
		c, wait, err := r.observer.reserve(ctx, p, t, now)
		if c == nil {
			r.notBefore[p.ID] = earlier(wait.Until, now.Add(recheck)) // a hold can be released before its end
			r.warn(ctx, p, err)
			continue
		}
		r.read[p.ID] = now
		r.slots <- struct{}{}
		reads.Go(func() {
			defer func() { <-r.slots }()
			got := r.observer.read(ctx, p, t, *c)
			r.warn(ctx, p, got.err)
			r.count(got)
		})
	}
	return fast
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// count notes whether LCS answers refreshes at all.
func (r *refresher) count(got reading) {
	if got.failed || got.wait.Reason == scheduler.WaitAccount {
		r.failed.Add(1)
	} else {
		r.failed.Store(0)
	}
}

func (r *refresher) warn(ctx context.Context, p scheduler.Project, err error) {
	warn(ctx, r.observer.record.log.With(zap.String("project", p.Name)), "project not refreshed", err)
}

// due returns what to read of a project now, marked as being read, and reports whether a
// fire is near. Without a share of the beat it is only what a fire needs.
func (r *refresher) due(ctx context.Context, s *snapshot, p scheduler.Project, now time.Time, share bool) (t choice, ok, near bool) {
	limited := r.notBefore[p.ID].After(now)
	if fires := r.coming.fires[p.Name]; len(fires) > 0 {
		if t, ok, near = r.beforeFires(ctx, s, p, fires, now, limited); ok || near {
			return t, ok, near
		}
	}
	if !share || limited || now.Sub(r.read[p.ID]) < refreshRests {
		return choice{}, false, false
	}
	page, ok := r.observer.nextPage(p.ID, r.interval(s), now)
	return choice{target: page}, ok, false
}

// interval is how old a scan may become: longer than the configured time where there are
// more pages than are read in it.
func (r *refresher) interval(s *snapshot) time.Duration {
	pages := len(s.Environments)/onPage + len(s.Projects)
	return max(r.observer.refresh, time.Duration(float64(pages)/pagesPerSecond*float64(time.Second)))
}

// comingFires works out the next fire of each environment, as far ahead as the pages of
// the largest project need.
func (r *refresher) comingFires(s *snapshot, now time.Time) {
	if r.coming.of == s && now.Before(r.coming.until) {
		return
	}
	ahead := aheadMargin + slowBeat
	for _, ids := range s.ids {
		ahead = max(ahead, readingTime(len(ids)/onPage+1)+aheadMargin+slowBeat)
	}
	r.coming = coming{of: s, until: now.Add(time.Minute), fires: map[string]map[string]time.Time{}}
	for _, f := range s.plan.Fires(now, now.Add(ahead+time.Minute)) {
		project := s.environments[f.Environment].Project
		if r.coming.fires[project] == nil {
			r.coming.fires[project] = map[string]time.Time{}
		}
		if _, known := r.coming.fires[project][f.Environment]; !known {
			r.coming.fires[project][f.Environment] = f.At
		}
	}
}

// beforeFires returns the page to read for the fires of a project that come soon: from the
// instant at which the rest of its pages can just be read in time.
func (r *refresher) beforeFires(ctx context.Context, s *snapshot, p scheduler.Project, fires map[string]time.Time, now time.Time, limited bool) (t choice, ok, near bool) {
	if now.Before(r.settled[p.ID]) {
		return choice{}, false, false
	}
	if limited {
		return choice{}, false, true
	}
	seen, err := r.observer.store.Observations(ctx, p.ID)
	if err != nil {
		return choice{}, false, false // the run itself says what is wrong
	}
	last := make(map[string]scheduler.Observation, len(seen))
	for _, o := range seen {
		last[o.ID] = o
	}
	good := r.observer.goodFor(p.ID)
	var needs []need
	pages := map[int]bool{}
	var first time.Time
	for name, at := range fires {
		o := last[s.ids[p.Name][name]]
		o.ID = s.ids[p.Name][name]
		if !at.After(now) || o.At.After(at.Add(-good)) {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		pages[o.Page] = true
		needs = append(needs, need{seen: o})
	}
	if len(needs) == 0 {
		r.settled[p.ID] = r.coming.until // the next fires are worked out then
	}
	if len(needs) == 0 || now.Before(first.Add(-readingTime(len(pages))-aheadMargin)) {
		return choice{}, false, false
	}
	slices.SortFunc(needs, func(a, b need) int { return a.seen.At.Compare(b.seen.At) })
	t, ok, _ = r.observer.next(p.ID, needs, now)
	return t, ok, true
}

// nextPage returns the next page of a scan that is not at its end, or was longer ago than
// every, and marks it as being read.
func (o *observer) nextPage(project int64, every time.Duration, now time.Time) (target, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	t := target{page: s.last + 1}
	if s.busy(t) || len(s.reading) > 0 || now.Before(s.wait) || now.Before(s.retry[key(t)]) || s.last == 0 && now.Sub(s.ended) < every {
		return target{}, false
	}
	s.reading[key(t)] = true
	return t, true
}
