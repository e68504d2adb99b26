package scheduler

import (
	"fmt"
	"time"

	"curfew/lcs/auth"
	"curfew/scheduler/plan"
)

// An EnvironmentStatus is what is known of one environment now.
type EnvironmentStatus struct {
	Environment
	Wanted      plan.Wanted
	Because     string
	Observation Observation // zero when it was never seen
	NextFire    *plan.Fire  // nil when no fire comes within 14 days
	Run         *Run        // its unfinished run, or nil
	Manual      *Manual     // the start or stop by hand that holds, or nil
	// Unstopped is the next stop of an environment that runs and is wanted stopped, where
	// its rules had no fire yet: loading a file stops nothing. Nil when it does not apply.
	Unstopped *Unstopped
}

// A Manual is a start or stop by hand, which holds until the next fire of its environment.
type Manual struct {
	Action plan.Action
	At     time.Time
	Until  time.Time // zero when no fire comes within a year
	Run    string
	By     Actor
}

// Wanted is the state that the person wants.
func (m Manual) Wanted() plan.Wanted {
	if m.Action == plan.Start {
		return plan.Running
	}
	return plan.Stopped
}

// Because says what a person did, and how long it holds.
func (m Manual) Because(zone *time.Location) string {
	done := "started"
	if m.Action == plan.Stop {
		done = "stopped"
	}
	const form = "Mon 2006-01-02 15:04"
	text := fmt.Sprintf("%s by hand on %s", done, m.At.In(zone).Format(form))
	if m.Until.IsZero() {
		return text + ", which holds until somebody changes it: no schedule does"
	}
	return text + ", which holds until " + m.Until.In(zone).Format(form)
}

// Unstopped says when an environment is stopped that runs although nothing wants it.
type Unstopped struct {
	At time.Time // zero when no stop comes within a year
}

// An OverrideStatus is an override and what became of it.
type OverrideStatus struct {
	Override
	State string   // pending, active, expired or released
	Stale []string // its environments that the schedule file does not have
}

// An AccountState is what was last known of an account.
type AccountState string

// The states of an account.
const (
	AccountUnknown AccountState = "unknown" // not used since the daemon started
	AccountUp      AccountState = "up"
	AccountDown    AccountState = "down" // it cannot sign in, or LCS does not accept it; its runs wait
)

// An AccountStatus is what is known of an account of the file.
type AccountStatus struct {
	Name     string
	Mode     string // "" when it is not known
	Projects []string
	State    AccountState
	Since    time.Time // zero when it is not known
	Message  string    // why it is down
	NextTry  time.Time // zero when it may be asked now
	Login    *auth.Login
	Holds    []HoldStatus
}

// A HoldSubject is what a hold keeps an account from.
type HoldSubject string

// The subjects of holds, the widest first.
const (
	HoldsAccount     HoldSubject = "account"     // all that it does: it cannot sign in
	HoldsProject     HoldSubject = "project"     // what it does in a project that does not accept it
	HoldsCalls       HoldSubject = "calls"       // its starts or stops: LCS throttled it
	HoldsMetadata    HoldSubject = "metadata"    // reading the metadata of a project: LCS throttled it
	HoldsEnvironment HoldSubject = "environment" // starts or stops of an environment: LCS throttled them
)

// A HoldStatus is a hold that keeps an account from some of its calls until an instant.
// Fields that do not apply are empty.
type HoldStatus struct {
	Subject     HoldSubject
	Project     string
	Environment string
	Kind        CallKind
	Until       time.Time
	Reason      string
}

// String says what is held, and until when.
func (h HoldStatus) String() string {
	what := string(h.Subject)
	switch h.Subject {
	case HoldsProject:
		what = "project " + h.Project
	case HoldsCalls:
		what = string(h.Kind) + " calls"
	case HoldsMetadata:
		what = "metadata of project " + h.Project
	case HoldsEnvironment:
		what = string(h.Kind) + " of " + h.Environment
	case HoldsAccount:
	}
	return what + " until " + h.Until.UTC().Format(time.RFC3339)
}
