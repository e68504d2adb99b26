package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"curfew/internal/files"
	"curfew/scheduler/calendar"
	"curfew/scheduler/plan"
	"curfew/scheduler/zone"
)

func (d *decoder) decodeCalendars(f *fields) {
	d.calendars.partial = isPartial(f, "calendars")
	d.eachEntry(f, "calendars", calendarSection(), func(f *fields) {
		name := d.define(f, d.calendars)
		if !f.has("country") && !f.has("dates") && !f.has("ics") {
			d.errorf(f.node, msgCalendarEmpty)
		}
		src := calendar.Source{Name: name, Country: d.country(f), Ranges: d.ranges(f, "dates"), Except: d.ranges(f, "except")}
		src.Region = d.region(f, src.Country)
		for _, n := range f.oneOrMore("ics") {
			src.Ranges = append(src.Ranges, d.ics(n)...)
		}
		if name == "" {
			return // nothing can refer to it
		}
		if c, err := calendar.New(src); err == nil {
			d.built[name] = c // whatever New refuses has been reported
		}
	})
}

// country reads a code. Letters in the wrong case are an error too, as they are to the
// schema.
func (d *decoder) country(f *fields) string {
	n := f.values["country"]
	if n == nil {
		return ""
	}
	k := f.section.key("country")
	code, ok := d.text(n, "country", k.want)
	if !ok || slices.Contains(k.words, code) {
		return code
	}
	all := strings.Join(k.words, " ")
	meant, known := calendar.CountryMeant(code)
	if known && !slices.Contains(k.words, meant) {
		d.errorf(n, msgCountryNotOffered, cut(code), all)
		return ""
	}
	if !known {
		meant = d.nearest(code, k.words)
	}
	hint := "want one of " + all
	if meant != "" {
		hint = "did you mean \"" + meant + "\"?"
	}
	d.errorf(n, msgCountry, cut(code), hint)
	return ""
}

// region reads the part of the country whose holidays count too.
func (d *decoder) region(f *fields, country string) string {
	n := f.values["region"]
	if n == nil {
		return ""
	}
	code, ok := d.text(n, "region", f.section.key("region").want)
	switch known := d.regionsOf(country); {
	case !ok || slices.Contains(known, code):
		return code
	case !f.has("country"):
		d.errorf(n, msgRegionAlone)
	case country == "": // it has been reported
	case len(known) == 0:
		d.errorf(n, msgNoRegions, country, cut(code))
	default:
		d.errorf(n, msgRegion, country, cut(code), strings.Join(known, " "))
	}
	return ""
}

// regionsOf looks the regions of a country up once.
func (d *decoder) regionsOf(country string) []string {
	known, ok := d.regions[country]
	if !ok {
		known = calendar.Regions(country)
		d.regions[country] = known
	}
	return known
}

// ranges reads a list of days and ranges.
func (d *decoder) ranges(f *fields, key string) []calendar.Range {
	var list []calendar.Range
	for _, n := range f.oneOrMore(key) {
		if r, ok := d.dates(n, key); ok {
			list = append(list, r)
		}
	}
	return list
}

// dates reads a day or a range of days.
func (d *decoder) dates(n *yaml.Node, key string) (calendar.Range, bool) {
	var r calendar.Range
	s, ok := d.text(n, key, "a day such as 2026-12-24")
	if !ok {
		return r, false
	}
	begin, end, isRange := strings.Cut(s, "/")
	first, err := plan.ParseDate(begin)
	if err != nil {
		d.errorIn(n, 0, msgRule, err)
		return r, false
	}
	last := first
	if isRange {
		if last, err = plan.ParseDate(end); err != nil {
			d.errorIn(n, len(begin)+1, msgRule, err)
			return r, false
		}
	}
	if last.Compare(first) < 0 {
		d.errorf(n, msgDateRange, s)
		return r, false
	}
	return calendar.Range{First: first, Last: last}, true
}

// ics reads an entry of ics: the name of an iCalendar file, or a mapping that chooses
// events of it.
func (d *decoder) ics(n *yaml.Node) []calendar.Range {
	var filter calendar.Filter
	if n.Kind == yaml.MappingNode {
		f, ok := d.fields(n, icsSection())
		if !ok {
			return nil
		}
		filter.Only, filter.Except = d.globs(f, "only"), d.globs(f, "except")
		if n = f.values["file"]; n == nil {
			return nil // it has been reported
		}
	}
	name, ok := d.text(n, "ics", "the path of an iCalendar file")
	if !ok {
		return nil
	}
	file := d.icsFile(n, name)
	if file == nil {
		return nil
	}
	days, short := file.Days(filter)
	if short > 0 {
		d.notef(n, msgICSShort, name, count(short, "event"))
	}
	return days
}

// globs reads patterns for the texts of events.
func (d *decoder) globs(f *fields, key string) []string {
	var list []string
	for _, n := range f.oneOrMore(key) {
		s, ok := d.text(n, key, f.section.key(key).want)
		switch {
		case !ok:
		case !calendar.ValidPattern(s):
			d.errorf(n, msgGlob, cut(s))
		default:
			list = append(list, s)
		}
	}
	return list
}

// icsFile reads an iCalendar file. What is wrong in it is reported at its own lines,
// once, however many calendars name it.
func (d *decoder) icsFile(n *yaml.Node, name string) *calendar.ICS {
	path := d.absolute(name)
	if known, ok := d.icsFiles[path]; ok {
		return known
	}
	d.icsFiles[path] = nil
	d.cfg.Files = append(d.cfg.Files, path)
	src, err := files.Read(path, calendar.MaxICS)
	if err != nil {
		d.errorf(n, msgICSRead, name, cause(err))
		return nil
	}
	file, err := calendar.ReadICS(src, calendar.Zones{Default: d.cfg.Location, Named: d.icsZone})
	if e, ok := errors.AsType[*calendar.ICSError](err); ok {
		broken := &decoder{file: path}
		broken.report(Error, e.Line, 1, msgICS, e.Message)
		d.diags = append(d.diags, broken.diags...)
	}
	d.icsFiles[path] = file
	return file
}

// icsZone is the zone that an iCalendar file means by a name: an IANA name, or one of
// Windows.
func (d *decoder) icsZone(name string) *time.Location {
	if loc, err := zone.Load(name); err == nil {
		return loc
	}
	if iana, ok := zone.FromWindows(name); ok {
		if loc, err := zone.Load(iana); err == nil {
			return loc
		}
	}
	return nil
}
