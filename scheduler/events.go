package scheduler

import (
	"strings"
	"time"

	"curfew/scheduler/plan"
)

// An Actor is who caused a change.
type Actor struct {
	Name string // a signed-in user, "" for the others
	Via  string // schedule, token, or how else the request came
	From string // the network address that a request came from; kept with events alone
}

// The actors that have no name.
var (
	BySchedule = Actor{Via: "schedule"} // the daemon itself, by its schedule file
	ByToken    = Actor{Via: "token"}    // whoever has the API token
)

// String returns the actor as the API shows it: the name, or else the way.
func (a Actor) String() string {
	if a.Name != "" {
		return a.Name
	}
	return a.Via
}

// An EventKind is what an event is about, in the words of the schedule file's notify
// section.
type EventKind string

// The kinds of events.
const (
	EventSucceeded   EventKind = "succeeded"
	EventFailed      EventKind = "failed"
	EventCanceled    EventKind = "canceled"
	EventSkipped     EventKind = "skipped"
	EventMissed      EventKind = "missed"
	EventApproval    EventKind = "approval"    // a fire waits for one, or was approved
	EventWarning     EventKind = "warning"     // what a person should know, and no run's end
	EventUnreachable EventKind = "unreachable" // an account is down, or the LCS of a project does not answer
	EventReachable   EventKind = "reachable"   // and works again
	EventThrottled   EventKind = "throttled"   // LCS answered 429
	EventDrift       EventKind = "drift"
	EventOverride    EventKind = "override" // made, ended, released, or stale
	EventRequest     EventKind = "request"  // a person asked for a run
	EventReload      EventKind = "reload"   // a schedule file is active
	EventConfig      EventKind = "config"   // a schedule file was refused
	EventStopping    EventKind = "stopping" // an environment is to be stopped soon
	EventSummary     EventKind = "summary"  // of a day; delivered, and never written as an event
	EventKey         EventKind = "key"      // a calendar key was made or revoked
	EventAccount     EventKind = "account"  // a person released the holds of an account
)

// An Event is something that happened, written in the transaction that causes it, so
// that it can be delivered once. Fields that do not apply are empty.
type Event struct {
	ID          string // UUIDv7: sorts by the instant it was written
	Kind        EventKind
	At          time.Time
	By          Actor
	Environment string
	Project     string
	Schedule    string
	Action      plan.Action
	FireAt      time.Time // the fire that it is about, in UTC
	Run         string    // its id
	Override    string    // its id
	Account     string
	Reason      string // what happened, in a sentence
	NextStep    string // what a person can do, "" when there is nothing to do
	Change      Change
}

// A Change is what the audit keeps of an event that somebody caused. It is empty for the
// others.
type Change struct {
	Action        ChangeAction
	Environments  string // their names, one a line
	Before, After string // what was changed, in words
}

// A ChangeAction is what somebody did.
type ChangeAction string

// The changes that people make.
const (
	ChangeStart   ChangeAction = "start"
	ChangeStop    ChangeAction = "stop"
	ChangeCancel  ChangeAction = "cancel"
	ChangeApprove ChangeAction = "approve"
	ChangeKeep    ChangeAction = "keep"
	ChangeSkip    ChangeAction = "skip"
	ChangeRelease ChangeAction = "release"
	ChangeReload  ChangeAction = "reload"

	ChangeReleaseAccount ChangeAction = "release-account"

	ChangeMakeKey   ChangeAction = "make-calendar-key"
	ChangeRevokeKey ChangeAction = "revoke-calendar-key"
)

// Names returns the environments that a change is about.
func (c Change) Names() []string {
	if c.Environments == "" {
		return nil
	}
	return strings.Split(c.Environments, "\n")
}
