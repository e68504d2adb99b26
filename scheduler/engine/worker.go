package scheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
)

const (
	shortest   = 200 * time.Millisecond // between two looks of one run
	drained    = time.Second            // a step that meets a shutdown is taken up by the next process
	unanswered = 2 * time.Minute        // no call of this process lasts longer: the client's limit is half of it
	rollout    = 10 * time.Minute       // replicas have the same file after this
	blindFor   = 15 * time.Minute       // without a look: longer than any wait between two tries
	staleAfter = 10 * time.Minute       // an observation older than this is not worth a call
)

// A situation is all that a step knows of its run.
type situation struct {
	f       *inForce
	run     Run
	env     Environment
	id      string // the environment's normalised id
	project Project
	last    Call // newest call on the environment, of this run or another
	now     time.Time
}

// guarded is step, in which a bug must not cost more than the step: the run is
// looked at again. Of what a panic says, which could be anything, only the kind is
// shown.
func (e *Engine) guarded(ctx context.Context, t Ticket) (again time.Duration, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.log.Error("a bug in curfew: a step of a run panicked; the run is looked at again", zap.String("run_id", t.Run),
				zap.String("kind", fmt.Sprintf("%T", p)), zap.StackSkip("stack", 2))
			err = errPanicked
		}
	}()
	return e.step(ctx, t)
}

var errPanicked = errors.New("a step panicked")

// step takes a run as far as it can go now, and says when to look again.
func (e *Engine) step(ctx context.Context, t Ticket) (time.Duration, error) {
	run, err := e.store.Run(ctx, t.Run)
	if errors.Is(err, ErrNoRun) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if run.Generation != t.Generation || run.State.Finished() {
		return 0, nil
	}
	again, err := e.advance(ctx, run)
	if errors.Is(err, ErrStale) {
		return 0, nil // finished, superseded or taken over meanwhile
	}
	return again, err
}

func (e *Engine) advance(ctx context.Context, run Run) (time.Duration, error) {
	s := &situation{f: e.setup.Load(), run: run, now: time.Now()}
	var ok bool
	if s.env, ok = s.f.environments[run.Environment]; !ok {
		return e.unknown(ctx, s)
	}
	if run.Waiting == WaitApproval {
		return longestWait, nil // an approval comes with a new ticket
	}
	s.project, s.id = s.f.projects[s.env.Project], lcs.NormalizeID(s.env.ID)
	if late := s.f.Defaults.Deadline; run.State != Verifying && !run.StartedAt.IsZero() && s.now.Sub(run.StartedAt) >= late {
		return e.finish(ctx, s, Failed, fmt.Sprintf("not done within the deadline of %s; last: %s", late, run.Message))
	}
	var err error
	if s.last, _, err = e.store.LastCall(ctx, s.project.ID, s.id); err != nil {
		return 0, err
	}
	if s.last.Outcome == OutcomePending && s.now.Sub(s.last.At) < unanswered {
		return e.wait(ctx, s, Grant{At: s.now.Add(time.Second), Reason: WaitTurn, Detail: "another call of the environment is in flight"})
	}
	if s.last.Outcome == OutcomePending { // it ended, and its end could not be written
		s.last.Outcome, s.last.Done, s.last.Message = OutcomeAmbiguous, s.now, "the call's end was not recorded"
		if err := e.store.Settle(ctx, s.last, nil); err != nil {
			return 0, err
		}
	}
	seen, grant, err := e.observe(ctx, s, s.freshFrom(e.interval))
	if err != nil {
		return 0, err
	}
	if late := s.f.Defaults.VerifyTimeout; e.blind(run, grant, s.now) && s.now.Sub(run.AcceptedAt) >= late {
		return e.finish(ctx, s, Failed, fmt.Sprintf("LCS accepted it; whether it arrived could not be seen within %s: %s", late, grant.Detail))
	}
	if !grant.At.IsZero() {
		return e.wait(ctx, s, grant)
	}
	return e.act(ctx, s, seen)
}

// blind tells whether a run that waits to arrive could not be looked at for long, by
// this process: one that has just begun has not tried.
func (e *Engine) blind(run Run, grant Grant, now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if run.State != Verifying || grant.At.IsZero() {
		delete(e.unseen, run.ID)
		return false
	}
	if grant.Paced {
		return false
	}
	since, known := e.unseen[run.ID]
	if !known {
		e.unseen[run.ID] = now
	}
	return known && now.Sub(since) >= blindFor
}

// unknown meets a run of an environment that this process does not have in its
// file. Another replica may have read a newer file a moment ago.
func (e *Engine) unknown(ctx context.Context, s *situation) (time.Duration, error) {
	if s.now.Sub(s.run.CreatedAt) < rollout {
		return e.interval, nil
	}
	return e.finish(ctx, s, Canceled, notInFile)
}

// freshFrom is the instant from which an observation counts: never older than
// the run or the last call; while a change is awaited, not older than a look.
func (s *situation) freshFrom(interval time.Duration) time.Time {
	from := s.run.CreatedAt
	if s.last.Done.After(from) {
		from = s.last.Done
	}
	if w := s.run.Waiting; s.run.State == Verifying || w == WaitBusy || w == WaitTurn || w == WaitMissing {
		if recent := s.now.Add(-interval / 2); recent.After(from) {
			from = recent
		}
	}
	return from
}

// act does what the observation calls for.
func (e *Engine) act(ctx context.Context, s *situation, seen Observation) (time.Duration, error) {
	own := OutcomePending
	if s.last.Run == s.run.ID {
		own = s.last.Outcome
	}
	f := decide(s.run, seen, own, s.now, s.f.Defaults)
	switch f.verdict {
	case arrived:
		return e.arrive(ctx, s, seen)
	case hopeless:
		return e.finish(ctx, s, Failed, f.message)
	case call:
		return e.callWhenDue(ctx, s, seen)
	case look:
	}
	if f.carriedOut {
		s.run.State, s.run.AcceptedAt = Verifying, s.last.At
		e.runLog(s.run).Info("run accepted", zap.String("operation_activity_id", ""), zap.String("message", f.message))
	}
	return e.wait(ctx, s, Grant{At: s.now.Add(e.interval), Reason: f.wait, Detail: f.message})
}

// callWhenDue makes the call, or waits for its turn.
func (e *Engine) callWhenDue(ctx context.Context, s *situation, seen Observation) (time.Duration, error) {
	if s.run.NotBefore.After(s.now) {
		reason := WaitRetry
		if n := len(s.run.Attempts); n > 0 && s.run.Attempts[n-1].Outcome == OutcomeThrottled {
			reason = WaitThrottle
		}
		return e.wait(ctx, s, Grant{At: s.run.NotBefore, Reason: reason, Detail: s.run.Message})
	}
	if e.draining.Load() {
		return drained, nil
	}
	old := s.now.Sub(seen.At) > staleAfter
	grant, err := e.reserve(ctx, s, old)
	if err != nil {
		return 0, err
	}
	switch {
	case !grant.At.IsZero():
		return e.wait(ctx, s, grant)
	case grant.Call == nil: // its turn has come, but what is known of it is old
		return e.lookAnew(ctx, s)
	default:
		return e.call(ctx, s, *grant.Call)
	}
}

// lookAnew reads the state again before a call that had to wait for long.
func (e *Engine) lookAnew(ctx context.Context, s *situation) (time.Duration, error) {
	seen, grant, err := e.observe(ctx, s, s.now.Add(-e.interval))
	if err != nil {
		return 0, err
	}
	if !grant.At.IsZero() {
		return e.wait(ctx, s, grant)
	}
	return e.act(ctx, s, seen)
}

// arrive ends a run whose environment metadata shows in the wanted state.
func (e *Engine) arrive(ctx context.Context, s *situation, seen Observation) (time.Duration, error) {
	message := "LCS showed it in the wanted state already; no call was needed"
	if s.run.Tries > 0 {
		message = fmt.Sprintf("metadata shows %s (%s)", seen.DeploymentState, seen.Display)
	}
	return e.finish(ctx, s, Succeeded, message)
}

// finish ends the run.
func (e *Engine) finish(ctx context.Context, s *situation, state State, message string) (time.Duration, error) {
	s.run.State, s.run.FinishedAt, s.run.Message, s.run.Waiting = state, time.Now(), message, ""
	if err := e.store.SaveRun(ctx, s.run); err != nil {
		return 0, err
	}
	e.told(s.run)
	return 0, nil
}

// told logs and counts the end of a run.
func (e *Engine) told(r Run) {
	e.mu.Lock()
	delete(e.unseen, r.ID)
	e.mu.Unlock()
	e.metrics.runs.WithLabelValues(string(r.Action), string(r.State)).Inc()
	e.missedLead(r)
	log := e.runLog(r).With(zap.String("operation_activity_id", r.OperationActivityID), zap.String("message", r.Message))
	switch {
	case r.State == Failed:
		log.Error("run failed")
	case r.State == Canceled:
		log.Info("run canceled", zap.String("superseded_by", r.SupersededBy))
	case r.AcceptedAt.IsZero():
		log.Info("run arrived", zap.Duration("took", 0))
	default:
		took := r.FinishedAt.Sub(r.AcceptedAt)
		e.metrics.arrival.WithLabelValues(string(r.Action)).Observe(took.Seconds())
		log.Info("run arrived", zap.Duration("took", took.Round(time.Millisecond)))
	}
}

// wait notes why the run waits, logs it when the reason is new, and gives the
// delay until the next look: never more than longestWait, so that a slot that
// comes free early is not missed.
func (e *Engine) wait(ctx context.Context, s *situation, g Grant) (time.Duration, error) {
	r, reason, detail := s.run, g.Reason, g.Detail
	if reason == WaitMetadata && (r.Waiting == WaitVerify || r.Waiting == WaitBusy || r.Waiting == WaitMissing) {
		if reason = r.Waiting; g.Paced {
			detail = r.Message // a look that must wait its turn is no new reason
		}
	}
	started := startedAt(r, g, s.now)
	if r.Waiting != reason || !r.StartedAt.Equal(started) || r.Message != detail {
		if r.Waiting != reason {
			e.runLog(r).Info("run waits", zap.String("reason", string(reason)), zap.Time("until", g.At), zap.String("message", detail))
		}
		r.Waiting, r.StartedAt, r.Message = reason, started, detail
		if err := e.store.SaveRun(ctx, r); err != nil {
			return 0, err
		}
		if reason == WaitAccount {
			return e.unlessFreed(ctx, s, g.At)
		}
	}
	return min(max(g.At.Sub(s.now), shortest), longestWait), nil
}

// startedAt is the instant from which the deadline counts, once the run waits.
// The queue is not the run's fault: it begins after it, and begins again when a
// run that made no call yet must queue for its first. The queue for metadata lets
// stand what has begun: every look must pass it, whatever the run waits for.
func startedAt(r Run, g Grant, now time.Time) time.Time {
	switch {
	case g.Paced && g.Reason == WaitQuota && r.Tries == 0:
		return time.Time{}
	case r.StartedAt.IsZero() && (!g.Paced || r.Tries > 0):
		return now
	}
	return r.StartedAt
}
