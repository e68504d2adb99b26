package scheduler

import (
	"context"
	"errors"
	"strconv"
	"time"

	"curfew/scheduler/quota"
)

// ErrNoRun means that no run has the id.
var ErrNoRun = errors.New("no such run")

// ErrFinished means that a run is at its end already, or does not wait for what
// was to be decided about it.
var ErrFinished = errors.New("the run does not wait for that")

// ErrNoOverride means that no override has the id.
var ErrNoOverride = errors.New("no such override")

// ErrOver means that an override has ended already.
var ErrOver = errors.New("the override has ended")

// ErrStale means that the run was changed, finished or superseded meanwhile, or
// that another process moved the tick: what was about to be written is void.
var ErrStale = errors.New("changed meanwhile")

// A Store keeps runs, calls, observations and the last tick, and hands out
// tickets. Every method is one transaction. Times are kept to the microsecond.
type Store interface {
	Journal
	Ledger
	Sightings
	Queue
	// Ping tells whether the database answers.
	Ping(ctx context.Context) error
}

// A Journal keeps the runs, the overrides and the tick cursor.
type Journal interface {
	// Cursor gives the last recorded tick and the overrides in force since then.
	Cursor(ctx context.Context) (Cursor, error)
	// CommitTick writes the runs of a tick, cancels the unfinished runs that they
	// supersede, issues their tickets and moves the cursor. Runs already there are
	// left out; one that was due before the newest of its environment is written as
	// canceled. ErrStale: the cursor or the overrides are not those of from.
	CommitTick(ctx context.Context, from Cursor, to time.Time, runs []Run) (TickResult, error)
	// Insist writes a run that a person asked for: it supersedes every unfinished
	// run of its environment.
	Insist(ctx context.Context, r Run) (TickResult, error)
	// Enforce writes a run unless its environment has an unfinished one, or one
	// that was enforced after quietSince; Written is empty then.
	Enforce(ctx context.Context, r Run, quietSince time.Time) (TickResult, error)
	// Cancel ends an unfinished run. ErrNoRun, ErrFinished.
	Cancel(ctx context.Context, id string, now time.Time, message string) (Run, error)
	// Approve lets the runs go that wait for an approval with this one: those of
	// its fire. ErrNoRun, ErrFinished.
	Approve(ctx context.Context, id string, now time.Time) ([]Run, error)
	// SyncRules replaces the known rules and gives for each the instant since
	// which it stands unchanged: now for a new or changed one.
	SyncRules(ctx context.Context, now time.Time, rules []Rule) (map[Rule]time.Time, error)
	// Run gives one run with its attempts, or ErrNoRun.
	Run(ctx context.Context, id string) (Run, error)
	// Runs gives the runs that match, newest first, and the cursor of the next page.
	Runs(ctx context.Context, f RunFilter) ([]Run, string, error)
	// Unfinished gives every unfinished run without its attempts, best rank first.
	Unfinished(ctx context.Context) ([]Run, error)
	// Ahead counts the unfinished runs of the run's project that wait to be looked
	// at and have a better rank.
	Ahead(ctx context.Context, r Run) (int, error)
	// RunsSince gives, of each environment, the runs whose fire is at since or
	// later, missed ones and attempts left out, in the order in which they were due.
	RunsSince(ctx context.Context, environments []string, since time.Time) (map[string][]Run, error)
	// StartTimes gives, of each environment, how long its last verified starts
	// took, newest first and n at most.
	StartTimes(ctx context.Context, environments []string, n int) (map[string][]time.Duration, error)
	// SaveRun writes what may change of a run; ErrStale when it was finished or
	// its generation moved meanwhile.
	SaveRun(ctx context.Context, r Run) error
	// Recover settles what dead processes left: their calls in flight become
	// ambiguous, their unfinished runs get a new generation and a new ticket.
	Recover(ctx context.Context, now time.Time) (runs, calls int, err error)
	// AddOverride keeps an override and gives it as it was kept: it begins after
	// the last tick, so that the next one sees its begin. ErrOver: it would end before.
	AddOverride(ctx context.Context, o Override) (Override, error)
	// EndOverride ends an override now, in the sense of AddOverride. ErrNoOverride,
	// ErrOver.
	EndOverride(ctx context.Context, id string, now time.Time) (Override, error)
	// Overrides gives those that end at since or later, in the order they were made.
	Overrides(ctx context.Context, since time.Time) ([]Override, error)
	// PruneHistory removes a batch of the runs that ended before an instant, with
	// their calls, and of the overrides; it tells how many rows went.
	PruneHistory(ctx context.Context, before time.Time) (int, error)
}

// A Cursor is how far the fires are written.
type Cursor struct {
	At        time.Time  // the last recorded tick, zero when there was none
	Revision  int64      // changes with the overrides
	Overrides []Override // that end at At or later, in the order they were made
}

// A TickResult tells what a tick wrote.
type TickResult struct {
	Written    []Run
	Superseded []Run
}

// A Ledger accounts every call before it leaves.
type Ledger interface {
	// Reserve writes a pending call when one may go now; otherwise the Grant says
	// when one may, and why not now. With a run it also writes the run as running
	// with one more try, or gives ErrStale.
	Reserve(ctx context.Context, r Reservation) (Grant, error)
	// Budgets gives what each account may still do of a kind of call.
	Budgets(ctx context.Context, now time.Time, kind CallKind, accounts []string) ([]quota.Budget, error)
	// Settle writes how a call ended and, with a run, what became of the run. The
	// call is written even if the run is stale; then it gives ErrStale.
	Settle(ctx context.Context, c Call, r *Run) error
	// LastCall gives the newest call on an environment, of either verb, that left
	// or may have left; ok tells whether there was one.
	LastCall(ctx context.Context, project int64, environment string) (c Call, ok bool, err error)
	// Hold forbids calls of a scope until an instant; an earlier hold is replaced.
	Hold(ctx context.Context, h Hold) error
	// Release ends holds before their time and has the unfinished runs of these
	// projects that wait for an account looked at at once; it tells how many. Where
	// none of the scopes is held any more it does nothing: replicas that all call it
	// do it once.
	Release(ctx context.Context, now time.Time, scopes, projects []string) (runs int, err error)
	// ShortenHolds lets the holds of these scopes end at an instant that come to
	// their end later.
	ShortenHolds(ctx context.Context, latest time.Time, scopes []string) error
	// Holds gives the holds that last beyond now.
	Holds(ctx context.Context, now time.Time) ([]Hold, error)
	// Prune removes metadata calls and holds that ended before an instant.
	Prune(ctx context.Context, before time.Time) error
}

// A Reservation asks for one call.
type Reservation struct {
	Now      time.Time
	Kind     CallKind
	Accounts []string // any of these may make it
	Project  int64
	// Environment is the normalised id, "" for a metadata page.
	Environment string
	Run         *Run // nil for metadata
	// Rivals are the projects, this one among them, whose accounts are the same or
	// are shared with one of the others: a better-ranked run of theirs that waits
	// for the same kind of call goes first.
	Rivals []Rival
	// Peek asks without reserving: a Grant for now has neither Call nor At.
	Peek bool
}

// A Rival is a project by its name and id, with the accounts that work for it.
type Rival struct {
	Name     string
	ID       int64
	Accounts []string
}

// A Grant is the answer to a Reservation: either a Call to make at once, or the
// instant at which to ask again.
type Grant struct {
	Call   *Call
	At     time.Time
	Reason WaitReason
	Detail string
	// Paced tells that nothing is wrong: LCS's limits alone make it wait.
	Paced bool
}

// A Hold forbids the calls of a scope until an instant.
type Hold struct {
	Scope  string
	Until  time.Time
	Reason string
}

// AccountHold is the scope of everything an account does: it cannot sign in.
func AccountHold(account string) string { return "account/" + account }

// MemberHold is the scope of what an account does in one project, where LCS does
// not accept it: it may be a member of others.
func MemberHold(account string, project int64) string {
	return memberPrefix(account) + strconv.FormatInt(project, 10)
}

func memberPrefix(account string) string { return AccountHold(account) + "/project/" }

// VerbHold is the scope of one verb of an account: LCS throttled it.
func VerbHold(account string, kind CallKind) string {
	return "account/" + account + "/" + string(kind)
}

// EnvironmentHold is the scope of one verb of an environment.
func EnvironmentHold(environment string, kind CallKind) string {
	return "environment/" + environment + "/" + string(kind)
}

// MetadataHold is the scope of a project's metadata: it could not be read.
func MetadataHold(project int64) string { return "metadata/" + strconv.FormatInt(project, 10) }

// Sightings keep what LCS last said of each environment.
type Sightings interface {
	// Observe writes observations; an older one never replaces a newer one.
	Observe(ctx context.Context, seen []Observation) error
	// Observation gives the last of one environment, zero when there is none.
	Observation(ctx context.Context, project int64, id string) (Observation, error)
	// Observations gives the last of every environment of every project.
	Observations(ctx context.Context) ([]Observation, error)
}

// A Queue hands tickets to workers, durably.
type Queue interface {
	// Work calls step for each ticket, many at a time, until ctx ends; then it
	// waits for the steps under way. A step gives the delay after which it wants
	// to be called again, or 0 when the run needs no more. An error: again soon.
	Work(ctx context.Context, step func(ctx context.Context, t Ticket) (time.Duration, error)) error
	// Reissue gives a ticket to every unfinished run that has none any more, and
	// tells how many there were: none, unless the queue gave one up.
	Reissue(ctx context.Context) (int, error)
}
