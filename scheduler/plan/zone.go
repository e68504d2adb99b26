package plan

import (
	"math"
	"time"
)

// An instant counts nanoseconds from 1970-01-01 UTC: exact, cheap to compare and
// to sort. Times that do not fit are brought to the nearest that does, more than
// two centuries from any schedule.
type instant int64

const (
	second   = instant(time.Second)
	firstSec = -8_000_000_000 // in 1716
	lastSec  = 8_000_000_000  // in 2223; the type has room beyond, for sums
	never    = instant(math.MaxInt64)
)

func instantOf(t time.Time) instant {
	switch s := t.Unix(); {
	case s < firstSec:
		return firstSec * second
	case s > lastSec:
		return lastSec * second
	}
	return instant(t.UnixNano())
}

// seconds is the whole second at or before i.
func (i instant) seconds() int64 { return floorDiv(int64(i), int64(second)) }

func (i instant) in(loc *time.Location) time.Time { return time.Unix(0, int64(i)).In(loc) }

// maxOffset is beyond the distance of any local time from UTC, in seconds; the
// largest on record is Manila's 15:56:08 of 1844.
const maxOffset = 16 * 60 * 60

// A clock resolves local times of one location. It remembers the stretch between
// two changes of the clocks that it used last, so it is quick for times in order,
// and is not for concurrent use.
type clock struct {
	loc *time.Location
	period
}

// A period is a stretch of constant offset from UTC: from start (inclusive) to end
// (exclusive), all in seconds.
type period struct{ start, end, offset int64 }

// A shift is what a change of the clocks did to a local time.
type shift int

const (
	unshifted shift = iota
	inGap           // the local time does not exist: moved to the first instant after
	inFold          // the local time exists twice: the first is meant
)

func newClock(loc *time.Location) *clock { return &clock{loc: loc} }

// at moves the clock to the period of the instant s.
func (c *clock) at(s int64) period {
	if c.start <= s && s < c.end {
		return c.period
	}
	t := time.Unix(s, 0).In(c.loc)
	_, offset := t.Zone()
	c.period = period{start: math.MinInt64, end: math.MaxInt64, offset: int64(offset)}
	start, end := t.ZoneBounds()
	if !start.IsZero() {
		c.start = start.Unix()
	}
	if !end.IsZero() {
		c.end = end.Unix()
	}
	if c.end <= s {
		// Beyond the zone's table Go takes every year for 365 days, so that the last
		// day of a leap year lies behind its own bounds. Nothing changes on it.
		c.end = (floorDiv(s, secondsPerDay) + 1) * secondsPerDay
	}
	return c.period
}

// day is the local day of i.
func (c *clock) day(i instant) dayNumber {
	s := i.seconds()
	return dayNumber(floorDiv(s+c.at(s).offset, secondsPerDay))
}

// resolve is the instant that minute of day n stands for.
func (c *clock) resolve(n dayNumber, minute int) instant {
	return instant(min(max(c.seconds(n, minute), firstSec), lastSec)) * second
}

// seconds is the instant that minute of day n stands for, in seconds. Of the
// instants whose local time is not before the one asked for it is the first, which
// takes a repeated time once, a skipped one to the end of the gap, and keeps the
// order of local times.
func (c *clock) seconds(n dayNumber, minute int) int64 {
	wall := int64(n)*secondsPerDay + int64(minute)*60
	p := c.at(wall - maxOffset)
	for wall-p.offset >= p.end {
		p = c.at(p.end)
	}
	return max(wall-p.offset, p.start)
}

// shift reports whether minute of day n falls into a gap or a fold.
func (c *clock) shift(n dayNumber, minute int) shift {
	wall := int64(n)*secondsPerDay + int64(minute)*60
	first := c.seconds(n, minute)
	p := c.at(first)
	if first+p.offset != wall {
		return inGap
	}
	for p.end < wall+maxOffset {
		p = c.at(p.end)
		if s := wall - p.offset; p.start <= s && s < p.end {
			return inFold
		}
	}
	return unshifted
}

// Resolve is the instant at which minute (0 to 1440) of the day d comes in loc. A
// local time that does not exist stands for the first instant after the gap, one
// that exists twice for the first of the two. Resolve keeps order: a later local
// time is never an earlier instant.
func Resolve(d Date, minute int, loc *time.Location) time.Time {
	return time.Unix(newClock(loc).seconds(d.number(), minute), 0).In(loc)
}
