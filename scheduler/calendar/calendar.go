// Package calendar turns a country, written-out days and iCalendar files into the
// days on which no window begins and no start fires.
package calendar

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"slices"
	"sync"
	"time"

	"curfew/scheduler/plan"
)

// A Range is a run of days, both ends included, and what they are called.
type Range struct {
	First, Last plan.Date
	Name        string // for display; "" when not named
}

// A Source is what a calendar is made of. All of it counts together.
type Source struct {
	Name    string  // of the calendar
	Country string  // ISO 3166-1 alpha-2, in any case; "" for none
	Ranges  []Range // in any order; they may overlap
}

// New makes the calendar of src. It is safe for concurrent use. The error is an
// unknown country or a range that ends before it begins.
func New(src Source) (*plan.Calendar, error) {
	sum := sha256.New()
	d := &days{}
	if src.Country != "" {
		c, ok := lookup(src.Country)
		if !ok {
			return nil, fmt.Errorf("no holidays are known of country %q; want one of the codes of Countries, or dates", src.Country)
		}
		d.country = c
		fmt.Fprintf(sum, "country %s\n", c.code)
	}
	d.ranges = slices.Clone(src.Ranges)
	slices.SortStableFunc(d.ranges, func(a, b Range) int {
		return cmp.Or(a.First.Compare(b.First), a.Last.Compare(b.Last))
	})
	for _, r := range d.ranges {
		if r.Last.Compare(r.First) < 0 {
			return nil, fmt.Errorf("range %s/%s ends before it begins; want the earlier day first", r.First, r.Last)
		}
		sumRange(sum, r)
	}
	return &plan.Calendar{
		Name:        src.Name,
		Fingerprint: hex.EncodeToString(sum.Sum(nil)[:12]),
		Holiday:     d.holiday,
	}, nil
}

func sumRange(sum hash.Hash, r Range) { fmt.Fprintf(sum, "%s/%s %q\n", r.First, r.Last, r.Name) }

// days answers for one calendar. A year is worked out when it is first asked for.
type days struct {
	country country
	ranges  []Range  // ascending by First
	years   sync.Map // of int to map[plan.Date]string; never changed once stored
}

func (d *days) holiday(date plan.Date) (string, bool) {
	year, ok := d.years.Load(date.Year)
	if !ok {
		year, _ = d.years.LoadOrStore(date.Year, d.year(date.Year))
	}
	name, ok := year.(map[plan.Date]string)[date]
	return name, ok
}

// year names the days of one year. What the file says of a day beats what the
// country calls it, and the earlier range beats the later.
func (d *days) year(year int) map[plan.Date]string {
	found := d.country.year(year)
	first := plan.Date{Year: year, Month: time.January, Day: 1}
	last := plan.Date{Year: year, Month: time.December, Day: 31}
	for _, r := range slices.Backward(d.ranges) {
		if r.First.Compare(last) > 0 || r.Last.Compare(first) < 0 {
			continue
		}
		for day := later(r.First, first); day.Compare(last) <= 0 && day.Compare(r.Last) <= 0; day = day.AddDays(1) {
			if found[day] == "" || r.Name != "" {
				found[day] = r.label()
			}
		}
	}
	return found
}

func (r Range) label() string { return cmp.Or(r.Name, "listed day") }

func later(a, b plan.Date) plan.Date {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}
