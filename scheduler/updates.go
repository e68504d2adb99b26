package scheduler

import "time"

// An UpdateKind is what an update is about.
type UpdateKind string

// The kinds of updates.
const (
	UpdateRun         UpdateKind = "run"
	UpdateOverride    UpdateKind = "override"
	UpdateObservation UpdateKind = "observation"
	UpdateReload      UpdateKind = "reload" // a schedule file is active, or was refused
)

// An Update is a change as those who listen for changes see it. Fields that do not apply
// are empty.
type Update struct {
	Kind UpdateKind
	// Event is the id of the event that says so, "" for what only a comparison shows: a run
	// that waits or goes on, and an observation.
	Event        string
	At           time.Time
	ID           string // of the run, override, environment in LCS, or event
	Project      int64  // of an observation, its id in LCS
	Environment  string // its name; "" of an observation that the database returns
	Environments []string
	Action       string // of a run
	State        string // of a run, or what LCS shows
	Keep         string // of an override
	Message      string
}
