package plan_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

func TestParseWindow(t *testing.T) {
	tests := []struct {
		name, in, want string
	}{
		{"days and times", "mon-fri 07:00-19:00", "mon-fri 07:00-19:00"},
		{"no days are every day", "07:00-19:00", "07:00-19:00"},
		{"all days are every day", "mon-sun 07:00-19:00", "07:00-19:00"},
		{"end before begin is the next day", "mon 22:00-06:00", "mon 22:00-06:00"},
		{"midnight as an end, written as tomorrow's", "18:00-00:00", "18:00-00:00"},
		{"midnight as an end, written as today's", "00:00-24:00", "00:00-24:00"},
		{"range over the end of the week", "sat-mon,wed 07:00-19:00", "wed,sat-mon 07:00-19:00"},
		{"span of days", "fri 19:00 - mon 07:00", "fri 19:00 - mon 07:00"},
		{"span into the next day", "fri 19:00 - sat 07:00", "fri 19:00-07:00"},
		{"span longer than a day", "fri 07:00 - sat 19:00", "fri 07:00 - sat 19:00"},
		{"span of exactly a day", "fri 07:00 - sat 07:00", "fri 07:00 - sat 07:00"},
		{"span to the end of a day", "fri 07:00 - sun 24:00", "fri 07:00 - sun 24:00"},
		{"span over nearly the week", "mon 09:00 - mon 07:00", "mon 09:00 - mon 07:00"},
		{"span within a day", "mon 07:00 - mon 09:00", "mon 07:00-09:00"},
		{"spaces are free", "  mon - fri ,  sun\t07:00 -19:00 ", "sun-fri 07:00-19:00"},
		{"names in full and in any case", "Monday-FRI 07:00-19:00", "mon-fri 07:00-19:00"},
		{"a dash for the hyphen", "mon–fri 07:00–19:00", "mon-fri 07:00-19:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := plan.ParseWindow(tt.in)
			if err != nil || got.String() != tt.want {
				t.Errorf("ParseWindow(%q) = %v, %v, want %s", tt.in, got, err, tt.want)
			}
		})
	}
}

func TestParseWindowGivesFields(t *testing.T) {
	tests := []struct {
		in   string
		want plan.Window
	}{
		{"mon 07:00-19:30", plan.Window{Days: 1 << 1, Begin: 420, End: 1170}},
		{"sun 22:00-06:00", plan.Window{Days: 1, Begin: 1320, EndDay: 1, End: 360}},
		{"07:00-24:00", plan.Window{Days: plan.EveryDay, Begin: 420, End: 1440}},
		{"fri 19:00 - mon 07:00", plan.Window{Days: 1 << 5, Begin: 1140, EndDay: 3, End: 420}},
		{"mon 09:00 - mon 07:00", plan.Window{Days: 1 << 1, Begin: 540, EndDay: 7, End: 420}},
	}
	for _, tt := range tests {
		if got := mustWindow(t, tt.in); got != tt.want {
			t.Errorf("ParseWindow(%q) = %#v, want %#v", tt.in, got, tt.want)
		}
	}
}

// A syntax test is a text that is refused: where, and with which words.
type syntaxTest struct {
	in     string
	offset int
	want   string
}

func checkSyntax(t *testing.T, tests []syntaxTest, parse func(string) error) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			err := parse(tt.in)
			var syntax *plan.SyntaxError
			if !errors.As(err, &syntax) {
				t.Fatalf("parse(%q) = %v, want a syntax error", tt.in, err)
			}
			if syntax.Offset != tt.offset || !strings.Contains(syntax.Message, tt.want) {
				t.Errorf("parse(%q) = %d: %s, want %d: %s", tt.in, syntax.Offset, syntax.Message, tt.offset, tt.want)
			}
			if !strings.Contains(syntax.Message, "; want ") {
				t.Errorf("parse(%q) = %q, which does not say what is wanted", tt.in, syntax.Message)
			}
		})
	}
}

func TestParseWindowRefuses(t *testing.T) {
	checkSyntax(t, []syntaxTest{
		{"", 0, "ends too soon; want a time"},
		{"mon-fri", 7, "ends too soon"},
		{"mon-fri 07:00", 13, "want a hyphen and the end"},
		{"mon-fri 07:00-07:00", 14, "starts and ends at the same time"},
		{"00:00-00:00", 6, "starts and ends at the same time"},
		{"mon 07:00 - mon 07:00", 12, "starts and ends at the same time"},
		{"mon\u00a007:00-19:00", 3, "the white space U+00A0 is no ordinary space"},
		{"24:00-00:00", 0, "24:00 is only an end"},
		{"mon 24:00-06:00", 4, "24:00 is only an end"},
		{"mon 07:00-24:01", 10, "is not a time"},
		{"mon 7:00-19:00", 4, `"7:00" is not a time; want 07:00`},
		{"7am-7pm", 0, `"7am" is not a time; want 24-hour HH:MM, such as 07:00`},
		{"mon 07:00-10:30 PM", 10, `"10:30 PM" is not a time; want 24-hour HH:MM, such as 22:30`},
		{"12am-12pm", 0, "such as 00:00"},
		{"19:00pm-21:00", 0, `"19:00pm" is not a time; want 24-hour HH:MM, such as 07:00`},
		{"0700-1900", 0, `"0700" is not a time; want 07:00`},
		{"mon 07:60-19:00", 4, "is not a time"},
		{"mon 07:00:00-19:00", 4, "is not a time"},
		{"mon-fry 07:00-19:00", 4, `unknown day "fry"`},
		{"mon-thur 07:00-19:00", 4, `unknown day "thur"`},
		{"1-5 07:00-19:00", 0, `"1" is not a time`},
		{"mon,,tue 07:00-19:00", 4, "want a day"},
		{"mon-mon 07:00-19:00", 4, "begins and ends on mon"},
		{"mon-fri,wed 07:00-19:00", 8, "wed is named twice"},
		{"mon-fri 19:00 - mon 07:00", 16, "begins on several days"},
		{"19:00 - mon 07:00", 8, "begins on several days"},
		{"mon 07:00-19:00 UTC", 16, "want nothing after the window"},
		{"mon 07:00-19:00, tue", 15, "want nothing after the window"},
		{"mon 07.00-19:00", 6, `unexpected "."`},
		{"mån 07:00-19:00", 1, `unexpected "å"`},
	}, func(s string) error { _, err := plan.ParseWindow(s); return err })
}

func TestParseDays(t *testing.T) {
	tests := []struct {
		in   string
		want string
	}{
		{"mon-fri", "mon-fri"},
		{"mon,wed,fri", "mon,wed,fri"},
		{"sat-mon", "sat-mon"},
		{"sat-mon,wed", "wed,sat-mon"},
		{"sun", "sun"},
		{"tue-mon", "mon-sun"},
		{"Saturday, SUN", "sat-sun"},
	}
	for _, tt := range tests {
		got, err := plan.ParseDays(tt.in)
		if err != nil || got.String() != tt.want {
			t.Errorf("ParseDays(%q) = %v, %v, want %s", tt.in, got, err, tt.want)
		}
	}
	if got := plan.Days(0).String(); got != "" {
		t.Errorf("no days = %q, want nothing", got)
	}
}

func TestParseDaysRefuses(t *testing.T) {
	checkSyntax(t, []syntaxTest{
		{"", 0, "want a day"},
		{"mon-", 4, "want a day"},
		{"mon tue", 4, "want a comma list"},
		{"mon..fri", 3, `unexpected "."; want a comma list of days and ranges, such as mon-fri`},
		{"weekdays", 0, `unknown day "weekdays"`},
		{"mon,mon", 4, "mon is named twice"},
		{"mon 07:00", 4, "want a comma list"},
	}, func(s string) error { _, err := plan.ParseDays(s); return err })
}

func TestParseTrigger(t *testing.T) {
	tests := []struct {
		in, want string
		cron     bool
	}{
		{"06:30", "06:30", false},
		{" 06:30 ", "06:30", false},
		{"0 22 * * *", "0 22 * * *", true},
		{"  0  22 *\t* * ", "0 22 * * *", true},
		{"@daily", "@daily", true},
		{"0 7 * jan-mar MON-FRI", "0 7 * jan-mar MON-FRI", true},
		{"0 0 29 2 *", "0 0 29 2 *", true},
		{"0 0 31 2 mon", "0 0 31 2 mon", true}, // on Mondays of February
	}
	for _, tt := range tests {
		got, err := plan.ParseTrigger(tt.in, plan.EveryDay)
		if err != nil || got.String() != tt.want || got.IsCron() != tt.cron {
			t.Errorf("ParseTrigger(%q) = %v, %v, want %s, cron %t", tt.in, got, err, tt.want, tt.cron)
		}
	}
}

func TestParseTriggerRefuses(t *testing.T) {
	checkSyntax(t, []syntaxTest{
		{"", 0, "no time is given"},
		{"24:00", 0, "is not a time"},
		{"6:30", 0, `"6:30" is not a time; want 06:30`},
		{"13:00pm", 0, `"13:00pm" is not a time; want HH:MM`},
		{" 06:60", 1, "is not a time"},
		{"CRON_TZ=UTC", 0, "no zone of its own"},
		{" TZ=UTC 0 0 * * *", 1, "no zone of its own"},
		{"TZ=", 0, "no zone of its own"},
		{"@every 1h", 0, "@every depends on when"},
		{"@fortnightly", 0, "unknown descriptor"},
		{"@", 0, "unknown descriptor"},
		{"0 22 * *", 0, "want HH:MM, or five fields"},
		{"0 0 22 * * *", 0, "has six fields; want five, without seconds"},
		{"10pm", 0, `"10pm" is not a time; want 22:00`},
		{"7:15 am", 0, `"7:15 am" is not a time; want 07:15`},
		{"0700", 0, `"0700" is not a time; want 07:00`},
		{"7", 0, "neither a time nor a cron expression"},
		{"60 22 * * *", 0, `minute "60" is not valid; want 0 to 59`},
		{"0 24 * * *", 2, `hour "24" is not valid`},
		{"0 22 0 * *", 5, `day of the month "0" is not valid`},
		{"0 22 * 13 *", 7, `month "13" is not valid`},
		{"0 22 * * 8", 9, `day of the week "8" is not valid; want 0 to 7 or sun to sat`},
		{"0 22 * * 5-8", 9, `day of the week "5-8" is not valid`},
		{"0 22 * * 07", 9, `day of the week "07" is not valid`},
		{"0 22 * * fri-mon/0", 9, `day of the week "fri-mon/0" is not valid`},
		{"0 22 * * fri-mon-wed", 9, `day of the week "fri-mon-wed" is not valid`},
		{", 22 * * *", 0, `minute "," is not valid`},
		{"TZ=x,0 TZ=y * * *", 0, "no zone"},
		{"0 TZ=y * * *", 2, `hour "TZ=y" is not valid`},
		{"0 */0 * * *", 2, "is not valid"},
		{"0 0 31 2 *", 0, "never fires"},
		{"0 0 30,31 feb ?", 0, "never fires"},
		{"0 0 31 4,6,9,11 *", 0, "never fires"},
	}, func(s string) error { _, err := plan.ParseTrigger(s, plan.EveryDay); return err })
	if _, err := plan.ParseTrigger("06:30", 0); err == nil {
		t.Error("a time on no day is accepted")
	}
}

// TestCronWeekdays holds what a weekday field means against the days written out.
func TestCronWeekdays(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"7 is Sunday", "7", "0"},
		{"a range may end on 7", "5-7", "5,6,0"},
		{"0 to 7 is every day once", "0-7", "0,1,2,3,4,5,6"},
		{"7 may begin a range", "7-2", "0,1,2"},
		{"7 alone as a range", "7-7", "0"},
		{"a range may run over the end of the week", "fri-mon", "5,6,0,1"},
		{"as numbers too", "5-1", "5,6,0,1"},
		{"from Saturday to Sunday", "sat-sun", "6,0"},
		{"letters of any case", "SAT-Sun", "6,0"},
		{"one after the other", "tue-mon", "0,1,2,3,4,5,6"},
		{"a step counts from the first day", "fri-tue/2", "5,0,2"},
		{"a step up to 7", "1-7/2", "1,3,5,0"},
		{"in a list", "wed,sat-sun,7", "3,6,0"},
		{"other ranges are as they were", "1-5", "1,2,3,4,5"},
	}
	fires := func(text string) []plan.Fire {
		p := onlySchedule(t, "UTC", plan.Schedule{Stops: []plan.Trigger{mustTrigger(t, "0 19 * * "+text, 0)}})
		from := time.Date(2027, time.March, 1, 0, 0, 0, 0, time.UTC)
		list := p.Fires(from, from.AddDate(0, 0, 14))
		for i := range list {
			list[i].Reason = ""
		}
		return list
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, want := fires(tt.in), fires(tt.want); !slices.Equal(got, want) || len(got) == 0 {
				t.Errorf("fires of %q = %v, want those of %q: %v", tt.in, got, tt.want, want)
			}
		})
	}
}

func FuzzParseWindow(f *testing.F) {
	for _, s := range []string{"mon-fri 07:00-19:00", "fri 19:00 - mon 07:00", "00:00-24:00", "sat-mon,wed 22:00-06:00", "–", "mon 24:00-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w, err := plan.ParseWindow(s)
		if err != nil {
			checkOffset(t, s, err)
			return
		}
		again, err := plan.ParseWindow(w.String())
		if err != nil || again != w {
			t.Errorf("ParseWindow(%q) = %#v, written %q, read again %#v, %v", s, w, w, again, err)
		}
	})
}

func FuzzParseDays(f *testing.F) {
	for _, s := range []string{"mon-fri", "sat-mon,wed", "Sunday", "mon,", "tue-mon"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		days, err := plan.ParseDays(s)
		if err != nil {
			checkOffset(t, s, err)
			return
		}
		again, err := plan.ParseDays(days.String())
		if err != nil || again != days {
			t.Errorf("ParseDays(%q) = %b, written %q, read again %b, %v", s, days, days, again, err)
		}
	})
}

func FuzzParseTrigger(f *testing.F) {
	for _, s := range []string{"06:30", "0 22 * * *", "@daily", "@every 1s", "CRON_TZ=UTC", "TZ=Europe/Berlin 0 0 * * *", "*/5 8-18 1,15 jan-mar mon", ", , , , ,", "0 0 31 2 *", "0 0 * * fri-mon/2,7"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		trigger, err := plan.ParseTrigger(s, plan.EveryDay)
		if err != nil {
			checkOffset(t, s, err)
			return
		}
		again, err := plan.ParseTrigger(trigger.String(), plan.EveryDay)
		if err != nil || again.String() != trigger.String() || again.IsCron() != trigger.IsCron() {
			t.Errorf("ParseTrigger(%q) = %v, read again %v, %v", s, trigger, again, err)
		}
	})
}

func checkOffset(t *testing.T, s string, err error) {
	t.Helper()
	var syntax *plan.SyntaxError
	if !errors.As(err, &syntax) || syntax.Offset < 0 || syntax.Offset > len(s) {
		t.Errorf("error %#v of %q has no place in it", err, s)
	}
}
