package engine

import (
	"errors"
	"time"

	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/lcs/secret"
	"curfew/scheduler"
)

// An answer is what LCS, or the way to it, said to one call.
type answer struct {
	outcome    scheduler.Outcome
	kind       lcs.Kind // "" without an error of LCS's client
	message    string
	activity   string
	retryAfter time.Duration // with throttled, 0 when LCS did not say
	asked      time.Duration // the wait that LCS asked for, which may be more
	signIn     bool          // the account cannot sign in
	retryAt    time.Time     // with signIn, when its credential may be asked again
	revision   *string       // with signIn, of what it signed in with; nil when that is not known
	oneProject bool          // with signIn, it may be accepted for others
	permanent  bool          // asking again does not help
}

// answerOf reads the client's result.
func answerOf(op lcs.Operation, err error) answer {
	if err == nil {
		return answer{outcome: scheduler.OutcomeAccepted, activity: op.ActivityID}
	}
	var le *lcs.Error
	if !errors.As(err, &le) {
		return answer{outcome: scheduler.OutcomeAmbiguous, message: secret.Redact(err.Error())}
	}
	a := answer{kind: le.Kind, message: le.Error(), activity: le.ActivityID}
	switch le.Kind {
	case lcs.Refused:
		a.outcome = scheduler.OutcomeRefused
	case lcs.Throttled:
		a.outcome, a.retryAfter, a.asked = scheduler.OutcomeThrottled, le.RetryAfter, le.Asked
	case lcs.Unauthorized:
		a.outcome, a.signIn, a.oneProject = scheduler.OutcomeUnauthorized, true, true
	case lcs.NotSent:
		a.outcome = scheduler.OutcomeUnsent
		if failed, ok := errors.AsType[*auth.Error](err); ok {
			revision := failed.Revision()
			a.signIn, a.retryAt, a.revision, a.oneProject = true, failed.NextTry(), &revision, failed.OneScope()
		}
	case lcs.Untrusted:
		a.outcome, a.permanent = scheduler.OutcomeUnsent, true
	case lcs.Forbidden, lcs.NotFound, lcs.Invalid:
		a.outcome = scheduler.OutcomeRejected
	default:
		a.outcome = scheduler.OutcomeAmbiguous
	}
	return a
}

const (
	firstRetry   = 30 * time.Second
	longestWait  = 10 * time.Minute
	firstAccount = time.Minute // first wait for an account that LCS does not accept
)

// backoff is the wait after the n-th failure (from 1): it doubles from first up to
// longestWait, and jitter (0 to 1) spreads it over 80 to 120 per cent of that.
func backoff(first time.Duration, n int, jitter float64) time.Duration {
	wait := min(first<<min(max(n-1, 0), 10), longestWait)
	return min(time.Duration(float64(wait)*(0.8+0.4*jitter)), longestWait)
}
