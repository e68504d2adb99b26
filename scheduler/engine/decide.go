package engine

import (
	"fmt"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// An action is what an observation of a run's environment leads to.
type action int

const (
	wait action = iota // and read metadata again
	call
	succeed // the environment is in the wanted state
	fail
)

// String is the action in the log.
func (a action) String() string { return [...]string{"wait", "call", "succeed", "fail"}[a] }

// A decision is an action with its reason.
type decision struct {
	action  action
	waiting scheduler.WaitReason // with wait
	message string               // for people
	// carriedOut reports that a call of unknown outcome turns out to have been accepted.
	carriedOut bool
}

// How often in a row LCS may leave an environment out before it counts as unknown. A
// single empty page has been seen to be a slip; one that LCS did list before is asked
// for over half an hour, every quarter of a minute.
const (
	maxMisses      = 2
	maxMissesKnown = 120
)

// notListed reports whether LCS left the environment out so often that there is no point
// in waiting for it.
func notListed(o scheduler.Observation) bool {
	if o.Name == "" {
		return o.Misses >= maxMisses
	}
	return o.Misses >= maxMissesKnown
}

// decide is the rule by which a run goes on: from the last observation, which the caller
// has made sure is newer than the last call. accepted is how long ago LCS accepted it.
func decide(r scheduler.Run, o scheduler.Observation, last scheduler.Outcome, accepted time.Duration, d scheduler.Defaults) decision {
	target, opposite, moving := conditions(r.Action)
	switch {
	case notListed(o):
		return decision{action: fail, message: "LCS does not list the environment in this project; check its id and project in the schedule file"}
	case o.Misses > 0 && r.State == scheduler.Verifying && accepted >= d.VerifyTimeout:
		return verify(r, o, accepted, d)
	case o.Misses > 0:
		return decision{waiting: scheduler.WaitMissing, message: "LCS did not list the environment; asking again"}
	case o.Condition == lcs.Unsupported:
		return decision{action: fail, message: "LCS can start and stop customer-managed (cloud-hosted) environments only; remove this one from the schedules"}
	case o.Condition == target && (r.State != scheduler.Verifying || !o.Failed):
		return decision{action: succeed}
	case r.State == scheduler.Verifying:
		return verify(r, o, accepted, d)
	case last == scheduler.OutcomeAmbiguous && r.Tries > 0 && o.Condition == moving:
		return decision{waiting: scheduler.WaitVerify, carriedOut: true, message: "the call whose answer was lost was carried out"}
	case o.Condition == opposite:
		return decision{action: call}
	default:
		return decision{waiting: scheduler.WaitBusy, message: fmt.Sprintf("LCS shows %s (%s)", o.DeploymentState, o.Display)}
	}
}

// verify decides on a run whose call LCS accepted.
func verify(r scheduler.Run, o scheduler.Observation, accepted time.Duration, d scheduler.Defaults) decision {
	target, opposite, _ := conditions(r.Action)
	seen := fmt.Sprintf("LCS shows %s (%s)", o.DeploymentState, o.Display)
	switch {
	case o.Failed && (o.Condition == opposite || o.Condition == target):
		return decision{action: fail, message: fmt.Sprintf("LCS accepted the %s and reports that it failed: %s; open the environment's page in LCS", r.Action, seen)}
	case accepted >= d.VerifyTimeout:
		return decision{action: fail, message: fmt.Sprintf("LCS accepted the %s, but the environment did not arrive within %s: %s; give LCS support the operation activity id", r.Action, d.VerifyTimeout, seen)}
	default:
		return decision{waiting: scheduler.WaitVerify, message: seen}
	}
}

// conditions returns the condition an action leads to, the one it starts from, and the
// one between them.
func conditions(a plan.Action) (target, opposite, moving lcs.Condition) {
	if a == plan.Start {
		return lcs.Running, lcs.Stopped, lcs.Starting
	}
	return lcs.Stopped, lcs.Running, lcs.Stopping
}
