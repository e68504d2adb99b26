package calendar

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The bounds of an iCalendar file. They are far beyond any calendar of holidays
// and keep a hostile file from costing time or memory.
const (
	MaxICS       = 10 << 20 // bytes
	maxEvents    = 20_000
	maxLine      = 64 << 10 // bytes, unfolded
	maxParams    = 4 << 10  // bytes of name and parameters: the parser is quadratic in them
	maxRecurring = 500      // events with an RRULE
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

// ReadICS returns the days that the events of an iCalendar file (RFC 5545) touch.
// DTEND is exclusive, as the standard has it. Times count as they are written: in
// the zone of the event, whatever it is, so that an event of one day is one day
// everywhere. Cancelled events do not count. The error is a *ICSError.
func ReadICS(src []byte) ([]Range, error) {
	lines, err := unfold(src)
	if err != nil {
		return nil, err
	}
	events, err := splitEvents(lines)
	if err != nil {
		return nil, err
	}
	return expandEvents(events)
}

// A line is one unfolded content line and where it began.
type line struct {
	number int
	text   string
}

func (l line) errorf(format string, args ...any) error {
	return &ICSError{l.number, fmt.Sprintf(format, args...)}
}

// unfold joins the lines that were broken in two: the second begins with a space.
func unfold(src []byte) ([]line, error) {
	if len(src) > MaxICS {
		return nil, &ICSError{1, fmt.Sprintf("the file is larger than %d MiB; want a calendar of holidays", MaxICS>>20)}
	}
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return nil, &ICSError{1, "the file is not text; want an iCalendar file in UTF-8"}
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff"))
	var lines []line
	var open strings.Builder
	number, begun := 0, 0
	flush := func() {
		if open.Len() > 0 {
			lines = append(lines, line{begun, open.String()})
		}
		open.Reset()
	}
	for part := range bytes.Lines(src) {
		number++
		part = bytes.TrimRight(part, "\r\n")
		if len(part) > 0 && (part[0] == ' ' || part[0] == '\t') {
			part = part[1:]
		} else {
			flush()
			begun = number
		}
		if open.Len()+len(part) > maxLine {
			return nil, &ICSError{number, fmt.Sprintf("the line is longer than %d KiB; want a calendar of holidays", maxLine>>10)}
		}
		open.Write(part)
	}
	flush()
	return lines, nil
}

// A rawEvent is the lines of one VEVENT that matter here.
type rawEvent struct {
	begin line
	lines []line
}

// splitEvents finds the events and checks that what begins also ends.
func splitEvents(lines []line) ([]rawEvent, error) {
	if len(lines) == 0 {
		return nil, &ICSError{1, "the file is empty; want BEGIN:VCALENDAR"}
	}
	if !strings.EqualFold(strings.TrimSpace(lines[0].text), "BEGIN:VCALENDAR") {
		return nil, lines[0].errorf("the file does not begin with BEGIN:VCALENDAR; want an iCalendar file")
	}
	var s splitter
	for _, l := range lines {
		if err := s.take(l); err != nil {
			return nil, err
		}
	}
	if n := len(s.open); n > 0 {
		return nil, s.begun[n-1].errorf("BEGIN:%s has no END:%s; the file seems to be cut off", s.open[n-1], s.open[n-1])
	}
	return s.events, nil
}

// A splitter knows which components are open, outermost first.
type splitter struct {
	open   []string
	begun  []line
	events []rawEvent
}

func (s *splitter) take(l line) error {
	name, value, err := nameOf(l)
	if err != nil {
		return err
	}
	switch name {
	case "BEGIN":
		return s.push(l, strings.ToUpper(strings.TrimSpace(value)))
	case "END":
		return s.pop(l, strings.ToUpper(strings.TrimSpace(value)))
	}
	if len(s.open) == 0 {
		return l.errorf("%s stands outside of VCALENDAR; want nothing after END:VCALENDAR", name)
	}
	if s.open[len(s.open)-1] == "VEVENT" && matters(name) {
		e := &s.events[len(s.events)-1]
		e.lines = append(e.lines, l)
	}
	return nil
}

func (s *splitter) push(l line, component string) error {
	const maxNesting = 10
	if len(s.open) == maxNesting {
		return l.errorf("components are nested more than %d deep; want events within VCALENDAR", maxNesting)
	}
	if component == "VEVENT" {
		if len(s.open) != 1 {
			return l.errorf("VEVENT stands within another component; want it within VCALENDAR")
		}
		if len(s.events) == maxEvents {
			return l.errorf("the file has more than %d events; want a calendar of holidays", maxEvents)
		}
		s.events = append(s.events, rawEvent{begin: l})
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
// colon when it has no parameters.
func nameOf(l line) (name, value string, err error) {
	i := strings.IndexAny(l.text, ";:")
	if i <= 0 {
		return "", "", l.errorf("%q is no content line; want NAME:VALUE", cut(l.text))
	}
	return strings.ToUpper(l.text[:i]), l.text[i+1:], nil
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
	case "DTSTART", "DTEND", "DURATION", "RRULE", "EXDATE", "RDATE", "SUMMARY", "STATUS", "UID", "RECURRENCE-ID":
		return true
	}
	return false
}
