package plan

import (
	"cmp"
	"fmt"
	"math/bits"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// ParseWindow reads "DAYS HH:MM-HH:MM", "HH:MM-HH:MM" (every day) or a span of
// several days, "fri 19:00 - mon 07:00". 24:00 is an end, never a begin; an end at
// or before the begin is on the next day. The error is a *SyntaxError.
func ParseWindow(s string) (Window, error) {
	sc, err := newScanner(s, "days and times, such as mon-fri 07:00-19:00")
	if err != nil {
		return Window{}, err
	}
	w := Window{Days: EveryDay}
	if sc.peek().kind == wordToken {
		if w.Days, err = sc.days(); err != nil {
			return Window{}, err
		}
	}
	if w.Begin, err = sc.clockTime(false); err != nil {
		return Window{}, err
	}
	if !sc.accept("-") {
		return Window{}, unexpected(sc.peek(), "a hyphen and the end of the window, such as 07:00-19:00")
	}
	at := sc.peek().offset
	if sc.peek().kind == wordToken {
		err = sc.spanEnd(&w)
	} else {
		err = sc.dayEnd(&w)
	}
	if err != nil {
		return Window{}, err
	}
	if t := sc.peek(); t.kind != endToken {
		return Window{}, unexpected(t, "nothing after the window")
	}
	if w.EndDay == 0 && w.End == w.Begin {
		return Window{}, &SyntaxError{at, "the window starts and ends at the same time; want two times, or 00:00-24:00 for the whole day"}
	}
	return w, nil
}

// dayEnd reads the end of a window that is no longer than a day.
func (sc *scanner) dayEnd(w *Window) error {
	end, err := sc.clockTime(true)
	if err != nil {
		return err
	}
	w.End = end
	if w.End < w.Begin {
		w.EndDay = 1
	}
	return nil
}

// spanEnd reads the end of a window that names the day it ends on.
func (sc *scanner) spanEnd(w *Window) error {
	at := sc.peek().offset
	if bits.OnesCount8(uint8(w.Days)) != 1 {
		return &SyntaxError{at, "a window with an end day begins on several days; want one day, such as fri 19:00 - mon 07:00"}
	}
	last, err := sc.day()
	if err != nil {
		return err
	}
	if w.End, err = sc.clockTime(true); err != nil {
		return err
	}
	first := bits.TrailingZeros8(uint8(w.Days))
	w.EndDay = (int(last) - first + daysPerWeek) % daysPerWeek
	if w.EndDay == 0 && w.End < w.Begin {
		w.EndDay = daysPerWeek
	}
	return nil
}

// clockTime reads HH:MM as minutes after midnight; 24:00 only where it is an end.
func (sc *scanner) clockTime(end bool) (int, error) {
	t := sc.take()
	if t.kind != timeToken {
		return 0, unexpected(t, "a time, HH:MM")
	}
	if half := sc.peek(); half.kind == wordToken && (strings.EqualFold(half.text, "am") || strings.EqualFold(half.text, "pm")) {
		written := t.text + strings.Repeat(" ", min(1, half.offset-t.offset-len(t.text))) + half.text
		return 0, &SyntaxError{t.offset, fmt.Sprintf("%q is not a time; want 24-hour HH:MM, such as %s", written, cmp.Or(meantClock(written), "07:00"))}
	}
	minute, ok := parseClock(t.text)
	switch {
	case !ok:
		return 0, notClock(t.text, t.offset)
	case minute == minutesPerDay && !end:
		return 0, &SyntaxError{t.offset, "24:00 is only an end; want 00:00 of the next day"}
	}
	return minute, nil
}

// notClock is the error of a text that is no HH:MM.
func notClock(text string, offset int) error {
	want := cmp.Or(meantClock(text), "HH:MM, from 00:00 to 23:59")
	return &SyntaxError{offset, fmt.Sprintf("%q is not a time; want %s", text, want)}
}

var otherClock = regexp.MustCompile(`(?i)^([0-9]{1,2}):?([0-9]{2})? ?([ap]m)?$`)

// meantClock is a time of another form as HH:MM, such as 7:00, 0700, 7am or 10:30 pm; ""
// for what is none. A number alone is none: it may be a day.
func meantClock(text string) string {
	m := otherClock.FindStringSubmatch(text)
	if m == nil || m[2] == "" && m[3] == "" {
		return ""
	}
	hour, _ := strconv.Atoi(m[1])
	minute, _ := strconv.Atoi(m[2]) // 0 for none
	const noon = 12
	if m[3] != "" {
		if hour < 1 || hour > noon {
			return ""
		}
		if hour %= noon; strings.EqualFold(m[3], "pm") {
			hour += noon
		}
	}
	if hour > 23 || minute > 59 {
		return ""
	}
	return formatClock(hour*60 + minute)
}

// parseClock reads HH:MM, up to 24:00, as minutes after midnight.
func parseClock(s string) (int, bool) {
	if len(s) != len("15:04") || s[2] != ':' || prefixLen(s, isDigit) != 2 || prefixLen(s[3:], isDigit) != 2 {
		return 0, false
	}
	digit := func(i int) int { return int(s[i] - '0') }
	hour, minute := digit(0)*10+digit(1), digit(3)*10+digit(4)
	total := hour*60 + minute
	return total, minute < 60 && total <= minutesPerDay
}

// formatClock writes minutes after midnight as HH:MM.
func formatClock(minute int) string {
	return fmt.Sprintf("%02d:%02d", minute/60, minute%60)
}

// String writes the window as ParseWindow reads it.
func (w Window) String() string {
	begin, end := formatClock(w.Begin), formatClock(w.End)
	if w.EndDay == 0 || (w.EndDay == 1 && w.End < w.Begin) {
		if w.Days == EveryDay {
			return begin + "-" + end
		}
		return w.Days.String() + " " + begin + "-" + end
	}
	last := time.Weekday((bits.TrailingZeros8(uint8(w.Days)) + w.EndDay) % daysPerWeek)
	return w.Days.String() + " " + begin + " - " + dayName(last) + " " + end
}
