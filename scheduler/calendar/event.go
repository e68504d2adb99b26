package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-ical"
	"github.com/teambition/rrule-go"

	"curfew/scheduler/plan"
)

// An event is a VEVENT as read. Its times are wall clock times, carried in UTC.
type event struct {
	place     line
	uid, name string
	begin     time.Time
	length    time.Duration // of all days for an all-day event
	rule      *rrule.ROption
	more      []time.Time // RDATE
	except    []time.Time // EXDATE
	replaces  time.Time   // RECURRENCE-ID; zero when the event stands for itself
	cancelled bool
}

// expandEvents returns the days of all events. An event that replaces one repetition
// of another removes that repetition.
func expandEvents(raw []rawEvent) ([]Range, error) {
	var events []event
	replaced := map[string][]time.Time{}
	recurring := 0
	for _, r := range raw {
		e, err := r.read()
		if err != nil {
			return nil, err
		}
		if e.rule != nil {
			recurring++
		}
		if recurring > maxRecurring {
			return nil, r.begin.errorf("the file has more than %d repeating events; want a calendar of holidays", maxRecurring)
		}
		if !e.replaces.IsZero() && e.uid != "" {
			replaced[e.uid] = append(replaced[e.uid], e.replaces)
		}
		events = append(events, e)
	}
	var days []Range
	for _, e := range events {
		if e.cancelled {
			continue
		}
		if e.replaces.IsZero() {
			e.except = append(e.except, replaced[e.uid]...)
		}
		var err error
		if days, err = e.appendDays(days); err != nil {
			return nil, err
		}
	}
	return days, nil
}

// appendDays adds the days of every repetition.
func (e event) appendDays(days []Range) ([]Range, error) {
	gone := map[time.Time]bool{}
	for _, t := range e.except {
		gone[t] = true
	}
	add := func(begin time.Time) error {
		if gone[begin] || gone[begin.Truncate(24*time.Hour)] {
			return nil
		}
		if len(days) == maxDays {
			return e.place.errorf("the file has more than %d days; want a calendar of holidays", maxDays)
		}
		days = append(days, e.span(begin))
		return nil
	}
	begins, err := e.begins()
	if err != nil {
		return nil, err
	}
	for _, begin := range slices.Concat(begins, e.more) {
		if err := add(begin); err != nil {
			return nil, err
		}
	}
	return days, nil
}

// begins returns the instants at which the event begins. The library panics on some
// rules, which is an error of the event here.
func (e event) begins() (list []time.Time, err error) {
	if e.rule == nil {
		return []time.Time{e.begin}, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = e.place.errorf("RRULE cannot be worked out; want a simpler rule")
		}
	}()
	horizon := time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC)
	option := *e.rule
	option.Dtstart = e.begin
	if option.Until.IsZero() || option.Until.After(horizon) {
		option.Until = horizon
	}
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil, e.place.errorf("RRULE is not valid: %v; want a rule of RFC 5545", err)
	}
	next := rule.Iterator()
	for begin, ok := next(); ok && len(list) <= maxDays; begin, ok = next() {
		list = append(list, begin)
	}
	return list, nil
}

// span is the days touched by the repetition that begins at begin.
func (e event) span(begin time.Time) Range {
	last := begin.Add(e.length)
	if e.length > 0 {
		last = last.Add(-time.Nanosecond)
	}
	return Range{First: plan.DateOf(begin), Last: plan.DateOf(last), Name: e.name}
}

// read parses the event. Only the lines that matter are given to the parser, one
// event at a time, so that an error has its place and a broken description does no harm.
func (r rawEvent) read() (event, error) {
	e := event{place: r.begin}
	props, err := r.parse()
	if err != nil {
		return e, err
	}
	if props.Get(ical.PropDateTimeStart) == nil {
		return e, r.begin.errorf("the event has no DTSTART; want the day on which it begins")
	}
	steps := []struct {
		name string
		read func(ical.Props) error
	}{
		{ical.PropDateTimeStart, e.readBegin},
		{ical.PropDateTimeEnd, e.readEnd},
		{ical.PropDuration, e.readDuration},
		{ical.PropRecurrenceRule, e.readRule},
		{ical.PropRecurrenceDates, func(p ical.Props) (err error) {
			e.more, err = wallTimes(p[ical.PropRecurrenceDates])
			return err
		}},
		{ical.PropExceptionDates, func(p ical.Props) (err error) {
			e.except, err = wallTimes(p[ical.PropExceptionDates])
			return err
		}},
		{ical.PropRecurrenceID, func(p ical.Props) (err error) {
			e.replaces, err = wallTime(p.Get(ical.PropRecurrenceID))
			return err
		}},
	}
	for _, s := range steps {
		if props.Get(s.name) == nil {
			continue
		}
		if err := s.read(props); err != nil {
			return e, r.place(s.name).errorf("%s: %v", s.name, err)
		}
	}
	e.describe(props)
	return e, nil
}

func (e *event) describe(props ical.Props) {
	text := func(name string) string {
		s, err := props.Text(name)
		if err != nil {
			return ""
		}
		return strings.TrimSpace(s)
	}
	e.name = cut(text(ical.PropSummary))
	e.uid = text(ical.PropUID)
	e.cancelled = strings.EqualFold(text(ical.PropStatus), string(ical.EventCancelled))
}

// place is the line of the property name, or that of the event.
func (r rawEvent) place(name string) line {
	for _, l := range r.lines {
		if n, _, err := nameOf(l); err == nil && n == name {
			return l
		}
	}
	return r.begin
}

// parse hands each line to the parser. It panics on some broken parameters, which
// is an error of the line here.
func (r rawEvent) parse() (ical.Props, error) {
	props := ical.Props{}
	for _, l := range r.lines {
		if i := strings.LastIndexByte(l.text, ':'); i > maxParams && strings.IndexByte(l.text, ':') > maxParams {
			return nil, l.errorf("name and parameters are longer than %d KiB; want NAME;PARAMETER=VALUE:VALUE", maxParams>>10)
		}
		prop, err := parseLine(l.text)
		if err != nil {
			return nil, l.errorf("%q is not valid; want NAME;PARAMETER=VALUE:VALUE", cut(l.text))
		}
		props[prop.Name] = append(props[prop.Name], prop)
	}
	return props, nil
}

func parseLine(text string) (prop ical.Prop, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("parse %q: %v", text, p)
		}
	}()
	c, err := ical.NewDecoder(strings.NewReader("BEGIN:VCALENDAR\n" + text + "\nEND:VCALENDAR\n")).Decode()
	if err != nil {
		return prop, err
	}
	for _, list := range c.Props {
		for _, p := range list {
			return p, nil
		}
	}
	return prop, errors.New("no property")
}

func (e *event) readBegin(props ical.Props) (err error) {
	prop := props.Get(ical.PropDateTimeStart)
	e.begin, err = wallTime(prop)
	if err == nil && isDate(prop) {
		e.length = 24 * time.Hour
	}
	return err
}

func (e *event) readEnd(props ical.Props) error {
	end, err := wallTime(props.Get(ical.PropDateTimeEnd))
	if err != nil {
		return err
	}
	if end.Before(e.begin) {
		return errors.New("the event ends before it begins; want a later day")
	}
	// Some programs write the day of the event itself as its end.
	e.length = max(e.length, end.Sub(e.begin))
	return checkLength(e.length)
}

func (e *event) readDuration(props ical.Props) error {
	d, err := props.Get(ical.PropDuration).Duration()
	if err != nil || d < 0 {
		return errors.New("not a duration; want one such as P1D or PT8H")
	}
	e.length = max(e.length, d)
	return checkLength(e.length)
}

func checkLength(d time.Duration) error {
	const most = 10 * 366 * 24 * time.Hour
	if d > most {
		return errors.New("the event lasts more than ten years; want a holiday")
	}
	return nil
}

func (e *event) readRule(props ical.Props) error {
	list := props[ical.PropRecurrenceRule]
	if len(list) > 1 {
		return errors.New("the event has several; want one")
	}
	rule, err := rrule.StrToROptionInLocation(strings.ToUpper(list[0].Value), time.UTC)
	if err != nil {
		return fmt.Errorf("%q is not a rule of RFC 5545; want one such as FREQ=YEARLY", cut(list[0].Value))
	}
	if rule.Freq > rrule.DAILY || len(rule.Byhour)+len(rule.Byminute)+len(rule.Bysecond) > 0 {
		return errors.New("the event repeats within a day; want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, without hours")
	}
	const most = 10_000 // what the library adds up must not overflow
	if rule.Count < 0 || rule.Interval < 0 || rule.Interval > most {
		return fmt.Errorf("COUNT or INTERVAL is out of bounds; want 1 to %d", most)
	}
	if !rule.Until.IsZero() && rule.Until.Equal(rule.Until.Truncate(24*time.Hour)) {
		rule.Until = rule.Until.Add(24*time.Hour - time.Second) // a day, which is part of the rule
	}
	e.rule = rule
	return nil
}

func isDate(prop *ical.Prop) bool { return len(prop.Value) == len("20060102") }

// wallTime reads a day or a time as it is written, without regard to its zone.
func wallTime(prop *ical.Prop) (time.Time, error) { return parseWall(prop.Value) }

func wallTimes(props []ical.Prop) ([]time.Time, error) {
	var all []time.Time
	for _, p := range props {
		for text := range strings.SplitSeq(p.Value, ",") {
			begin, _, _ := strings.Cut(text, "/") // of a period
			t, err := parseWall(begin)
			if err != nil {
				return nil, err
			}
			all = append(all, t)
		}
	}
	return all, nil
}

func parseWall(text string) (time.Time, error) {
	for _, layout := range []string{"20060102", "20060102T150405", "20060102T150405Z"} {
		t, err := time.Parse(layout, strings.TrimSpace(text))
		if err == nil && t.Year() >= firstYear && t.Year() <= lastYear {
			return t, nil
		}
		if err == nil {
			return t, fmt.Errorf("the year %d is out of bounds; want %d to %d", t.Year(), firstYear, lastYear)
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a date; want one such as 20261224", cut(text))
}
