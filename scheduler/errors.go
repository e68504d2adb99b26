package scheduler

import "errors"

// ErrNoRun means that no run has the id.
var ErrNoRun = errors.New("no such run")

// ErrFinished means that a run has ended already, or does not wait for what was to be
// decided about it.
var ErrFinished = errors.New("the run does not wait for that")

// ErrNoOverride means that no override has the id.
var ErrNoOverride = errors.New("no such override")

// ErrOver means that an override has ended already.
var ErrOver = errors.New("the override has ended")

// ErrNoAccount means that no project of the active file uses an account of the name.
var ErrNoAccount = errors.New("no such account")

// ErrNoEnvironment means that the active file has no environment of the name.
var ErrNoEnvironment = errors.New("no such environment")

// ErrNoCalendarKey means that there is no such calendar key.
var ErrNoCalendarKey = errors.New("no such calendar key")

// ErrStale means that somebody else changed it meanwhile: what was about to be
// written is void.
var ErrStale = errors.New("changed meanwhile")

// ErrNoLink means that a link was not made by this daemon, or was cut off.
var ErrNoLink = errors.New("no such link")

// ErrLinkUsed means that somebody followed a link already.
var ErrLinkUsed = errors.New("the link was used already")

// ErrLinkVoid means that a link has nothing to do any more: its stop is over, was moved
// or will not come.
var ErrLinkVoid = errors.New("the stop of the link does not come any more")

// An InvalidError is what is wrong with a request, for whoever made it.
type InvalidError struct{ Message string }

func (e *InvalidError) Error() string { return e.Message }
