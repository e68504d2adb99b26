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

// Savings are what was saved against an environment that is always on, and what was not.
// Money is in the currency of the schedule file.
type Savings struct {
	HoursOff      float64 // that LCS showed it stopped
	Saved         float64
	LostFailed    float64 // LCS showed it running although it was wanted stopped
	LostOverrides float64 // only an override kept it running
}

// Add adds other savings.
func (s *Savings) Add(other Savings) {
	s.HoursOff += other.HoursOff
	s.Saved += other.Saved
	s.LostFailed += other.LostFailed
	s.LostOverrides += other.LostOverrides
}

// MonthSums are the savings of one environment in a month of the schedule file's zone.
type MonthSums struct {
	Month       string // such as 2026-11
	Environment string
	Savings
}
