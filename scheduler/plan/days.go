package plan

import (
	"fmt"
	"strings"
	"time"
)

const wantDays = "a comma list of days and ranges, such as mon-fri or mon,wed"

// daysPerWeek is the number of weekdays; Monday comes first where days are listed.
const daysPerWeek = 7

// ParseDays reads a comma list of days and ranges, such as "mon-fri", "mon,wed" or
// "sat-mon", which wraps over the end of the week. Names have three letters or are
// written out, in any case. The error is a *SyntaxError.
func ParseDays(s string) (Days, error) {
	sc, err := newScanner(s, wantDays)
	if err != nil {
		return 0, err
	}
	days, err := sc.days()
	if err != nil {
		return 0, err
	}
	if t := sc.peek(); t.kind != endToken {
		return 0, unexpected(t, wantDays)
	}
	return days, nil
}

// days reads DAYS of a window or a days setting.
func (sc *scanner) days() (Days, error) {
	var all Days
	for {
		at := sc.peek().offset
		part, err := sc.dayRange()
		if err != nil {
			return 0, err
		}
		if twice := all & part; twice != 0 {
			return 0, &SyntaxError{at, fmt.Sprintf("%s is named twice; want each day once", twice)}
		}
		all |= part
		if !sc.accept(",") {
			return all, nil
		}
	}
}

// dayRange reads one day or a range of days. The hyphen of "fri 19:00" cannot be
// met here: a time stands before it.
func (sc *scanner) dayRange() (Days, error) {
	first, err := sc.day()
	if err != nil {
		return 0, err
	}
	if !sc.accept("-") {
		return 1 << first, nil
	}
	at := sc.peek()
	last, err := sc.day()
	if err != nil {
		return 0, err
	}
	if first == last {
		return 0, &SyntaxError{at.offset, fmt.Sprintf("the range begins and ends on %s; want one day, or a range of several", dayName(last))}
	}
	days := Days(1) << last
	for d := first; d != last; d = (d + 1) % daysPerWeek {
		days |= 1 << d
	}
	return days, nil
}

// day reads the name of one day.
func (sc *scanner) day() (time.Weekday, error) {
	t := sc.take()
	if t.kind != wordToken {
		return 0, unexpected(t, "a day: mon, tue, wed, thu, fri, sat or sun")
	}
	for d := time.Sunday; d <= time.Saturday; d++ {
		if strings.EqualFold(t.text, d.String()) || strings.EqualFold(t.text, dayName(d)) {
			return d, nil
		}
	}
	return 0, &SyntaxError{t.offset, fmt.Sprintf("unknown day %q; want mon, tue, wed, thu, fri, sat or sun", t.text)}
}

func dayName(d time.Weekday) string { return strings.ToLower(d.String()[:3]) }

// Has reports whether d is one of the days.
func (days Days) Has(d time.Weekday) bool { return days&(1<<d) != 0 }

// String writes the days as ParseDays reads them, with ranges; no days are "".
func (days Days) String() string {
	if days&EveryDay == EveryDay {
		return "mon-sun"
	}
	var parts []string
	for i := range daysPerWeek {
		first := time.Weekday((i + int(time.Monday)) % daysPerWeek)
		if !days.Has(first) || days.Has((first+daysPerWeek-1)%daysPerWeek) {
			continue
		}
		last := first
		for days.Has((last + 1) % daysPerWeek) {
			last = (last + 1) % daysPerWeek
		}
		part := dayName(first)
		if last != first {
			part += "-" + dayName(last)
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",")
}
