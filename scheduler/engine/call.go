package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

const (
	tooLate       = 20 * time.Second // between the reservation of a call and the call
	settleEvery   = time.Second
	settleFor     = 90 * time.Second // an answer of LCS comes once
	settleForStop = 2 * time.Second  // the daemon must be gone after 10
)

// An answered call is a call with its run, and what LCS said.
type answered struct {
	call   scheduler.Call
	run    scheduler.Run
	answer answer
}

// reserve makes the calls that the quota allows now, and returns the runs that have one.
func (o *round) reserve(ctx, life context.Context, moves []*move) (map[string]bool, error) {
	launched := map[string]bool{}
	for _, action := range []plan.Action{plan.Stop, plan.Start} {
		var asking []*move
		for _, m := range moves {
			if m.request && m.run.Action == action {
				asking = append(asking, m)
			}
		}
		if err := o.reserveKind(ctx, life, asking, launched); err != nil {
			return launched, err
		}
	}
	return launched, nil
}

func (o *round) reserveKind(ctx, life context.Context, asking []*move, launched map[string]bool) error {
	ready := o.readyNow(asking)
	if ready == 0 || o.w.draining.Load() {
		return nil
	}
	slots := o.w.takeSlots(o.pass, ready)
	if slots == 0 {
		return nil
	}
	r := scheduler.Reservation{
		Ticket: o.ticket, Now: micros(o.now), Kind: kindOf(asking[0].run.Action), Project: contender(o.project), Contenders: o.s.contenders[o.name],
	}
	left := slots
	for _, m := range asking {
		q := scheduler.Request{Run: *m.run, Environment: m.id, Ready: m.ready && left > 0, Unseen: m.unseen}
		if q.Ready {
			left--
		}
		if q.Run.StartedAt.IsZero() {
			q.Run.StartedAt = o.now
		}
		r.Requests = append(r.Requests, q)
	}
	o.asked = o.now
	res, err := o.w.calls.Reserve(ctx, r)
	o.w.freeSlots(o.pass, slots-len(res.Calls))
	if err != nil {
		return fmt.Errorf("reserve %d calls: %w", slots, err)
	}
	for _, c := range res.Calls {
		launched[c.Run.ID] = true
		o.launch(life, o, c)
	}
	o.takeWaits(r.Requests, asking, res)
	return nil
}

// readyNow counts the moves that may call now, and notes what the others wait for.
func (o *round) readyNow(asking []*move) int {
	ready := 0
	for _, m := range asking {
		switch w := o.waits[m.run.ID]; {
		case w.Until.After(o.now) && o.now.Sub(o.asked) < recheck:
			m.wait = w
		case m.ready:
			ready++
			m.wait = scheduler.Wait{Until: o.now.Add(retryDelay)} // where there are too many calls in flight, for a moment: not worth a word
		}
	}
	return ready
}

// takeWaits notes what the requests wait for that have no call.
func (o *round) takeWaits(requests []scheduler.Request, asking []*move, res scheduler.Reserved) {
	called := make(map[string]bool, len(res.Calls))
	for _, c := range res.Calls {
		called[c.Run.ID] = true
	}
	for i, m := range asking {
		id := m.run.ID
		delete(o.waits, id)
		if called[id] {
			continue
		}
		w, ok := res.Waits[id]
		switch {
		case ok && w.Until.After(o.now):
			o.waits[id], m.wait = w, w
			delete(o.unobserved, id)
		case !ok && requests[i].Ready:
			o.loaded = false // somebody else changed it
		}
	}
}

// launch makes a reserved call, in a goroutine of its own.
func (p *pass) launch(life context.Context, o *round, c scheduler.ReservedCall) {
	p.calling[c.Run.ID] = true
	p.last[c.Call.Environment] = c.Call
	delete(p.unobserved, c.Run.ID)
	for i := range p.runs {
		if p.runs[i].ID == c.Run.ID {
			p.runs[i] = c.Run
		}
	}
	environment := o.s.environments[c.Run.Environment].ID
	go func() {
		a := answered{call: c.Call, run: c.Run, answer: answer{outcome: scheduler.OutcomeAmbiguous, message: "a bug in curfew cut the call off"}}
		defer func() {
			if bug := recover(); bug != nil {
				p.w.record.panicked("a call", bug)
			}
			a.call.Done = p.w.clock.Now()
			p.w.freeSlots(p, 1)
			p.answers <- a
		}()
		if held := o.heldUp(c.Call); held > tooLate {
			a.answer = answer{outcome: scheduler.OutcomeUnsent, message: fmt.Sprintf("curfew was held up for %s before the call; it was not made", held.Round(time.Second))}
			return
		}
		a.answer = post(life, o.project, environment, c)
	}()
}

// heldUp returns how long this process was held up since a call was reserved, by whichever
// clock shows more: a machine that was suspended must not carry out what another has taken
// over.
func (o *round) heldUp(c scheduler.Call) time.Duration {
	return max(o.w.clock.Since(c.At), o.w.clock.Own().Sub(o.own))
}

// post makes the call.
func post(ctx context.Context, p scheduler.Project, environment string, c scheduler.ReservedCall) answer {
	client := p.Client(c.Call.Account)
	if c.Call.Kind == lcs.CallStart {
		return answerOf(client.Start(ctx, p.ID, environment))
	}
	return answerOf(client.Stop(ctx, p.ID, environment))
}

// settle writes how calls ended and what that means for their runs, whatever happens to
// ctx: a call whose end is not written is taken as ambiguous by the next process.
func (p *pass) settle(ctx context.Context, list []answered) {
	lasting := context.WithoutCancel(ctx)
	settlements := make([]scheduler.Settlement, 0, len(list))
	for i := range list {
		a := &list[i]
		a.call.Outcome, a.call.Message, a.call.ActivityID = a.answer.outcome, a.answer.message, a.answer.activity
		if err := p.apply(lasting, a); err != nil {
			p.w.record.retrying("saving what an answer forbids failed", a.run, err)
		}
		settlements = append(settlements, scheduler.Settlement{Call: a.call, Run: &a.run})
	}
	stale, err := p.write(ctx, settlements)
	if err != nil {
		for _, a := range list {
			p.w.record.retrying("saving a call's result failed; it counts as ambiguous in two minutes", a.run, err)
		}
	}
	void := make(map[string]bool, len(stale))
	for _, id := range stale {
		void[id] = true
	}
	ended := map[string]bool{}
	for _, a := range list {
		p.settled(a, void[a.run.ID], err != nil)
		ended[a.run.ID] = a.run.State.Finished() && !void[a.run.ID] && err == nil
	}
	for id, is := range ended {
		if !is {
			delete(ended, id)
		}
	}
	p.drop(ended)
	p.loaded = p.loaded && err == nil && len(stale) == 0
	p.owes = p.owes || p.void
}

// settled takes in how one call ended.
func (p *pass) settled(a answered, stale, unwritten bool) {
	delete(p.calling, a.run.ID)
	p.w.record.called(a.run, a.call)
	if a.call.Outcome != scheduler.OutcomeThrottled && a.call.Outcome != scheduler.OutcomeUnsent {
		p.last[a.call.Environment] = a.call
	} else if p.last[a.call.Environment].ID == a.call.ID {
		delete(p.last, a.call.Environment)
	}
	switch {
	case unwritten:
		return
	case stale:
		if a.call.Outcome == scheduler.OutcomeAccepted {
			p.w.record.outlived(a.run, a.call)
		}
		return
	case a.run.State.Finished():
		p.w.record.ended(a.run)
	}
	for i := range p.runs {
		if p.runs[i].ID == a.run.ID {
			p.runs[i] = a.run
		}
	}
}

// write writes settlements. While the database is down it tries again.
func (p *pass) write(ctx context.Context, list []scheduler.Settlement) ([]string, error) {
	lasting := context.WithoutCancel(ctx)
	for {
		stale, err := p.w.calls.Settle(lasting, list, p.w.record.changed)
		if err == nil || errors.Is(err, scheduler.ErrStale) {
			return stale, err
		}
		since := p.w.clock.Since(list[0].Call.Done)
		if since >= settleFor || since >= settleForStop && p.w.draining.Load() {
			return nil, err
		}
		p.w.record.retrying("saving a call's result failed; retrying", *list[0].Run, err)
		time.Sleep(settleEvery)
	}
}

// apply changes the run of an answered call, and holds back what the answer forbids.
func (p *pass) apply(ctx context.Context, a *answered) error {
	r, c := &a.run, a.call
	r.Message, r.Waiting = a.answer.message, ""
	retry := backoff(firstRetry, r.Tries, rand.Float64()) //nolint:gosec // jitter needs no secret randomness
	switch a.answer.outcome {
	case scheduler.OutcomeAccepted:
		r.State, r.AcceptedAt, r.OperationActivityID, r.Waiting = scheduler.Verifying, c.Done, a.answer.activity, scheduler.WaitVerify
		return p.w.accounts.worked(ctx, c)
	case scheduler.OutcomeRejected:
		r.State, r.FinishedAt = scheduler.Failed, c.Done
	case scheduler.OutcomeThrottled:
		if a.answer.retryAfter > 0 {
			retry = a.answer.retryAfter
		}
		return p.w.accounts.throttled(ctx, *r, c, throttling{c.Done.Add(retry), a.answer.asked})
	case scheduler.OutcomeUnauthorized, scheduler.OutcomeUnsent:
		if a.answer.signIn {
			after := backoff(firstAccount, r.Tries, rand.Float64()) //nolint:gosec // jitter needs no secret randomness
			_, err := p.w.accounts.failed(ctx, c, a.answer, after)
			return err
		}
		if a.answer.permanent {
			r.State, r.FinishedAt = scheduler.Failed, c.Done
			return nil
		}
		r.NotBefore = c.Done.Add(retry)
	case scheduler.OutcomeRefused:
		r.NotBefore = c.Done.Add(retry)
	case scheduler.OutcomeAmbiguous, scheduler.OutcomePending: // the ledger itself spaces the next call
	}
	return nil
}
