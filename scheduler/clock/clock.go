// Package clock tells the time that all processes on one database share: that of the
// database, where it has a clock of its own, and else that of this process. Between two
// readings it goes on by the monotonic clock, so that a step of the process's clock
// changes nothing that is written meanwhile.
package clock

import (
	"sync"
	"time"
)

const (
	// Tolerance is how far clocks may be apart. What lies further in the future was
	// written by a wrong clock.
	Tolerance = 5 * time.Second
	// settles is how long a step of a process's clock must last until it is followed, where
	// there is no other clock to compare it with.
	settles = 30 * time.Second
	// slack is a difference that is not worth an adjustment.
	slack = 100 * time.Millisecond
)

// A Clock tells the shared time. All methods are safe for concurrent use.
type Clock struct {
	own func() time.Time // of this process

	mu       sync.Mutex // guards what follows; written by readings and by NewID
	at       time.Time  // the shared time at mark
	mark     time.Time  // by the monotonic clock
	compared bool       // with a clock of the database
	ahead    time.Duration
	stepped  time.Time // when the process's clock was first seen to differ, by the monotonic clock
	steps    int
	skips    []skip // the last forward steps, oldest first
	lastID   uint64
}

// New makes a clock that goes by the process's, time.Now when nil.
func New(own func() time.Time) *Clock {
	if own == nil {
		own = time.Now
	}
	return &Clock{own: own, at: own().Round(0), mark: time.Now()}
}

// Own returns the time by the clock of the process.
func (c *Clock) Own() time.Time { return c.own().Round(0) }

// Now returns the shared time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now(time.Now())
}

func (c *Clock) now(at time.Time) time.Time { return c.at.Add(at.Sub(c.mark)) }

// Since returns how long ago an instant is.
func (c *Clock) Since(t time.Time) time.Duration { return c.Now().Sub(t) }

// Until returns how long it is until an instant.
func (c *Clock) Until(t time.Time) time.Duration { return t.Sub(c.Now()) }

// Ahead returns how far the clock of the process is ahead of the shared time.
func (c *Clock) Ahead() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead
}

// Wrong reports whether the clock of the process differs too much from that of the
// database.
func (c *Clock) Wrong() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.compared && c.ahead.Abs() > Tolerance
}

// Steps counts how often the shared time was set: what was noted before by the time of
// day may lie in the future.
func (c *Clock) Steps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.steps
}

// A skip is time that a forward step of the clock left out.
type skip struct {
	to time.Time
	by time.Duration
}

// mostSkips is how many forward steps are kept.
const mostSkips = 16

// Elapsed returns how much time passed between two instants. Of a forward step of the
// clock between them only the time that did pass counts.
func (c *Clock) Elapsed(from, to time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	passed := to.Sub(from)
	for _, s := range c.skips {
		if from.Before(s.to) && !to.Before(s.to) {
			passed -= min(s.by, s.to.Sub(from))
		}
	}
	return passed
}

// A Reading is the begin of one of the database's clock.
type Reading struct{ own, mark time.Time }

// Begin is called before the database's clock is asked.
func (c *Clock) Begin() Reading { return Reading{c.own().Round(0), time.Now()} }

// Compare takes a reading of the database's clock, which was made at some instant since
// its begin. Only what is certain counts: an answer that took long changes less.
func (c *Clock) Compare(r Reading, database time.Time) {
	own, mark := c.own().Round(0), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead = between(r.own.Sub(database), own.Sub(database))
	first, last := c.now(r.mark).Sub(database), c.now(mark).Sub(database) // how far this clock was ahead
	off := between(first, last)
	if !c.compared {
		off = (first + last) / 2
	}
	if c.compared = true; off.Abs() > slack {
		c.step(c.now(mark).Add(-off), mark)
	}
}

// Check takes in the clock of the process, where the database has none. A step of it is
// followed once it has lasted.
func (c *Clock) Check() {
	own, mark := c.own().Round(0), time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.ahead
	c.ahead = own.Sub(c.now(mark))
	switch {
	case c.ahead.Abs() <= slack:
		c.stepped = time.Time{}
	case c.ahead.Abs() <= Tolerance:
		c.step(own, mark)
	case c.stepped.IsZero() || (c.ahead-before).Abs() > Tolerance:
		c.stepped = mark
	case mark.Sub(c.stepped) >= settles:
		c.step(own, mark)
		c.ahead = 0
	}
}

func (c *Clock) step(at, mark time.Time) {
	if by := at.Sub(c.now(mark)); by > Tolerance {
		c.skips = append(c.skips[max(0, len(c.skips)-mostSkips+1):], skip{at, by})
	}
	c.at, c.mark, c.stepped = at, mark, time.Time{}
	c.steps++
}

// between returns zero when it lies between two differences, and else the one closer to
// it.
func between(a, b time.Duration) time.Duration {
	low, high := min(a, b), max(a, b)
	switch {
	case low > 0:
		return low
	case high < 0:
		return high
	}
	return 0
}
