package main

import (
	"strings"
	"testing"
	"time"
)

func TestTimeOfDayIsTheNextOneOrTheLastOne(t *testing.T) {
	tests := []struct {
		name, now, given string
		past             bool
		want             string
	}{
		{"later today", "2026-11-28T16:52:00+01:00", "20:00", false, "2026-11-28T20:00:00+01:00"},
		{"tomorrow when it has passed", "2026-11-28T20:01:00+01:00", "20:00", false, "2026-11-29T20:00:00+01:00"},
		{"tomorrow when it is now", "2026-11-28T20:00:00+01:00", "20:00", false, "2026-11-29T20:00:00+01:00"},
		{"the day is that of the zone", "2026-11-28T23:30:00Z", "00:15", false, "2026-11-30T00:15:00+01:00"},
		{"one that is skipped is the end of the gap", "2026-03-28T20:00:00+01:00", "02:30", false, "2026-03-29T03:00:00+02:00"},
		{"one that comes twice is the first", "2026-10-24T20:00:00+02:00", "02:30", false, "2026-10-25T02:30:00+02:00"},
		{"and tomorrow's between the two", "2026-10-25T02:45:00+02:00", "02:30", false, "2026-10-26T02:30:00+01:00"},
		{"the last one is today's", "2026-11-28T20:01:00+01:00", "20:00", true, "2026-11-28T20:00:00+01:00"},
		{"or now", "2026-11-28T20:00:00+01:00", "20:00", true, "2026-11-28T20:00:00+01:00"},
		{"or yesterday's", "2026-11-28T16:52:00+01:00", "20:00", true, "2026-11-27T20:00:00+01:00"},
		{"or after a gap", "2026-03-29T03:10:00+02:00", "02:30", true, "2026-03-29T03:00:00+02:00"},
	}
	for _, tt := range tests {
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		got, err := reference{mustZone(t), now, tt.past}.parse("at", tt.given)
		if err != nil || got.Format(time.RFC3339) != tt.want {
			t.Errorf("%s: %s at %s = %s, %v; want %s", tt.name, tt.given, tt.now, got.Format(time.RFC3339), err, tt.want)
		}
	}
}

func TestTimeThatIsRefusedNamesTheForms(t *testing.T) {
	for _, given := range []string{"tomorrow", "7:00", "24:00", "20:60", "20:00:00", "20.00", "2026-11", ""} {
		_, err := reference{zone: mustZone(t), now: evening(t)}.parse("until", given)
		if err == nil || !strings.Contains(err.Error(), "want a time such as 19:00, a day such as 2026-11-23, a local time such as 2026-11-23T19:00, or RFC 3339") {
			t.Errorf("%q = %v, want it refused with the forms", given, err)
		}
	}
}

func FuzzInstant(f *testing.F) {
	for _, s := range []string{"20:00", "02:30", "2026-11-23", "2026-11-23T19:00", "2026-11-23T19:00:00+01:00", "tomorrow"} {
		f.Add(s, int64(1_774_700_000))
	}
	f.Fuzz(func(t *testing.T, s string, now int64) {
		const years = 400 * 366 * 24 * 3600
		r := reference{zone: mustZone(t), now: time.Unix(now%years, 0)}
		next, err := r.parse("at", s)
		r.past = true
		last, pastErr := r.parse("since", s)
		if (err == nil) != (pastErr == nil) {
			t.Fatalf("%q = %v as the next, %v as the last", s, err, pastErr)
		}
		if len(s) == len("15:04") && err == nil && (!next.After(r.now) || last.After(r.now) || next.Sub(last) > 26*time.Hour) {
			t.Errorf("at %s, %q is next at %s and was last at %s", r.now, s, next, last)
		}
	})
}
