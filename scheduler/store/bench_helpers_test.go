package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

var t0 = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

func newRun(env string, action plan.Action, at time.Time) scheduler.Run {
	return scheduler.Run{
		ID: uuid.Must(uuid.NewV7()).String(), Environment: env, Project: "contoso", Schedule: "office-hours", Action: action,
		Trigger: scheduler.TriggerSchedule, By: scheduler.BySchedule, State: scheduler.Queued, FireAt: at, CreatedAt: at,
	}
}

func (b *bench) tick(from, to time.Time, runs ...scheduler.Run) scheduler.Written {
	b.t.Helper()
	res, err := b.Runs.CommitTick(b.t.Context(), scheduler.Cursor{At: from}, to, runs, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func (b *bench) run(id string) scheduler.Run {
	b.t.Helper()
	r, err := b.Runs.Run(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) runs(t *testing.T, f scheduler.RunFilter) []scheduler.Run {
	t.Helper()
	runs, _, err := b.Runs.List(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// newStart writes a run of its own next to those of a test.
func newStart(b *bench, env string) scheduler.Run {
	b.t.Helper()
	r := newRun(env, plan.Start, t0)
	if _, err := b.Runs.InsertManual(b.t.Context(), r, nil); err != nil {
		b.t.Fatal(err)
	}
	return r
}

// writeWaiting writes a run that waits as r says.
func (b *bench) writeWaiting(r scheduler.Run) scheduler.Run {
	b.t.Helper()
	if _, err := b.Runs.InsertManual(b.t.Context(), r, nil); err != nil {
		b.t.Fatal(err)
	}
	return b.run(r.ID)
}

// projectID is the id of a project in LCS: 1 for contoso.
func projectID(name string) int64 {
	return int64(slices.Index([]string{"contoso", "fabrikam", "northwind", "idle", "idle-too"}, name) + 1)
}

// claim takes the pass of a ticket.
func (b *bench) claim(t scheduler.Ticket) scheduler.Work {
	b.t.Helper()
	w, err := b.load(t)
	if err != nil {
		b.t.Fatal(err)
	}
	return w
}

// load takes the pass of a ticket; the id of each environment is its name.
func (b *bench) load(t scheduler.Ticket) (scheduler.Work, error) {
	b.t.Helper()
	open, err := b.Runs.Unfinished(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	ids := map[string]string{}
	for _, r := range open {
		ids[r.Environment] = r.Environment
	}
	return b.Passes.Load(b.t.Context(), t, projectID(t.Project), ids)
}

// pass has this process take the pass over a project, whoever had it.
func (b *bench) pass(project string) scheduler.Ticket {
	b.t.Helper()
	tickets := b.wake(project)
	if len(tickets) != 1 {
		b.t.Fatalf("Wake(%q) = %v, want one ticket", project, tickets)
	}
	b.claim(tickets[0])
	return tickets[0]
}

func (b *bench) wake(projects ...string) []scheduler.Ticket {
	b.t.Helper()
	tickets, err := b.Passes.Wake(b.t.Context(), projects...)
	if err != nil {
		b.t.Fatal(err)
	}
	return tickets
}

// save writes a run in a pass of this process; ErrStale when it was not written.
func (b *bench) save(r scheduler.Run) error {
	b.t.Helper()
	stale, err := b.Passes.Save(b.t.Context(), b.pass(r.Project), []scheduler.Run{r}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(stale) > 0 {
		return scheduler.ErrStale
	}
	return nil
}

// A grant is what one request of a reservation came to.
type grant struct {
	Call *scheduler.Call
	scheduler.Wait
}

func (b *bench) reserve(r scheduler.Run, at time.Time, accounts ...string) grant {
	b.t.Helper()
	if len(accounts) == 0 {
		accounts = []string{"main"}
	}
	return b.reserveAmong(r, at, scheduler.Contender{Name: r.Project, ID: projectID(r.Project), Accounts: accounts})
}

// reserveAmong asks for the call of one run, while the others of its project that wait
// for the same kind are not ready.
func (b *bench) reserveAmong(r scheduler.Run, at time.Time, contenders ...scheduler.Contender) grant {
	b.t.Helper()
	open, err := b.Runs.Unfinished(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	own := slices.IndexFunc(contenders, func(c scheduler.Contender) bool { return c.Name == r.Project })
	ask := scheduler.Reservation{Ticket: b.pass(r.Project), Now: at, Kind: lcs.CallKind(r.Action), Project: contenders[own], Contenders: contenders}
	for _, one := range open {
		if one.Project == r.Project && one.Action == r.Action && (one.ID == r.ID || one.WaitsForCall(at)) {
			ask.Requests = append(ask.Requests, scheduler.Request{Run: one, Environment: one.Environment, Ready: one.ID == r.ID})
		}
	}
	res, err := b.Ledger.Reserve(b.t.Context(), ask)
	if err != nil {
		b.t.Fatal(err)
	}
	if len(res.Calls) > 0 {
		return grant{Call: &res.Calls[0].Call}
	}
	return grant{Wait: res.Waits[r.ID]}
}

func (b *bench) settle(c *scheduler.Call, outcome scheduler.Outcome, at time.Time) {
	b.t.Helper()
	c.Done, c.Outcome = at, outcome
	if _, err := b.Ledger.Settle(b.t.Context(), []scheduler.Settlement{{Call: *c}}, nil); err != nil {
		b.t.Fatal(err)
	}
}

// lastCall returns the newest call on an environment of contoso that LCS may have
// taken.
func (b *bench) lastCall(environment string) (scheduler.Call, bool) {
	b.t.Helper()
	c, ok := b.claim(b.pass("contoso")).LastCalls[environment]
	return c, ok
}

// replicas returns two that share the database, or one twice where it has one.
func (b *bench) replicas() [2]*bench {
	b.t.Helper()
	if b.shared() {
		return [2]*bench{b, newBench(b.t, b.dsn)}
	}
	return [2]*bench{b, b}
}

func (b *bench) shared() bool { return store.Shared(b.dsn) }

// events returns all events in their order, as kind and reason.
func (b *bench) events() []string {
	b.t.Helper()
	list, err := b.Events.After(b.t.Context(), "", 0)
	if err != nil {
		b.t.Fatal(err)
	}
	var texts []string
	for _, e := range list {
		texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %s", e.Kind, e.Reason)))
	}
	return texts
}

// emit makes an event of each run: its state, and its environment as the reason.
func emit(changed []scheduler.Run) []scheduler.Event {
	var events []scheduler.Event
	for _, r := range changed {
		events = append(events, scheduler.Event{Kind: scheduler.EventKind(r.State), At: t0, Run: r.ID, Reason: r.Environment})
	}
	return events
}

func wantStale(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, scheduler.ErrStale) {
		t.Errorf("%s = %v, want ErrStale", what, err)
	}
}
