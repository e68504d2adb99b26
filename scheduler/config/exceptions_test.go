package config

import (
	"testing"
	"time"

	"curfew/scheduler/zone"
)

func TestParseInstant(t *testing.T) {
	loc, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, in, want string }{
		{"a day is its first instant", "2026-12-01", "2026-12-01T00:00:00+01:00"},
		{"a local time", "2026-07-01 18:00", "2026-07-01T18:00:00+02:00"},
		{"a local time as RFC 3339 writes it", "2026-07-01T18:00", "2026-07-01T18:00:00+02:00"},
		{"with seconds", "2026-07-01T18:00:30", "2026-07-01T18:00:30+02:00"},
		{"an offset wins", "2026-07-01T18:00:00-04:00", "2026-07-02T00:00:00+02:00"},
		{"a time that is skipped", "2026-03-29 02:30", "2026-03-29T03:00:00+02:00"},
		{"a time that comes twice", "2026-10-25 02:30", "2026-10-25T02:30:00+02:00"},
		{"a month", "2026-12", ""},
		{"nothing", "", ""},
		{"a time alone", "18:00", ""},
	}
	for _, tt := range tests {
		got, ok := ParseInstant(tt.in, loc)
		if ok != (tt.want != "") || ok && got.Format(time.RFC3339) != tt.want {
			t.Errorf("%s: ParseInstant(%q) = %v, %v, want %q", tt.name, tt.in, got, ok, tt.want)
		}
	}
}
