package zone

import (
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
	"time"
)

func TestZonesHaveTheRulesOf2026(t *testing.T) {
	tests := []struct{ rule, zone, at, want string }{
		{"British Columbia stays on UTC-7", "America/Vancouver", "2026-12-01T20:00:00Z", "13:00 -0700"},
		{"and so does its old name", "Canada/Pacific", "2026-12-01T20:00:00Z", "13:00 -0700"},
		{"which the west of the USA does not", "US/Pacific", "2026-12-01T20:00:00Z", "12:00 -0800"},
		{"Alberta stays on UTC-6", "America/Edmonton", "2027-01-15T20:00:00Z", "14:00 -0600"},
		{"and so does its old name", "Canada/Mountain", "2027-01-15T20:00:00Z", "14:00 -0600"},
		{"the Northwest Territories stay on UTC-6", "America/Yellowknife", "2027-01-15T20:00:00Z", "14:00 -0600"},
		{"Manitoba stays on UTC-5", "America/Winnipeg", "2027-02-01T20:00:00Z", "15:00 -0500"},
		{"and so does its old name", "Canada/Central", "2027-02-01T20:00:00Z", "15:00 -0500"},
		{"Morocco is on UTC", "Africa/Casablanca", "2026-12-01T20:00:00Z", "20:00 +0000"},
		{"and so is Western Sahara", "Africa/El_Aaiun", "2026-12-01T20:00:00Z", "20:00 +0000"},
		{"Vancouver far beyond the table of changes", "America/Vancouver", "2060-12-01T20:00:00Z", "13:00 -0700"},
		{"Berlin has winter and summer", "Europe/Berlin", "2060-07-01T20:00:00Z", "22:00 +0200"},
	}
	for _, tt := range tests {
		loc, err := embedded().load(tt.zone)
		at, _ := time.Parse(time.RFC3339, tt.at)
		if err != nil || at.In(loc).Format("15:04 -0700") != tt.want {
			t.Errorf("%s: %s in %s is %s (%v), want %s", tt.rule, tt.at, tt.zone, at.In(loc).Format("15:04 -0700"), err, tt.want)
		}
	}
}

// Cuba kept summer time in the winter of 2026, and Moldova changes with the European
// Union since 2022, an hour later than before.
func TestChangesOfTheClocks(t *testing.T) {
	tests := []struct {
		zone string
		want []string
	}{
		{"America/Vancouver", []string{"2026-03-08T10:00:00Z -0700", "2026-11-01T09:00:00Z -0700"}},
		{"America/Havana", []string{"2026-03-08T05:00:00Z -0400", "2027-11-07T05:00:00Z -0500"}},
		{"Europe/Chisinau", []string{"2026-03-29T01:00:00Z +0300", "2026-10-25T01:00:00Z +0200", "2027-03-28T01:00:00Z +0300", "2027-10-31T01:00:00Z +0200"}},
	}
	for _, tt := range tests {
		loc, err := embedded().load(tt.zone)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).In(loc); ; {
			_, end := at.ZoneBounds()
			if end.IsZero() || end.Year() > 2027 {
				break
			}
			got = append(got, end.UTC().Format(time.RFC3339)+end.Format(" -0700"))
			at = end
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s changes at %q, want %q", tt.zone, got, tt.want)
		}
	}
}

func TestLoadRefusesNamesThatAreNoZones(t *testing.T) {
	for _, name := range []string{"", "Local", "local", "localtime", "Factory", "posixrules", "europe/berlin", "posix/Europe/Berlin", "right/UTC", "../zoneinfo/UTC", "/UTC", "Europe", "Europe/", "tzdata.zi", "W. Europe Standard Time", "GMT+1", "PST"} {
		if loc, err := Load(name); err == nil {
			t.Errorf("Load(%q) = %v, want an error", name, loc)
		}
	}
	for _, name := range Names() {
		first, err := Load(name)
		again, _ := Load(name)
		if err != nil || first != again || first.String() != name {
			t.Errorf("Load(%q) = %v, %v, then %v", name, first, err, again)
		}
	}
}

func TestTheNewestReleaseIsUsed(t *testing.T) {
	files := func(name, text string) fs.FS {
		return fstest.MapFS{name: {Data: []byte(text)}, "Europe/Berlin": {Data: []byte("no rules")}, "posix/UTC": {}}
	}
	tests := []struct {
		rule string
		host fs.FS
		want string
	}{
		{"a newer host", files("tzdata.zi", "# version 2099a\n# more\n"), "2099a of host"},
		{"a newer host of BSD", files("+VERSION", "2099a\n"), "2099a of host"},
		{"an older host", files("tzdata.zi", "# version 2025b\n"), "own"},
		{"a host with the same release", files("+VERSION", embedded().release), "own"},
		{"a host that does not say", files("zone.tab", "2099a"), "own"},
		{"a host that says something else", files("tzdata.zi", "# version unknown-dirty\n"), "own"},
		{"no host", fstest.MapFS{}, "own"},
	}
	for _, tt := range tests {
		d := newest(embedded(), []host{{tt.host, "host"}})
		got := d.release + " of " + d.source
		if d.source == "embedded" {
			got = "own"
		}
		if got != tt.want {
			t.Errorf("%s: the zone data is %s, want %s", tt.rule, got, tt.want)
		}
		if _, err := d.load("Europe/Berlin"); (err == nil) != (tt.want == "own") {
			t.Errorf("%s: the rules of Europe/Berlin: %v", tt.rule, err)
		}
	}
}

func TestFixedZones(t *testing.T) {
	fixed := map[string]string{"EST": "", "MST": "", "HST": "", "Etc/GMT-2": "UTC+2", "Etc/GMT+12": "UTC-12"}
	for name, utc := range fixed {
		if !Fixed(name) || UTCName(name) != utc {
			t.Errorf("%s: fixed %v, means %q; want true, %q", name, Fixed(name), UTCName(name), utc)
		}
	}
	for _, name := range []string{"UTC", "Etc/UTC", "Etc/GMT", "Etc/GMT0", "Etc/GMT+0", "GMT", "Zulu", "EST5EDT", "CET", "Asia/Tokyo", "America/Phoenix"} {
		if Fixed(name) {
			t.Errorf("%s counts as fixed", name)
		}
	}
}
