package calendar

import (
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/au"
	"github.com/rickar/cal/v2/ca"
	"github.com/rickar/cal/v2/ch"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/fr"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/pt"
)

// australianStates: Easter Sunday is a holiday of Western Australia since 2022 and of
// South Australia since 2024; New South Wales adds the Monday after ANZAC Day in 2026
// and 2027. The birthday is the King's since 2023.
func australianStates() map[string][]*cal.Holiday {
	kings := func(list []*cal.Holiday, queens *cal.Holiday) []*cal.Holiday {
		return with(without(list, queens), called("King's Birthday", queens))
	}
	return map[string][]*cal.Holiday{
		"ACT": kings(au.HolidaysACT, au.QueensBirthday),
		"NSW": with(kings(au.HolidaysNSW, au.QueensBirthday), once(2026, time.April, 27, "ANZAC Day (additional)"), once(2027, time.April, 26, "ANZAC Day (additional)")),
		"NT":  kings(au.HolidaysNT, au.QueensBirthday),
		"QLD": kings(au.HolidaysQLD, au.QueensBirthdayQld),
		"SA":  with(kings(au.HolidaysSA, au.QueensBirthday), since(2024, au.EasterSunday)),
		"TAS": kings(au.HolidaysTAS, au.QueensBirthday),
		"VIC": kings(au.HolidaysVIC, au.QueensBirthday),
		"WA":  with(au.HolidaysWA, since(2022, au.EasterSunday)),
	}
}

// canadianProvinces are the general holidays of the employment standards acts.
func canadianProvinces() map[string][]*cal.Holiday {
	all := canada()
	february := func(name string) *cal.Holiday { return nth(time.February, 3, time.Monday, name) }
	august := func(name string) *cal.Holiday { return nth(time.August, 1, time.Monday, name) }
	truth := fixed(time.September, 30, ca.NationalDayForTruthAndReconciliation.Name)
	remembrance := fixed(time.November, 11, ca.RemembranceDay.Name)
	indigenous := fixed(time.June, 21, "National Indigenous Peoples Day")
	return map[string][]*cal.Holiday{
		"AB": with(all, february("Family Day"), ca.VictoriaDay, ca.ThanksgivingDay, remembrance),
		"BC": with(all, february("Family Day"), ca.VictoriaDay, august("British Columbia Day"), since(2023, truth), ca.ThanksgivingDay, remembrance),
		"MB": with(all, february("Louis Riel Day"), ca.VictoriaDay, since(2024, truth), ca.ThanksgivingDay),
		"NB": with(all, february("Family Day"), august("New Brunswick Day"), remembrance),
		"NL": with(all, remembrance),
		"NS": with(all, february("Heritage Day"), remembrance),
		"NT": with(all, ca.VictoriaDay, indigenous, august("Civic Holiday"), since(2022, truth), ca.ThanksgivingDay, remembrance),
		"NU": with(all, ca.VictoriaDay, since(2020, fixed(time.July, 9, "Nunavut Day")), august("Civic Holiday"), since(2022, truth), ca.ThanksgivingDay, remembrance),
		"ON": with(all, february("Family Day"), ca.VictoriaDay, ca.ThanksgivingDay, ca.BoxingDay),
		"PE": with(all, february("Islander Day"), since(2022, truth), remembrance),
		"QC": with(all, called("Journée nationale des patriotes", ca.VictoriaDay), observed(fixed(time.June, 24, "Fête nationale"), sunday(1)), ca.ThanksgivingDay), //nolint:misspell // French
		"SK": with(all, february("Family Day"), ca.VictoriaDay, august("Saskatchewan Day"), ca.ThanksgivingDay, remembrance),
		"YT": with(all, ca.VictoriaDay, indigenous, nth(time.August, 3, time.Monday, "Discovery Day"), since(2023, truth), ca.ThanksgivingDay, remembrance),
	}
}

// cantons are the days that the Federal Office of Justice lists as holidays of the whole
// canton (Gesetzliche Feiertage, table of the cantons). Of Aargau, Fribourg and
// Solothurn, whose districts differ, it is what they share.
func cantons() map[string][]*cal.Holiday {
	stephen := ch.ZweiterWeihnachtsfeiertag
	// In some cantons three days off do not follow each other.
	single := moving(stephen.Name, func(year int) time.Time {
		day := on(year, time.December, 26)
		if day.Weekday() == time.Tuesday || day.Weekday() == time.Saturday {
			return time.Time{}
		}
		return day
	})
	// In Neuchâtel the second day is off when the first is a Sunday.
	monday := func(month time.Month, day int, name string) *cal.Holiday {
		return moving(name, func(year int) time.Time {
			if d := on(year, month, day); d.Weekday() == time.Monday {
				return d
			}
			return time.Time{}
		})
	}
	naefels := moving("Näfelser Fahrt", func(year int) time.Time {
		day := cal.DayStart(cal.WeekdayN(year, time.April, time.Thursday, 1))
		if day.Equal(cal.CalcEasterOffset(&cal.Holiday{Offset: -3}, year)) {
			return day.AddDate(0, 0, 7)
		}
		return day
	})
	afterSunday := func(n, days int, name string) *cal.Holiday {
		h := nth(time.September, n, time.Sunday, name)
		h.CalcOffset = days
		return h
	}
	common := switzerland()
	friday := with(common, ch.Karfreitag)
	mondays := with(friday, ch.Ostermontag, ch.Pfingstmontag)
	labour := with(mondays, ch.TagderArbeit, stephen)
	catholic := []*cal.Holiday{ch.Fronleichnam, ch.MariaHimmelfahrt, ch.Allerheiligen, ch.MariaEmpfangnis}
	return map[string][]*cal.Holiday{
		"AG": friday,
		"AI": with(with(mondays, catholic...), single),
		"AR": with(mondays, single),
		"BE": with(mondays, ch.Berchtoldstag, stephen),
		"BL": labour,
		"BS": labour,
		"FR": friday,
		"GE": with(mondays, afterSunday(1, 4, "Jeûne genevois"), fixed(time.December, 31, "Restauration de la République")), //nolint:misspell // French
		"GL": with(mondays, naefels, ch.Allerheiligen, stephen),
		"GR": with(common, ch.Ostermontag, ch.Pfingstmontag, stephen),
		"JU": with(mondays, ch.Berchtoldstag, ch.TagderArbeit, ch.Fronleichnam, fixed(time.June, 23, "Commémoration du plébiscite"), ch.MariaHimmelfahrt, ch.Allerheiligen),
		"LU": with(with(mondays, catholic...), ch.Berchtoldstag, stephen),
		"NE": with(friday, monday(time.January, 2, ch.Berchtoldstag.Name), fixed(time.March, 1, "Instauration de la République"), ch.TagderArbeit, monday(time.December, 26, stephen.Name)),
		"NW": with(with(friday, catholic...), ch.Josefstag),
		"OW": with(with(friday, catholic...), fixed(time.September, 25, "Bruder Klaus")),
		"SG": with(mondays, ch.Allerheiligen, stephen),
		"SH": labour,
		"SO": friday,
		"SZ": with(with(mondays, catholic...), ch.HeiligeDreiKoenige, ch.Josefstag, stephen),
		"TG": with(labour, ch.Berchtoldstag),
		"TI": with(with(common, catholic...), ch.HeiligeDreiKoenige, ch.Josefstag, ch.Ostermontag, ch.TagderArbeit, ch.Pfingstmontag, fixed(time.June, 29, "Peter und Paul"), stephen),
		"UR": with(with(mondays, catholic...), ch.HeiligeDreiKoenige, ch.Josefstag, single),
		"VD": with(mondays, ch.Berchtoldstag, afterSunday(3, 1, "Lundi du Jeûne fédéral")),
		"VS": with(with(common, catholic...), ch.Josefstag),
		"ZG": with(friday, catholic...),
		"ZH": labour,
	}
}

// germanStates: Women's Day is a holiday of Mecklenburg-Vorpommern since 2023 and of
// Berlin since 2019; Berlin has single days in 2025 and 2028; Brandenburg lists two
// Sundays. What only some communities have, such as 15 August in Bavaria, is left out.
func germanStates() map[string][]*cal.Holiday {
	return map[string][]*cal.Holiday{
		"BB": with(de.HolidaysBB, easter(0, "Ostersonntag"), easter(49, "Pfingstsonntag")),
		"BE": with(without(de.HolidaysBE, de.Frauentag), since(2019, de.Frauentag),
			once(2025, time.May, 8, "80. Jahrestag der Befreiung"), once(2028, time.June, 17, "75. Jahrestag des Aufstandes vom 17. Juni 1953")),
		"BW": de.HolidaysBW,
		"BY": de.HolidaysBY,
		"HB": de.HolidaysHB,
		"HE": de.HolidaysHE,
		"HH": de.HolidaysHH,
		"MV": with(de.HolidaysMV, since(2023, de.Frauentag)),
		"NI": de.HolidaysNI,
		"NW": de.HolidaysNW,
		"RP": de.HolidaysRP,
		"SH": de.HolidaysSH,
		"SL": de.HolidaysSL,
		"SN": de.HolidaysSN,
		"ST": de.HolidaysST,
		"TH": de.HolidaysTH,
	}
}

// frenchParts are the departments in which the Code du travail (L3134-13) keeps two
// holidays more: Moselle, Bas-Rhin, Haut-Rhin, and Alsace as a whole.
func frenchParts() map[string][]*cal.Holiday {
	local := with(fr.Holidays, easter(-2, "Vendredi saint"), fixed(time.December, 26, "Saint-Étienne"))
	return map[string][]*cal.Holiday{"57": local, "67": local, "68": local, "6AE": local}
}

// britishParts: Banking and Financial Dealings Act 1971, schedule 1, and the St Andrew's
// Day Bank Holiday (Scotland) Act 2007. Scotland had a day of its own in June 2026.
func britishParts() map[string][]*cal.Holiday {
	days := toMonday()
	saturday := cal.AltDay{Day: time.Saturday, Offset: 2}
	scotland := with(without(gb.Holidays, gb.NewYear, gb.EasterMonday, gb.SummerHoliday),
		observed(fixed(time.January, 1, "New Year's Day"), saturday, sunday(2)),
		observed(fixed(time.January, 2, "2nd January"), saturday, sunday(2)),
		gb.SummerHolidayScotland, once(2026, time.June, 15, "World Cup bank holiday"),
		observed(fixed(time.November, 30, "St Andrew's Day"), days...))
	return map[string][]*cal.Holiday{
		"ENG": gb.Holidays,
		"WLS": gb.Holidays,
		"SCT": scotland,
		"NIR": with(gb.Holidays, observed(fixed(time.March, 17, "St Patrick's Day"), days...), observed(fixed(time.July, 12, "Battle of the Boyne"), days...)),
	}
}

// portugueseParts are the autonomous regions: the Azores (20) and Madeira (30).
func portugueseParts() map[string][]*cal.Holiday {
	return map[string][]*cal.Holiday{
		"20": with(pt.Holidays, easter(50, "Dia da Região Autónoma dos Açores")),
		"30": with(pt.Holidays, fixed(time.July, 1, "Dia da Região Autónoma da Madeira"), fixed(time.December, 26, "Primeira Oitava")),
	}
}
