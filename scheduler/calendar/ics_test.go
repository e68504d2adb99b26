package calendar

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// ics wraps the lines of events into a file with the line ends of the standard.
func ics(lines ...string) []byte {
	all := append([]string{"BEGIN:VCALENDAR", "VERSION:2.0"}, lines...)
	return []byte(strings.Join(append(all, "END:VCALENDAR", ""), "\r\n"))
}

func vevent(lines ...string) []string {
	return append(append([]string{"BEGIN:VEVENT", "UID:1"}, lines...), "END:VEVENT")
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
		{"a timed event counts for its day", []string{"DTSTART:20261224T120000", "DTEND:20261224T130000"}, "2026-12-24/2026-12-24"},
		{"an end at midnight does not touch the next day", []string{"DTSTART:20261224T120000", "DTEND:20261225T000000"}, "2026-12-24/2026-12-24"},
		{"an event over midnight touches two days", []string{"DTSTART:20261224T220000Z", "DTEND:20261225T010000Z"}, "2026-12-24/2026-12-25"},
		{"a zone by a name of Windows is no obstacle", []string{"DTSTART;TZID=\"W. Europe Standard Time\":20261224T230000", "DURATION:PT30M"}, "2026-12-24/2026-12-24"},
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
			got, err := ReadICS(ics(vevent(tt.event...)...))
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

func TestReplacedRepetition(t *testing.T) {
	src := ics(append(
		vevent("DTSTART;VALUE=DATE:20261201", "RRULE:FREQ=DAILY;COUNT=2"),
		vevent("RECURRENCE-ID;VALUE=DATE:20261202", "DTSTART;VALUE=DATE:20261210")...)...)
	got, err := ReadICS(src)
	if want := "2026-12-01/2026-12-01, 2026-12-10/2026-12-10"; err != nil || describe(got) != want {
		t.Errorf("ReadICS = %s, %v, want %s", describe(got), err, want)
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
		{"a year far off", string(ics(vevent("DTSTART:00010101")...)), 5, "out of bounds"},
		{"ends before it begins", string(ics(vevent("DTSTART:20261224", "DTEND:20261220")...)), 6, "ends before"},
		{"lasts for ever", string(ics(vevent("DTSTART:20261224", "DTEND:20991224")...)), 6, "ten years"},
		{"broken duration", string(ics(vevent("DTSTART:20261224", "DURATION:long")...)), 6, "not a duration"},
		{"broken rule", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=NEVER")...)), 6, "not a rule"},
		{"rule within the day", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=SECONDLY")...)), 6, "within a day"},
		{"interval that overflows", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=YEARLY;INTERVAL=9223372036854775807")...)), 6, "out of bounds"},
		{"a rule that the library panics on", string(ics(vevent("DTSTART:20261210", "RRULE:FREQ=MONTHLY;BYDAY=10MO;BYSETPOS=1")...)), 3, "simpler"},
		{"two rules", string(ics(vevent("DTSTART:20261224", "RRULE:FREQ=DAILY;COUNT=1", "RRULE:FREQ=DAILY;COUNT=1")...)), 6, "several"},
		{"broken exception", string(ics(vevent("DTSTART:20261224", "EXDATE:x")...)), 6, "not a date"},
		{"parameter that the parser panics on", string(ics(vevent("DTSTART;VALUE=DATE")...)), 5, "not valid"},
		{"too many repeating events", "BEGIN:VCALENDAR\n" + many + "END:VCALENDAR\n", 5*maxRecurring + 2, "repeating"},
		{"a line that goes on", "BEGIN:VCALENDAR\nX:" + strings.Repeat("x", maxLine) + "\n", 2, "longer than"},
		{"parameters that go on", string(ics(vevent("DTSTART;X=" + strings.Repeat("x", maxParams) + ":20261224")...)), 5, "parameters"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := ReadICS([]byte(tt.src))
			var got *ICSError
			if !errors.As(err, &got) || got.Line != tt.line || !strings.Contains(got.Message, tt.want) {
				t.Errorf("ReadICS = %v, want line %d: %s", err, tt.line, tt.want)
			}
		})
	}
}

func TestReadICSRefusesLargeFiles(t *testing.T) {
	if _, err := ReadICS(make([]byte, MaxICS+1)); err == nil {
		t.Error("ReadICS = nil, want an error")
	}
}

func TestEndlessRuleEnds(t *testing.T) {
	got, err := ReadICS(ics(vevent("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY")...))
	if err != nil || len(got) != lastYear-2026+1 {
		t.Errorf("ReadICS = %d days, %v, want one a year until %d", len(got), err, lastYear)
	}
}

func FuzzReadICS(f *testing.F) {
	f.Add(ics(vevent("DTSTART;VALUE=DATE:20261224", "DTEND;VALUE=DATE:20261227", "SUMMARY:a\\, b")...))
	f.Add(ics(vevent("DTSTART;TZID=Europe/Oslo:20261224T100000", "RRULE:FREQ=MONTHLY;BYDAY=-1MO;BYSETPOS=1", "EXDATE:20270101T100000")...))
	f.Add(ics(vevent("DTSTART:20261224", "RRULE:FREQ=YEARLY;BYWEEKNO=53;BYYEARDAY=-1;WKST=SU;INTERVAL=7")...))
	f.Add(ics(vevent("DTSTART;X=\"y\":20261224", "DURATION:-P1DT1H")...))
	f.Fuzz(func(t *testing.T, src []byte) {
		began := time.Now()
		ranges, err := ReadICS(src)
		if took, limit := time.Since(began), 2*time.Second; took > limit {
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
