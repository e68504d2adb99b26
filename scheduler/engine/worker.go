package engine

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/quota"
)

const (
	stopWait    = 6 * time.Second // calls in flight may take this long after a stop: the daemon must be gone after 10
	callsAtOnce = 1024            // of all projects, reads among them: each is a connection
	callsOfOne  = 150             // of one project, so that a slow one leaves room for others
	fewSlots    = 64              // passes that wait for slots are woken when there are so many
)

// A PassStore is what a pass over a project works on. Each method but Wake returns
// ErrStale when the ticket is void: the project has a newer one, or another process
// has the pass.
type PassStore interface {
	// Load takes the pass of a ticket for this process, if it does not have it already,
	// and returns the project's work; id is the project's in LCS, and ids are the
	// normalised environment ids by environment.
	Load(ctx context.Context, t scheduler.Ticket, id int64, ids map[string]string) (scheduler.Work, error)
	// Save writes what may change of runs. It returns the ids of those that somebody
	// else finished or changed meanwhile, which are not written.
	Save(ctx context.Context, t scheduler.Ticket, runs []scheduler.Run, emit Emit) (stale []string, err error)
	// End returns the pass, unless the project has unfinished runs: it reports which.
	End(ctx context.Context, t scheduler.Ticket) (ended bool, err error)
	// Wake issues new tickets for projects, or returns those of the passes that this
	// process has already.
	Wake(ctx context.Context, projects ...string) ([]scheduler.Ticket, error)
}

// A CallStore accounts every start and stop before it leaves.
type CallStore interface {
	// Reserve writes the pending calls that may go now, with their runs as running with
	// one more try. ErrStale: the ticket is void. Runs that are stale have neither a
	// call nor a wait.
	Reserve(ctx context.Context, r scheduler.Reservation) (scheduler.Reserved, error)
	// Settle writes how calls ended and what that means for their runs. A call is
	// written even if its run is stale; it returns the ids of such runs.
	Settle(ctx context.Context, list []scheduler.Settlement, emit Emit) (stale []string, err error)
	// Budgets returns what each account may still do of a kind of call.
	Budgets(ctx context.Context, now time.Time, kind scheduler.CallKind, accounts []string) ([]quota.Budget, error)
}

// A worker brings the unfinished runs of projects to their ends: a pass for each project.
type worker struct {
	passes   PassStore
	calls    CallStore
	observer *observer
	accounts *accounts
	record   *recorder
	current  *snapshots
	draining *atomic.Bool // no new calls
	clock    *clock.Clock
	interval time.Duration // between two reads of a state that should change

	mu      sync.Mutex // guards what follows; written by whoever starts a pass, and by passes
	issued  []scheduler.Ticket
	running map[string]*pass
	most    int            // calls in flight of all projects
	slots   int            // calls in flight
	starved map[*pass]bool // passes that wait for a slot
	wake    chan struct{}  // there are issued tickets
	rushing int            // passes that are about to make calls
	calmed  chan struct{}  // closed when none is; nil when none was since
}

// start has the passes of tickets made, at once. A pass that runs already takes note of it.
func (w *worker) start(tickets ...scheduler.Ticket) {
	if len(tickets) == 0 {
		return
	}
	w.mu.Lock()
	w.issued = append(w.issued, tickets...)
	w.mu.Unlock()
	signal(w.wake)
}

// deliver starts the pass of a ticket that the queue hands out. One that this process has
// already, it got when the ticket was issued: nothing has changed since.
func (w *worker) deliver(t scheduler.Ticket) {
	w.mu.Lock()
	p := w.running[t.Project]
	known := p != nil && t.Generation <= p.newest.Generation
	for _, other := range w.issued {
		known = known || other.Project == t.Project && t.Generation <= other.Generation
	}
	w.mu.Unlock()
	if !known {
		w.start(t)
	}
}

// run makes passes until ctx ends; then it waits for the calls in flight, which it cuts
// off when they take too long.
func (w *worker) run(ctx context.Context) error {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var passes sync.WaitGroup
	for !done(ctx) {
		for _, p := range w.begin() {
			passes.Go(func() { p.run(ctx, life) })
		}
		select {
		case <-ctx.Done():
		case <-w.wake:
		}
	}
	cutOff := time.AfterFunc(stopWait, end)
	defer cutOff.Stop()
	passes.Wait()
	return nil
}

// begin returns the passes to make for the tickets issued, and wakes those that run.
func (w *worker) begin() []*pass {
	w.mu.Lock()
	defer w.mu.Unlock()
	var fresh []*pass
	for _, t := range w.issued {
		p := w.running[t.Project]
		if p == nil {
			p = newPass(w, t)
			w.running[t.Project] = p
			w.rush(p)
			fresh = append(fresh, p)
			continue
		}
		if t.Generation > p.newest.Generation {
			p.newest = t
		}
		p.woken = true
		w.rush(p)
		signal(p.wake)
	}
	w.issued = nil
	return fresh
}

// rush notes that a pass is about to make calls; the lock is held.
func (w *worker) rush(p *pass) {
	if p.rushing {
		return
	}
	p.rushing = true
	if w.rushing++; w.calmed == nil {
		w.calmed = make(chan struct{})
	}
}

// rushed notes that a pass has made the calls that it was started for.
func (w *worker) rushed(p *pass) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !p.rushing {
		return
	}
	p.rushing = false
	if w.rushing--; w.rushing == 0 {
		close(w.calmed)
		w.calmed = nil
	}
}

// calm returns a channel that is closed when no pass is about to make calls; nil when
// none is. An answer can wait to be written, a call cannot.
func (w *worker) calm() <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calmed
}

// takeUp reports whether a pass was woken since it was last asked, and its newest ticket.
func (w *worker) takeUp(p *pass) (scheduler.Ticket, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	woken := p.woken
	p.woken = false
	return p.newest, woken
}

// leave ends a pass, unless it was woken meanwhile.
func (w *worker) leave(p *pass) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.woken {
		return false
	}
	delete(w.running, p.name)
	delete(w.starved, p)
	return true
}

// takeSlots returns how many calls a pass may make, n at most. It is woken when there are
// more. A pass never has more than are left for all others, but one in any case: however
// slow LCS answers for some projects, there is room for the next.
func (w *worker) takeSlots(p *pass, n int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	free := w.most - w.slots
	own := min(callsOfOne, max((free+p.slots)/2, 1)) - p.slots
	got := max(min(n, free, own), 0)
	w.slots += got
	p.slots += got
	if got < n {
		w.starved[p] = true
	}
	return got
}

// freeSlots returns slots of a pass.
func (w *worker) freeSlots(p *pass, n int) {
	if n == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p.slots -= n
	if w.slots -= n; w.slots > w.most-min(fewSlots, w.most/8+1) {
		return
	}
	for p := range w.starved {
		delete(w.starved, p)
		signal(p.wake)
	}
}

// wakeProject has a project looked after whose pass this process no longer has.
func (w *worker) wakeProject(ctx context.Context, project string) {
	tickets, err := w.passes.Wake(ctx, project)
	if err != nil {
		w.record.log.Warn("project not woken; the next check for lost tickets does it", zap.String("project", project), zap.Error(err))
	}
	w.start(tickets...)
}
