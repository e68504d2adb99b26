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
	"strings"
	"sync"
	"time"

	"github.com/rickar/cal/v2"

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
	Region  string  // part of the country, ISO 3166-2 without the country; "" for none
	Ranges  []Range // in any order; they may overlap
	Except  []Range // days of all the above that are worked
}

// New makes the calendar of src. It is safe for concurrent use. The error is an
// unknown country or a range that ends before it begins.
func New(src Source) (*plan.Calendar, error) {
	sum := sha256.New()
	d := &days{}
	if src.Country != "" {
		code := strings.ToUpper(src.Country)
		rules, ok := lookup(code, src.Region)
		if !ok {
			return nil, fmt.Errorf("no holidays are known of country %q, region %q; want codes of Countries and Regions, or dates", src.Country, src.Region)
		}
		d.rules = rules
		fmt.Fprintf(sum, "country %s-%s, edition %d\n", code, src.Region, edition)
	}
	var err error
	if d.ranges, err = sorted(src.Ranges, sum); err != nil {
		return nil, err
	}
	if len(src.Except) > 0 {
		fmt.Fprintln(sum, "except")
	}
	if d.except, err = sorted(src.Except, sum); err != nil {
		return nil, err
	}
	return &plan.Calendar{
		Name:        src.Name,
		Fingerprint: hex.EncodeToString(sum.Sum(nil)[:12]),
		Holiday:     d.holiday,
	}, nil
}

// sorted checks ranges and adds them to a fingerprint.
func sorted(list []Range, sum hash.Hash) ([]Range, error) {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b Range) int {
		return cmp.Or(a.First.Compare(b.First), a.Last.Compare(b.Last))
	})
	for _, r := range list {
		if r.Last.Compare(r.First) < 0 {
			return nil, fmt.Errorf("range %s/%s ends before it begins; want the earlier day first", r.First, r.Last)
		}
		fmt.Fprintf(sum, "%s/%s %q\n", r.First, r.Last, r.Name)
	}
	return list, nil
}

// days answers for one calendar. A year is worked out when it is first asked for.
type days struct {
	rules  []*cal.Holiday
	ranges []Range // ascending by First
	except []Range
	years  sync.Map // of int to map[plan.Date]string; never changed once stored
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
	found := holidays(d.rules, year)
	for _, r := range slices.Backward(d.ranges) {
		r.eachDay(year, func(day plan.Date) {
			if found[day] == "" || r.Name != "" {
				found[day] = r.label()
			}
		})
	}
	for _, r := range d.except {
		r.eachDay(year, func(day plan.Date) { delete(found, day) })
	}
	return found
}

// eachDay calls do for each day of the range that lies in the year.
func (r Range) eachDay(year int, do func(plan.Date)) {
	first := plan.Date{Year: year, Month: time.January, Day: 1}
	last := plan.Date{Year: year, Month: time.December, Day: 31}
	for day := later(r.First, first); day.Compare(last) <= 0 && day.Compare(r.Last) <= 0; day = day.AddDays(1) {
		do(day)
	}
}

func (r Range) label() string { return cmp.Or(r.Name, "listed day") }

func later(a, b plan.Date) plan.Date {
	if a.Compare(b) < 0 {
		return b
	}
	return a
}
