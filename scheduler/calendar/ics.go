package calendar

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of an iCalendar file. They are far beyond any calendar of holidays
// and keep a hostile file from costing time or memory.
const (
	MaxICS       = 10 << 20 // bytes
	maxEvents    = 20_000
	maxLine      = 64 << 10 // bytes of a line that matters, unfolded
	maxParams    = 4 << 10  // bytes of name and parameters
	maxRecurring = 500      // events with an RRULE
	maxSteps     = 500_000  // repetitions worked out, of all events
	maxDays      = 200_000  // ranges, repetitions counted singly
	firstYear    = 1900
	lastYear     = 2100 // events repeat until then at most
)

// An ICSError is what is wrong with an iCalendar file.
type ICSError struct {
	Line    int    // from 1
	Message string // what is wrong; what is wanted
}

// Error returns the line and the message.
func (e *ICSError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Message) }

// Zones are what ReadICS needs to know of time zones.
type Zones struct {
	// Default is the zone of times in UTC and of none in a calendar that names no
	// zone. With nil it is UTC.
	Default *time.Location
	// Named returns the zone with a name that a file uses, IANA's or another, and nil
	// when it knows none.
	Named func(name string) *time.Location
}

// An ICS is an iCalendar file as read: its events with the days that they cover.
type ICS struct {
	occurrences []occurrence
	short       []*texts // of events that cover no whole day
}

// ReadICS reads an iCalendar file (RFC 5545). DTEND is exclusive, as the standard has
// it. An event counts by the days of its own clock, so that an event of one day is
// one day everywhere. Cancelled events do not count. The error is a *ICSError.
func ReadICS(src []byte, zones Zones) (*ICS, error) {
	lines, err := unfold(src)
	if err != nil {
		return nil, err
	}
	s, err := split(lines)
	if err != nil {
		return nil, err
	}
	return expand(s, zones)
}

// A line is one unfolded content line and where it began.
type line struct {
	number int
	text   string
	long   bool // the text is cut at maxLine
}

func (l line) errorf(format string, args ...any) error {
	return &ICSError{l.number, fmt.Sprintf(format, args...)}
}

// unfold joins the lines that were broken in two: the second begins with a space.
// A break may lie within a character, so that bytes are joined first.
func unfold(src []byte) ([]line, error) {
	if len(src) > MaxICS {
		return nil, &ICSError{1, fmt.Sprintf("the file is larger than %d MiB; want a calendar of holidays", MaxICS>>20)}
	}
	if bytes.IndexByte(src, 0) >= 0 {
		return nil, &ICSError{1, "the file is not text; want an iCalendar file in UTF-8"}
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	var lines []line
	var open []byte
	number, begun, long := 0, 0, false
	flush := func() {
		if len(open) > 0 {
			lines = append(lines, line{begun, string(open), long})
		}
		open, long = open[:0], false
	}
	for part := range bytes.Lines(src) {
		number++
		part = bytes.TrimRight(part, "\r\n")
		if len(part) > 0 && (part[0] == ' ' || part[0] == '\t') && number > 1 {
			part = part[1:]
		} else {
			flush()
			begun = number
		}
		if room := maxLine - len(open); len(part) > room {
			part, long = part[:room], true
		}
		open = append(open, part...)
	}
	flush()
	return lines, nil
}

// A rawEvent is the lines of one VEVENT that matter here.
type rawEvent struct {
	begin line
	lines []line
	clock *string // the zone that its calendar names; "" for none
}

// A splitter knows which components are open, outermost first, and keeps what matters.
type splitter struct {
	open   []string
	begun  []line
	clock  *string
	events []rawEvent
	zones  []rawZone
}

// split finds the events and zones, and checks that what begins also ends.
func split(lines []line) (*splitter, error) {
	if len(lines) == 0 {
		return nil, &ICSError{1, "the file is empty; want BEGIN:VCALENDAR"}
	}
	if !strings.EqualFold(strings.TrimSpace(lines[0].text), "BEGIN:VCALENDAR") {
		return nil, lines[0].errorf("the file does not begin with BEGIN:VCALENDAR; want an iCalendar file")
	}
	s := &splitter{}
	for _, l := range lines {
		if err := s.take(l); err != nil {
			return nil, err
		}
	}
	if n := len(s.open); n > 0 {
		return nil, s.begun[n-1].errorf("BEGIN:%s has no END:%s; the file seems to be cut off", s.open[n-1], s.open[n-1])
	}
	return s, nil
}

func (s *splitter) take(l line) error {
	name, value := nameOf(l)
	switch {
	case name == "BEGIN":
		return s.push(l, strings.ToUpper(strings.TrimSpace(value)))
	case name == "END":
		return s.pop(l, strings.ToUpper(strings.TrimSpace(value)))
	case len(s.open) > 1 || name != "":
	default:
		return l.errorf("%q is no content line; want NAME:VALUE", cut(l.text))
	}
	if len(s.open) == 0 {
		return l.errorf("%s stands outside of VCALENDAR; want nothing after END:VCALENDAR", name)
	}
	return s.keep(l, name, value)
}

// keep stores a line that matters where it belongs.
func (s *splitter) keep(l line, name, value string) error {
	inner := s.open[len(s.open)-1]
	switch {
	case inner == "VCALENDAR" && name == "X-WR-TIMEZONE":
		*s.clock = strings.TrimSpace(value)
	case inner == "VEVENT" && matters(name):
		e := &s.events[len(s.events)-1]
		if l.long && !describes(name) {
			return l.errorf("%s is longer than %d KiB; want a calendar of holidays", name, maxLine>>10)
		}
		if name == "SUMMARY" && !l.long && !utf8.ValidString(l.text) {
			return l.errorf("SUMMARY is not UTF-8 text; want an iCalendar file in UTF-8")
		}
		e.lines = append(e.lines, l)
	case len(s.zones) > 0 && (inner == "VTIMEZONE" || inner == "STANDARD" || inner == "DAYLIGHT"):
		s.zones[len(s.zones)-1].keep(l, inner, name)
	}
	return nil
}

func (s *splitter) push(l line, component string) error {
	const maxNesting = 10
	if len(s.open) == maxNesting {
		return l.errorf("components are nested more than %d deep; want events within VCALENDAR", maxNesting)
	}
	switch component {
	case "VCALENDAR":
		s.clock = new("")
	case "VEVENT":
		if len(s.open) != 1 {
			return l.errorf("VEVENT stands within another component; want it within VCALENDAR")
		}
		if len(s.events) == maxEvents {
			return l.errorf("the file has more than %d events; want a calendar of holidays", maxEvents)
		}
		s.events = append(s.events, rawEvent{begin: l, clock: s.clock})
	case "VTIMEZONE":
		s.zones = append(s.zones, rawZone{})
	case "STANDARD", "DAYLIGHT":
		if n := len(s.zones); n > 0 {
			s.zones[n-1].changes = append(s.zones[n-1].changes, nil)
		}
	}
	s.open, s.begun = append(s.open, component), append(s.begun, l)
	return nil
}

func (s *splitter) pop(l line, component string) error {
	n := len(s.open)
	if n == 0 {
		return l.errorf("END:%s without its BEGIN", component)
	}
	if s.open[n-1] != component {
		return l.errorf("END:%s where END:%s is wanted", component, s.open[n-1])
	}
	s.open, s.begun = s.open[:n-1], s.begun[:n-1]
	return nil
}

// nameOf returns the name of a content line, in upper case, and what follows its
// colon when it has no parameters. The name of what is no content line is "".
func nameOf(l line) (name, value string) {
	i := strings.IndexAny(l.text, ";:")
	if i <= 0 {
		return "", ""
	}
	return strings.ToUpper(l.text[:i]), l.text[i+1:]
}

// cut keeps what is quoted in an error short.
func cut(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

func matters(name string) bool {
	switch name {
	case "DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RDATE", "STATUS", "UID", "RECURRENCE-ID", "SEQUENCE":
		return true
	}
	return describes(name)
}

// describes reports whether a property is text for people, of which a part will do.
func describes(name string) bool {
	return name == "SUMMARY" || name == "DESCRIPTION" || name == "CATEGORIES"
}
