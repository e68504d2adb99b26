// Package plan works out which environments should run at an instant and when that
// changes. It is pure: it reads no clock, no file and no network, so that its
// answers can be held against an oracle over years and zones.
package plan

import "time"

// An Action is what a fire asks for.
type Action string

// The two actions LCS knows.
const (
	Start Action = "start"
	Stop  Action = "stop"
)

// Wanted is the state in which an environment should be.
type Wanted string

// Unknown means that no window and no event ever said anything.
const (
	Running Wanted = "running"
	Stopped Wanted = "stopped"
	Unknown Wanted = "unknown"
)

// A Date is a day of the proleptic Gregorian calendar, in no zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// Days is a set of weekdays: bit n is time.Weekday n.
type Days uint8

// EveryDay is the set of all seven weekdays.
const EveryDay Days = 1<<7 - 1

// A Window is a weekly stretch of time in which an environment should run.
// It begins at minute Begin (0 to 1439) of every day in Days and ends at minute
// End (0 to 1440) of the day EndDay days later; the begin is part of it, the end
// is not. It belongs to the day it begins on.
type Window struct {
	Days   Days
	Begin  int
	EndDay int
	End    int
}

// A Calendar names the days on which no window begins and no start fires.
type Calendar struct {
	Name string
	// Fingerprint changes when the days of the calendar may have changed.
	Fingerprint string
	// Holiday reports whether d is a day of the calendar, and what the day is called.
	Holiday func(d Date) (name string, ok bool)
}

// A Trigger is one rule for independent instants: either a time of day on some
// days, or a cron expression. Its zero value fires never.
type Trigger struct {
	days   Days
	minute int
	cron   *cronFields // nil for a time of day
	text   string
}

// A Schedule says when its environments should run: by Uptime, or by Starts and
// Stops, never both.
type Schedule struct {
	Name         string
	Environments []string // names of environments, resolved
	Location     *time.Location
	Uptime       []Window
	Starts       []Trigger
	Stops        []Trigger
	Calendar     *Calendar // nil: none
	// Lead is how much earlier than its windows an environment is started: they
	// begin so much sooner.
	Lead time.Duration
}

// An Exception beats the schedules of its environments from From (inclusive)
// until Until (exclusive). Where exceptions overlap, the later one in the list
// wins; an override (Override true) beats every exception.
type Exception struct {
	Name         string // unique; what a fire it causes carries as its schedule
	Environments []string
	From, Until  time.Time
	Location     *time.Location
	Keep         Wanted   // Running, Stopped, or "" when Uptime is given
	Uptime       []Window // windows that begin on a day from From on replace the schedules'
	Reason       string
	Override     bool
}

// OverridePrefix begins the name of an exception that is an override, so that it
// is never that of a schedule; what follows is the override's id.
const OverridePrefix = "override:"

// A Spec is what Compile works from. Environments, schedules and exceptions are
// in file order; disabled schedules are left out by the caller.
type Spec struct {
	Environments []string
	Schedules    []Schedule
	Exceptions   []Exception
}

// A Fire is an instant at which the rules ask for an action on an environment.
// At most one fire exists per environment and instant.
type Fire struct {
	At          time.Time // in the zone of the rule that caused it
	Action      Action
	Environment string
	Schedule    string // name of the schedule or exception
	Reason      string // for display
}

// A Decision is what is wanted of an environment at an instant, and why.
type Decision struct {
	Wanted  Wanted
	Because string   // the rule that decided, in a few words
	Steps   []string // how it was reached, one rule a step, in order of precedence
}
