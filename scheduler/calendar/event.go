package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// An event is a VEVENT as read. Its times are what its clock shows, carried in UTC.
type event struct {
	place     line
	uid       string
	sequence  int
	cancelled bool
	texts     *texts
	clock     *time.Location // on which its times are read
	allDay    bool
	begin     time.Time
	length    time.Duration // of all days for an all-day event
	rule      *recurrence
	more      []repetition // RDATE
	except    []stamp      // EXDATE
	replaces  *stamp       // RECURRENCE-ID; nil when the event stands for itself
	onward    bool         // RANGE=THISANDFUTURE
}

// A repetition is one time that an event takes place.
type repetition struct {
	begin  time.Time
	length time.Duration
	texts  *texts
}

// A reader reads one VEVENT.
type reader struct {
	raw   rawEvent
	zones *zones
	props map[string][]property
}

// read returns the event, and false when it cannot matter. Only what matters is read,
// so that a broken description does no harm.
func (z *zones) read(raw rawEvent) (event, bool, error) {
	r := reader{raw, z, map[string][]property{}}
	e := event{place: raw.begin, texts: &texts{}}
	for _, l := range raw.lines {
		name, _ := nameOf(l)
		p, err := readProperty(l, name)
		if err != nil && !describes(name) {
			return e, false, err
		}
		if p.value != "" { // an empty property is as if it were not there
			r.props[name] = append(r.props[name], p)
		}
	}
	r.describe(&e)
	ok, err := r.times(&e)
	if !ok || err != nil {
		return e, false, err
	}
	if err := r.replaces(&e); err != nil || e.short() && e.replaces == nil {
		return e, err == nil, err // how often a short event repeats does not matter
	}
	return e, true, r.repeats(&e)
}

func (r reader) first(name string) (property, bool) {
	if list := r.props[name]; len(list) > 0 {
		return list[0], true
	}
	return property{}, false
}

func (r reader) describe(e *event) {
	text := func(name string) []string {
		var all []string
		for _, p := range r.props[name] {
			value := strings.ToValidUTF8(p.value, "\ufffd")
			list, err := (&ical.Prop{Name: name, Value: value}).TextList()
			if err != nil {
				list = []string{value}
			}
			if name != ical.PropCategories {
				list = []string{strings.Join(list, ",")}
			}
			all = append(all, list...)
		}
		return all
	}
	summary := text(ical.PropSummary)
	for _, s := range slices.Concat(summary, text(ical.PropCategories), text(ical.PropDescription)) {
		e.texts.all = append(e.texts.all, forGlob(s))
	}
	if len(summary) > 0 {
		e.texts.name = cut(strings.TrimSpace(summary[0]))
	}
	if p, ok := r.first(ical.PropUID); ok {
		e.uid = p.value
	}
	if p, ok := r.first(ical.PropStatus); ok {
		e.cancelled = strings.EqualFold(p.value, string(ical.EventCancelled))
	}
	if p, ok := r.first(ical.PropSequence); ok {
		if n, err := strconv.Atoi(p.value); err == nil {
			e.sequence = n
		}
	}
}

// times reads begin and end. It returns false when the event is in a year that cannot
// matter.
func (r reader) times(e *event) (bool, error) {
	e.clock = r.zones.clock(r.raw.clock)
	p, ok := r.first(ical.PropDateTimeStart)
	switch {
	case !ok && e.cancelled:
		return true, nil
	case !ok:
		return false, r.raw.begin.errorf("the event has no DTSTART; want the day on which it begins")
	}
	begin, err := r.zones.stamp(p, p.value)
	if early := errYear(0); errors.As(err, &early) {
		if _, repeats := r.first(ical.PropRecurrenceRule); !repeats || early >= firstYear {
			return false, nil
		}
	} else if err != nil {
		return false, p.place.errorf("DTSTART: %v", err)
	}
	e.allDay = begin.day
	if begin.zone != nil {
		e.clock = begin.zone
	}
	end, p, err := r.end(begin)
	if errors.As(err, new(errYear)) && (end.written.Year() > lastYear || begin.written.Year() >= firstYear) {
		return false, nil
	} else if err != nil && !errors.As(err, new(errYear)) {
		return false, p.place.errorf("%v", err)
	}
	if asWritten(begin, end) {
		e.clock = time.UTC
	}
	e.begin = begin.on(e.clock)
	return true, e.setLength(end.on(e.clock).Sub(e.begin), p.place)
}

// end reads when the event ends, and returns the property that says so. Some programs
// write the day of the event itself as its end.
func (r reader) end(begin stamp) (stamp, property, error) {
	if p, ok := r.first(ical.PropDateTimeEnd); ok {
		end, err := r.zones.stamp(p, p.value)
		if err != nil {
			err = fmt.Errorf("DTEND: %w", err)
		}
		return end, p, err
	}
	p, ok := r.first(ical.PropDuration)
	if !ok {
		return begin, p, nil
	}
	d, err := (&ical.Prop{Name: ical.PropDuration, Value: p.value}).Duration()
	if err != nil || d < 0 {
		return begin, p, errors.New("DURATION: not a duration; want one such as P1D or PT8H")
	}
	end := begin
	end.written = end.written.Add(d)
	return end, p, nil
}

// asWritten reports whether an event in UTC means the days that are written, whatever
// the zone: it lasts from midnight to midnight there.
func asWritten(begin, end stamp) bool {
	last := toMidnight(end.written)
	return begin.utc && end.utc && last.After(begin.written) &&
		begin.written.Equal(dayOf(begin.written)) && last.Equal(dayOf(last))
}

func (e *event) setLength(d time.Duration, place line) error {
	const most = 10 * 366 * 24 * time.Hour
	switch {
	case d < 0:
		return place.errorf("DTEND: the event ends before it begins; want a later day")
	case d > most:
		return place.errorf("the event lasts more than ten years; want a holiday")
	case e.allDay:
		d = max(d, 24*time.Hour)
	}
	e.length = d
	return nil
}

// short reports whether no repetition of the event can cover a whole day.
func (e event) short() bool { return e.length < 24*time.Hour-time.Minute && len(e.more) == 0 }

func (r reader) replaces(e *event) error {
	p, ok := r.first(ical.PropRecurrenceID)
	if !ok {
		return nil
	}
	s, err := r.zones.stamp(p, p.value)
	if err != nil && !errors.As(err, new(errYear)) {
		return p.place.errorf("RECURRENCE-ID: %v", err)
	}
	if p.reach == "THISANDPRIOR" {
		return p.place.errorf("RECURRENCE-ID: RANGE=THISANDPRIOR cannot be read; want THISANDFUTURE, or single repetitions")
	}
	e.replaces, e.onward = &s, p.reach == "THISANDFUTURE"
	return nil
}

// repeats reads what says how often the event takes place.
func (r reader) repeats(e *event) error {
	if list := r.props[ical.PropRecurrenceRule]; len(list) > 1 {
		return list[1].place.errorf("RRULE: the event has several; want one")
	} else if len(list) == 1 {
		rule, err := readRule(list[0].value)
		if err != nil {
			return list[0].place.errorf("RRULE: %v", err)
		}
		e.rule = rule
	}
	err := r.eachDate(ical.PropExceptionDates, func(p property, text string) error {
		s, err := r.zones.stamp(p, text)
		if err == nil {
			e.except = append(e.except, s)
		}
		return err
	})
	if err != nil {
		return err
	}
	return r.eachDate(ical.PropRecurrenceDates, func(p property, text string) error {
		one, err := r.added(*e, p, text)
		if err == nil {
			e.more = append(e.more, one)
		}
		return err
	})
}

// eachDate calls read for each date of the properties of that name. A year that cannot
// matter leaves the date out.
func (r reader) eachDate(name string, read func(property, string) error) error {
	for _, p := range r.props[name] {
		for text := range strings.SplitSeq(p.value, ",") {
			if strings.TrimSpace(text) == "" {
				continue
			}
			if err := read(p, text); err != nil && !errors.As(err, new(errYear)) {
				return p.place.errorf("%s: %v", name, err)
			}
		}
	}
	return nil
}

// added is a repetition that RDATE adds: a begin, or a period with a length of its own.
func (r reader) added(e event, p property, text string) (repetition, error) {
	from, to, period := strings.Cut(text, "/")
	s, err := r.zones.stamp(p, from)
	if err != nil {
		return repetition{}, err
	}
	one := repetition{e.at(s), e.length, e.texts}
	if s.day && !e.allDay {
		one.begin = one.begin.Add(e.begin.Sub(dayOf(e.begin)))
	}
	if !period {
		return one, nil
	}
	if d, err := (&ical.Prop{Name: ical.PropDuration, Value: strings.TrimSpace(to)}).Duration(); err == nil {
		one.length = d
		return one, nil
	}
	end, err := r.zones.stamp(p, to)
	if err != nil {
		return one, fmt.Errorf("the end of a period: %w", err)
	}
	one.length = end.on(e.clock).Sub(s.on(e.clock))
	return one, nil
}

// at is what the clock of the event shows at s; of an all-day event, the day. Midnight
// in UTC is how some programs write a day.
func (e event) at(s stamp) time.Time {
	switch {
	case !e.allDay:
		return s.on(e.clock)
	case s.utc && s.written.Equal(dayOf(s.written)):
		return s.written
	}
	return dayOf(s.on(e.clock))
}

// toMidnight reads an end in the last minute of a day as the end of that day.
func toMidnight(end time.Time) time.Time {
	if end.Hour() == 23 && end.Minute() == 59 {
		return dayOf(end).Add(24 * time.Hour)
	}
	return end
}
