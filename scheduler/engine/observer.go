package scheduler

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
)

const (
	beingRead    = 500 * time.Millisecond // until another step has read the project's metadata
	metadataAway = 15 * time.Second       // first wait after metadata could not be read
	lookedAtOnce = 2 * onPage             // two pages, which are read within seconds
	perPage      = 10 * time.Second       // 6 metadata calls a minute
	wholeProject = 2                      // this many runs without a known page are worth a scan
	// looksForVerify is how many looks a run has at least until its verify_timeout,
	// whatever else the project's metadata is wanted for.
	looksForVerify = 4
)

// A target is what one metadata call reads: a page, or one environment by id.
type target struct {
	page int
	id   string
}

// observe gives an observation of the run's environment that is not older than
// from, reading metadata when there is none; or a Grant that says when to ask again.
func (e *Engine) observe(ctx context.Context, s *situation, from time.Time) (Observation, Grant, error) {
	for range 2 { // at most one call of its own
		seen, err := e.store.Observation(ctx, s.project.ID, s.id)
		if err != nil {
			return seen, Grant{}, err
		}
		if !seen.At.IsZero() && !seen.At.Before(from.Truncate(time.Microsecond)) {
			return seen, Grant{}, nil
		}
		grant, err := e.read(ctx, s.project, func(ctx context.Context) (target, error) { return e.mostWanted(ctx, s) })
		if err == nil && grant.Paced {
			grant.At, err = e.turn(ctx, s, grant.At)
		}
		if err != nil || !grant.At.IsZero() {
			return seen, grant, err
		}
	}
	at, err := e.turn(ctx, s, s.now.Add(beingRead))
	return Observation{}, Grant{At: at, Reason: WaitMetadata, Paced: true, Detail: "the project's metadata is read in the order of the runs"}, err
}

// turn puts off a look that has many others before it: waking 5,000 runs for
// every page that is read would do nothing but keep the machine busy.
func (e *Engine) turn(ctx context.Context, s *situation, at time.Time) (time.Time, error) {
	ahead, err := e.store.Ahead(ctx, s.run)
	if err != nil {
		return at, err
	}
	if later := s.now.Add(time.Duration(ahead/lookedAtOnce) * perPage); later.After(at) {
		return later, nil
	}
	return at, nil
}

// mostWanted picks what to read: what the best-ranked run needs that waits for this
// project's metadata before its call. The run that asks has its own turn only when
// none does, if it merely looks whether it has arrived and did so not long ago:
// calls must not wait for that.
func (e *Engine) mostWanted(ctx context.Context, s *situation) (target, error) {
	open, err := e.store.Unfinished(ctx)
	if err != nil {
		return target{}, err
	}
	all, err := e.store.Observations(ctx)
	if err != nil {
		return target{}, err
	}
	seen := map[string]Observation{}
	for _, o := range all {
		if o.Project == s.project.ID {
			seen[o.ID] = o
		}
	}
	best, unplaced := s.id, 0
	looksOn := s.looksOn() && s.now.Sub(seen[s.id].At) < s.f.Defaults.VerifyTimeout/looksForVerify
	for _, r := range slices.Backward(open) { // worst first, so that the best stays
		id := lcs.NormalizeID(s.f.environments[r.Environment].ID)
		o := seen[id]
		if r.Project != s.project.Name || o.At.After(r.CreatedAt) && id != s.id {
			continue
		}
		if o.Page == 0 {
			unplaced++
		}
		if id == s.id && !looksOn || r.Waiting == WaitMetadata || r.Waiting == "" {
			best = id
		}
	}
	return e.targetOf(s.project, seen[best], best, unplaced), nil
}

// looksOn tells whether the run looks again and again at what is not its own to hasten.
func (s *situation) looksOn() bool {
	return s.run.State == Verifying || s.run.Waiting == WaitBusy || s.run.Waiting == WaitMissing
}

func (e *Engine) targetOf(p Project, o Observation, id string, unplaced int) target {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.lost[id]:
		return target{id: id}
	case o.Page > 0:
		return target{page: o.Page, id: id}
	case unplaced >= wholeProject && e.scanned[p.ID].IsZero():
		return target{page: e.scans[p.ID] + 1}
	default:
		return target{id: id}
	}
}

// read makes one metadata call, if the ledger grants it and no other step of
// this process is at it. What to read is picked only then: it costs a query.
func (e *Engine) read(ctx context.Context, p Project, pick func(context.Context) (target, error)) (Grant, error) {
	now := time.Now()
	if e.draining.Load() {
		return Grant{At: now.Add(drained), Reason: WaitMetadata, Detail: "curfew is stopping"}, nil
	}
	if !e.begin(p.ID) {
		return Grant{At: now.Add(beingRead), Reason: WaitMetadata, Paced: true, Detail: "the project's metadata is being read"}, nil
	}
	defer e.end(p.ID)
	grant, err := e.store.Reserve(ctx, Reservation{
		Now: now.UTC().Truncate(time.Microsecond), Kind: lcs.CallMetadata, Accounts: p.accountNames(), Project: p.ID, Environment: "",
	})
	if err != nil || grant.Call == nil {
		return grant, err
	}
	t, err := pick(ctx)
	if err != nil {
		grant.Call.Done, grant.Call.Outcome = time.Now(), OutcomeUnsent
		return Grant{}, errors.Join(err, e.store.Settle(context.WithoutCancel(ctx), *grant.Call, nil))
	}
	return e.readNow(ctx, p, t, *grant.Call)
}

func (e *Engine) begin(project int64) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.reading[project] {
		return false
	}
	e.reading[project] = true
	return true
}

func (e *Engine) end(project int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.reading, project)
}

func (e *Engine) readNow(ctx context.Context, p Project, t target, c Call) (Grant, error) {
	page, err := e.ask(ctx, p.client(c.Account), p.ID, t)
	c.Done = time.Now()
	a := answerOf(lcs.Operation{}, err)
	c.Outcome, c.Message = a.outcome, a.message
	e.metrics.calls.WithLabelValues(string(c.Kind), string(c.Outcome)).Inc()
	lasting := context.WithoutCancel(ctx)
	if serr := e.store.Settle(lasting, c, nil); serr != nil {
		return Grant{}, serr
	}
	if ended(ctx) { // this process is: metadata itself is well
		return Grant{At: c.Done.Add(drained), Reason: WaitMetadata, Detail: "curfew is stopping"}, nil
	}
	if err != nil {
		return e.unread(lasting, p, c, a)
	}
	e.accountUp(c.Account, c.Project)
	return Grant{}, e.record(lasting, p, t, c, page)
}

func (e *Engine) ask(ctx context.Context, client LCS, project int64, t target) (lcs.Page, error) {
	if t.page > 0 {
		return client.EnvironmentsPage(ctx, project, t.page)
	}
	env, ok, err := client.Environment(ctx, project, e.setup.Load().written(project, t.id))
	if err != nil || !ok {
		return lcs.Page{}, err
	}
	return lcs.Page{Environments: []lcs.Environment{env}}, nil
}

// unread holds what stands in the way of metadata: the account, or the project.
func (e *Engine) unread(ctx context.Context, p Project, c Call, a answer) (Grant, error) {
	n := e.failures(p.ID, 1)
	if a.signIn {
		until, err := e.accountAway(ctx, c, a, backoff(firstAccount, n, 0.5))
		return Grant{At: until, Reason: WaitAccount, Detail: a.message}, err
	}
	until := c.Done.Add(backoff(metadataAway, n, 0.5))
	if a.retryAfter > 0 {
		until = c.Done.Add(a.retryAfter)
	}
	e.log.Warn("metadata not read", zap.String("project", p.Name), zap.Time("until", until), zap.String("message", a.message))
	h := Hold{Scope: MetadataHold(p.ID), Until: until, Reason: a.message}
	return Grant{At: until, Reason: WaitMetadata, Detail: a.message}, e.store.Hold(ctx, h)
}

// failures counts how often in a row a project's metadata could not be read:
// add 1 to count one more, 0 to begin anew.
func (e *Engine) failures(project int64, add int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if add == 0 {
		delete(e.unreadable, project)
		return 0
	}
	e.unreadable[project] += add
	return e.unreadable[project]
}

// record writes what a metadata call showed, and what it did not.
func (e *Engine) record(ctx context.Context, p Project, t target, c Call, page lcs.Page) error {
	e.failures(p.ID, 0)
	list := make([]Observation, 0, len(page.Environments)+1)
	found := false
	for _, env := range page.Environments {
		o := observationOf(env, p.ID, t.page, c.At)
		found = found || o.ID == t.id
		list = append(list, o)
	}
	if t.id != "" && !found {
		missed, err := e.missed(ctx, p, t, c.At)
		if err != nil {
			return err
		}
		list = append(list, missed...)
	}
	e.mu.Lock()
	for _, o := range list {
		if o.Misses == 0 {
			delete(e.lost, o.ID)
		}
	}
	if t.page == e.scans[p.ID]+1 { // the next page of the scan, whoever asked for it
		if e.scans[p.ID] = t.page; !page.More {
			e.scans[p.ID], e.scanned[p.ID] = 0, c.Done
		}
	}
	e.mu.Unlock()
	return e.store.Observe(ctx, list)
}

// missed notes an environment that LCS left out: one that is not on its page any
// more is asked for by id next; one that is unknown by id is counted.
func (e *Engine) missed(ctx context.Context, p Project, t target, at time.Time) ([]Observation, error) {
	if t.page > 0 {
		e.mu.Lock()
		e.lost[t.id] = true
		e.mu.Unlock()
		return nil, nil
	}
	before, err := e.store.Observation(ctx, p.ID, t.id)
	if err != nil {
		return nil, err
	}
	before.Project, before.ID, before.At, before.Condition, before.Page = p.ID, t.id, at, lcs.Unknown, 0
	before.Misses++
	return []Observation{before}, nil
}

func observationOf(env lcs.Environment, project int64, page int, at time.Time) Observation {
	return Observation{
		Project: project, ID: lcs.NormalizeID(env.ID), Page: page, At: at, Name: env.Name, Condition: env.Condition(),
		DeploymentState: env.DeploymentState, Display: env.DeploymentStatusDisplay, Failed: env.Failed(),
	}
}

// refreshStale reads the next page of each project that is being scanned, or was
// scanned longer ago than the refresh interval, so that status is never far behind.
func (e *Engine) refreshStale(ctx context.Context, now time.Time) {
	for _, p := range e.setup.Load().Projects {
		t, ok := e.nextPage(p, now)
		if !ok {
			continue
		}
		if _, err := e.read(ctx, p, func(context.Context) (target, error) { return t, nil }); err != nil && !ended(ctx) {
			e.log.Warn("project not refreshed", zap.String("project", p.Name), zap.Error(err))
		}
	}
}

func (e *Engine) nextPage(p Project, now time.Time) (target, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	last := e.scans[p.ID]
	due := last > 0 || now.Sub(e.scanned[p.ID]) >= e.refresh
	return target{page: last + 1}, due
}
