package plan

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// starBit is what robfig/cron sets in a field that was written with a star.
const starBit = 1 << 63

// cronFields is a cron expression as sets of bits, without its zone.
type cronFields struct {
	minute, hour, dom, month, dow uint64
	minutes                       []int // of the day, ascending
	elapsed                       bool  // every hour of the day is named
}

// A cronField is how one of the five fields is read, and what it wants.
type cronField struct {
	name, want string
	option     cron.ParseOption
	bits       func(*cron.SpecSchedule) uint64
}

func cronLayout() [5]cronField {
	return [5]cronField{
		{"minute", "0 to 59", cron.Minute, func(s *cron.SpecSchedule) uint64 { return s.Minute }},
		{"hour", "0 to 23", cron.Hour, func(s *cron.SpecSchedule) uint64 { return s.Hour }},
		{"day of the month", "1 to 31", cron.Dom, func(s *cron.SpecSchedule) uint64 { return s.Dom }},
		{"month", "1 to 12 or jan to dec", cron.Month, func(s *cron.SpecSchedule) uint64 { return s.Month }},
		{"day of the week", "0 to 7 or sun to sat", cron.Dow, func(s *cron.SpecSchedule) uint64 { return s.Dow }},
	}
}

// parseDescriptor reads @daily and its like. @every is left out: its instants
// depend on when a process was started.
func parseDescriptor(text string, offset int) (Trigger, error) {
	const want = "want @hourly, @daily, @weekly, @monthly or @yearly, or five fields"
	if strings.HasPrefix(text, "@every") {
		return Trigger{}, &SyntaxError{offset, "@every depends on when curfew was started; " + want}
	}
	parsed, err := cron.NewParser(cron.Descriptor).Parse(text)
	spec, ok := parsed.(*cron.SpecSchedule)
	if err != nil || !ok {
		return Trigger{}, &SyntaxError{offset, fmt.Sprintf("unknown descriptor %q; %s", text, want)}
	}
	return newCron(text, [5]uint64{spec.Minute, spec.Hour, spec.Dom, spec.Month, spec.Dow}), nil
}

// parseCron reads an expression of five fields. Each is given to the parser alone,
// so that an error has its place.
func parseCron(text string, offset int) (Trigger, error) {
	fields, layout := strings.Fields(text), cronLayout()
	if len(fields) == len(layout)+1 {
		return Trigger{}, &SyntaxError{offset, fmt.Sprintf("%q has six fields; want five, without seconds", text)}
	}
	if len(fields) != len(layout) {
		return Trigger{}, &SyntaxError{offset, fmt.Sprintf(
			"%q is neither a time nor a cron expression; want HH:MM, or five fields: minute, hour, day of the month, month, day of the week", text)}
	}
	var bits [5]uint64
	at := 0
	for i, layout := range layout {
		at += strings.Index(text[at:], fields[i])
		set, ok := layout.parse(fields[i])
		if !ok {
			return Trigger{}, &SyntaxError{offset + at, fmt.Sprintf("%s %q is not valid; want %s, a list, a range such as 1-5, * or */5",
				layout.name, fields[i], layout.want)}
		}
		bits[i] = set
		at += len(fields[i])
	}
	t := newCron(strings.Join(fields, " "), bits)
	if !t.cron.fires() {
		return Trigger{}, &SyntaxError{offset, fmt.Sprintf("%q never fires; want a day that its months have", text)}
	}
	return t, nil
}

// parse reads one field. What may be a zone never reaches the parser, which
// panics on some of it.
func (f cronField) parse(text string) (bits uint64, ok bool) {
	if strings.Contains(text, "=") {
		return 0, false
	}
	if f.option == cron.Dow {
		text = plainWeekdays(text)
	}
	parsed, err := cron.NewParser(f.option).Parse(text)
	spec, isSpec := parsed.(*cron.SpecSchedule)
	if err != nil || !isSpec {
		return 0, false
	}
	bits = f.bits(spec)
	return bits, bits&^starBit != 0 // "," alone parses, and names nothing
}

// plainWeekdays writes the days of the week as the parser knows them: it has no 7 for
// Sunday, and no range over the end of the week. What is not valid stays as it is.
func plainWeekdays(text string) string {
	parts := strings.Split(text, ",")
	for i, part := range parts {
		if list := weekdayList(part); len(list) > 0 {
			parts[i] = strings.Join(list, ",")
		}
	}
	return strings.Join(parts, ",")
}

// weekdayList lists the days of a part with a 7 in it, or that runs over the end of the
// week; nil for any other.
func weekdayList(part string) []string {
	days, by, stepped := strings.Cut(part, "/")
	begin, end, isRange := strings.Cut(days, "-")
	if !isRange {
		end = begin
	}
	first, ok1 := weekdayNumber(begin)
	last, ok2 := weekdayNumber(end)
	step, err := strconv.Atoi(by)
	switch {
	case !ok1 || !ok2 || stepped && (err != nil || step < 1):
		return nil
	case first != daysPerWeek && last != daysPerWeek && first <= last:
		return nil
	case first == daysPerWeek && last < daysPerWeek:
		first = 0
	case last < first:
		last += daysPerWeek
	}
	var list []string
	for d := first; d <= last; d += max(1, step) {
		list = append(list, strconv.Itoa(d%daysPerWeek))
	}
	return list
}

// weekdayNumber reads 0 to 7, or the name of a day of three letters.
func weekdayNumber(text string) (int, bool) {
	for d := range daysPerWeek {
		if strings.EqualFold(text, dayName(time.Weekday(d))) {
			return d, true
		}
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && 0 <= n && n <= daysPerWeek && len(text) == 1
}

func newCron(text string, bits [5]uint64) Trigger {
	const allHours = 1<<24 - 1
	f := &cronFields{
		minute: bits[0], hour: bits[1], dom: bits[2], month: bits[3], dow: bits[4],
		elapsed: bits[1]&allHours == allHours,
	}
	for m := range minutesPerDay {
		if bits[1]&(1<<(m/60)) != 0 && bits[0]&(1<<(m%60)) != 0 {
			f.minutes = append(f.minutes, m)
		}
	}
	return Trigger{cron: f, text: text}
}

// eitherDay reports whether a day matches by its number or by its weekday; a star in
// one of the two leaves the choice to the other.
func (f *cronFields) eitherDay() bool { return f.dom&starBit == 0 && f.dow&starBit == 0 }

// on reports whether the expression fires on the day n.
func (f *cronFields) on(n dayNumber) bool {
	d := n.date()
	return f.month&(1<<d.Month) != 0 && f.onDay(d.Day, n.weekday())
}

func (f *cronFields) onDay(day int, weekday time.Weekday) bool {
	dom, dow := f.dom&(1<<day) != 0, f.dow&(1<<weekday) != 0
	if f.eitherDay() {
		return dom || dow
	}
	return dom && dow
}

// fires reports whether any day of the calendar matches. Weekdays need no check: every
// date, also 29 February, falls on each of them in time.
func (f *cronFields) fires() bool {
	if f.eitherDay() {
		return true
	}
	const leapYear = 2024
	for m := time.January; m <= time.December; m++ {
		days := time.Date(leapYear, m+1, 0, 0, 0, 0, 0, time.UTC).Day()
		if f.month&(1<<m) != 0 && f.dom&(1<<(days+1)-2) != 0 {
			return true
		}
	}
	return false
}

// canonical is the same for expressions that fire at the same local times.
func (f *cronFields) canonical() string {
	return fmt.Sprintf("cron %x %x %x %x %x", f.minute&^starBit, f.hour&^starBit, f.dom, f.month, f.dow)
}
