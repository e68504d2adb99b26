package calendar

import (
	"fmt"
	"strings"
	"time"

	"curfew/scheduler/plan"
)

// A property is one content line: its value and the parameters that matter here.
type property struct {
	place      line
	value      string // without blanks around it
	zone, kind string // TZID and VALUE
	reach      string // RANGE, in upper case
}

// readProperty takes a line apart. The value of a date is behind the last colon of
// the line, since a TZID may hold colons without quotes; that of a text is behind the
// first that no quotes enclose.
func readProperty(l line, name string) (property, error) {
	head, value, ok := cutValue(l.text, !describes(name) && name != "UID")
	if !ok {
		return property{}, l.errorf("%q is not valid; want NAME;PARAMETER=VALUE:VALUE", cut(l.text))
	}
	if len(head) > maxParams {
		return property{}, l.errorf("name and parameters are longer than %d KiB; want NAME;PARAMETER=VALUE:VALUE", maxParams>>10)
	}
	p := property{place: l, value: strings.TrimSpace(value)}
	for _, part := range splitQuoted(head, ';') {
		key, v, _ := strings.Cut(part, "=")
		v = strings.Trim(strings.TrimSpace(v), `"`)
		switch strings.ToUpper(strings.TrimSpace(key)) {
		case "TZID":
			p.zone = v
		case "VALUE":
			p.kind = strings.ToUpper(v)
		case "RANGE":
			p.reach = strings.ToUpper(v)
		}
	}
	return p, nil
}

func cutValue(text string, last bool) (head, value string, ok bool) {
	if last {
		i := strings.LastIndexByte(text, ':')
		if i < 0 {
			return "", "", false
		}
		return text[:i], text[i+1:], true
	}
	parts := splitQuoted(text, ':')
	if len(parts) < 2 {
		return strings.Cut(text, ":")
	}
	return parts[0], text[len(parts[0])+1:], true
}

// splitQuoted splits s at sep where no quotes enclose it.
func splitQuoted(s string, sep byte) []string {
	var parts []string
	begin, quoted := 0, false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == sep && !quoted:
			parts = append(parts, s[begin:i])
			begin = i + 1
		}
	}
	return append(parts, s[begin:])
}

// A stamp is a day, a time on a clock of its own, or an instant in UTC, as written.
// What is written is carried in UTC.
type stamp struct {
	written time.Time
	day     bool
	utc     bool
	zone    *time.Location // of a time on a clock; nil for none or one that is unknown
}

// errYear is the error of a date that can be read and cannot matter.
type errYear int

func (e errYear) Error() string {
	return fmt.Sprintf("the year %d is out of bounds; want %d to %d", int(e), firstYear, lastYear)
}

// stamp reads one date of the property.
func (z *zones) stamp(p property, text string) (stamp, error) {
	text = strings.TrimSpace(text)
	if p.kind == "DATE" && len(text) > len("20060102") && text[len("20060102")]|0x20 == 't' {
		text = text[:len("20060102")]
	}
	for _, layout := range []string{"20060102", "20060102T150405", "20060102T150405Z", "20060102T1504", "20060102T1504Z"} {
		t, err := time.Parse(layout, strings.ToUpper(text))
		if err != nil {
			continue
		}
		s := stamp{written: t, day: layout == "20060102", utc: strings.HasSuffix(layout, "Z")}
		if !s.day && !s.utc && p.zone != "" {
			s.zone = z.named(p.zone)
		}
		if t.Year() < firstYear || t.Year() > lastYear {
			return s, errYear(t.Year())
		}
		return s, nil
	}
	return stamp{}, fmt.Errorf("%q is not a date; want one such as 20261224", cut(text))
}

// on returns what a clock in loc shows at the stamp, carried in UTC. A stamp without
// a zone of its own shows the same everywhere.
func (s stamp) on(loc *time.Location) time.Time {
	switch {
	case s.utc:
		return wall(s.written, loc)
	case s.zone != nil && s.zone != loc:
		return wall(instant(s.written, s.zone), loc)
	}
	return s.written
}

// wall is what a clock in loc shows at t, carried in UTC. Where a day begins after
// midnight, because the clocks skip it, the clock is read as midnight.
func wall(t time.Time, loc *time.Location) time.Time {
	local := t.In(loc)
	shown := time.Date(local.Year(), local.Month(), local.Day(), local.Hour(), local.Minute(), local.Second(), 0, time.UTC)
	if midnight := dayOf(shown); !shown.Equal(midnight) && plan.DateOf(shown).In(loc).Equal(t) {
		return midnight
	}
	return shown
}

// instant is when a clock in loc shows w.
func instant(w time.Time, loc *time.Location) time.Time {
	return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), 0, loc)
}

// dayOf is the midnight at which the day of w begins.
func dayOf(w time.Time) time.Time { return w.Truncate(24 * time.Hour) }
