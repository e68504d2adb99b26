package calendar

import (
	"slices"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/ar"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/br"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/dk"
	"github.com/rickar/cal/v2/gr"
	"github.com/rickar/cal/v2/hu"
	"github.com/rickar/cal/v2/is"
	"github.com/rickar/cal/v2/lu"
	"github.com/rickar/cal/v2/mw"
	"github.com/rickar/cal/v2/mx"
	"github.com/rickar/cal/v2/nl"
	"github.com/rickar/cal/v2/nz"
	"github.com/rickar/cal/v2/ru"
	"github.com/rickar/cal/v2/sk"
	"github.com/rickar/cal/v2/ua"
)

// Rules that the library lacks are made with these.

func fixed(month time.Month, day int, name string) *cal.Holiday {
	return &cal.Holiday{Name: name, Month: month, Day: day, Func: cal.CalcDayOfMonth}
}

// once is a day of one year.
func once(year int, month time.Month, day int, name string) *cal.Holiday {
	h := fixed(month, day, name)
	h.StartYear, h.EndYear = year, year
	return h
}

// easter is a day so many days after Easter Sunday.
func easter(offset int, name string) *cal.Holiday {
	return &cal.Holiday{Name: name, Offset: offset, Func: cal.CalcEasterOffset}
}

func orthodox(offset int, name string) *cal.Holiday {
	return &cal.Holiday{Name: name, Offset: offset, Julian: true, Func: cal.CalcEasterOffset}
}

// nth is the nth such weekday of a month, counted from its end when n is negative.
func nth(month time.Month, n int, day time.Weekday, name string) *cal.Holiday {
	return &cal.Holiday{Name: name, Month: month, Weekday: day, Offset: n, Func: cal.CalcWeekdayOffset}
}

// moving is a day that the law moves: it returns the day on which it is.
func moving(name string, day func(year int) time.Time) *cal.Holiday {
	return &cal.Holiday{Name: name, Func: func(_ *cal.Holiday, year int) time.Time { return day(year) }}
}

func since(year int, h *cal.Holiday) *cal.Holiday { return h.Clone(&cal.Holiday{StartYear: year}) }

func until(year int, h *cal.Holiday) *cal.Holiday { return h.Clone(&cal.Holiday{EndYear: year}) }

func called(name string, h *cal.Holiday) *cal.Holiday { return h.Clone(&cal.Holiday{Name: name}) }

// observed adds a day off when the holiday is on such a weekday.
func observed(h *cal.Holiday, days ...cal.AltDay) *cal.Holiday {
	return h.Clone(&cal.Holiday{Observed: days})
}

func toMonday() []cal.AltDay {
	return []cal.AltDay{{Day: time.Saturday, Offset: 2}, {Day: time.Sunday, Offset: 1}}
}

func sunday(days int) cal.AltDay { return cal.AltDay{Day: time.Sunday, Offset: days} }

func on(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// with is a list and more rules.
func with(list []*cal.Holiday, more ...*cal.Holiday) []*cal.Holiday { return slices.Concat(list, more) }

// without is a list less some of its rules.
func without(list []*cal.Holiday, gone ...*cal.Holiday) []*cal.Holiday {
	return slices.DeleteFunc(slices.Clone(list), func(h *cal.Holiday) bool { return slices.Contains(gone, h) })
}

// argentina has the holidays that law 27.399 moves on the day to which it moves them,
// and Good Friday in place of Maundy Thursday, which employers may choose to give.
func argentina() []*cal.Holiday {
	list := without(ar.Holidays, ar.EasternsDay, ar.GuemesDay, ar.BelgranoDay, ar.SanMartinDay, ar.DiversityDay, ar.SovereigntyDay)
	list = with(list, easter(-2, "Viernes Santo"), fixed(time.June, 20, ar.BelgranoDay.Name))
	for _, h := range []*cal.Holiday{ar.GuemesDay, ar.SanMartinDay, ar.DiversityDay, ar.SovereigntyDay} {
		list = append(list, moving(h.Name, func(year int) time.Time {
			day := on(year, h.Month, h.Day)
			switch day.Weekday() {
			case time.Tuesday, time.Wednesday:
				return day.AddDate(0, 0, int(time.Monday-day.Weekday()))
			case time.Thursday, time.Friday:
				return day.AddDate(0, 0, int(time.Monday-day.Weekday())+7)
			default:
				return day
			}
		}))
	}
	return list
}

// australia is what the acts of all states and territories share.
func australia() []*cal.Holiday {
	return []*cal.Holiday{au.NewYear, au.AustraliaDay, au.GoodFriday, au.EasterMonday, au.AnzacDay, au.ChristmasDay, au.BoxingDay}
}

// brazil: Carnival and Corpus Christi are optional by the yearly decree of the federal
// government (ponto facultativo), and holidays of some cities only.
func brazil() []*cal.Holiday { return without(br.Holidays, br.Carnaval, br.CorpusChristi) }

// canada is what the acts of all provinces and territories share. The Holidays Act
// moves Canada Day from a Sunday.
func canada() []*cal.Holiday {
	return []*cal.Holiday{ca.NewYear, ca.GoodFriday, observed(ca.CanadaDay, sunday(1)), ca.LabourDay, ca.ChristmasDay}
}

// denmark: 5 June is a day off of some trades and authorities only.
func denmark() []*cal.Holiday {
	return without(dk.Holidays, dk.Grundlovsdag)
}

// switzerland is what all cantons share.
func switzerland() []*cal.Holiday {
	return []*cal.Holiday{ch.Neujahr, ch.Auffahrt, ch.Bundesfeiertag, ch.Weihnachtstag}
}

func greece() []*cal.Holiday {
	return with(without(gr.Holidays, gr.Protoxronia), fixed(time.January, 1, "Πρωτοχρονιά"))
}

// hungary: a decree moves working days of each year to Saturdays; those of 2026.
func hungary() []*cal.Holiday {
	const name = "Pihenőnap"
	return with(hu.Holidays, once(2026, time.January, 2, name), once(2026, time.August, 21, name), once(2026, time.December, 24, name))
}

// iceland: by act 88/1971, 24 and 31 December are off from 13:00 only.
func iceland() []*cal.Holiday {
	return without(is.Holidays, is.Adfangadagur, is.Gamarsdagur)
}

// luxembourg: Europe Day is a holiday since 2019.
func luxembourg() []*cal.Holiday {
	return with(lu.Holidays, since(2019, fixed(time.May, 9, "Europadag")))
}

// malawi: after a Christmas on a Saturday, Monday and Tuesday are off. Eid al-Fitr, which
// is proclaimed when the moon is seen, is not known.
func malawi() []*cal.Holiday {
	boxing := observed(mw.BoxingDay, cal.AltDay{Day: time.Saturday, Offset: 2}, sunday(2))
	return with(without(mw.Holidays, mw.BoxingDay), boxing)
}

// mexico: Federal Labour Law, article 74. It moves three days to Mondays and none from
// weekends, and has the day on which a president takes office.
func mexico() []*cal.Holiday {
	office := fixed(time.October, 1, "Transmisión del Poder Ejecutivo Federal")
	office.Func = func(h *cal.Holiday, year int) time.Time {
		if year < 2024 || (year-2024)%6 != 0 {
			return time.Time{}
		}
		return cal.CalcDayOfMonth(h, year)
	}
	return []*cal.Holiday{
		fixed(time.January, 1, "Año Nuevo"), nth(time.February, 1, time.Monday, "Día de la Constitución"),
		nth(time.March, 3, time.Monday, "Natalicio de Benito Juárez"), fixed(time.May, 1, "Día del Trabajo"),
		fixed(time.September, 16, "Día de la Independencia"), office, nth(time.November, 3, time.Monday, mx.RevolutionDay.Name),
		fixed(time.December, 25, "Navidad"),
	}
}

// netherlands: Liberation Day is a day off each fifth year; Good Friday is one of some
// employers only; the King's Day of a Sunday is on Saturday.
func netherlands() []*cal.Holiday {
	list := without(nl.Holidays, nl.GoedeVrijdag, nl.Koningsdag, nl.BevrijdingsDag)
	king := moving("Koningsdag", func(year int) time.Time {
		if day := on(year, time.April, 27); day.Weekday() != time.Sunday {
			return day
		}
		return on(year, time.April, 26)
	})
	king.StartYear = 2014
	liberation := moving("Bevrijdingsdag", func(year int) time.Time {
		if year%5 != 0 {
			return time.Time{}
		}
		return on(year, time.May, 5)
	})
	return with(list, king, liberation)
}

// newZealand: Matariki is a holiday since 2022, on the days that its act lists until 2052.
func newZealand() []*cal.Holiday {
	matariki := nz.Matariki.Clone(&cal.Holiday{StartYear: 2022, EndYear: 2052})
	return with(without(nz.Holidays, nz.QueensBirthday), matariki, called("King's Birthday", nz.QueensBirthday))
}

// serbia: of the secular holidays, for one on a Sunday the next working day is off too.
func serbia() []*cal.Holiday {
	labour := moving("Praznik rada", func(year int) time.Time {
		first := on(year, time.May, 1)
		easterSunday := cal.CalcEasterOffset(&cal.Holiday{Julian: true}, year)
		switch {
		case first.Weekday() == time.Sunday:
			return first.AddDate(0, 0, 2)
		case first.Weekday() == time.Saturday && easterSunday.Month() == time.May && easterSunday.Day() == 2:
			return first.AddDate(0, 0, 3) // Easter Monday is between
		case first.Weekday() == time.Saturday:
			return first.AddDate(0, 0, 2)
		}
		return time.Time{}
	})
	return []*cal.Holiday{
		observed(fixed(time.January, 1, "Nova godina"), sunday(2)), observed(fixed(time.January, 2, "Nova godina"), sunday(1)),
		fixed(time.January, 7, "Božić"),
		observed(fixed(time.February, 15, "Dan državnosti"), sunday(2)), observed(fixed(time.February, 16, "Dan državnosti"), sunday(1)),
		orthodox(-2, "Veliki petak"), orthodox(-1, "Velika subota"), orthodox(0, "Vaskrs"), orthodox(1, "Vaskršnji ponedeljak"),
		fixed(time.May, 1, "Praznik rada"), fixed(time.May, 2, "Praznik rada"), labour,
		observed(fixed(time.November, 11, "Dan primirja u Prvom svetskom ratu"), sunday(1)),
	}
}

// russia: Labour Code, article 112: 1 to 8 January; other holidays move from weekends.
// The government moves the two weekend days of January by decree; those of 2026.
func russia() []*cal.Holiday {
	list := without(ru.Holidays, ru.NewYear, ru.OrthodoxChristmas)
	for _, day := range []int{1, 2, 3, 4, 5, 6, 8} {
		list = append(list, fixed(time.January, day, "Новогодние каникулы"))
	}
	return append(list, fixed(time.January, 7, "Рождество Христово"),
		once(2026, time.January, 9, "Новогодние каникулы"), once(2026, time.December, 31, "Новогодние каникулы"))
}

// slovakia: 1 September is worked since 2024 and 17 November since 2025; 8 May and
// 15 September were worked in 2026 alone. All by the acts that consolidate the budget.
func slovakia() []*cal.Holiday {
	list := without(sk.Holidays, sk.Constitution, sk.Freedom, sk.Liberation, sk.LadyOfSorrows)
	not2026 := &cal.Holiday{Except: []int{2026}}
	return with(list, until(2023, sk.Constitution), until(2024, sk.Freedom), sk.Liberation.Clone(not2026), sk.LadyOfSorrows.Clone(not2026))
}

// ukraine: Labour Code, article 73, as it is since 2024: Christmas on 25 December alone,
// 8 May in place of 9 May, 15 July, and 1 October in place of the 14th. Holidays on
// weekends move to the next working day. While martial law suspends them, they are
// working days.
func ukraine() []*cal.Holiday {
	easterMonday := moving("Великдень", func(year int) time.Time {
		sunday := cal.CalcEasterOffset(&cal.Holiday{Julian: true}, year)
		if sunday.Month() == time.May && sunday.Day() == 2 {
			return sunday.AddDate(0, 0, 2) // Monday is that of 1 May
		}
		return sunday.AddDate(0, 0, 1)
	})
	days := toMonday()
	return []*cal.Holiday{
		ua.NewYear, until(2023, ua.OrthodoxChristmas), ua.WomensDay, orthodox(0, "Великдень"), easterMonday, ua.LabourDay,
		until(2023, ua.VictoryDay), since(2024, observed(fixed(time.May, 8, "День пам’яті та перемоги над нацизмом"), days...)),
		observed(orthodox(49, "Трійця"), days...), ua.ConstitutionDay,
		since(2024, observed(fixed(time.July, 15, "День Української Державності"), days...)), ua.IndependenceDay,
		until(2022, ua.DefenderOfUkraineDay), since(2023, observed(fixed(time.October, 1, "День захисників і захисниць України"), days...)),
		since(2017, observed(fixed(time.December, 25, "Різдво Христове"), days...)),
	}
}
