package config

import "testing"

// TestZoneOfTheFile holds the zone in which times are shown and days are read.
func TestZoneOfTheFile(t *testing.T) {
	const (
		kolkata  = "{name: a, environments: e, uptime: mon 07:00-19:00, timezone: Asia/Kolkata}"
		again    = "{name: b, environments: e, uptime: tue 07:00-19:00, timezone: Asia/Kolkata, enabled: false}"
		brussels = "{name: c, environments: e, uptime: wed 07:00-19:00, timezone: Europe/Brussels}"
	)
	tests := []struct{ name, zone, schedules, want string }{
		{"its own", "timezone: UTC\n", kolkata, "UTC"},
		{"that of its only schedule", "", kolkata, "Asia/Kolkata"},
		{"that of all schedules", "", kolkata + ", " + again, "Asia/Kolkata"},
		{"UTC for schedules that differ", "", kolkata + ", " + brussels, "UTC"},
		{"UTC for no schedules", "", "", "UTC"},
	}
	for _, tt := range tests {
		src := "version: 1\n" + tt.zone + "accounts: [{name: a, mode: static, token: {env: T}}]\nprojects: [{name: p, id: 1, account: a}]\n" +
			"environments: [{name: e, project: p, id: 0f6b2c1e-5d0a-4c53-9a3e-7b1f2d4c8e90}]\nschedules: [" + tt.schedules + "]\n"
		cfg, diags := Parse("a.yaml", []byte(src), ".", Options{Now: now()})
		if cfg == nil {
			t.Fatalf("%s: %s", tt.name, write(diags))
		}
		if got := cfg.Zone().String(); got != tt.want {
			t.Errorf("%s: Zone() = %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestAnExceptionHasTheZoneOfTheFile(t *testing.T) {
	src := "version: 1\naccounts: [{name: a, mode: static, token: {env: T}}]\nprojects: [{name: p, id: 1, account: a}]\n" +
		"environments: [{name: e, project: p, id: 0f6b2c1e-5d0a-4c53-9a3e-7b1f2d4c8e90}]\n" +
		"schedules: [{name: a, environments: e, uptime: mon 07:00-19:00, timezone: Asia/Kolkata}]\n" +
		"exceptions: [{environments: e, date: 2027-12-24, keep: stopped}]\n"
	cfg, diags := Parse("a.yaml", []byte(src), ".", Options{Now: now()})
	if cfg == nil {
		t.Fatal(write(diags))
	}
	if got := cfg.Exceptions[0].From.Format("2006-01-02 15:04 MST"); got != "2027-12-24 00:00 IST" {
		t.Errorf("the exception begins at %s, want 2027-12-24 00:00 IST", got)
	}
}
