package plan

import (
	"fmt"
	"strings"
)

// ParseTrigger reads "HH:MM", which fires on days, or a cron expression of five
// fields or a descriptor such as @daily, which ignores days. An expression that
// never fires is refused, as are @every and a zone within the expression. The error
// is a *SyntaxError.
func ParseTrigger(s string, days Days) (Trigger, error) {
	text := strings.TrimSpace(s)
	offset := strings.Index(s, text)
	switch {
	case text == "":
		return Trigger{}, &SyntaxError{0, "no time is given; want HH:MM or a cron expression of five fields"}
	case strings.HasPrefix(text, "TZ=") || strings.HasPrefix(text, "CRON_TZ="):
		return Trigger{}, &SyntaxError{offset, "a cron expression has no zone of its own; want the zone as the schedule's timezone"}
	case text[0] == '@':
		return parseDescriptor(text, offset)
	case isDigit(text[0]) && strings.Contains(text, ":"):
		return parseTimeOfDay(text, offset, days)
	case meantClock(text) != "":
		return Trigger{}, notClock(text, offset)
	}
	return parseCron(text, offset)
}

func parseTimeOfDay(text string, offset int, days Days) (Trigger, error) {
	minute, ok := parseClock(text)
	switch {
	case !ok || minute == minutesPerDay:
		return Trigger{}, notClock(text, offset)
	case days&EveryDay == 0:
		return Trigger{}, &SyntaxError{offset, "the time is on no day; want at least one day"}
	}
	return Trigger{days: days & EveryDay, minute: minute, text: text}, nil
}

// IsCron reports whether the trigger is a cron expression, to which days do not apply.
func (t Trigger) IsCron() bool { return t.cron != nil }

// String writes the trigger as ParseTrigger reads it: a time without its days, or
// the cron expression.
func (t Trigger) String() string { return t.text }

// describe writes the trigger for display, with the days of a time of day.
func (t Trigger) describe() string {
	if t.IsCron() || t.days == EveryDay {
		return t.text
	}
	return t.text + " " + t.days.String()
}

// canonical is the same for triggers that fire at the same local times.
func (t Trigger) canonical() string {
	if t.cron != nil {
		return t.cron.canonical()
	}
	return fmt.Sprintf("at %s %d", t.days, t.minute)
}

// on reports whether the trigger fires on the day n.
func (t Trigger) on(n dayNumber) bool {
	if t.cron != nil {
		return t.cron.on(n)
	}
	return t.days.Has(n.weekday())
}

// minutes are the minutes of its days at which the trigger fires, ascending.
func (t Trigger) minutes() []int {
	if t.cron != nil {
		return t.cron.minutes
	}
	return []int{t.minute}
}

// elapsed reports whether the trigger follows elapsed time, not the clock on the
// wall: such a trigger fires in every hour, and so neither skips one at a change of
// the clocks nor has two fires where there is one hour.
func (t Trigger) elapsed() bool { return t.cron != nil && t.cron.elapsed }
