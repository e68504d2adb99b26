package config

import (
	"slices"
	"time"

	"gopkg.in/yaml.v3"
)

func (d *decoder) decodeReceivers(f *fields) {
	defined := newNames("receiver")
	d.eachEntry(f, "notify", receiverSection(), func(f *fields) {
		r := Receiver{Name: d.define(f, defined)}
		if ref := d.secret(f, "url"); ref != nil {
			r.URL = *ref
		}
		if !f.has("on") {
			r.On = []string{"failed", "missed", "warning", "unreachable", "approval", "config"}
		}
		for _, n := range f.oneOrMore("on") {
			if word, ok := d.word(n, "notification", notifications()); ok && !slices.Contains(r.On, word) {
				r.On = append(r.On, word)
			}
		}
		if f.has("environments") {
			r.Environments = d.selected(f)
		}
		r.SummaryAt = d.summaryAt(f)
		d.cfg.Notify = append(d.cfg.Notify, r)
	})
}

// summaryAt is the minute of the day at which a receiver has its summary.
func (d *decoder) summaryAt(f *fields) int {
	const otherwise = 8 * 60
	n := f.values["summary_at"]
	if n == nil {
		return otherwise
	}
	s, ok := d.text(n, "summary_at", wantClock)
	if !ok {
		return otherwise
	}
	if !d.matches(clockPattern, s) {
		d.errorf(n, msgClock, cut(s), wantClock)
		return otherwise
	}
	t, _ := time.Parse("15:04", s) // it matches
	return t.Hour()*60 + t.Minute()
}

// warnLinks says what is known of the links of warnings, at the first schedule that warns.
func (d *decoder) warnLinks() {
	i := slices.IndexFunc(d.schedules, func(s scheduleEntry) bool { return s.Enabled && s.Warn > 0 })
	if i < 0 {
		return
	}
	place := d.schedules[i].place
	receives := slices.ContainsFunc(d.cfg.Notify, func(r Receiver) bool { return slices.Contains(r.On, "warning") })
	switch {
	case !receives && d.opts.Notes:
		d.notef(place, msgWarnNobody)
	case receives && d.opts.Links == LinksOff:
		d.warnf(place, msgLinksOff)
	case receives && d.opts.Links == LinksUnknown && d.opts.Notes:
		d.notef(place, msgLinksUnknown)
	}
}

// defaults reads the defaults; what is not given has the value documented.
func (d *decoder) defaults(n *yaml.Node) Defaults {
	f := &fields{d: d, section: defaultsSection()}
	if n != nil {
		if given, ok := d.fields(n, f.section); ok {
			f = given
		}
	}
	return Defaults{
		CatchUp:         f.duration("catch_up", 2*time.Hour),
		Deadline:        f.duration("deadline", 2*time.Hour),
		Warn:            f.duration("warn", 0),
		VerifyTimeout:   f.duration("verify_timeout", 45*time.Minute),
		Order:           f.enum("order", OrderCost),
		MaxStopsPerFire: int(f.number("max_stops_per_fire")),
	}
}
