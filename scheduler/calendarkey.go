package scheduler

import "time"

// MostCalendarKeys bounds the calendar keys of one user.
const MostCalendarKeys = 20

// A CalendarKey lets whoever has it read the calendar of a user, without signing in. The key
// itself is shown once, and kept nowhere.
type CalendarKey struct {
	ID        string // to name it by, which opens nothing
	Hash      string // of the key
	Owner     Actor
	Claims    []byte // what the provider said of the owner when the key was made
	CreatedAt time.Time
}
