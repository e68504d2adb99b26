package calendar

import (
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/ch"
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
	"github.com/rickar/cal/v2/mt"
	"github.com/rickar/cal/v2/nc"
	"github.com/rickar/cal/v2/pt"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"
	"golang.org/x/text/language"

	"curfew/scheduler/plan"
)

// A country is the rules of the days off that its law gives nearly everyone, and those
// of its regions, each with what the whole country has. The zero value has none.
type country struct {
	code    string
	rules   []*cal.Holiday
	regions map[string][]*cal.Holiday // by ISO 3166-2 code, without the country
}

// Countries are the codes (ISO 3166-1 alpha-2, upper case, ascending) of which the
// national holidays are known.
func Countries() []string { return slices.Sorted(maps.Keys(countries())) }

// Regions are the codes of the regions of a country of which the holidays are known,
// ascending.
func Regions(code string) []string { return slices.Sorted(maps.Keys(countries()[code].regions)) }

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
		"AR": {rules: argentina()},
		"AT": {rules: at.Holidays},
		"AU": {rules: australia(), regions: australianStates()},
		"BE": {rules: be.Holidays},
		"BG": {rules: bulgaria()},
		"BR": {rules: brazil()},
		"CA": {rules: canada(), regions: canadianProvinces()},
		"CH": {rules: []*cal.Holiday{ch.Neujahr, ch.Auffahrt, ch.Bundesfeiertag, ch.Weihnachtstag}, regions: cantons()},
		"CY": {rules: cy.Holidays},
		"CZ": {rules: cz.Holidays},
		"DE": {rules: de.Holidays, regions: germanStates()},
		"DK": {rules: denmark()},
		"EE": {rules: ee.Holidays},
		"ES": {rules: es.Holidays},
		"FI": {rules: fi.Holidays},
		"FR": {rules: fr.Holidays, regions: frenchParts()},
		"GB": {rules: gb.Holidays, regions: britishParts()},
		"GR": {rules: greece()},
		"HR": {rules: hr.Holidays},
		"HU": {rules: hungary()},
		"IE": {rules: ie.Holidays},
		"IS": {rules: iceland()},
		"IT": {rules: it.Holidays},
		"JP": {rules: jp.Holidays},
		"LT": {rules: lithuania()},
		"LU": {rules: luxembourg()},
		"LV": {rules: latvia()},
		"MT": {rules: mt.Holidays},
		"MW": {rules: malawi()},
		"MX": {rules: mexico()},
		"NC": {rules: nc.Holidays},
		"NL": {rules: netherlands()},
		"NO": {rules: norway()},
		"NZ": {rules: newZealand()},
		"PL": {rules: poland()},
		"PT": {rules: pt.Holidays, regions: portugueseParts()},
		"RO": {rules: ro.Holidays},
		"RS": {rules: serbia()},
		"RU": {rules: russia()},
		"SE": {rules: se.Holidays},
		"SI": {rules: si.Holidays},
		"SK": {rules: slovakia()},
		"UA": {rules: ukraine()},
		"US": {rules: us.Holidays},
		"ZA": {rules: za.Holidays},
	}
}

// lookup returns the country, or its region when one is given.
func lookup(code, region string) (country, bool) {
	code = strings.ToUpper(code)
	c, ok := countries()[code]
	c.code = code
	if region != "" {
		c.rules, ok = c.regions[region]
		c.code += "-" + region
	}
	return c, ok
}

// year names the days of one year.
func (c country) year(year int) map[plan.Date]string { return holidays(c.rules, year) }

// sum adds the holidays to a fingerprint: a new version of curfew may know other days.
func (c country) sum(sum hash.Hash) {
	const first, last = 2025, 2035
	fmt.Fprintf(sum, "country %s\n", c.code)
	for year := first; year <= last; year++ {
		days := c.year(year)
		for _, day := range slices.SortedFunc(maps.Keys(days), plan.Date.Compare) {
			fmt.Fprintf(sum, "%s\n", day)
		}
	}
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
