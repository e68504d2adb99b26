package config

import (
	"fmt"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"curfew/scheduler/plan"
)

// maxExceptions bounds the exceptions of a file.
const maxExceptions = 5000

func (d *decoder) decodeExceptions(f *fields) {
	if n := f.values["exceptions"]; n != nil && len(n.Content) > maxExceptions {
		d.errorf(n, msgTooManyEntries, "exceptions", maxExceptions)
		return
	}
	seen := map[string]int{}
	d.eachEntry(f, "exceptions", exceptionSection(), func(entry *fields) {
		e := plan.Exception{
			Environments: d.selected(entry),
			Location:     d.zoneOr(entry, f.values["timezone"], "the exception"),
			Keep:         plan.Wanted(entry.enum("keep", "")),
			Uptime:       d.windows(entry),
			Reason:       entry.text("reason"),
		}
		switch hasKeep, hasUptime := entry.has("keep"), entry.has("uptime"); {
		case hasKeep && hasUptime:
			d.errorf(entry.node, msgTwoEffects)
		case !hasKeep && !hasUptime:
			d.errorf(entry.node, msgNoEffect)
		}
		if d.span(entry, &e) {
			d.checkSpan(entry, e)
			e.Name = "exception:" + plan.DateOf(e.From.In(e.Location)).String()
			if seen[e.Name]++; seen[e.Name] > 1 {
				e.Name = fmt.Sprintf("%s#%d", e.Name, seen[e.Name])
			}
		}
		d.cfg.Exceptions = append(d.cfg.Exceptions, e)
		d.exceptions = append(d.exceptions, entry.node)
	})
	d.cfg.Spec.Exceptions = d.cfg.Exceptions
}

// warnExceptionsAlone reports the environments that only exceptions start and stop, in a
// file with schedules, and marks them as used.
func (d *decoder) warnExceptionsAlone() {
	for _, e := range d.cfg.Exceptions {
		for _, name := range e.Environments {
			if d.environments.used[name] {
				continue
			}
			d.environments.used[name] = true
			if len(d.schedules) > 0 {
				d.warnf(d.environments.places[name], msgOnlyException, name)
			}
		}
	}
}

// span reads when the exception begins and ends. It returns whether both are known.
func (d *decoder) span(f *fields, e *plan.Exception) bool {
	date, from, until := f.has("date"), f.has("from"), f.has("until")
	switch {
	case date && (from || until):
		d.errorf(f.node, msgTwoTimes)
	case date:
		return d.oneDay(f, e)
	case !from && !until:
		d.errorf(f.node, msgNoTime)
	case !from:
		d.errorf(f.node, msgHalfTime, "from")
	case !until:
		d.errorf(f.node, msgHalfTime, "until")
	default:
		begins := d.instant(f, "from", e.Location, &e.From)
		ends := d.instant(f, "until", e.Location, &e.Until)
		if !begins || !ends {
			return false
		}
		if e.Until.After(e.From) {
			return true
		}
		d.errorf(f.values["until"], msgEndsFirst, writeTime(e.Until, e.Location), writeTime(e.From, e.Location))
	}
	return false
}

func (d *decoder) oneDay(f *fields, e *plan.Exception) bool {
	n := f.values["date"]
	s := f.text("date")
	if s == "" {
		return false
	}
	date, err := plan.ParseDate(s)
	if first, last, ok := dateSpan(s); ok {
		d.errorf(n, msgDateSpan, s, first, last.AddDays(1))
		return false
	}
	if err != nil {
		d.ruleError(n, err)
		return false
	}
	if e.Location == nil {
		return false
	}
	e.From, e.Until = date.In(e.Location), date.AddDays(1).In(e.Location)
	if !e.Until.After(e.From) { // a change of zone may leave a day out
		d.errorf(n, msgEndsFirst, writeTime(e.Until, e.Location), writeTime(e.From, e.Location))
		return false
	}
	return true
}

// dateSpan reads a range of days, as calendars have them.
func dateSpan(s string) (first, last plan.Date, ok bool) {
	a, b, found := strings.Cut(s, "/")
	first, err1 := plan.ParseDate(a)
	last, err2 := plan.ParseDate(b)
	return first, last, found && err1 == nil && err2 == nil && !last.Before(first)
}

// instant reads a day, which is its first instant, a local time, or a time of
// RFC 3339.
func (d *decoder) instant(f *fields, key string, loc *time.Location, to *time.Time) bool {
	n, s := f.values[key], f.text(key)
	if s == "" || loc == nil {
		return false
	}
	t, ok := ParseInstant(s, loc)
	if !ok {
		d.errorf(n, msgTime, key, cut(s), f.section.key(key).want)
	}
	*to = t
	return ok
}

// ParseInstant reads a time of RFC 3339, or a day, which is its first instant, or a
// local time of loc. It returns the time in loc.
func ParseInstant(s string, loc *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t.In(loc), true
	}
	if date, err := plan.ParseDate(s); err == nil {
		return date.In(loc), true
	}
	local, err := time.Parse("2006-01-02 15:04", strings.Replace(s, "T", " ", 1))
	if err != nil {
		local, err = time.Parse("2006-01-02 15:04:05", strings.Replace(s, "T", " ", 1))
	}
	if err != nil {
		return time.Time{}, false
	}
	at := plan.Resolve(plan.DateOf(local), local.Hour()*60+local.Minute(), loc)
	return at.Add(time.Duration(local.Second()) * time.Second), true
}

func writeTime(t time.Time, loc *time.Location) string {
	if loc != nil {
		t = t.In(loc)
	}
	return t.Format("2006-01-02 15:04")
}

// checkSpan finds windows that never begin while the exception lasts, and
// exceptions that are over.
func (d *decoder) checkSpan(f *fields, e plan.Exception) {
	windows := f.oneOrMore("uptime")
	for i, w := range e.Uptime {
		if len(windows) == len(e.Uptime) && !begins(w, e) {
			d.errorf(windows[i], msgWindowNever, w)
		}
	}
	if !d.opts.Now.IsZero() && !e.Until.After(d.opts.Now) {
		d.warnf(placeOf(f, "until", "date"), msgPast, writeTime(e.Until, e.Location))
		return
	}
	if n := f.values["until"]; d.opts.Notes && n != nil && len(d.exceptions) < maxNotes {
		if date, err := plan.ParseDate(n.Value); err == nil {
			d.notef(n, msgUntilDay, date)
		}
	}
}

// begins reports whether w begins while e lasts. Weekdays repeat, so nine days are enough to know.
func begins(w plan.Window, e plan.Exception) bool {
	first := plan.DateOf(e.From.In(e.Location))
	for n := range 9 {
		date := first.AddDays(n)
		at := plan.Resolve(date, w.Begin, e.Location)
		if w.Days.Has(date.Weekday()) && !at.Before(e.From) && at.Before(e.Until) {
			return true
		}
	}
	return false
}

// placeOf is the value of the first key that has one.
func placeOf(f *fields, keys ...string) *yaml.Node {
	for _, k := range keys {
		if n := f.values[k]; n != nil {
			return n
		}
	}
	return f.node
}
