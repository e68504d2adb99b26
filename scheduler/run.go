// Package scheduler is the run model and the engine: it turns fires into runs,
// runs into LCS calls within the quota, and calls into a proven state.
package scheduler

import (
	"slices"
	"time"

	"curfew/lcs"
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
	Verifying State = "verifying" // LCS accepted the call; metadata does not show the end yet
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

// Finished tells whether a run in this state never changes again.
func (s State) Finished() bool {
	return s != Queued && s != Running && s != Verifying
}

// Valid tells whether s is one of States.
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
	FireAt              time.Time // in the schedule's zone
	DueAt               time.Time // when it was to begin: FireAt, or earlier with lead: auto. Of two runs the later is in force
	CreatedAt           time.Time // when it was written
	StartedAt           time.Time // when it first waited for something other than quota: the deadline counts from here
	AcceptedAt          time.Time // when LCS accepted the call
	FinishedAt          time.Time
	CalledOff           time.Time // the fire of an early start that something else came before; FireAt is then no longer it
	OperationActivityID string
	Message             string
	SupersededBy        string
	Attempts            []Attempt

	// Generation is compared and set at each change; a ticket of an older
	// generation does nothing.
	Generation int64
	// Rank orders runs that wait for quota: lower goes first.
	Rank float64
	// NotBefore is the earliest instant of the next call.
	NotBefore time.Time
	// Waiting is the reason of the present wait, "" when there is none.
	Waiting WaitReason
	// Tries counts the calls made, for the growing waits.
	Tries int
}

// earlyFor gives the fire that the run was made before, zero when it was not early.
func (r Run) earlyFor() time.Time {
	switch {
	case !r.CalledOff.IsZero():
		return r.CalledOff
	case r.DueAt.Before(r.FireAt):
		return r.FireAt
	}
	return time.Time{}
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
	WaitVerify   WaitReason = "verify"  // LCS accepted; the state has not arrived
	WaitMissing  WaitReason = "missing" // LCS did not list the environment
	WaitTurn     WaitReason = "turn"    // a call on the environment is in flight
	WaitApproval WaitReason = "approval"
)

// An Override is a temporary exception that a person made: it keeps environments
// running or stopped from From (inclusive) until Until (exclusive), whatever the
// schedule file says.
type Override struct {
	ID           string
	Environments []string
	Keep         plan.Wanted // running or stopped
	From, Until  time.Time
	Reason       string
	CreatedAt    time.Time
	ReleasedAt   time.Time // zero unless a person ended it; Until is then no later
}

// An Outcome is how one LCS call ended.
type Outcome string

// The outcomes of a call. Pending is a call in flight, or one that a crash cut off.
const (
	OutcomePending      Outcome = "pending"
	OutcomeAccepted     Outcome = "accepted"
	OutcomeRefused      Outcome = "refused"
	OutcomeThrottled    Outcome = "throttled"
	OutcomeUnauthorized Outcome = "unauthorized"
	OutcomeRejected     Outcome = "rejected"  // 403, 404 and other final answers
	OutcomeAmbiguous    Outcome = "ambiguous" // it may or may not have been carried out
	OutcomeUnsent       Outcome = "unsent"    // it never left
)

// An Attempt is one LCS call of a run.
type Attempt struct {
	At                  time.Time
	Account             string
	Outcome             Outcome
	Message             string
	OperationActivityID string
}

// A Ticket asks a worker to look at a run.
type Ticket struct {
	Run        string `json:"run"`
	Generation int64  `json:"generation"`
}

// An Observation is what LCS said of one environment at an instant.
type Observation struct {
	Project         int64
	ID              string // normalised environment id
	Page            int    // metadata page it was on, 0 when read by id
	At              time.Time
	Name            string // LCS's name
	Condition       lcs.Condition
	DeploymentState string
	Display         string
	Failed          bool // LCS says that the last operation failed
	Misses          int  // how often in a row LCS did not list it
}

// A CallKind is a kind of LCS call with a limit of its own.
type CallKind = lcs.CallKind

// A Call is one row of the call ledger, which is the quota and the audit trail.
type Call struct {
	ID          string
	Kind        CallKind
	Account     string
	Project     int64
	Environment string // normalised id; "" for metadata pages
	Run         string // "" for metadata
	At          time.Time
	Done        time.Time // zero while in flight
	Outcome     Outcome
	Message     string
	ActivityID  string
}

// A Rule names one schedule's (or exception's) hold on one environment; its
// Fingerprint changes when the rule does.
type Rule struct {
	Name, Environment, Fingerprint string
}

// A RunFilter selects runs; zero fields select all. Since is compared with FireAt.
type RunFilter struct {
	Environment string
	State       State
	Since       time.Time
	Limit       int    // at most this many, 100 when zero
	Cursor      string // the NextCursor of the page before
}
