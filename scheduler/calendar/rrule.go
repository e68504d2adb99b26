package calendar

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/teambition/rrule-go"
)

// A recurrence is an RRULE, its end apart: what an UNTIL in UTC means depends on the
// clock of the event.
type recurrence struct {
	option rrule.ROption
	until  stamp // zero when the rule has none
}

// readRule reads an RRULE. It returns nil when the rule says nothing.
func readRule(text string) (*recurrence, error) {
	bad := fmt.Errorf("%q is not a rule of RFC 5545; want one such as FREQ=YEARLY", cut(text))
	r := &recurrence{}
	var parts []string
	for part := range strings.SplitSeq(strings.ToUpper(text), ";") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case value == "" || strings.HasPrefix(key, "X-"):
		case key == "COUNT" && below(value, 1): // some programs write -1 or 0 for none
		case key == "UNTIL":
			until, err := (&zones{}).stamp(property{}, value)
			if err != nil && !errors.As(err, new(errYear)) {
				return nil, fmt.Errorf("UNTIL %w", err)
			}
			r.until = until
		default:
			parts = append(parts, key+"="+value)
		}
	}
	if len(parts) == 0 {
		return nil, nil
	}
	option, err := rrule.StrToROptionInLocation(strings.Join(parts, ";"), time.UTC)
	if err != nil {
		return nil, bad
	}
	r.option = *option
	return r, r.check()
}

func below(text string, n int) bool {
	v, err := strconv.Atoi(text)
	return err == nil && v < n
}

func (r *recurrence) check() error {
	o := r.option
	if o.Freq > rrule.DAILY || len(o.Byhour)+len(o.Byminute)+len(o.Bysecond) > 0 {
		return errors.New("the event repeats within a day; want FREQ=DAILY, WEEKLY, MONTHLY or YEARLY, without hours")
	}
	const most = 10_000 // what the library adds up must not overflow
	if o.Count < 0 || o.Interval < 0 || o.Interval > most {
		return fmt.Errorf("COUNT or INTERVAL is out of bounds; want 1 to %d", most)
	}
	return nil
}

// ended reports whether the repetition that begins at begin, on the clock of e, is
// after the end of the rule.
func (r *recurrence) ended(begin time.Time, e event) bool {
	u := r.until
	switch {
	case u.written.IsZero():
		return false
	case u.day:
		return begin.After(u.written.Add(24*time.Hour - time.Second))
	case !u.utc:
		return begin.After(u.written)
	case e.allDay && u.written.Equal(dayOf(u.written)):
		return begin.After(u.written) // many programs write the last day in this way
	}
	return instant(begin, e.clock).After(u.written)
}

// begins returns what the clock of the event shows at its begins. steps is how many
// repetitions may still be worked out. The library panics on some rules, which is an
// error of the event here.
func (e event) begins(steps *int) (list []time.Time, err error) {
	if e.rule == nil {
		return []time.Time{e.begin}, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = e.place.errorf("RRULE cannot be worked out; want a simpler rule")
		}
	}()
	option := e.rule.option
	option.Dtstart = e.begin
	option.Until = time.Date(lastYear, time.December, 31, 0, 0, 0, 0, time.UTC)
	rule, err := rrule.NewRRule(option)
	if err != nil {
		return nil, e.place.errorf("RRULE is not valid; want a rule of RFC 5545")
	}
	next := rule.Iterator()
	for begin, ok := next(); ok && len(list) <= maxDays && !e.rule.ended(begin, e); begin, ok = next() {
		if *steps--; *steps < 0 {
			return nil, e.place.errorf("the events of the file repeat more than %d times; want a calendar of holidays", maxSteps)
		}
		if begin.Year() >= firstYear {
			list = append(list, begin)
		}
	}
	return list, nil
}
