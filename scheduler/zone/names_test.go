package zone

import (
	"strings"
	"testing"
)

func TestNamesOfWindows(t *testing.T) {
	tests := []struct{ name, want string }{
		{"W. Europe Standard Time", "Europe/Berlin"},
		{"w. europe  standard time", "Europe/Berlin"},
		{"W. Europe Daylight Time", "Europe/Berlin"},
		{"Romance Standard Time", "Europe/Paris"},
		{"GMT Standard Time", "Europe/London"},
		{"UTC-08", "Etc/GMT+8"},
		{"Pacific Time (US & Canada)", "America/Los_Angeles"},
		{"Pacific Time", "America/Los_Angeles"},
		{"(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", "Europe/Brussels"},
		{"(GMT+01:00) Brussels, Copenhagen", "Europe/Brussels"},
		{"(UTC-05:00) Eastern Time (US & Canada)", "America/New_York"},
		{"(UTC) Coordinated Universal Time", "Etc/UTC"},
		{"(UTC+00:00) Dublin, Edinburgh, Lisbon, London", "Europe/Dublin"},
		{"(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "Asia/Kolkata"},
		{"(UTC+08:00) Urumqi, Hong Kong", "Asia/Hong_Kong"}, // Urumqi's own zone is UTC+6
		{"(UTC+03:00) Berlin", ""},
		{"(UTC+01:00)", ""},
		{"Copenhagen", ""},
		{"Europe/Berlin", ""},
		{"Standard Time", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got, ok := FromWindows(tt.name); got != tt.want || ok != (tt.want != "") {
			t.Errorf("FromWindows(%q) = %q, %v, want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestTablesNameZonesThatLoad(t *testing.T) {
	d := words()
	for name, zone := range d.windows {
		if _, err := Load(zone); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, windows := range d.regions {
		if d.windows[strings.ToLower(windows)] == "" {
			t.Errorf("%s stands for %q, which is no name of Windows", name, windows)
		}
	}
	for city, zones := range d.cities {
		for _, zone := range zones {
			if _, err := Load(zone); err != nil {
				t.Errorf("%s: %v", city, err)
			}
		}
	}
}

func TestCities(t *testing.T) {
	tests := []struct{ name, want string }{
		{"copenhagen", "Europe/Copenhagen"},
		{"new york", "America/New_York"},
		{"Asia/Beijing", "Asia/Shanghai"},
		{"Europe/Munich", "Europe/Berlin"},
		{"Europe/Birmingham", "Europe/London"},
		{"America/Birmingham", "America/Chicago"},
		{"Europe/New_York", "America/New_York"},
		{"Pacific", ""},
		{"GMT", ""},
		{"Europe/", ""},
		{"", ""},
	}
	for _, tt := range tests {
		if got, ok := City(tt.name); got != tt.want || ok != (tt.want != "") {
			t.Errorf("City(%q) = %q, %v, want %q", tt.name, got, ok, tt.want)
		}
	}
}

func TestOffsets(t *testing.T) {
	tests := []struct {
		name, utc, zone string
		ok              bool
	}{
		{"GMT+1", "UTC+1", "Etc/GMT-1", true},
		{"utc-05:00", "UTC-5", "Etc/GMT+5", true},
		{"+0200", "UTC+2", "Etc/GMT-2", true},
		{"UTC−3", "UTC-3", "Etc/GMT+3", true},
		{"UTC+05:30", "UTC+5:30", "", true},
		{"GMT+25", "UTC+25", "", true},
		{"UTC+00:00", "UTC+0", "UTC", true},
		{"UTC", "", "", false},
		{"EST5EDT", "", "", false},
		{"Etc/GMT+1", "", "", false},
	}
	for _, tt := range tests {
		if utc, zone, ok := Offset(tt.name); utc != tt.utc || zone != tt.zone || ok != tt.ok {
			t.Errorf("Offset(%q) = %q, %q, %v, want %q, %q, %v", tt.name, utc, zone, ok, tt.utc, tt.zone, tt.ok)
		}
	}
}

// Whatever a file has as its zone, no name crashes, and what is answered is a zone.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"W. Europe Standard Time", "(UTC+01:00) Brussels, Copenhagen", "GMT+1", "Asia/Beijing", "../UTC", "(UTC-99) x"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		_, _ = Load(name)
		windows, _ := FromWindows(name)
		city, _ := City(name)
		_, offset, _ := Offset(name)
		for _, zone := range []string{windows, city, offset} {
			if _, err := Load(zone); zone != "" && err != nil {
				t.Errorf("%q is answered by %q: %v", name, zone, err)
			}
		}
	})
}
