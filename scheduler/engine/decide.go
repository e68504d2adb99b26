package scheduler

import (
	"fmt"
	"time"

	"curfew/lcs"
	"curfew/scheduler/plan"
)

// A verdict is what a look at a run's environment comes to.
type verdict int

const (
	look    verdict = iota // wait and look again
	call                   // make the call
	arrived                // the environment is in the wanted state
	hopeless
)

// A finding is a verdict with its reason.
type finding struct {
	verdict verdict
	wait    WaitReason // with look
	message string     // for people
	// carriedOut tells that a call of unknown outcome turns out to have been accepted.
	carriedOut bool
}

// How often in a row LCS may leave an environment out before it is taken to be
// unknown. A single empty page has been seen to be a slip; one that LCS did list
// before is looked for half an hour long, a look every quarter of a minute.
const (
	maxMisses      = 2
	maxMissesKnown = 120
)

// unlisted tells whether LCS left the environment out so often that it is not to
// be waited for.
func unlisted(o Observation) bool {
	if o.Name == "" {
		return o.Misses >= maxMisses
	}
	return o.Misses >= maxMissesKnown
}

// decide is the rule by which a run goes on: from the last observation, which
// the caller has made sure is newer than the last call.
func decide(r Run, o Observation, last Outcome, now time.Time, d Defaults) finding {
	target, opposite, moving := states(r.Action)
	switch {
	case unlisted(o):
		return finding{verdict: hopeless, message: "LCS does not list the environment in this project; check its id and project in the schedule file"}
	case o.Misses > 0 && r.State == Verifying && now.Sub(r.AcceptedAt) >= d.VerifyTimeout:
		return verifying(r, o, now, d)
	case o.Misses > 0:
		return finding{verdict: look, wait: WaitMissing, message: "LCS did not list the environment; looking again"}
	case o.Condition == lcs.Unsupported:
		return finding{verdict: hopeless, message: "LCS can start and stop customer-managed (cloud-hosted) environments only; remove this one from the schedules"}
	case o.Condition == target && (r.State != Verifying || !o.Failed):
		return finding{verdict: arrived}
	case r.State == Verifying:
		return verifying(r, o, now, d)
	case last == OutcomeAmbiguous && r.Tries > 0 && o.Condition == moving:
		return finding{verdict: look, wait: WaitVerify, carriedOut: true, message: "the call whose answer was lost was carried out"}
	case o.Condition == opposite:
		return finding{verdict: call}
	default:
		return finding{verdict: look, wait: WaitBusy, message: fmt.Sprintf("LCS shows %s (%s)", o.DeploymentState, o.Display)}
	}
}

// verifying judges a run whose call LCS accepted.
func verifying(r Run, o Observation, now time.Time, d Defaults) finding {
	target, opposite, _ := states(r.Action)
	seen := fmt.Sprintf("LCS shows %s (%s)", o.DeploymentState, o.Display)
	switch {
	case o.Failed && (o.Condition == opposite || o.Condition == target):
		return finding{verdict: hopeless, message: fmt.Sprintf("LCS accepted the %s and reports that it failed: %s; look at the environment's page in LCS", r.Action, seen)}
	case now.Sub(r.AcceptedAt) >= d.VerifyTimeout:
		return finding{verdict: hopeless, message: fmt.Sprintf("LCS accepted the %s, but the environment did not arrive within %s: %s; give LCS support the operation activity id", r.Action, d.VerifyTimeout, seen)}
	default:
		return finding{verdict: look, wait: WaitVerify, message: seen}
	}
}

// states gives the condition an action leads to, the one it starts from, and
// the one on the way.
func states(a plan.Action) (target, opposite, moving lcs.Condition) {
	if a == plan.Start {
		return lcs.Running, lcs.Stopped, lcs.Starting
	}
	return lcs.Stopped, lcs.Running, lcs.Stopping
}

const (
	firstRetry   = 30 * time.Second
	longestWait  = 10 * time.Minute
	firstAccount = time.Minute // first wait for an account that LCS does not accept
)

// backoff is the wait after the n-th failure (from 1): it doubles from first up
// to longestWait, and jitter (0 to 1) spreads it over 80 to 120 per cent of that.
func backoff(first time.Duration, n int, jitter float64) time.Duration {
	wait := min(first<<min(max(n-1, 0), 10), longestWait)
	return min(time.Duration(float64(wait)*(0.8+0.4*jitter)), longestWait)
}
