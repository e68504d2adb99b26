package scheduler

import (
	"time"

	"curfew/scheduler/plan"
)

// LongestOverride is how far ahead an override may end.
const LongestOverride = 31 * 24 * time.Hour

// LongestReason is how many characters the reason of an override may have.
const LongestReason = 500

// Repeats reports whether asking for an override says nothing that an old one does not say
// already. Both keep the same until the same instant, and the old one is not released.
type Repeats func(old, asked Override) bool

// An Override is a temporary exception that a person made: it keeps environments
// running or stopped from From (inclusive) until Until (exclusive), whatever the
// schedule file says.
type Override struct {
	ID           string
	Environments []string
	Keep         plan.Wanted // running or stopped
	From, Until  time.Time
	Reason       string
	By           Actor // who made it
	CreatedAt    time.Time
	ReleasedAt   time.Time // zero unless a person ended it; Until is then no later
}
