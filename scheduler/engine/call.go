package scheduler

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/scheduler/plan"
)

// throttledTwice is how close two throttled environments of one account must be
// for the account itself to be taken as out of quota.
const throttledTwice = 5 * time.Minute

// reserve asks the ledger for the run's call.
func (e *Engine) reserve(ctx context.Context, s *situation, peek bool) (Grant, error) {
	if s.run.StartedAt.IsZero() {
		s.run.StartedAt = s.now
	}
	return e.store.Reserve(ctx, Reservation{
		Now: s.now.UTC().Truncate(time.Microsecond), Kind: kindOf(s.run.Action), Accounts: s.project.accountNames(), Project: s.project.ID,
		Environment: s.id, Run: &s.run, Rivals: s.f.rivals(s.project), Peek: peek,
	})
}

func kindOf(a plan.Action) CallKind {
	if a == plan.Start {
		return lcs.CallStart
	}
	return lcs.CallStop
}

// call makes the reserved call and writes how it ended, whatever happens to ctx:
// a call whose end is not written is taken as ambiguous by the next process.
func (e *Engine) call(ctx context.Context, s *situation, c Call) (time.Duration, error) {
	a := e.post(ctx, s, c)
	c.Done = time.Now()
	c.Outcome, c.Message, c.ActivityID = a.outcome, a.message, a.activity
	e.metrics.calls.WithLabelValues(string(c.Kind), string(c.Outcome)).Inc()
	lasting := context.WithoutCancel(ctx)
	again, err := e.apply(lasting, s, c, a)
	if err != nil {
		return 0, err
	}
	if err := e.settle(lasting, c, &s.run); err != nil {
		if errors.Is(err, ErrStale) && c.Outcome == OutcomeAccepted {
			e.runLog(s.run).Warn("LCS accepted a call of a run that was superseded meanwhile; its successor sees to the rest",
				zap.String("operation_activity_id", c.ActivityID))
		}
		return 0, err
	}
	e.logAnswer(s.run, c)
	if s.run.State == Verifying {
		e.runLog(s.run).Info("run waits", zap.String("reason", string(WaitVerify)), zap.Time("until", s.run.AcceptedAt.Add(s.f.Defaults.VerifyTimeout)),
			zap.String("message", "until metadata shows the wanted state, at the latest"))
	}
	return again, nil
}

// post makes the call, unless this process was held up since it was reserved: a
// machine that was suspended must not carry out what another has taken over.
func (e *Engine) post(ctx context.Context, s *situation, c Call) answer {
	if held := time.Since(c.At); held > tooLate {
		return answer{outcome: OutcomeUnsent, message: fmt.Sprintf("curfew was held up for %s before the call; it was not made", held.Round(time.Second))}
	}
	client := s.project.client(c.Account)
	if s.run.Action == plan.Start {
		return answerOf(client.Start(ctx, s.project.ID, s.env.ID))
	}
	return answerOf(client.Stop(ctx, s.project.ID, s.env.ID))
}

// settle writes how a call ended. While the database is away it tries again: an
// answer of LCS comes once.
func (e *Engine) settle(ctx context.Context, c Call, r *Run) error {
	for {
		err := e.store.Settle(ctx, c, r)
		if err == nil || errors.Is(err, ErrStale) {
			return err
		}
		since := time.Since(c.Done)
		if since >= settleFor || since >= settleForStop && e.draining.Load() {
			return err
		}
		e.runLog(*r).Error("the end of a call could not be written; trying again", zap.String("outcome", string(c.Outcome)),
			zap.String("operation_activity_id", c.ActivityID), zap.Error(err))
		time.Sleep(settleEvery)
	}
}

const (
	tooLate       = 20 * time.Second // between the reservation of a call and the call
	settleEvery   = time.Second
	settleFor     = 90 * time.Second // a step has three minutes, and LCS may have used one
	settleForStop = 3 * time.Second  // the daemon must be gone after 10
)

// An answer is what LCS, or the way to it, said to one call.
type answer struct {
	outcome    Outcome
	message    string
	activity   string
	retryAfter time.Duration // with throttled, 0 when LCS did not say
	signIn     bool          // the account cannot sign in
	retryAt    time.Time     // with signIn, when its credential may be asked again
	revision   *string       // with signIn, of what it signed in with; nil when that is not known
	oneProject bool          // with signIn, it may be accepted for others
}

// answerOf reads the client's result.
func answerOf(op lcs.Operation, err error) answer {
	if err == nil {
		return answer{outcome: OutcomeAccepted, activity: op.ActivityID}
	}
	var le *lcs.Error
	if !errors.As(err, &le) {
		return answer{outcome: OutcomeAmbiguous, message: err.Error()}
	}
	a := answer{message: le.Error(), activity: le.ActivityID}
	switch le.Kind {
	case lcs.Refused:
		a.outcome = OutcomeRefused
	case lcs.Throttled:
		a.outcome, a.retryAfter = OutcomeThrottled, le.RetryAfter
	case lcs.Unauthorized:
		a.outcome, a.signIn, a.oneProject = OutcomeUnauthorized, true, true
	case lcs.NotSent:
		a.outcome = OutcomeUnsent
		if failed, ok := errors.AsType[*auth.Error](err); ok {
			revision := failed.Revision()
			a.signIn, a.retryAt, a.revision, a.oneProject = true, failed.NextTry(), &revision, failed.OneScope()
		}
	case lcs.Forbidden, lcs.NotFound, lcs.Invalid:
		a.outcome = OutcomeRejected
	default:
		a.outcome = OutcomeAmbiguous
	}
	return a
}

// apply changes the run and the holds by the answer, and gives the delay until
// the next look.
func (e *Engine) apply(ctx context.Context, s *situation, c Call, a answer) (time.Duration, error) {
	r := &s.run
	r.Message, r.Waiting = a.message, ""
	retry := backoff(firstRetry, r.Tries, rand.Float64()) //nolint:gosec // jitter needs no secret randomness
	switch a.outcome {
	case OutcomeAccepted:
		r.State, r.AcceptedAt, r.OperationActivityID, r.Waiting = Verifying, c.Done, a.activity, WaitVerify
		e.accountUp(c.Account, c.Project)
		return e.interval, nil
	case OutcomeRejected:
		r.State, r.FinishedAt = Failed, c.Done
		return 0, nil
	case OutcomeThrottled:
		if a.retryAfter > 0 {
			retry = a.retryAfter
		}
		r.NotBefore = c.Done.Add(retry)
		return e.interval, e.throttled(ctx, s, c, r.NotBefore)
	case OutcomeUnauthorized, OutcomeUnsent:
		if a.signIn {
			wait := backoff(firstAccount, r.Tries, rand.Float64()) //nolint:gosec // jitter needs no secret randomness
			_, err := e.accountAway(ctx, c, a, wait)
			return shortest, err
		}
		r.NotBefore = c.Done.Add(retry)
	case OutcomeRefused:
		r.NotBefore = c.Done.Add(retry)
	case OutcomeAmbiguous, OutcomePending: // the ledger itself spaces the next call
	}
	return shortest, nil // look at once: metadata tells what a refused or lost call came to
}

// throttled holds the environment, and the account's verb where the answer must
// be about the account: a wait longer than the environment's own window, or a
// second environment throttled shortly after the first.
func (e *Engine) throttled(ctx context.Context, s *situation, c Call, until time.Time) error {
	holds, err := e.store.Holds(ctx, c.Done)
	if err != nil {
		return err
	}
	wide := until.Sub(c.Done) > throttledTwice
	for _, h := range holds {
		if h.Scope == accountMark(c) {
			wide = true
		}
	}
	reason := "LCS answered 429, Too Many Requests: somebody else uses the same account or environment"
	list := []Hold{
		{Scope: EnvironmentHold(s.id, c.Kind), Until: until, Reason: reason},
		{Scope: accountMark(c), Until: c.Done.Add(throttledTwice), Reason: reason},
	}
	if wide {
		list = append(list, Hold{Scope: VerbHold(c.Account, c.Kind), Until: until, Reason: reason})
	}
	for _, h := range list {
		if err := e.store.Hold(ctx, h); err != nil {
			return err
		}
	}
	return nil
}

// accountMark is a hold of nothing: it remembers that the account was throttled.
func accountMark(c Call) string { return "throttled/" + c.Account + "/" + string(c.Kind) }

// logAnswer writes the one line that an accepted call earns, or why it was not.
func (e *Engine) logAnswer(r Run, c Call) {
	log := e.runLog(r).With(zap.String("account", c.Account), zap.String("operation_activity_id", c.ActivityID))
	switch {
	case c.Outcome == OutcomeAccepted:
		log.Info("run accepted")
	case r.State == Failed:
		e.metrics.runs.WithLabelValues(string(r.Action), string(r.State)).Inc()
		log.Error("run failed", zap.String("outcome", string(c.Outcome)), zap.String("message", c.Message))
	default:
		log.Warn("call not accepted", zap.String("outcome", string(c.Outcome)), zap.Time("not_before", r.NotBefore), zap.String("message", c.Message))
	}
}
