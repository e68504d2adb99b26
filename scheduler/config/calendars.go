package config

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"curfew/scheduler/calendar"
	"curfew/scheduler/plan"
)

func (d *decoder) decodeCalendars(f *fields) {
	d.calendars.partial = isPartial(f, "calendars")
	d.eachEntry(f, "calendars", calendarSection(), func(f *fields) {
		name := d.define(f, d.calendars)
		if !f.has("country") && !f.has("dates") && !f.has("ics") {
			d.errorf(f.node, msgCalendarEmpty)
		}
		src := calendar.Source{Name: name, Country: d.country(f)}
		for _, n := range f.oneOrMore("dates") {
			if r, ok := d.dates(n); ok {
				src.Ranges = append(src.Ranges, r)
			}
		}
		src.Ranges = append(src.Ranges, d.ics(f)...)
		if c, err := calendar.New(src); err == nil {
			d.built[name] = c // whatever New refuses has been reported
		}
	})
}

func (d *decoder) country(f *fields) string {
	n := f.values["country"]
	if n == nil {
		return ""
	}
	k := f.section.key("country")
	code, ok := d.text(n, "country", k.want)
	if !ok {
		return ""
	}
	if slices.Contains(k.words, code) {
		return code
	}
	// Letters in the wrong case are an error too, as they are to the schema; so is
	// UK, which is not a code of the standard.
	hint := d.meant(code, k.words)
	if strings.EqualFold(code, "UK") {
		hint = d.meant("GB", k.words)
	}
	d.errorf(n, msgCountry, cut(code), hint)
	return ""
}

// dates reads a day or a range of days.
func (d *decoder) dates(n *yaml.Node) (calendar.Range, bool) {
	var r calendar.Range
	s, ok := d.text(n, "dates", "a day such as 2026-12-24")
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

// ics reads an iCalendar file. What is wrong in it is reported at its own lines,
// once, however many calendars name it.
func (d *decoder) ics(f *fields) []calendar.Range {
	name := f.text("ics")
	if name == "" {
		return nil
	}
	path := d.absolute(name)
	if known, ok := d.icsDays[path]; ok {
		return known
	}
	d.icsDays[path] = nil
	d.cfg.Files = append(d.cfg.Files, path)
	src, err := readFile(path, calendar.MaxICS)
	if err != nil {
		d.errorf(f.values["ics"], msgICSRead, name, cause(err))
		return nil
	}
	ranges, err := calendar.ReadICS(src)
	if e, ok := errors.AsType[*calendar.ICSError](err); ok {
		broken := &decoder{file: path}
		broken.report(Error, e.Line, 1, msgICS, e.Message)
		d.diags = append(d.diags, broken.diags...)
	}
	d.icsDays[path] = ranges
	return ranges
}
