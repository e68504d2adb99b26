package engine

import (
	"context"
	"fmt"
	"slices"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// Skip leaves out the next stop that the schedule file has for an environment: an override
// keeps it running until the next start, or the stop after it. Asked again, it returns the
// override that does so already; made is false then.
func (e *overriding) Skip(ctx context.Context, environment string, by scheduler.Actor) (o scheduler.Override, made bool, err error) {
	s, now := e.current.load(), micros(e.clock.Now())
	if _, ok := s.environments[environment]; !ok {
		return o, false, fmt.Errorf("%w: %q", scheduler.ErrNoEnvironment, environment)
	}
	// By the file alone: what people keep does not move the stop that is left out.
	skipped, ok := s.Plan.Skip(environment, now, now.Add(scheduler.LongestOverride))
	if !ok {
		return o, false, &scheduler.InvalidError{Message: environment + " has no stop to leave out, or nothing after it, in the next 31 days; keep it running with an override instead"}
	}
	leavesOut := func(old, _ scheduler.Override) bool {
		return !old.From.After(skipped.Stop.At) && slices.Contains(old.Environments, environment)
	}
	return e.make(ctx, scheduler.Override{
		Environments: []string{environment}, Keep: plan.Running, From: skipped.From, Until: skipped.Until, By: by,
		Reason: "leaves out the stop of " + skipped.Stop.At.Format("Mon 2006-01-02 15:04"),
	}, scheduler.ChangeSkip, leavesOut)
}
