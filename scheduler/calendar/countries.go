package calendar

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/cy"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/ee"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fi"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/mt"
	"github.com/rickar/cal/v2/nc"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/pt"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
	"golang.org/x/text/language"

	"curfew/scheduler/plan"
)

// A country is the rules of the days that are off by its law for nearly everyone, and those
// of its regions, each with what the whole country has.
type country struct {
	rules   func() []*cal.Holiday
	regions func() map[string][]*cal.Holiday // by ISO 3166-2 code, without the country; nil for none
}

// edition is part of the fingerprint of each calendar with a country. It is raised when
// a list changes.
const edition = 2

// Countries are the codes (ISO 3166-1 alpha-2, upper case, ascending) of which the
// national holidays are known.
func Countries() []string { return slices.Sorted(maps.Keys(countries())) }

// Regions are the codes of the regions of a country of which the holidays are known,
// ascending.
func Regions(code string) []string {
	if c := countries()[code]; c.regions != nil {
		return slices.Sorted(maps.Keys(c.regions()))
	}
	return nil
}

// CountryMeant returns the code of the standard that code stands for, be it another
// code of the same country such as UK or DNK, and whether there is such a country.
func CountryMeant(code string) (iso string, ok bool) {
	region, err := language.ParseRegion(strings.ToUpper(code))
	if err != nil || !region.IsCountry() {
		return "", false
	}
	return region.Canonicalize().String(), true
}

// countries lists what is offered. Where the library has it right, its list stands;
// lists of our own are in national.go and regional.go, with what they mend.
func countries() map[string]country {
	return map[string]country{
		"AR": {rules: argentina},
		"AT": {rules: as(at.Holidays)},
		"AU": {rules: australia, regions: australianStates},
		"BE": {rules: as(be.Holidays)},
		"BG": {rules: as(bg.Holidays)},
		"BR": {rules: brazil},
		"CA": {rules: canada, regions: canadianProvinces},
		"CH": {rules: switzerland, regions: cantons},
		"CY": {rules: as(cy.Holidays)},
		"CZ": {rules: as(cz.Holidays)},
		"DE": {rules: as(de.Holidays), regions: germanStates},
		"DK": {rules: denmark},
		"EE": {rules: as(ee.Holidays)},
		"ES": {rules: as(es.Holidays)},
		"FI": {rules: as(fi.Holidays)},
		"FR": {rules: as(fr.Holidays), regions: frenchParts},
		"GB": {rules: as(gb.Holidays), regions: britishParts},
		"GR": {rules: greece},
		"HR": {rules: as(hr.Holidays)},
		"HU": {rules: hungary},
		"IE": {rules: as(ie.Holidays)},
		"IS": {rules: iceland},
		"IT": {rules: as(it.Holidays)},
		"JP": {rules: as(jp.Holidays)},
		"LT": {rules: as(lt.Holidays)},
		"LU": {rules: luxembourg},
		"LV": {rules: as(lv.Holidays)},
		"MT": {rules: as(mt.Holidays)},
		"MW": {rules: malawi},
		"MX": {rules: mexico},
		"NC": {rules: as(nc.Holidays)},
		"NL": {rules: netherlands},
		"NO": {rules: as(no.Holidays)},
		"NZ": {rules: newZealand},
		"PL": {rules: as(pl.Holidays)},
		"PT": {rules: as(pt.Holidays), regions: portugueseParts},
		"RO": {rules: as(ro.Holidays)},
		"RS": {rules: serbia},
		"RU": {rules: russia},
		"SE": {rules: as(se.Holidays)},
		"SI": {rules: as(si.Holidays)},
		"SK": {rules: slovakia},
		"UA": {rules: ukraine},
		"US": {rules: as(us.Holidays)},
		"ZA": {rules: as(za.Holidays)},
	}
}

// as is a list of the library.
func as(list []*cal.Holiday) func() []*cal.Holiday {
	return func() []*cal.Holiday { return list }
}

// lookup returns the rules of the country, or of its region when one is given.
func lookup(code, region string) ([]*cal.Holiday, bool) {
	c, ok := countries()[code]
	switch {
	case !ok:
		return nil, false
	case region == "":
		return c.rules(), true
	case c.regions == nil:
		return nil, false
	}
	rules, ok := c.regions()[region]
	return rules, ok
}

// holidays names the days of one year. The neighbouring years are read too: a
// New Year's Day on a Saturday may be observed on the last day of the year before.
func holidays(rules []*cal.Holiday, year int) map[plan.Date]string {
	found := map[plan.Date]string{}
	for y := year - 1; y <= year+1; y++ {
		for _, rule := range rules {
			actual, observed := rule.Calc(y)
			if observed != actual {
				add(found, year, observed, rule.Name+" (observed)")
			}
			add(found, year, actual, rule.Name)
		}
	}
	return found
}

// add takes the day of t when it lies in year. The zero time means that there is no
// such holiday, and comes from no other year.
func add(found map[plan.Date]string, year int, t time.Time, name string) {
	if d := plan.DateOf(t); !t.IsZero() && d.Year == year {
		found[d] = name
	}
}
