package engine

import (
	"context"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/quota"
)

// Emit returns the events that a change of runs causes: it is called within the
// change's transaction, with the runs as they are written, and its events are written
// with them.
type Emit = func(changed []scheduler.Run) []scheduler.Event

// Stores are the slices of the database that an Engine works on. Every method is one
// transaction; times are kept to the microsecond.
type Stores struct {
	Ticks     TickStore
	Requests  RequestStore
	Runs      RunStore
	Passes    PassStore
	Calls     CallStore
	Metadata  MetadataStore
	Holds     HoldStore
	Overrides OverrideStore
	Events    EventStore
	Queue     QueueStore
	Upkeep    UpkeepStore
}

// A TickStore keeps how far the fires are written.
type TickStore interface {
	// Cursor returns the last recorded tick and the overrides that are active since then.
	Cursor(ctx context.Context) (scheduler.Cursor, error)
	// CommitTick writes the runs of a tick, cancels the unfinished runs that they
	// supersede, issues the tickets and moves the cursor. Runs already there are left
	// out; one that was due before the newest of its environment is written as
	// canceled. ErrStale: the cursor or the overrides are not those of from.
	CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run, emit Emit) (scheduler.Written, error)
	// SyncRules replaces the known rules and returns for each the instant since which
	// it is unchanged: now for a new or changed one.
	SyncRules(ctx context.Context, now time.Time, rules []scheduler.Rule, events ...scheduler.Event) (map[scheduler.Rule]time.Time, error)
}

// A RequestStore writes the runs that no tick writes, and what people decide about runs.
type RequestStore interface {
	// InsertManual writes a run that a person asked for: it supersedes every unfinished
	// run of its environment.
	InsertManual(ctx context.Context, r scheduler.Run, emit Emit) (scheduler.Written, error)
	// InsertEnforced writes a run unless its environment has an unfinished one, or one
	// that was enforced after quietSince; nothing is written then.
	InsertEnforced(ctx context.Context, r scheduler.Run, quietSince time.Time, emit Emit) (scheduler.Written, error)
	// Cancel ends an unfinished run, the only one of Written.Runs. ErrNoRun, ErrFinished.
	Cancel(ctx context.Context, id string, now time.Time, message string, emit Emit) (scheduler.Written, error)
	// Approve lets the runs go that wait for an approval with this one, those of its
	// fire: Written.Runs. ErrNoRun, ErrFinished.
	Approve(ctx context.Context, id string, now time.Time, message string, emit Emit) (scheduler.Written, error)
}

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
}

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
	// End gives the pass back, unless the project has unfinished runs: it reports which.
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

// A MetadataStore accounts metadata calls and keeps what they showed.
type MetadataStore interface {
	// ReserveMetadata writes a pending metadata call of a project, or returns the wait
	// until there may be one; the call is nil then.
	ReserveMetadata(ctx context.Context, now time.Time, p scheduler.Contender) (*scheduler.Call, scheduler.Wait, error)
	// Record writes how a metadata call ended and what it showed; an older observation
	// never replaces a newer one.
	Record(ctx context.Context, c scheduler.Call, seen []scheduler.Observation) error
	// Observations returns the last of every environment of a project, or of all
	// projects when none is named.
	Observations(ctx context.Context, projects ...int64) ([]scheduler.Observation, error)
}

// A HoldStore keeps which calls are forbidden until when.
type HoldStore interface {
	// Hold forbids calls of scopes; an earlier hold of a scope is replaced. The events
	// are written only if the first scope had no hold, active or ended, before.
	Hold(ctx context.Context, holds []scheduler.Hold, events ...scheduler.Event) error
	// Holds returns the holds that last beyond now, sorted by scope.
	Holds(ctx context.Context, now time.Time) ([]scheduler.Hold, error)
	// Clear removes the holds of scopes, active and ended ones; the events are written
	// only if there was one.
	Clear(ctx context.Context, scopes []string, events ...scheduler.Event) error
	// Free ends holds before their time and issues tickets for these projects. Where
	// none of the scopes is held any more it does nothing: replicas that all call it
	// do it once.
	Free(ctx context.Context, now time.Time, scopes, projects []string) ([]scheduler.Ticket, error)
	// Shorten lets the holds of these scopes end at an instant that would end later.
	Shorten(ctx context.Context, latest time.Time, scopes []string) error
}

// An OverrideStore keeps the overrides. The tick after a change sees it.
type OverrideStore interface {
	// Add keeps an override and returns it as it was kept: it starts after the last
	// tick, so that the next one sees its start. ErrOver: it would end before.
	Add(ctx context.Context, o scheduler.Override, emit func(scheduler.Override) []scheduler.Event) (scheduler.Override, error)
	// End ends an override now, in the sense of Add. ErrNoOverride, ErrOver.
	End(ctx context.Context, id string, now time.Time, emit func(scheduler.Override) []scheduler.Event) (scheduler.Override, error)
	// Since returns those that end at since or later, in the order they were made.
	Since(ctx context.Context, since time.Time) ([]scheduler.Override, error)
}

// An EventStore is the outbox.
type EventStore interface {
	// Append writes events that no other change causes.
	Append(ctx context.Context, events ...scheduler.Event) error
	// After returns the events after one, oldest first; all when the id is "".
	After(ctx context.Context, id string, limit int) ([]scheduler.Event, error)
}

// A QueueStore hands out tickets, durably.
type QueueStore interface {
	// Work calls start for each ticket until ctx ends; start returns at once.
	Work(ctx context.Context, start func(scheduler.Ticket)) error
	// Recover settles what dead processes left: their calls in flight become ambiguous,
	// the projects of their passes have new tickets.
	Recover(ctx context.Context, now time.Time) (scheduler.Recovered, error)
	// Reissue issues a ticket for every project with unfinished runs that has neither a
	// ticket nor a pass, and returns them: none, unless the queue lost one.
	Reissue(ctx context.Context) ([]scheduler.Ticket, error)
}

// UpkeepStore keeps the database small and reports whether it answers.
type UpkeepStore interface {
	Ping(ctx context.Context) error
	// Prune removes metadata calls and holds that ended before an instant.
	Prune(ctx context.Context, before time.Time) error
	// PruneHistory removes a batch of the runs that ended before an instant, with their
	// calls, and of the overrides and events; it returns how many rows it removed.
	PruneHistory(ctx context.Context, before time.Time) (int, error)
}
