// Package scheduler holds the words that curfew is written in: runs, calls,
// observations, overrides, events and the setup of a schedule file. It acts on
// nothing; package scheduler/engine does.
package scheduler

import (
	"slices"
	"time"

	"curfew/scheduler/plan"
)

// A Trigger is what caused a run.
type Trigger string

// The triggers of a run.
const (
	TriggerSchedule Trigger = "schedule"
	TriggerManual   Trigger = "manual"
	TriggerCatchUp  Trigger = "catch-up"
	TriggerOverride Trigger = "override"
	TriggerEnforce  Trigger = "enforce"
)

// A State is how far a run has come.
type State string

// The states of a run. Queued, running and verifying are unfinished; a run in
// any other state never changes again.
const (
	Queued    State = "queued"    // written; no call has been made yet
	Running   State = "running"   // a call was made, LCS has not accepted one yet
	Verifying State = "verifying" // LCS accepted the call; metadata does not show the wanted state yet
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Canceled  State = "canceled"
	Skipped   State = "skipped"
	Missed    State = "missed"
)

// States lists every state, unfinished ones first.
func States() []State {
	return []State{Queued, Running, Verifying, Succeeded, Failed, Canceled, Skipped, Missed}
}

// Finished reports whether a run in this state never changes again.
func (s State) Finished() bool {
	return s != Queued && s != Running && s != Verifying
}

// Valid reports whether s is one of States.
func (s State) Valid() bool { return slices.Contains(States(), s) }

// A Run is one action on one environment, kept durably. Zero times mean "not yet".
type Run struct {
	ID                  string // UUIDv7: sorts by the instant it was written
	Environment         string
	Project             string
	Schedule            string // schedule, exception or override that asked for it, "" for a person
	Action              plan.Action
	Trigger             Trigger
	State               State
	By                  Actor     // who asked for it
	FireAt              time.Time // in the schedule's zone
	DueAt               time.Time // when it was to start: FireAt, or earlier with lead: auto. Of two runs the later one counts
	CreatedAt           time.Time // when it was written
	StartedAt           time.Time // when it first waited for something other than quota: the deadline counts from here
	AcceptedAt          time.Time // when LCS accepted the call
	FinishedAt          time.Time
	CalledOff           time.Time // the fire of an early start that something else preceded; FireAt no longer is that fire
	OperationActivityID string
	Message             string
	SupersededBy        string
	Attempts            []Attempt

	// Generation is compared and set at each change that the run's own pass does not make.
	Generation int64
	// Rank orders runs that wait for quota: the lower goes first.
	Rank float64
	// NotBefore is the earliest instant of the next call.
	NotBefore time.Time
	// Waiting is the reason of the present wait, "" when there is none.
	Waiting WaitReason
	// Tries counts the calls made, for the growing waits.
	Tries int
}

// EarlyFor returns the fire that the run was made ahead of, zero when it was not early.
func (r Run) EarlyFor() time.Time {
	switch {
	case !r.CalledOff.IsZero():
		return r.CalledOff
	case r.DueAt.Before(r.FireAt):
		return r.FireAt
	}
	return time.Time{}
}

// WaitsForCall reports whether the run asks for its call as soon as there is one.
func (r Run) WaitsForCall(now time.Time) bool {
	switch r.Waiting {
	case "", WaitQuota, WaitMetadata:
		return (r.State == Queued || r.State == Running) && !r.NotBefore.After(now)
	default:
		return false
	}
}

// A WaitReason says what a run waits for, for logs and status.
type WaitReason string

// The reasons for a wait.
const (
	WaitQuota    WaitReason = "quota"    // LCS's limit of calls
	WaitMetadata WaitReason = "metadata" // the project's metadata, limited or unavailable
	WaitBusy     WaitReason = "busy"     // the environment is in transition or servicing
	WaitRetry    WaitReason = "retry"    // a call did not go through
	WaitThrottle WaitReason = "throttled"
	WaitAccount  WaitReason = "account" // signing in does not work
	WaitVerify   WaitReason = "verify"  // LCS accepted; the wanted state is not there yet
	WaitMissing  WaitReason = "missing" // LCS did not list the environment
	WaitTurn     WaitReason = "turn"    // a call on the environment is in flight
	WaitApproval WaitReason = "approval"
)

// An Attempt is one LCS call of a run.
type Attempt struct {
	At                  time.Time
	Account             string
	Outcome             Outcome
	Message             string
	OperationActivityID string
	Unseen              bool // made without an observation, since metadata was not to be had
}

// A RunFilter selects runs; zero fields select all. Since is compared with FireAt.
type RunFilter struct {
	Environment string
	State       State
	Since       time.Time
	Limit       int    // at most this many, 100 when zero
	Cursor      string // the NextCursor of the page before
}

// Written is what a change did to runs, and which projects need a pass for it.
type Written struct {
	Runs       []Run // that were not there before, as they were written
	Superseded []Run // that those canceled
	Tickets    []Ticket
}

// A Ticket asks for a pass over a project with unfinished runs. A pass of an older
// generation changes nothing but the calls it has in flight.
type Ticket struct {
	Project    string `json:"project"`
	Generation int64  `json:"generation"`
}

// Work is what a pass over a project starts from.
type Work struct {
	Runs         []Run                  // the project's unfinished ones, best rank first, without their attempts
	LastCalls    map[string]Call        // by normalised environment id: the newest that left or may have left
	Observations map[string]Observation // by normalised environment id
}

// Recovered is what a process took over from dead ones.
type Recovered struct {
	Runs    int // unfinished ones of their projects
	Calls   int // that were in flight
	Tickets []Ticket
}
