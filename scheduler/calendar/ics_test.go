package calendar

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/zone"
)

// ics wraps the lines of events into a file with the line ends of the standard.
func ics(lines ...string) []byte {
	all := append([]string{"BEGIN:VCALENDAR", "VERSION:2.0"}, lines...)
	return []byte(strings.Join(append(all, "END:VCALENDAR", ""), "\r\n"))
}

func vevent(lines ...string) []string {
	return append(append([]string{"BEGIN:VEVENT", "UID:1"}, lines...), "END:VEVENT")
}

// daysOf are all days of a file, read in Berlin.
func daysOf(src []byte) ([]Range, error) {
	file, err := ReadICS(src, Zones{Default: zoneOf("Europe/Berlin"), Named: zoneOf})
	if err != nil {
		return nil, err
	}
	days, _ := file.Days(Filter{})
	return days, nil
}

func zoneOf(name string) *time.Location {
	loc, err := zone.Load(name)
	if err != nil {
		return nil
	}
	return loc
}

func TestReadICS(t *testing.T) {
	tests := []struct {
		name  string
		event []string
		want  string
	}{
		{"an all-day event is its day", []string{"DTSTART;VALUE=DATE:20261224", "SUMMARY:Eve"}, "2026-12-24/2026-12-24 Eve"},
		{"its end is exclusive", []string{"DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227"}, "2026-12-24/2026-12-26"},
		{"an end on the day itself is one day", []string{"DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261224"}, "2026-12-24/2026-12-24"},
		{"a duration in days", []string{"DTSTART;VALUE=DATE:20261224", "DURATION:P2D"}, "2026-12-24/2026-12-25"},
		{"an event within a day takes none", []string{"DTSTART:20261224T120000", "DTEND:20261224T130000"}, ""},
		{"an event from noon to midnight takes none", []string{"DTSTART:20261224T120000", "DTEND:20261225T000000"}, ""},
		{"an event takes the days that it covers whole", []string{"DTSTART:20261223T120000", "DTEND:20261226T080000"}, "2026-12-24/2026-12-25"},
		{"from midnight to midnight is the day", []string{"DTSTART:20261224T000000", "DTEND:20261225T000000"}, "2026-12-24/2026-12-24"},
		{"to the last minute is the day", []string{"DTSTART:20261224T000000", "DTEND:20261224T235900"}, "2026-12-24/2026-12-24"},
		{"a zone by an unknown name is no obstacle", []string{"DTSTART;TZID=\"Far Standard Time\":20261224T000000", "DURATION:P1D"}, "2026-12-24/2026-12-24"},
		{"how often an event within a day repeats does not matter", []string{"DTSTART:20261224T120000", "RRULE:FREQ=SECONDLY"}, ""},
		{"an empty property is none", []string{"DTSTART;VALUE=DATE:20261224", "DTEND:", "DURATION: ", "RRULE:", "RDATE:", "EXDATE:", "RECURRENCE-ID:"}, "2026-12-24/2026-12-24"},
		{"COUNT below 1 is no count, and UNTIL holds", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=DAILY;COUNT=0;UNTIL=20261225"}, "2026-12-24/2026-12-24, 2026-12-25/2026-12-25"},
		{"UNTIL in UTC is an instant on the clock of the event", []string{"DTSTART;TZID=America/Los_Angeles:20261223T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;UNTIL=20261225T075959Z"}, "2026-12-23/2026-12-23, 2026-12-24/2026-12-24"},
		{"UNTIL with the offset of its date", []string{"DTSTART;TZID=Europe/Berlin:20261023T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;UNTIL=20261025T220000Z"}, "2026-10-23/2026-10-23, 2026-10-24/2026-10-24, 2026-10-25/2026-10-25"},
		{"UNTIL of an all-day event, written as midnight in UTC, is that day", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=DAILY;UNTIL=20261225T000000Z"}, "2026-12-24/2026-12-24, 2026-12-25/2026-12-25"},
		{"UNTIL of an all-day event as an instant, in the zone of the file", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=DAILY;UNTIL=20261224T230000Z"}, "2026-12-24/2026-12-24, 2026-12-25/2026-12-25"},
		{"an UNTIL that is never comes is none", []string{"DTSTART;VALUE=DATE:20981224", "RRULE:FREQ=YEARLY;UNTIL=99991231T000000Z"}, "2098-12-24/2098-12-24, 2099-12-24/2099-12-24, 2100-12-24/2100-12-24"},
		{"EXDATE in UTC is an instant", []string{"DTSTART;TZID=Europe/Berlin:20261224T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261223T230000Z"}, "2026-12-25/2026-12-25"},
		{"EXDATE in another zone is an instant", []string{"DTSTART;TZID=Europe/Berlin:20261224T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;TZID=America/New_York:20261223T180000"}, "2026-12-25/2026-12-25"},
		{"EXDATE in UTC of an all-day event", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE:20261223T230000Z"}, "2026-12-25/2026-12-25"},
		{"EXDATE as a day takes out what begins on it", []string{"DTSTART;TZID=Europe/Berlin:20261224T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;COUNT=2", "EXDATE;VALUE=DATE:20261224"}, "2026-12-25/2026-12-25"},
		{"EXDATE at another time of the day takes nothing out", []string{"DTSTART;TZID=Europe/Berlin:20261223T120000", "DURATION:P2D", "EXDATE;TZID=Europe/Berlin:20261223T000000"}, "2026-12-24/2026-12-24"},
		{"RDATE in UTC", []string{"DTSTART;TZID=Europe/Berlin:20261224T000000", "DURATION:P1D", "RDATE:20261230T230000Z"}, "2026-12-24/2026-12-24, 2026-12-31/2026-12-31"},
		{"RDATE as a period has its own length", []string{"DTSTART;TZID=Europe/Berlin:20261224T000000", "DURATION:P1D", "RDATE;VALUE=PERIOD:20261230T230000Z/P2D"}, "2026-12-24/2026-12-24, 2026-12-31/2027-01-01"},
		{"UTC is read in the zone of the file", []string{"DTSTART:20261223T230000Z", "DTEND:20261224T230000Z"}, "2026-12-24/2026-12-24"},
		{"UTC is read in summer too", []string{"DTSTART:20260623T220000Z", "DTEND:20260624T220000Z"}, "2026-06-24/2026-06-24"},
		{"from midnight to midnight in UTC is what is written", []string{"DTSTART:20261224T000000Z", "DTEND:20261225T000000Z"}, "2026-12-24/2026-12-24"},
		{"to the last second in UTC is what is written", []string{"DTSTART:20261224T000000Z", "DTEND:20261225T235959Z"}, "2026-12-24/2026-12-25"},
		{"a day of another zone is that day", []string{"DTSTART;TZID=Asia/Tokyo:20261224T000000", "DTEND;TZID=Asia/Tokyo:20261225T000000"}, "2026-12-24/2026-12-24"},
		{"an end in UTC is an instant", []string{"DTSTART;TZID=Asia/Tokyo:20261224T000000", "DTEND:20261224T150000Z"}, "2026-12-24/2026-12-24"},
		{"a TZID may hold colons", []string{"DTSTART;TZID=tzone://Microsoft/Utc:20261224T000000", "DTEND;TZID=tzone://Microsoft/Utc:20261225T000000"}, "2026-12-24/2026-12-24"},
		{"a TZID may end in an IANA name", []string{"DTSTART;TZID=/example.org/2024_1/America/New_York:20261224T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;UNTIL=20261225T050000Z"}, "2026-12-24/2026-12-24, 2026-12-25/2026-12-25"},
		{"a fold may lie within a character", []string{"DTSTART:20261224", "SUMMARY:F\xc3", " \xaate"}, "2026-12-24/2026-12-24 Fête"},
		{"a fold may begin with a tab", []string{"DTSTART:202612", "\t24"}, "2026-12-24/2026-12-24"},
		{"a year that cannot matter leaves the event out", []string{"DTSTART:00010101", "DTEND:00010102"}, ""},
		{"so does one that never comes", []string{"DTSTART:99991231"}, ""},
		{"an end that never comes leaves the event out", []string{"DTSTART:20261224", "DTEND:99991231"}, ""},
		{"a yearly event of long ago repeats", []string{"DTSTART;VALUE=DATE:16041224", "RRULE:FREQ=YEARLY;UNTIL=19011231"}, "1900-12-24/1900-12-24, 1901-12-24/1901-12-24"},
		{"an exception of long ago is none", []string{"DTSTART:20261224", "EXDATE:18991230T000000"}, "2026-12-24/2026-12-24"},
		{"lines that do not matter may be of any length", []string{"DTSTART:20261224", "ATTACH:" + strings.Repeat("x", 2*maxLine), "DESCRIPTION:" + strings.Repeat("x", 2*maxLine)}, "2026-12-24/2026-12-24"},
		{"a broken line that does not matter is none", []string{"DTSTART:20261224", "DESCRIPTION:a", "b"}, "2026-12-24/2026-12-24"},
		{"a cancelled event does not count", []string{"DTSTART;VALUE=DATE:20261224", "STATUS:CANCELLED"}, ""},
		{"a folded line is one", []string{"DTSTART;VALUE=DATE:20261224", "SUMMARY:Christ", " mas"}, "2026-12-24/2026-12-24 Christmas"},
		{"lines that do not matter may be broken", []string{"DTSTART:20261224", "DESCRIPTION;X:\x01", "X-A;B=\"c:d"}, "2026-12-24/2026-12-24"},
		{"an event may repeat", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=YEARLY;COUNT=2"}, "2026-12-24/2026-12-24, 2027-12-24/2027-12-24"},
		{"the last day of a rule is part of it", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=DAILY;UNTIL=20261225"}, "2026-12-24/2026-12-24, 2026-12-25/2026-12-25"},
		{"EXDATE takes repetitions away", []string{"DTSTART;VALUE=DATE:20261224", "RRULE:FREQ=DAILY;COUNT=4", "EXDATE;VALUE=DATE:20261225,20261226"}, "2026-12-24/2026-12-24, 2026-12-27/2026-12-27"},
		{"RDATE adds some", []string{"DTSTART;VALUE=DATE:20261224", "RDATE;VALUE=DATE:20270101"}, "2026-12-24/2026-12-24, 2027-01-01/2027-01-01"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := daysOf(ics(vevent(tt.event...)...))
			if err != nil || describe(got) != tt.want {
				t.Errorf("ReadICS = %s, %v, want %s", describe(got), err, tt.want)
			}
		})
	}
}

func describe(list []Range) string {
	var parts []string
	for _, r := range list {
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s/%s %s", r.First, r.Last, r.Name)))
	}
	return strings.Join(parts, ", ")
}

func TestVersions(t *testing.T) {
	weekly := vevent("DTSTART;VALUE=DATE:20261204", "RRULE:FREQ=WEEKLY;COUNT=3")
	tests := []struct {
		name   string
		events [][]string
		want   string
	}{
		{"a replaced repetition moves", [][]string{weekly, vevent("RECURRENCE-ID;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261210")}, "2026-12-04 2026-12-18 2026-12-10"},
		{"a cancelled repetition is taken out", [][]string{weekly, vevent("RECURRENCE-ID;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261211", "STATUS:CANCELLED")}, "2026-12-04 2026-12-18"},
		{"a repetition that becomes a meeting is taken out", [][]string{weekly, vevent("RECURRENCE-ID;VALUE=DATE:20261211", "DTSTART:20261211T100000", "DTEND:20261211T110000")}, "2026-12-04 2026-12-18"},
		{"RECURRENCE-ID in UTC is an instant", [][]string{
			vevent("DTSTART;TZID=America/New_York:20261204T000000", "DURATION:P1D", "RRULE:FREQ=WEEKLY;COUNT=2"),
			vevent("RECURRENCE-ID:20261211T050000Z", "DTSTART;VALUE=DATE:20261210"),
		}, "2026-12-04 2026-12-10"},
		{"the higher SEQUENCE stands, as a number", [][]string{vevent("SEQUENCE:10", "DTSTART:20261210"), vevent("SEQUENCE:9", "DTSTART:20261209")}, "2026-12-10"},
		{"the higher SEQUENCE of a replaced repetition stands", [][]string{
			weekly,
			vevent("SEQUENCE:2", "RECURRENCE-ID;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261210"), vevent("SEQUENCE:1", "RECURRENCE-ID;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261209"),
		}, "2026-12-04 2026-12-18 2026-12-10"},
		{"equal numbers all stand", [][]string{vevent("DTSTART:20261210"), vevent("SEQUENCE:0", "DTSTART:20261209")}, "2026-12-10 2026-12-09"},
		{"a cancelled one takes the event away", [][]string{vevent("SEQUENCE:1", "STATUS:CANCELLED", "DTSTART:20261211"), vevent("DTSTART:20261210")}, ""},
		{"one of the same number takes what begins with it", [][]string{vevent("DTSTART:20261210"), vevent("DTSTART:20261209"), vevent("STATUS:CANCELLED", "DTSTART:20261210")}, "2026-12-09"},
		{"a cancelled one without a begin takes all", [][]string{vevent("DTSTART:20261210"), vevent("SEQUENCE:1", "STATUS:CANCELLED")}, ""},
		{"a cancelled series has no replaced repetitions", [][]string{append(vevent("SEQUENCE:1", "STATUS:CANCELLED"), weekly...), vevent("RECURRENCE-ID;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261210")}, ""},
		{"RANGE=THISANDFUTURE moves what follows", [][]string{weekly, vevent("RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261210")}, "2026-12-04 2026-12-10 2026-12-17"},
		{"and gives it its length", [][]string{weekly, vevent("RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20261218", "DTSTART;VALUE=DATE:20261217", "DURATION:P2D")}, "2026-12-04 2026-12-11 2026-12-17/2026-12-18"},
		{"a single replacement after it stands", [][]string{
			weekly, vevent("RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261210"),
			vevent("RECURRENCE-ID;VALUE=DATE:20261218", "DTSTART;VALUE=DATE:20261222"),
		}, "2026-12-04 2026-12-10 2026-12-22"},
		{"a cancelled rest ends the series", [][]string{weekly, vevent("RECURRENCE-ID;RANGE=THISANDFUTURE;VALUE=DATE:20261211", "DTSTART;VALUE=DATE:20261211", "STATUS:CANCELLED")}, "2026-12-04"},
		{"events without a UID have nothing to do with each other", [][]string{
			{"BEGIN:VEVENT", "DTSTART:20261209", "END:VEVENT"}, {"BEGIN:VEVENT", "SEQUENCE:1", "DTSTART:20261210", "END:VEVENT"},
		}, "2026-12-09 2026-12-10"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			days, err := daysOf(ics(slices.Concat(tt.events...)...))
			var got []string
			for _, d := range days {
				got = append(got, strings.TrimSuffix(d.First.String()+"/"+d.Last.String(), "/"+d.First.String()))
			}
			if s := strings.Join(got, " "); err != nil || s != tt.want {
				t.Errorf("days = %s, %v, want %s", s, err, tt.want)
			}
		})
	}
}

// vtimezone has the rules of Berlin under a name that means nothing elsewhere.
func vtimezone(name string) []string {
	return []string{
		"BEGIN:VTIMEZONE", "TZID:" + name,
		"BEGIN:STANDARD", "DTSTART:16010101T030000", "TZOFFSETFROM:+0200", "TZOFFSETTO:+0100", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10", "END:STANDARD",
		"BEGIN:DAYLIGHT", "DTSTART:16010101T020000", "TZOFFSETFROM:+0100", "TZOFFSETTO:+0200", "RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3", "END:DAYLIGHT",
		"END:VTIMEZONE",
	}
}

func TestZonesOfTheFile(t *testing.T) {
	until := func(zone, until string) []string {
		return vevent("DTSTART;TZID="+zone+":20260623T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;UNTIL="+until)
	}
	tests := []struct {
		name  string
		lines []string
		want  int // days
	}{
		{"VTIMEZONE in summer", append(vtimezone("Home"), until("Home", "20260623T220000Z")...), 2},
		{"a second before", append(vtimezone("Home"), until("Home", "20260623T215959Z")...), 1},
		{"VTIMEZONE in winter", append(vtimezone("Home"), vevent("DTSTART;TZID=Home:20261224T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;UNTIL=20261224T225959Z")...), 1},
		{"a name with a comma", append(vtimezone(`(UTC+01:00) Amsterdam\, Berlin`), until(`(UTC+01:00) Amsterdam\, Berlin`, "20260623T220000Z")...), 2},
		{"a zone without rules is none", append([]string{"BEGIN:VTIMEZONE", "TZID:Home", "END:VTIMEZONE"}, until("Home", "20260623T220000Z")...), 2},
		{"X-WR-TIMEZONE holds for UTC", append([]string{"X-WR-TIMEZONE:Asia/Tokyo"}, vevent("DTSTART:20261223T150000Z", "DTEND:20261224T150000Z")...), 1},
		{"and not for a day as written", append([]string{"X-WR-TIMEZONE:Asia/Tokyo"}, vevent("DTSTART:20261223T000000Z", "DTEND:20261224T000000Z")...), 1},
		{"nor does the zone of the schedules then", append([]string{"X-WR-TIMEZONE:Asia/Tokyo"}, vevent("DTSTART:20261223T230000Z", "DTEND:20261224T230000Z")...), 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := daysOf(ics(tt.lines...)); err != nil || len(got) != tt.want {
				t.Errorf("days = %s, %v, want %d", describe(got), err, tt.want)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	file, err := ReadICS(ics(slices.Concat(
		[]string{"BEGIN:VEVENT", "DTSTART:20261201", "SUMMARY:Office Closed", "CATEGORIES:Holiday,Berlin\\, Mitte", "END:VEVENT"},
		[]string{"BEGIN:VEVENT", "DTSTART:20261202", "SUMMARY:Pay day", "DESCRIPTION:line one\\nclosed/open", "END:VEVENT"},
		[]string{"BEGIN:VEVENT", "DTSTART:20261203T100000", "DURATION:PT1H", "SUMMARY:closed for an hour", "END:VEVENT"},
	)...), Zones{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		filter Filter
		want   string
		short  int
	}{
		{"no filter takes all", Filter{}, "1 2", 1},
		{"only, in any case", Filter{Only: []string{"*CLOSED"}}, "1", 0},
		{"a category", Filter{Only: []string{"holiday"}}, "1", 0},
		{"a category with a comma", Filter{Only: []string{"berlin, mitte"}}, "1", 0},
		{"the description, over lines and slashes", Filter{Only: []string{"*one*/open"}}, "2", 0},
		{"one of several", Filter{Only: []string{"pay*", "office*"}}, "1 2", 0},
		{"except beats only", Filter{Only: []string{"*closed*"}, Except: []string{"office*"}}, "2", 1},
		{"nothing", Filter{Only: []string{"absent"}}, "", 0},
		{"a class", Filter{Only: []string{"[op]*"}}, "1 2", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			days, short := file.Days(tt.filter)
			var got []string
			for _, d := range days {
				got = append(got, strconv.Itoa(d.First.Day))
			}
			if s := strings.Join(got, " "); s != tt.want || short != tt.short {
				t.Errorf("Days = %s, %d short, want %s, %d", s, short, tt.want, tt.short)
			}
		})
	}
}

func TestReadICSErrors(t *testing.T) {
	many := strings.Repeat(strings.Join(vevent("DTSTART:20261224", "RRULE:FREQ=DAILY;COUNT=1"), "\n")+"\n", maxRecurring+1)
	tests := []struct {
		name, src string
		line      int
		want      string
	}{
		{"nothing", "", 1, "empty"},
		{"a web page", "<html>\n", 1, "does not begin"},
		{"a line without a name", "BEGIN:VCALENDAR\nhello\n", 2, "no content line"},
		{"another format", "BEGIN:VCARD\nEND:VCARD\n", 1, "does not begin"},
		{"not text", "BEGIN:VCALENDAR\n\x00", 1, "not text"},
		{"cut off", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261224\n", 2, "cut off"},
		{"ends crossed", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", 3, "END:VEVENT is wanted"},
		{"end without begin", "BEGIN:VCALENDAR\nEND:VCALENDAR\nEND:VEVENT\n", 3, "without its BEGIN"},
		{"text after the end", "BEGIN:VCALENDAR\nEND:VCALENDAR\nX:1\n", 3, "outside"},
		{"event within an event", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VEVENT\n", 3, "within another"},
		{"nested too deep", "BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:X\n", 20), 11, "nested"},
		{"no day", string(ics(vevent("SUMMARY:x")...)), 3, "no DTSTART"},
		{"no date", string(ics(vevent("DTSTART:tomorrow")...)), 5, "not a date"},
		{"a date with a digit too few", string(ics(vevent("DTSTART:20261224", "DTEND:2026122")...)), 6, "not a date"},
		{"an exception that is no date", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=DAILY;UNTIL=soon")...)), 6, "not a date"},
		{"RANGE=THISANDPRIOR", string(ics(vevent("RECURRENCE-ID;RANGE=THISANDPRIOR:20261224", "DTSTART:20261224")...)), 5, "THISANDPRIOR"},
		{"a summary in Latin-1", string(ics(vevent("DTSTART:20261224", "SUMMARY:F\xeate")...)), 6, "UTF-8"},
		{"ends before it begins", string(ics(vevent("DTSTART:20261224", "DTEND:20261220")...)), 6, "ends before"},
		{"lasts for ever", string(ics(vevent("DTSTART:20261224", "DTEND:20991224")...)), 6, "ten years"},
		{"broken duration", string(ics(vevent("DTSTART:20261224", "DURATION:long")...)), 6, "not a duration"},
		{"broken rule", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=NEVER")...)), 6, "not a rule"},
		{"rule within the day", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=SECONDLY")...)), 6, "within a day"},
		{"interval that overflows", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=YEARLY;INTERVAL=9223372036854775807")...)), 6, "out of bounds"},
		{"a rule that the library panics on", string(ics(vevent("DTSTART:20261210", "RRULE:FREQ=MONTHLY;BYDAY=10MO;BYSETPOS=1")...)), 3, "simpler"},
		{"two rules", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=DAILY;COUNT=1", "RRULE:FREQ=DAILY;COUNT=1")...)), 7, "several"},
		{"broken exception", string(ics(vevent("DTSTART:20261224", "EXDATE:x")...)), 6, "not a date"},
		{"parameter that the parser panics on", string(ics(vevent("DTSTART;VALUE=DATE")...)), 5, "not valid"},
		{"too many repeating events", "BEGIN:VCALENDAR\n" + many + "END:VCALENDAR\n", 5*maxRecurring + 2, "repeating"},
		{"a line that goes on", string(ics(vevent("DTSTART:20261224", "EXDATE:"+strings.Repeat("20261224,", maxLine))...)), 6, "longer than"},
		{"parameters that go on", string(ics(vevent("DTSTART;X=" + strings.Repeat("x", maxParams) + ":20261224")...)), 5, "parameters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := daysOf([]byte(tt.src))
			var got *ICSError
			if !errors.As(err, &got) || got.Line != tt.line || !strings.Contains(got.Message, tt.want) {
				t.Errorf("ReadICS = %v, want line %d: %s", err, tt.line, tt.want)
			}
		})
	}
}

func TestReadICSRefusesLargeFiles(t *testing.T) {
	if _, err := daysOf(make([]byte, MaxICS+1)); err == nil {
		t.Error("ReadICS = nil, want an error")
	}
}

func TestEndlessRuleEnds(t *testing.T) {
	got, err := daysOf(ics(vevent("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY")...))
	if err != nil || len(got) != lastYear-2026+1 {
		t.Errorf("ReadICS = %d days, %v, want one a year until %d", len(got), err, lastYear)
	}
}

func FuzzReadICS(f *testing.F) {
	f.Add(ics(vevent("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227", "SUMMARY:a\\, b")...))
	f.Add(ics(vevent("DTSTART;TZID=Europe/Oslo:20261224T100000", "RRULE:FREQ=MONTHLY;BYDAY=-1MO;BYSETPOS=1", "EXDATE:20270101T100000")...))
	f.Add(ics(vevent("DTSTART:20261224", "RRULE:FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=-1;WKST=SU;INTERVAL=7")...))
	f.Add(ics(vevent("DTSTART;X=\"y\":20261224", "DURATION:-P1DT1H")...))
	f.Add(ics(append(vtimezone("Home"), vevent("DTSTART;TZID=Home:20261224T000000", "DURATION:P1D", "RRULE:FREQ=DAILY;UNTIL=20261225T230000Z", "EXDATE:20261224T230000Z")...)...))
	f.Add(ics(append(vevent("DTSTART:20261224", "RRULE:FREQ=WEEKLY;COUNT=3"), vevent("RECURRENCE-ID;RANGE=THISANDFUTURE:20261231", "DTSTART:20270101", "SEQUENCE:2")...)...))
	f.Add(ics(append([]string{"X-WR-TIMEZONE:Asia/Tokyo"}, vevent("DTSTART:16041223T150000Z", "DTEND:20261224T150000Z", "RDATE;VALUE=PERIOD:20261230T230000Z/P2D")...)...))
	f.Fuzz(func(t *testing.T, src []byte) {
		began := time.Now()
		ranges, err := daysOf(src)
		if took, limit := time.Since(began), 20*time.Second; took > limit {
			t.Errorf("reading %d bytes took %v, want at most %v", len(src), took, limit)
		}
		if err != nil {
			return
		}
		if _, err := New(Source{Ranges: ranges}); err != nil {
			t.Errorf("New: %v", err)
		}
	})
}
