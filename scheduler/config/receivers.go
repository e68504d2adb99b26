package config

import (
	"slices"
	"time"

	"go.yaml.in/yaml/v4"
)

func (d *decoder) decodeReceivers(f *fields) {
	defined := newNames("receiver")
	d.eachEntry(f, "notify", receiverSection(), func(f *fields) {
		r := Receiver{Name: d.define(f, defined)}
		if ref := d.secret(f, "url"); ref != nil {
			r.URL = *ref
		}
		if !f.has("on") {
			r.On = []string{"failed", "missed", "warning", "unreachable"}
		}
		for _, n := range f.oneOrMore("on") {
			if word, ok := d.word(n, "notification", notifications()); ok && !slices.Contains(r.On, word) {
				r.On = append(r.On, word)
			}
		}
		d.cfg.Notify = append(d.cfg.Notify, r)
	})
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
