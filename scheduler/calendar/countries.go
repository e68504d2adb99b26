package calendar

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/at"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/be"
	"github.com/rickar/cal/v2/bg"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/cz"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/es"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hr"
	"github.com/rickar/cal/v2/ie"
	"github.com/rickar/cal/v2/it"
	"github.com/rickar/cal/v2/jp"
	"github.com/rickar/cal/v2/lt"
	"github.com/rickar/cal/v2/lv"
	"github.com/rickar/cal/v2/mw"
	"github.com/rickar/cal/v2/nc"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/no"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/pl"
	"github.com/rickar/cal/v2/ro"
	"github.com/rickar/cal/v2/ru"
	"github.com/rickar/cal/v2/se"
	"github.com/rickar/cal/v2/si"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/ua"
	"github.com/rickar/cal/v2/us"
	"github.com/rickar/cal/v2/za"

	"curfew/scheduler/plan"
)

// A country is the rules of its national holidays, by region where no list of the
// whole country exists. The zero value has none.
type country struct {
	code    string
	regions [][]*cal.Holiday
}

// Countries are the codes (ISO 3166-1 alpha-2, upper case, ascending) of which the
// national holidays are known.
func Countries() []string { return slices.Sorted(maps.Keys(national())) }

func lookup(code string) (country, bool) {
	code = strings.ToUpper(code)
	if code == "AU" {
		return country{code, australia()}, true
	}
	rules, ok := national()[code]
	return country{code, [][]*cal.Holiday{rules}}, ok
}

func national() map[string][]*cal.Holiday {
	return map[string][]*cal.Holiday{
		"AR": ar.Holidays,
		"AT": at.Holidays,
		"AU": au.HolidaysNSW, // one of the regions of australia
		"BE": be.Holidays,
		"BG": bg.Holidays,
		"BR": br.Holidays,
		"CA": ca.Holidays,
		"CH": ch.Holidays,
		"CZ": cz.Holidays,
		"DE": de.Holidays,
		"DK": dk.Holidays,
		"ES": es.Holidays,
		"FR": fr.Holidays,
		"GB": gb.Holidays,
		"GR": gr.Holidays,
		"HR": hr.Holidays,
		"IE": ie.Holidays,
		"IT": it.Holidays,
		"JP": jp.Holidays,
		"LT": lt.Holidays,
		"LV": lv.Holidays,
		"MW": mw.Holidays,
		"NC": nc.Holidays,
		"NL": nl.Holidays,
		"NO": no.Holidays,
		"NZ": nz.Holidays,
		"PL": pl.Holidays,
		"RO": ro.Holidays,
		"RU": ru.Holidays,
		"SE": se.Holidays,
		"SI": si.Holidays,
		"SK": sk.Holidays,
		"UA": ua.Holidays,
		"US": us.Holidays,
		"ZA": za.Holidays,
	}
}

// australia lists the holidays of its states and territories: it has no national list.
func australia() [][]*cal.Holiday {
	return [][]*cal.Holiday{
		au.HolidaysNSW, au.HolidaysACT, au.HolidaysNT, au.HolidaysQLD, au.HolidaysSA, au.HolidaysTAS, au.HolidaysVIC, au.HolidaysWA,
	}
}

// year names the days of one year that are holidays in every region.
func (c country) year(year int) map[plan.Date]string {
	found := map[plan.Date]string{}
	for i, rules := range c.regions {
		region := holidays(rules, year)
		if i == 0 {
			found = region
		}
		maps.DeleteFunc(found, func(d plan.Date, _ string) bool { return region[d] == "" })
	}
	return found
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
