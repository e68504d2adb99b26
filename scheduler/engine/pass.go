package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

const (
	retryDelay = 5 * time.Second        // after a round that could not read or write the database
	shortest   = 100 * time.Millisecond // between two rounds that nothing but time causes
	settleLate = 3 * time.Second        // an answer is written no later than this for the calls of other passes
	recheck    = time.Minute            // what waits for quota asks again after this: others may have left the queue
)

// A pass is the work on one project: all its unfinished runs, each to its end. One
// goroutine goes round by round; calls and reads are made by others, which report to it.
type pass struct {
	w        *worker
	name     string // of the project
	ticket   scheduler.Ticket
	wake     chan struct{}
	answers  chan answered
	readings chan reading

	newest  scheduler.Ticket // guarded by w.mu
	woken   bool             // guarded by w.mu
	rushing bool             // guarded by w.mu: it is about to make calls
	slots   int              // guarded by w.mu: calls in flight, reads among them

	steps      int  // of the shared time
	loaded     bool // what follows is as in the database
	void       bool // the ticket is; only calls in flight are still settled
	owes       bool // calls were settled whose runs another pass must go on with
	runs       []scheduler.Run
	last       map[string]scheduler.Call        // by environment id
	seen       map[string]scheduler.Observation // by environment id
	calling    map[string]bool                  // runs with a call in flight
	waits      map[string]scheduler.Wait        // runs that wait for LCS's quota
	unobserved map[string]time.Time             // runs without a useful observation: since when
	asked      time.Time                        // when the ledger was last asked for calls
	readAfter  scheduler.Wait                   // no metadata call before
	reads      int                              // in flight
	others     <-chan struct{}                  // closed when a read ends that is not of this pass; nil when none is awaited
	reloadAt   time.Time                        // somebody else is about to change what is loaded; zero when not
}

func newPass(w *worker, t scheduler.Ticket) *pass {
	return &pass{
		w: w, name: t.Project, ticket: t, newest: t, wake: make(chan struct{}, 1), answers: make(chan answered), readings: make(chan reading),
		calling: map[string]bool{}, waits: map[string]scheduler.Wait{}, unobserved: map[string]time.Time{},
	}
}

// run goes round by round until the project has no unfinished runs, another process has
// the pass, or ctx ends. Calls in flight last as long as life.
func (p *pass) run(ctx, life context.Context) {
	for {
		next, over := p.guarded(ctx, life)
		p.w.rushed(p)
		if over && p.w.leave(p) {
			break
		}
		if !over {
			p.await(ctx, next)
		}
	}
	if p.owes && !done(ctx) {
		p.w.wakeProject(life, p.name)
	}
}

// guarded is a round, in which a bug must not cost more than the round. Of what a panic
// says, which could be anything, only the kind is shown.
func (p *pass) guarded(ctx, life context.Context) (next time.Time, over bool) {
	defer func() {
		if bug := recover(); bug != nil {
			p.w.record.panicked("a pass over a project", bug)
			p.loaded, next, over = false, p.w.clock.Now().Add(retryDelay), false
		}
	}()
	next, over, err := p.step(ctx, life)
	switch {
	case errors.Is(err, scheduler.ErrStale):
		p.void, p.loaded = true, false
		return time.Time{}, p.idle()
	case err != nil && !done(ctx):
		p.w.record.log.Error("pass over a project failed; retrying", zap.String("project", p.name), zap.Error(err))
		p.loaded = false
		return p.w.clock.Now().Add(retryDelay), false
	case err != nil:
		return time.Time{}, p.idle()
	}
	return next, over
}

// idle reports whether nothing is in flight.
func (p *pass) idle() bool { return len(p.calling) == 0 && p.reads == 0 }

// step does what can be done now, and returns the instant of the next round.
func (p *pass) step(ctx, life context.Context) (next time.Time, over bool, err error) {
	newest, woken := p.w.takeUp(p)
	if newest.Generation > p.ticket.Generation {
		p.ticket, p.void = newest, false
	}
	if steps := p.w.clock.Steps(); steps != p.steps { // what was noted by the time of day may lie in the future
		p.steps, p.loaded = steps, false
		clear(p.unobserved)
	}
	if woken || !p.reloadAt.IsZero() && !p.w.clock.Now().Before(p.reloadAt) {
		p.loaded = false
	}
	if p.void || done(ctx) {
		return time.Time{}, p.idle(), nil
	}
	if !p.loaded {
		if err := p.load(ctx); err != nil {
			return time.Time{}, false, err
		}
	}
	if len(p.runs) == 0 && p.idle() {
		ended, err := p.w.passes.End(ctx, p.ticket)
		if err != nil || ended {
			return time.Time{}, ended, err
		}
		p.loaded = false
		return p.w.clock.Now(), false, nil
	}
	next, err = p.advance(ctx, life)
	return next, false, err
}

func (p *pass) load(ctx context.Context) error {
	s := p.w.current.load()
	work, err := p.w.passes.Load(ctx, p.ticket, s.projects[p.name].ID, s.ids[p.name])
	if err != nil {
		return err
	}
	p.runs, p.last, p.seen, p.loaded = work.Runs, work.LastCalls, work.Observations, true
	p.waits, p.reloadAt, p.asked, p.readAfter = map[string]scheduler.Wait{}, time.Time{}, time.Time{}, scheduler.Wait{}
	known := make(map[string]bool, len(p.runs))
	for _, r := range p.runs {
		known[r.ID] = true
	}
	for id := range p.unobserved {
		if !known[id] {
			delete(p.unobserved, id)
		}
	}
	return nil
}

// await waits for an answer, a reading, a wake or an instant, and takes in what came.
func (p *pass) await(ctx context.Context, next time.Time) {
	var timer <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(max(p.w.clock.Until(next), 0))
		defer t.Stop()
		timer = t.C
	}
	ended := ctx.Done()
	if done(ctx) {
		ended = nil // only what is in flight matters any more
	}
	select {
	case <-p.wake:
	case <-timer:
	case <-p.others:
	case <-ended:
	case a := <-p.answers:
		p.settle(ctx, p.gather(a))
	case r := <-p.readings:
		p.reads--
		p.read(r)
	}
}

// gather adds the answers that come while other passes are about to make calls, and those
// that are there already: the more are written together, the better.
func (p *pass) gather(first answered) []answered {
	list := []answered{first}
	if calm := p.w.calm(); calm != nil {
		late := time.NewTimer(settleLate)
		defer late.Stop()
		for waiting := true; waiting; {
			select {
			case a := <-p.answers:
				list = append(list, a)
			case <-calm:
				waiting = false
			case <-late.C:
				waiting = false
			}
		}
	}
	for {
		select {
		case a := <-p.answers:
			list = append(list, a)
		default:
			return list
		}
	}
}

// read takes in what a metadata call showed.
func (p *pass) read(r reading) {
	switch {
	case r.err != nil:
		p.w.record.log.Error("metadata not recorded; retrying", zap.String("project", p.name), zap.Error(r.err))
		p.readAfter = scheduler.Wait{Until: p.w.clock.Now().Add(retryDelay), Reason: scheduler.WaitMetadata, Detail: "the database does not answer"}
	case !r.failed && !r.wait.Until.IsZero():
		p.readAfter = r.wait
	}
	p.observed(r.seen)
}

// observed takes in observations, where they are newer.
func (p *pass) observed(seen []scheduler.Observation) {
	for _, o := range seen {
		before, known := p.seen[o.ID]
		if p.seen != nil && (!known || !o.At.Before(before.At) || fromFuture(before, p.w.clock.Now())) {
			if o.Page == 0 {
				o.Page = before.Page
			}
			p.seen[o.ID] = o
		}
	}
}

// save writes the runs that a round changed, and records the ends among them.
func (p *pass) save(ctx context.Context, changed []scheduler.Run) error {
	if len(changed) == 0 {
		return nil
	}
	stale, err := p.w.passes.Save(ctx, p.ticket, changed, p.w.record.changed)
	if err != nil {
		return fmt.Errorf("save %d runs: %w", len(changed), err)
	}
	void := make(map[string]bool, len(stale))
	for _, id := range stale {
		void[id] = true
		p.loaded = false // somebody else changed it
	}
	ended := map[string]bool{}
	for _, r := range changed {
		if r.State.Finished() {
			ended[r.ID] = true
			if !void[r.ID] {
				p.w.record.ended(r)
			}
		}
	}
	p.drop(ended)
	return nil
}

// drop forgets runs that have ended.
func (p *pass) drop(ended map[string]bool) {
	if len(ended) == 0 {
		return
	}
	kept := p.runs[:0]
	for _, r := range p.runs {
		if !ended[r.ID] {
			kept = append(kept, r)
			continue
		}
		delete(p.unobserved, r.ID)
		delete(p.waits, r.ID)
	}
	p.runs = kept
}
