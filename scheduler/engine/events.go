package engine

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func newEvent(kind scheduler.EventKind, at time.Time, by scheduler.Actor, reason string) scheduler.Event {
	return scheduler.Event{Kind: kind, At: at, By: by, Reason: reason}
}

// ended is the event of a run's end.
func ended(run scheduler.Run, by scheduler.Actor) scheduler.Event {
	kinds := map[scheduler.State]scheduler.EventKind{
		scheduler.Succeeded: scheduler.EventSucceeded, scheduler.Failed: scheduler.EventFailed, scheduler.Canceled: scheduler.EventCanceled,
		scheduler.Skipped: scheduler.EventSkipped, scheduler.Missed: scheduler.EventMissed,
	}
	next := ""
	if run.State == scheduler.Failed || run.State == scheduler.Missed {
		next = fmt.Sprintf("if it is still wanted: curfew %s %s", run.Action, run.Environment)
	}
	return ofRun(newEvent(kinds[run.State], run.FinishedAt, by, run.Message), run, next)
}

func ofRun(e scheduler.Event, run scheduler.Run, next string) scheduler.Event {
	e.Environment, e.Run, e.NextStep = run.Environment, run.ID, next
	e.Project, e.Schedule, e.Action, e.FireAt = run.Project, run.Schedule, run.Action, run.FireAt.UTC()
	return e
}

// approval returns an Emit for runs that a person lets go: one event for the fire.
func approval(by scheduler.Actor, now time.Time) Emit {
	return func(runs []scheduler.Run) []scheduler.Event {
		if len(runs) == 0 {
			return nil
		}
		e := ofRun(newEvent(scheduler.EventApproval, now, by, fmt.Sprintf("approved: %d runs go on", len(runs))), runs[0], "")
		e.Change = changeOf(scheduler.ChangeApprove, "waits for an approval", "goes on", environmentsOf(runs)...)
		return []scheduler.Event{e}
	}
}

// requested returns the event of a run that a person asked for.
func requested(run scheduler.Run, by scheduler.Actor, now time.Time) scheduler.Event {
	e := ofRun(newEvent(scheduler.EventRequest, now, by, string(run.Action)+" asked for by hand"), run, "")
	e.Change = changeOf(scheduler.ChangeAction(run.Action), "", string(run.State), run.Environment)
	return e
}

func changeOf(action scheduler.ChangeAction, before, after string, environments ...string) scheduler.Change {
	return scheduler.Change{Action: action, Environments: strings.Join(environments, "\n"), Before: before, After: after}
}

func environmentsOf(runs []scheduler.Run) []string {
	names := make([]string, len(runs))
	for i, r := range runs {
		names[i] = r.Environment
	}
	return names
}

// throttled is the event of a 429.
func throttled(run scheduler.Run, c scheduler.Call, reason string) scheduler.Event {
	e := ofRun(newEvent(scheduler.EventThrottled, c.Done, scheduler.BySchedule, reason), run, "see who else starts and stops environments as this account")
	e.Account = c.Account
	return e
}

// expired returns the overrides that end after the tick of c, and not after now.
func expired(c scheduler.Cursor, now time.Time) []scheduler.Override {
	var list []scheduler.Override
	for _, o := range c.Overrides {
		if o.Until.After(c.At) && !o.Until.After(now) && o.ReleasedAt.IsZero() {
			list = append(list, o)
		}
	}
	return list
}

func ofOverride(o scheduler.Override, at time.Time, by scheduler.Actor, what string) scheduler.Event {
	e := newEvent(scheduler.EventOverride, at, by, fmt.Sprintf("%s: keep %s %s until %s", what, strings.Join(o.Environments, ", "), o.Keep, o.Until.UTC().Format(time.RFC3339)))
	e.Override = o.ID
	e.Change.Environments = strings.Join(o.Environments, "\n")
	return e
}

// overrideMade is the event of an override that somebody made.
func overrideMade(o scheduler.Override, did scheduler.ChangeAction, at time.Time) scheduler.Event {
	e := ofOverride(o, at, o.By, "override made")
	e.Change = changeOf(did, "", keeps(o), o.Environments...)
	return e
}

// overrideReleased is the event of an override that somebody ended.
func overrideReleased(o scheduler.Override, at time.Time, by scheduler.Actor) scheduler.Event {
	e := ofOverride(o, at, by, "override released")
	e.Change = changeOf(scheduler.ChangeRelease, "keep "+string(o.Keep), keeps(o), o.Environments...)
	return e
}

func keeps(o scheduler.Override) string {
	text := fmt.Sprintf("keep %s from %s until %s", o.Keep, o.From.UTC().Format(time.RFC3339), o.Until.UTC().Format(time.RFC3339))
	if o.Reason != "" {
		text += ": " + o.Reason
	}
	return text
}

// downEvent is the event of an account that cannot be used.
func downEvent(c scheduler.Call, message string, until time.Time) scheduler.Event {
	e := newEvent(scheduler.EventUnreachable, c.Done, scheduler.BySchedule, message)
	e.Account, e.NextStep = c.Account, "curfew accounts check "+c.Account+"; it is tried again at "+until.UTC().Format(time.RFC3339)
	return e
}

// silentEvent is the event of a project whose LCS does not answer.
func silentEvent(p scheduler.Project, since, now time.Time, message string) scheduler.Event {
	e := newEvent(scheduler.EventUnreachable, now, scheduler.BySchedule,
		fmt.Sprintf("LCS has not answered for project %s since %s: %s", p.Name, since.UTC().Format(time.RFC3339), message))
	e.Project, e.NextStep = p.Name, "runs go on by themselves once it answers; see whether "+p.Endpoint+" can be reached from here"
	return e
}

// answersEvent is the event of a project whose LCS answers again.
func answersEvent(p scheduler.Project, now time.Time) scheduler.Event {
	e := newEvent(scheduler.EventReachable, now, scheduler.BySchedule, "LCS answers again for project "+p.Name)
	e.Project = p.Name
	return e
}

// stoppingEvent is the event of a stop to come.
func stoppingEvent(f plan.Fire, env scheduler.Environment, now time.Time) scheduler.Event {
	e := newEvent(scheduler.EventStopping, now, scheduler.BySchedule, f.Reason)
	e.Environment, e.Project, e.Schedule, e.Action, e.FireAt = env.Name, env.Project, f.Schedule, f.Action, f.At.UTC()
	return e
}

// upEvent is the event of an account that can be used again.
func upEvent(account string, now time.Time) scheduler.Event {
	e := newEvent(scheduler.EventReachable, now, scheduler.BySchedule, "account recovered; its runs resume")
	e.Account = account
	return e
}

// reloadedEvents are loadedEvents of a file that somebody, or a change of the file, had
// loaded again.
func reloadedEvents(s *snapshot, c scheduler.Cursor, now time.Time, why Reloading) []scheduler.Event {
	list := loadedEvents(s, c, now)
	list[0].By, list[0].Change = why.By, changeOf(scheduler.ChangeReload, "", why.Changes, why.Environments...)
	return list
}

// loadedEvents are the events of a schedule file that becomes active.
func loadedEvents(s *snapshot, c scheduler.Cursor, now time.Time) []scheduler.Event {
	list := []scheduler.Event{newEvent(scheduler.EventReload, now, scheduler.BySchedule,
		fmt.Sprintf("schedule file loaded: %d environments, %d projects", len(s.Environments), len(s.Projects)))}
	known := s.File != "" && slices.ContainsFunc(c.Files, func(f scheduler.FileTick) bool { return f.Digest == s.File })
	for _, o := range c.Overrides {
		if gone := s.stale(o); len(gone) > 0 && !known { // it was reported when the file came
			e := ofOverride(o, now, scheduler.BySchedule, "override without effect on "+strings.Join(gone, ", ")+", which the schedule file does not have")
			e.NextStep = "curfew release " + o.ID
			list = append(list, e)
		}
	}
	return list
}
