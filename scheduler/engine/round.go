package engine

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/clock"
)

const (
	unanswered   = 2 * time.Minute  // no call of this process lasts longer: the client's limit is half of it
	rollout      = 10 * time.Minute // replicas have the same file after this
	blindFor     = 15 * time.Minute // without a read: longer than any wait between two tries
	withoutLook  = 2 * time.Minute  // a run that has waited so long for metadata calls without it
	verifyReads  = 4                // a run has at least so many reads until its verify_timeout, whatever else is wanted
	notInFile    = "the environment is no longer in the schedule file"
	notInProject = "the environment is no longer in this project of the schedule file"
)

// A move is what a round does with one run.
type move struct {
	run     *scheduler.Run
	clock   *clock.Clock
	id      string // the environment's normalised id
	wait    scheduler.Wait
	request bool // it asks for its call
	ready   bool // with request: it has an observation, or goes without
	unseen  bool // with ready: it goes without
	need    need // with need.seen.ID: it wants an observation
	poll    bool // with need: it waits for a state to change, which reading does not hasten
	changed bool // it is to be written
}

// A round is what the moves of one round have in common.
type round struct {
	*pass
	s       *snapshot
	project scheduler.Project
	now     time.Time
	own     time.Time     // by the clock of the process, which goes on while a machine is suspended
	good    time.Duration // how old an observation may be for a call
}

// advance does what can be done for every run, and returns the instant of the next round.
func (p *pass) advance(ctx, life context.Context) (time.Time, error) {
	s := p.w.current.load()
	o := &round{pass: p, s: s, project: s.projects[p.name], now: p.w.clock.Now(), own: p.w.clock.Own()}
	p.others = p.w.observer.changed(o.project.ID) // before what is read there is taken in
	o.good = p.w.observer.goodFor(o.project.ID)
	p.observed(p.w.observer.latest(o.project.ID))
	moves := make([]*move, 0, len(p.runs))
	for i := range p.runs {
		m := &move{run: &p.runs[i], clock: p.w.clock}
		moves = append(moves, m)
		if err := o.consider(ctx, m); err != nil {
			return time.Time{}, err
		}
	}
	launched, err := o.reserve(ctx, life, moves)
	if err != nil {
		return time.Time{}, err
	}
	next := o.readNeeds(ctx, moves)
	var changed []scheduler.Run
	for _, m := range moves {
		if launched[m.run.ID] {
			continue
		}
		if at := o.settleWait(m); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
		if m.changed {
			changed = append(changed, *m.run)
		}
	}
	if err := p.save(ctx, changed); err != nil {
		return time.Time{}, err
	}
	switch soonest := o.now.Add(shortest); {
	case !p.loaded || len(p.runs) == 0 && p.idle():
		return o.now, nil
	case !next.IsZero() && next.Before(soonest):
		return soonest, nil
	}
	return next, nil
}

// consider decides what to do with one run.
func (o *round) consider(ctx context.Context, m *move) error {
	r, d := m.run, o.s.Defaults
	env, ok := o.s.environments[r.Environment]
	switch {
	case o.calling[r.ID]:
		return nil
	case !ok && o.now.Sub(r.CreatedAt) < rollout: // another replica may have read a newer file a moment ago
		m.wait = scheduler.Wait{Until: r.CreatedAt.Add(rollout), Reason: r.Waiting, Detail: r.Message}
		return nil
	case !ok:
		m.finish(scheduler.Canceled, notInFile)
		return nil
	case env.Project != o.name:
		m.finish(scheduler.Canceled, notInProject)
		return nil
	case r.DueAt.Sub(o.now) > onTime: // a clock that was ahead wrote it
		m.wait = scheduler.Wait{Until: r.DueAt}
		return nil
	case r.Waiting == scheduler.WaitApproval:
		return nil // an approval wakes the pass
	case r.State != scheduler.Verifying && !r.StartedAt.IsZero() && o.left(r.StartedAt, d.Deadline) <= 0:
		m.finish(scheduler.Failed, fmt.Sprintf("not done within the deadline of %s; last: %s", d.Deadline, r.Message))
		return nil
	}
	m.id = o.s.ids[o.name][r.Environment]
	if inFlight, err := o.pending(ctx, m); inFlight || err != nil {
		return err
	}
	o.look(m)
	return nil
}

// pending meets a call on the environment whose end is not written: of another pass, or
// of one whose end was lost.
func (o *round) pending(ctx context.Context, m *move) (bool, error) {
	last := o.last[m.id]
	if last.Outcome != scheduler.OutcomePending || last.ID == "" {
		return false, nil
	}
	if o.now.Sub(last.At) < unanswered {
		m.wait = scheduler.Wait{Until: o.now.Add(time.Second), Reason: scheduler.WaitTurn, Detail: "another call of the environment is in flight"}
		o.reloadAt = m.wait.Until // the end may be another process's to write
		return true, nil
	}
	last.Outcome, last.Done, last.Message = scheduler.OutcomeAmbiguous, o.now, "the call's end was not recorded"
	if _, err := o.w.calls.Settle(ctx, []scheduler.Settlement{{Call: last}}, nil); err != nil {
		return false, err
	}
	o.last[m.id] = last
	return false, nil
}

// look decides by the last observation of the environment, or asks for one.
func (o *round) look(m *move) {
	r, last, seen := m.run, o.last[m.id], o.seen[m.id]
	if fromFuture(seen, o.now) {
		seen = scheduler.Observation{Page: seen.Page, Name: seen.Name}
	}
	seen.Project, seen.ID = o.project.ID, m.id
	since := o.conclusive(r, last)
	switch {
	case !seen.At.IsZero() && !seen.At.Before(since):
		o.decided(m, seen)
	case enough(r, last, seen, o):
		m.request, m.ready = true, true
		o.retryLater(m)
	default:
		m.need = need{seen: seen, at: o.now}
		if m.poll = r.State == scheduler.Verifying; m.poll && r.AcceptedAt.Add(o.w.interval).After(o.now) {
			m.need.at = r.AcceptedAt.Add(o.w.interval) // nothing is done at once
			m.wait = scheduler.Wait{Until: m.need.at, Reason: scheduler.WaitVerify, Detail: r.Message}
			break
		}
		m.request = !m.poll
		o.withoutObservation(m, last)
	}
	if m.ready || m.need.seen.ID == "" || m.need.at.After(o.now) {
		delete(o.unobserved, r.ID)
	}
}

// fromFuture reports whether a clock that was ahead dated an observation: it says nothing
// of when it was made.
func fromFuture(o scheduler.Observation, now time.Time) bool { return o.At.Sub(now) > clock.Tolerance }

// conclusive is the instant from which on an observation may conclude a run: it is newer
// than the fire and the last call.
func (o *round) conclusive(r *scheduler.Run, last scheduler.Call) time.Time {
	since := micros(r.CreatedAt)
	ahead := since.After(o.now) // a wrong clock wrote the run
	if after := micros(last.Done).Add(time.Microsecond); !last.Done.IsZero() && (after.After(since) || ahead) {
		since = after
	}
	return since
}

// enough reports whether an observation from before the fire will do for the first call.
func enough(r *scheduler.Run, last scheduler.Call, seen scheduler.Observation, o *round) bool {
	_, opposite, _ := conditions(r.Action)
	return r.State == scheduler.Queued && r.Tries == 0 && !seen.At.IsZero() && seen.At.After(last.Done) && o.now.Sub(seen.At) <= o.good &&
		seen.Misses == 0 && seen.Condition == opposite
}

// decided follows the rule for an observation that is newer than the fire and the last call.
func (o *round) decided(m *move, seen scheduler.Observation) {
	r := m.run
	own := scheduler.OutcomePending
	if last := o.last[m.id]; last.Run == r.ID {
		own = last.Outcome
	}
	d := decide(*r, seen, own, o.w.clock.Elapsed(r.AcceptedAt, seen.At), o.s.Defaults)
	if entry := o.w.record.log.Check(zap.DebugLevel, "decision"); entry != nil {
		entry.Write(zap.String("environment", r.Environment), zap.String("run_id", r.ID), zap.String("action", string(r.Action)), zap.Stringer("decision", d.action),
			zap.String("message", d.message), zap.String("observed", string(seen.Condition)), zap.Time("observed_at", seen.At))
	}
	switch d.action {
	case succeed:
		message := "LCS showed it in the wanted state already; no call was needed"
		if r.Tries > 0 {
			message = fmt.Sprintf("metadata shows %s (%s)", seen.DeploymentState, seen.Display)
		}
		m.finish(scheduler.Succeeded, message)
	case fail:
		m.finish(scheduler.Failed, d.message)
	case call:
		m.request, m.ready = true, o.now.Sub(seen.At) <= o.good
		if !m.ready {
			m.need = need{seen: seen, at: o.now}
		}
		o.retryLater(m)
	case wait:
		if d.carriedOut {
			r.State, r.AcceptedAt, m.changed = scheduler.Verifying, o.last[m.id].At, true
			o.w.record.carriedOut(*r, d.message)
		}
		m.poll, m.need = true, need{seen: seen, at: seen.At.Add(o.w.interval)}
		m.wait = scheduler.Wait{Until: m.need.at, Reason: d.waiting, Detail: d.message}
		if !m.need.at.After(o.now) {
			m.request = r.State != scheduler.Verifying
			o.withoutObservation(m, o.last[m.id])
			m.request = m.ready
			m.keepReason(d)
		}
	}
}

// keepReason has a wait for a reading show what the last one said, unless that is why the
// run waits no longer.
func (m *move) keepReason(d decision) {
	if m.wait.Reason == scheduler.WaitMetadata && m.wait.QuotaOnly {
		m.wait.Reason, m.wait.Detail = d.waiting, d.message
	}
}

// retryLater holds back a call whose time has not come, after one that did not go through.
func (o *round) retryLater(m *move) {
	r := m.run
	if !r.NotBefore.After(o.now) {
		return
	}
	m.request, m.ready = false, false
	m.wait = scheduler.Wait{Until: r.NotBefore, Reason: scheduler.WaitRetry, Detail: r.Message}
	if m.need.seen.ID != "" {
		m.need.at = r.NotBefore.Add(-o.good / 2)
	}
}

// withoutObservation says what a run does that has no useful observation: it waits, or
// after two minutes calls without one, unless a call of unknown outcome must be cleared up
// first. A run that verifies fails when nothing could be read until long after its timeout.
func (o *round) withoutObservation(m *move, last scheduler.Call) {
	r := m.run
	if no := o.w.observer.rejected(o.project.ID, m.need.seen.ID); r.State != scheduler.Verifying && !no.at.Before(o.conclusive(r, last)) && no.at.After(m.need.seen.At) {
		m.finish(scheduler.Failed, no.message)
		m.request, m.need = false, need{}
		return
	}
	m.wait = o.metadataWait(m)
	if m.wait.Reason == scheduler.WaitAccount && r.State != scheduler.Verifying {
		delete(o.unobserved, r.ID) // it waits for the account
	}
	if until := o.waits[r.ID].Until; m.request && until.After(o.now) {
		m.need.at = until.Add(-o.good / 2) // its turn is later
		delete(o.unobserved, r.ID)
		return
	}
	since, known := o.unobserved[r.ID]
	counts := true
	if m.poll {
		counts = !m.wait.QuotaOnly // its turn comes
	}
	if r.State != scheduler.Verifying && m.wait.Reason == scheduler.WaitAccount {
		counts = false
	}
	if !known && counts {
		since, known = o.now, true
		o.unobserved[r.ID] = since
	}
	switch {
	case !known:
	case r.State == scheduler.Verifying:
		late := o.s.Defaults.VerifyTimeout
		if o.left(since, blindFor) <= 0 && o.left(r.AcceptedAt, late) <= 0 {
			m.finish(scheduler.Failed, fmt.Sprintf("LCS accepted it; whether it arrived could not be seen within %s: %s", late, m.wait.Detail))
		}
	case last.Outcome == scheduler.OutcomeAmbiguous || m.wait.Reason == scheduler.WaitAccount || m.need.seen.Condition == lcs.Unsupported:
	case o.now.Sub(since) >= withoutLook:
		m.ready, m.unseen, m.need = true, true, need{}
		o.retryLater(m)
	case since.Add(withoutLook).Before(m.wait.Until):
		m.wait.Until = since.Add(withoutLook)
	}
}

// metadataWait says why an observation is not there.
func (o *round) metadataWait(m *move) scheduler.Wait {
	w := scheduler.Wait{Until: o.now.Add(o.w.interval), Reason: scheduler.WaitMetadata, Detail: "the project's metadata is read in the order of the runs", QuotaOnly: true}
	if o.readAfter.Until.After(o.now) {
		w = o.readAfter
	}
	if until, failing := o.w.observer.failing(o.project.ID, m.need, o.now); failing && w.Reason != scheduler.WaitAccount {
		w = scheduler.Wait{Until: until, Reason: scheduler.WaitMetadata, Detail: "LCS's metadata could not be read"}
	}
	return w
}

// finish ends the run of a move.
func (m *move) finish(state scheduler.State, message string) {
	m.run.State, m.run.FinishedAt, m.run.Message, m.run.Waiting = state, m.clock.Now(), message, ""
	m.changed = true
}

// settleWait notes why the run waits, and returns the instant of its next round.
func (o *round) settleWait(m *move) time.Time {
	r, w := m.run, m.wait
	if o.calling[r.ID] || r.State.Finished() || w.Reason == "" {
		return w.Until
	}
	if w.Reason == scheduler.WaitMetadata && (r.Waiting == scheduler.WaitVerify || r.Waiting == scheduler.WaitBusy || r.Waiting == scheduler.WaitMissing) {
		if w.Reason = r.Waiting; w.QuotaOnly {
			w.Detail = r.Message // a read that must wait its turn is no new reason
		}
	}
	started := startedAt(*r, w, o.now)
	isNew := r.Waiting != w.Reason
	if isNew || !r.StartedAt.Equal(started) || r.Message != w.Detail && !w.QuotaOnly {
		if isNew {
			o.w.record.waiting(*r, w)
		}
		r.Waiting, r.StartedAt, r.Message, m.changed = w.Reason, started, w.Detail, true
	}
	next := w.Until
	if longest := o.now.Add(longestWait); next.After(longest) {
		next = longest
	}
	if again := o.now.Add(recheck); w.Reason == scheduler.WaitQuota && next.After(again) {
		next = again
	}
	if end := o.now.Add(o.left(r.StartedAt, o.s.Defaults.Deadline)); !r.StartedAt.IsZero() && r.State != scheduler.Verifying && end.Before(next) {
		next = end
	}
	if end := o.now.Add(o.left(r.AcceptedAt, o.s.Defaults.VerifyTimeout)); r.State == scheduler.Verifying && end.After(o.now) && end.Before(next) {
		next = end
	}
	return next
}

// left returns how much is left of a limit that counts from an instant.
func (o *round) left(since time.Time, limit time.Duration) time.Duration {
	return limit - o.w.clock.Elapsed(since, o.now)
}

// startedAt is the instant from which the deadline counts, once the run waits. The queue
// is not the run's fault: it starts after it, and starts again when a run that made no
// call yet must queue for its first. The queue for metadata does not reset what has
// started: every read must pass it, whatever the run waits for.
func startedAt(r scheduler.Run, w scheduler.Wait, now time.Time) time.Time {
	switch {
	case w.QuotaOnly && w.Reason == scheduler.WaitQuota && r.Tries == 0:
		return time.Time{}
	case r.StartedAt.IsZero() && (!w.QuotaOnly || r.Tries > 0):
		return now
	}
	return r.StartedAt
}
