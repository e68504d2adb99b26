// Package config reads the schedule file and reports every problem in it at once,
// each with its place. It alone knows that the file is YAML.
package config

import (
	"slices"
	"time"

	"curfew/scheduler/plan"
)

// A Config is a schedule file that has no errors. Every name in it is resolved.
type Config struct {
	Path         string         // as given to Load
	Dir          string         // what relative paths in the file are relative to
	Location     *time.Location // the file's zone, or the one that all schedules have; nil when they differ
	Currency     string         // display text for costs, "" when not given
	Accounts     []Account
	Projects     []Project
	Environments []Environment
	Schedules    []Schedule // with the disabled ones
	Exceptions   []plan.Exception
	Notify       []Receiver
	Access       *Access // nil: the API token alone
	Defaults     Defaults
	Files        []string  // every file read, to be watched: the file itself and its .ics files
	Spec         plan.Spec // ready to compile, without the disabled schedules
}

// The modes in which an account signs in.
const (
	ModePassword  = "password"
	ModeDelegated = "delegated"
	ModeStatic    = "static"
)

// An Account is a user who signs in to LCS. Which secrets it has depends on its
// mode; the others are nil.
type Account struct {
	Name         string
	Mode         string // password, delegated or static
	Tenant       string
	ClientID     string
	Username     string
	Password     *SecretRef
	ClientSecret *SecretRef
	Token        *SecretRef
	Scope        string // "" derives it from the endpoint of the project
	Authority    string // "" derives it from the endpoint of the project
}

// A SecretRef says where a secret is kept; the secret itself is never read here.
// Exactly one of the two is set.
type SecretRef struct {
	File string // path; a relative one has been joined to the directory of the schedule file
	Env  string // name of an environment variable
}

// A Project is an LCS project.
type Project struct {
	Name     string
	ID       int64
	Accounts []string // at least one
	Region   string   // short name of the LCS region; "us" when not given
	Endpoint string   // base URL without a final slash; the region's when not given
	Scope    string   // "" derives it from the endpoint
}

// An Environment is one that may be started and stopped.
type Environment struct {
	Name        string
	Project     string
	ID          string // as LCS shows it: a GUID, or 32 hexadecimal digits
	Tags        []string
	CostPerHour float64 // in the currency of the file; 0 when not given
}

// The values of enforce.
const (
	EnforceEdges  = "edges"
	EnforceAlways = "always"
)

// A Schedule is one entry of schedules, as written, with its names resolved and
// the defaults filled in.
type Schedule struct {
	Name         string
	Environments []string // names, in file order
	Uptime       []plan.Window
	Starts       []plan.Trigger
	Stops        []plan.Trigger
	Location     *time.Location
	Calendar     string        // "" for none
	Warn         time.Duration // how long before a stop to notify; 0 for not at all
	Lead         Lead
	Enforce      string // edges or always
	Enabled      bool
}

// A Lead is how much earlier than its uptime an environment is started. The zero
// value is not at all.
type Lead struct {
	Auto  bool          // as long as starts of the environment have taken
	Fixed time.Duration // when not Auto
}

// A Receiver is notified of what is listed in On.
type Receiver struct {
	Name string
	URL  SecretRef // of a Teams workflow or of shoutrrr; it carries secrets
	On   []string  // failed, missed, warning, unreachable, succeeded, summary, override, throttled, approval, drift, config
	// Environments are those that it hears of, in file order; nil for all.
	Environments []string
	SummaryAt    int // minute of the day in the file's zone
}

// The values of order.
const (
	OrderCost = "cost"
	OrderFile = "file"
)

// Defaults hold what applies to every schedule.
type Defaults struct {
	CatchUp         time.Duration // how late a missed fire is still run
	Deadline        time.Duration // how long a run is retried
	Warn            time.Duration // warn of schedules that have none
	VerifyTimeout   time.Duration // how long an accepted run may take to arrive
	Order           string        // cost: the most expensive environment is stopped first; file: in file order
	MaxStopsPerFire int           // more stops at once wait for an approval; 0 for no bound
}

// Options are what Load needs in addition to the file.
type Options struct {
	// Now is the instant from which coming fires are examined for warnings. With
	// the zero value there are no warnings that depend on it.
	Now time.Time
	// Notes asks for notes too, such as the hours up per week of each schedule.
	Notes bool
	// Links says whether warnings of stops can carry links.
	Links Links
}

// Links is what is known of the daemon's public address.
type Links int

// Without knowing the daemon there is a note at most.
const (
	LinksUnknown Links = iota
	LinksOn
	LinksOff
)

// Zone returns the zone of what the file shows without one of its own.
func (c *Config) Zone() *time.Location {
	if c.Location != nil {
		return c.Location
	}
	return time.UTC
}

// Delegates reports whether the file has accounts that people sign in to.
func (c *Config) Delegates() bool {
	return slices.ContainsFunc(c.Accounts, func(a Account) bool { return a.Mode == ModeDelegated })
}
