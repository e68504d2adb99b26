package scheduler

import (
	"time"

	"curfew/lcs"
)

// An Observation is what LCS said of one environment at an instant.
type Observation struct {
	Project         int64
	ID              string // normalised environment id
	Page            int    // metadata page it was on, 0 when read by id
	At              time.Time
	Name            string // LCS's name
	Condition       lcs.Condition
	DeploymentState string
	Display         string
	Failed          bool // LCS says that the last operation failed
	Misses          int  // how often in a row LCS did not list it
}

// ObservationHolds is how long an observation stands for the time after it, when no
// other follows.
const ObservationHolds = 15 * time.Minute

// A Span is a stretch of time in which every observation of an environment showed the
// same condition. It ends at the next observation that shows another one, and no later
// than ObservationHolds after the last that showed it.
type Span struct {
	Project     int64
	ID          string // normalised environment id
	From, Until time.Time
	Condition   lcs.Condition
}
