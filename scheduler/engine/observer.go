package engine

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/quota"
)

const (
	// goodEnough is how old an observation may be that a run calls by: LCS itself
	// refuses what is busy.
	goodEnough = 2 * time.Minute
	// readAgain and readAgainMost are the waits before a page or an environment that
	// could not be read is tried again.
	readAgain     = 10 * time.Second
	readAgainMost = 20 * time.Second
	refreshAgain  = 15 * time.Second // first wait before a failed refresh is tried again; it doubles up to longestWait
	wholeProject  = 2                // this many needs without a known page are worth a scan
	concurrent    = 4                // reads of one project at a time, for the slow ones
	stopping      = time.Second      // after this a stopping process has stopped
)

// A target is what one metadata call reads: a page, or one environment by id.
type target struct {
	page int
	id   string // normalised; with a page, an environment that should be on it
}

// A choice is a target with what is known so far of the environment that it is read for.
type choice struct {
	target
	seen scheduler.Observation
}

// A need is an environment whose observation a run asks for.
type need struct {
	seen scheduler.Observation // the last one; ID is set in any case
	at   time.Time             // from when on it is needed
	poll bool                  // it can wait for those that calls need
}

// A reading is what came of one metadata call: observations, or a wait.
type reading struct {
	seen   []scheduler.Observation
	wait   scheduler.Wait
	failed bool // this target could not be read; others may be
	err    error
}

// A MetadataStore accounts metadata calls and keeps what they showed.
type MetadataStore interface {
	// ReserveMetadata writes a pending metadata call of a project, or returns the wait
	// until there may be one; the call is nil then.
	ReserveMetadata(ctx context.Context, now time.Time, p scheduler.Contender) (*scheduler.Call, scheduler.Wait, error)
	// Record writes how a metadata call ended and what it showed; an older observation
	// never replaces a newer one.
	Record(ctx context.Context, c scheduler.Call, seen []scheduler.Observation) error
	ObservationReader
}

// An ObservationReader reads what LCS last showed.
type ObservationReader interface {
	// Observations returns the last of every environment of a project, or of all
	// projects when none is named.
	Observations(ctx context.Context, projects ...int64) ([]scheduler.Observation, error)
}

// An observer reads LCS's metadata within its limit, and knows how far it is.
type observer struct {
	store    MetadataStore
	accounts *accounts
	current  *snapshots
	record   *recorder
	draining *atomic.Bool
	clock    *clock.Clock
	refresh  time.Duration

	silence *silence

	mu    sync.Mutex // guards what follows; written by passes and by housekeeping
	scans map[int64]*scan
	fresh []scheduler.Observation // made since the last recent()
}

// forgetTimes forgets when what was read: by a clock that was ahead, it may not have been yet.
func (o *observer) forgetTimes() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, s := range o.scans {
		clear(s.latest)
		clear(s.tried)
		clear(s.retry)
		s.ended, s.begins, s.polled, s.wait = time.Time{}, [3]time.Time{}, nil, time.Time{}
	}
}

func (o *observer) scanOf(project int64) *scan {
	s := o.scans[project]
	if s == nil {
		s = &scan{reading: map[target]bool{}, changed: make(chan struct{}), latest: map[string]scheduler.Observation{}, offPage: map[string]bool{}, failures: map[target]int{}, tried: map[target]time.Time{}, retry: map[target]time.Time{}, rejected: map[target]rejection{}, odd: map[int]int{}}
		o.scans[project] = s
	}
	return s
}

// latest returns the last observations of a project that this process made.
func (o *observer) latest(project int64) []scheduler.Observation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Collect(maps.Values(o.scanOf(project).latest))
}

// recent returns the observations made since it was last called.
func (o *observer) recent() []scheduler.Observation {
	o.mu.Lock()
	defer o.mu.Unlock()
	fresh := o.fresh
	o.fresh = nil
	return fresh
}

// goodFor is how old an observation may be that a run of the project calls by: two
// minutes, or as long as LCS lets its pages be read in.
func (o *observer) goodFor(project int64) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return max(goodEnough, readingTime(o.scanOf(project).pages)+aheadMargin+slowBeat)
}

// readingTime is how long LCS takes to let so many pages be read.
func readingTime(pages int) time.Duration {
	return time.Duration((pages+quota.Metadata.Calls-1)/quota.Metadata.Calls) * (quota.Metadata.Window + quota.Guard + fastBeat)
}

// next picks what to read for needs, the most urgent first, and marks it as being read:
// read must follow. Without one that can be read now, at is the instant from which there is; zero when there is none.
func (o *observer) next(project int64, needs []need, now time.Time) (t choice, ok bool, at time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	if len(s.reading) >= concurrent {
		return choice{}, false, time.Time{} // the end of one is a new occasion
	}
	unknownPage := 0
	for _, n := range needs {
		if n.seen.Page == 0 && !n.at.After(now) {
			unknownPage++
		}
	}
	poll, held := false, false
	for _, n := range needs {
		if ok && n.poll != poll {
			break
		}
		c := s.target(n, unknownPage)
		if c.page == 0 && c.id == "" || s.busy(c) {
			continue
		}
		from := n.at
		if retry := s.retry[key(c)]; retry.After(from) {
			from, held = retry, held || !n.poll
		}
		if rest := s.polled.next(now); n.poll && held && rest.After(from) {
			from = rest // calls wait for a page that is tried again soon: half of LCS's limit is left for it
		}
		if from.After(now) {
			if at.IsZero() || from.Before(at) {
				at = from
			}
			continue
		}
		if !ok || s.before(c, t.target, n.poll) {
			t, ok, poll = choice{c, n.seen}, true, n.poll
		}
	}
	if ok {
		s.reading[key(t.target)], s.tried[key(t.target)] = true, now
		if poll {
			s.polled = append(s.polled[max(0, len(s.polled)-halfOfLimit+1):], now)
		}
	}
	return t, ok, at
}

// failing reports whether the target of an environment could not be read last, and when
// it is tried again.
func (o *observer) failing(project int64, n need, now time.Time) (until time.Time, failing bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	t := key(s.target(n, 0))
	return s.retry[t], s.failures[t] > 0 && s.retry[t].After(now)
}

// reserve has a metadata call accounted for a choice; read must follow. Without one, the
// choice is dropped, and the wait says until when. now is the instant of the observation.
func (o *observer) reserve(ctx context.Context, p scheduler.Project, from choice, now time.Time) (*scheduler.Call, scheduler.Wait, error) {
	var c *scheduler.Call
	var err error
	wait := scheduler.Wait{Until: now.Add(stopping), Reason: scheduler.WaitMetadata, Detail: "curfew is stopping", QuotaOnly: true}
	if !o.draining.Load() {
		c, wait, err = o.store.ReserveMetadata(ctx, micros(now), contender(p))
	}
	if err != nil || c == nil {
		o.drop(p.ID, from)
		return nil, wait, err
	}
	return c, scheduler.Wait{}, nil
}

func (o *observer) drop(project int64, from choice) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	delete(s.reading, key(from.target))
	close(s.changed)
	s.changed = make(chan struct{})
}

// changed returns a channel that is closed when the next read of a project ends.
func (o *observer) changed(project int64) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.scanOf(project).changed
}

// read makes a reserved metadata call.
func (o *observer) read(ctx context.Context, p scheduler.Project, from choice, c scheduler.Call) (r reading) {
	t := from.target
	defer o.drop(p.ID, from)
	page, err := o.ask(ctx, p, c.Account, t)
	c.Done = o.clock.Now()
	a := answerOf(lcs.Operation{}, err)
	c.Outcome, c.Message = a.outcome, a.message
	o.record.metrics.calls.WithLabelValues(string(c.Kind), string(c.Outcome)).Inc()
	lasting := context.WithoutCancel(ctx)
	if err == nil {
		r.seen = observations(p, from, c, page)
	}
	if r.err = o.store.Record(lasting, c, r.seen); r.err != nil {
		return r
	}
	switch {
	case err == nil:
		o.succeeded(p, t, c, page, r.seen)
		r.err = errors.Join(o.accounts.worked(lasting, c), o.silence.answered(lasting, p, c.Done))
	case done(ctx): // this process has ended: metadata itself works
		r.wait = scheduler.Wait{Until: c.Done.Add(stopping), Reason: scheduler.WaitMetadata, Detail: "curfew is stopping", QuotaOnly: true}
	default:
		r.wait, r.failed, r.err = o.readFailed(lasting, p, t, c, a)
	}
	return r
}

func (o *observer) ask(ctx context.Context, p scheduler.Project, account string, t target) (lcs.Page, error) {
	client := p.Client(account)
	if t.page > 0 {
		return client.EnvironmentsPage(ctx, p.ID, t.page)
	}
	env, ok, err := client.Environment(ctx, p.ID, o.current.load().written(p.ID, t.id))
	if err != nil || !ok {
		return lcs.Page{}, err
	}
	return lcs.Page{Environments: []lcs.Environment{env}}, nil
}

// readFailed holds back what stands in the way of metadata: the account, the project
// that LCS throttles, or the target alone.
func (o *observer) readFailed(ctx context.Context, p scheduler.Project, t target, c scheduler.Call, a answer) (scheduler.Wait, bool, error) {
	n := o.failures(p.ID, t)
	if a.kind == lcs.Forbidden {
		a.oneProject = o.accounts.another(ctx, p, c)
	}
	if a.signIn || a.oneProject {
		until, err := o.accounts.failed(ctx, c, a, backoff(firstAccount, n, 0.5))
		if !a.signIn {
			until = c.Done // another account reads it
		}
		return scheduler.Wait{Until: until, Reason: scheduler.WaitAccount, Detail: a.message}, false, err
	}
	until := c.Done.Add(min(backoff(readAgain, n, rand.Float64()), readAgainMost)) //nolint:gosec // jitter needs no secret randomness
	var err error
	switch a.outcome {
	case scheduler.OutcomeAmbiguous, scheduler.OutcomeUnsent:
		o.silence.failed(p, c.Done, a.message)
	default: // it answered
		err = o.silence.answered(ctx, p, c.Done)
	}
	if a.outcome == scheduler.OutcomeThrottled {
		throttled := until
		if a.retryAfter > 0 {
			throttled = c.Done.Add(a.retryAfter)
		}
		err = errors.Join(err, o.holdProject(ctx, p, c, throttled, a.message))
	}
	o.mu.Lock()
	s := o.scanOf(p.ID)
	s.retry[key(t)] = until
	s.reject(t, c, a)
	s.failed++
	s.wait = c.Done.Add(max(until.Sub(c.Done), backoff(refreshAgain, s.failed, 0.5)))
	o.mu.Unlock()
	o.record.log.Warn("metadata not read", zap.String("project", p.Name), zap.Int("page", t.page), zap.Time("until", until), zap.String("message", a.message))
	return scheduler.Wait{Until: until, Reason: scheduler.WaitMetadata, Detail: a.message}, true, err
}

// rejected returns what LCS rejected last of the metadata of an environment.
func (o *observer) rejected(project int64, id string) rejection {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	if r := s.rejected[target{}]; !r.at.IsZero() {
		return r
	}
	return s.rejected[target{id: id}]
}

func (o *observer) holdProject(ctx context.Context, p scheduler.Project, c scheduler.Call, until time.Time, message string) error {
	e := newEvent(scheduler.EventThrottled, c.Done, scheduler.BySchedule, "metadata of project "+p.Name+": "+message)
	e.Account = c.Account
	return o.accounts.store.Hold(ctx, []scheduler.Hold{{Scope: scheduler.MetadataHold(p.ID), Until: until, Reason: message}}, e)
}

// failures counts how often in a row a target could not be read.
func (o *observer) failures(project int64, t target) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	s.failures[key(t)]++
	return s.failures[key(t)]
}

// observations are what a metadata call showed, and what it did not: an environment that
// is unknown by id is counted as missed.
func observations(p scheduler.Project, t choice, c scheduler.Call, page lcs.Page) []scheduler.Observation {
	list := make([]scheduler.Observation, 0, len(page.Environments)+1)
	found := t.page > 0
	for _, env := range page.Environments {
		seen := observationOf(env, p.ID, t.page, micros(c.At))
		found = found || seen.ID == t.id
		list = append(list, seen)
	}
	if before := t.seen; !found {
		before.Project, before.ID, before.At, before.Condition, before.Page = p.ID, t.id, micros(c.At), lcs.Unknown, 0
		before.Misses++
		list = append(list, before)
	}
	return list
}

func observationOf(env lcs.Environment, project int64, page int, at time.Time) scheduler.Observation {
	return scheduler.Observation{
		Project: project, ID: lcs.NormalizeID(env.ID), Page: page, At: at, Name: env.Name, Condition: env.Condition(),
		DeploymentState: env.DeploymentState, Display: env.DeploymentStatusDisplay, Failed: env.Failed(),
	}
}

// succeeded moves the project's scan on. An environment that is not on its page any more
// is asked for by id next.
func (o *observer) succeeded(p scheduler.Project, t target, c scheduler.Call, page lcs.Page, seen []scheduler.Observation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(p.ID)
	delete(s.failures, key(t))
	delete(s.retry, key(t))
	delete(s.rejected, target{})
	s.failed, s.wait = 0, time.Time{}
	if t.page > 0 && t.id != "" && !slices.ContainsFunc(seen, func(x scheduler.Observation) bool { return x.ID == t.id }) {
		s.offPage[t.id] = true
	}
	for _, x := range seen {
		s.latest[x.ID] = x
		delete(s.rejected, target{id: x.ID})
		if x.Misses == 0 {
			delete(s.offPage, x.ID)
		}
	}
	if t.page > 0 && page.Unreadable > s.odd[t.page] {
		o.record.log.Warn("rows of metadata have no readable id; their environments are asked for by id", zap.String("project", p.Name), zap.Int("page", t.page), zap.Int("rows", page.Unreadable))
	}
	s.odd[t.page] = page.Unreadable
	if t.page == s.last+1 { // the next page of the scan, whoever asked for it
		s.advance(t.page, page.More, c)
	}
	o.fresh = append(o.fresh, seen...)
}

// listed returns all that LCS lists of a project; ok is false until that is known. Of more
// than one page it takes two scans: an environment can move to a page that was read before.
func (o *observer) listed(project int64) (list []scheduler.Observation, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.scanOf(project)
	since := s.begins[1]
	if s.pages > 1 {
		since = s.begins[0]
	}
	if since.IsZero() {
		return nil, false
	}
	for _, x := range s.latest {
		if x.Misses == 0 && !x.At.Before(since) {
			list = append(list, x)
		}
	}
	return list, true
}

// done reports whether ctx has ended.
func done(ctx context.Context) bool { return ctx.Err() != nil }
