package scheduler

import (
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
}
