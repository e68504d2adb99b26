package plan

import (
	"fmt"
	"time"
)

const (
	minutesPerDay = 24 * 60
	secondsPerDay = 24 * 60 * 60
)

// ParseDate reads a day written as YYYY-MM-DD. The error is a *SyntaxError.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, &SyntaxError{0, fmt.Sprintf("%q is not a date; want YYYY-MM-DD, such as 2026-12-24", s)}
	}
	return dateOf(t), nil
}

// DateOf is the day that t falls on in t's own zone.
func DateOf(t time.Time) Date { return dateOf(t) }

func dateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{Year: y, Month: m, Day: d}
}

// String writes d as YYYY-MM-DD, as ParseDate reads it.
func (d Date) String() string {
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day)
}

// Weekday is the day of the week of d.
func (d Date) Weekday() time.Weekday { return d.number().weekday() }

// AddDays is the day n days after d, or before it when n is negative.
func (d Date) AddDays(n int) Date { return (d.number() + dayNumber(n)).date() }

// Compare is -1 when d is before e, 0 when they are the same day, and 1 when d is
// after e.
func (d Date) Compare(e Date) int {
	switch a, b := d.number(), e.number(); {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Before reports whether d is an earlier day than e.
func (d Date) Before(e Date) bool { return d.Compare(e) < 0 }

// In is the first instant of d in loc, which is not midnight where a change of the
// clocks skips midnight.
func (d Date) In(loc *time.Location) time.Time { return Resolve(d, 0, loc) }

// A dayNumber counts days from 1970-01-01; days are numbered in loops because
// adding to a number is cheaper than to a Date.
type dayNumber int64

func (d Date) number() dayNumber {
	s := time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, time.UTC).Unix()
	return dayNumber(floorDiv(s, secondsPerDay))
}

func (n dayNumber) date() Date {
	return dateOf(time.Unix(int64(n)*secondsPerDay, 0).UTC())
}

func (n dayNumber) weekday() time.Weekday {
	const thursday = 4 // 1970-01-01
	w := (int64(n) + thursday) % 7
	if w < 0 {
		w += 7
	}
	return time.Weekday(w)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
