package plan_test

import (
	"strings"
	"testing"
)

func TestFingerprintChangesWithTheRules(t *testing.T) {
	one := func(s sketch) string { return s.compile(t).Fingerprint("s0") }
	base := one(sketch{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:00"}, calendar: closedOn("2026-12-25")})
	if want := "515c80a6"; !strings.HasPrefix(base, want) {
		t.Errorf("Fingerprint = %s, want %s: stored ones no longer match", base, want)
	}
	same := one(sketch{zone: "UTC", rules: []string{"uptime mon-fri  07:00 - 19:00", "uptime 09:00-10:00"}, calendar: closedOn("2026-12-25")})
	if same != base {
		t.Error("another schedule or other spaces change the fingerprint")
	}
	seen := map[string]bool{base: true}
	for _, s := range []sketch{
		{zone: "Europe/London", rules: []string{"uptime mon-fri 07:00-19:00"}, calendar: closedOn("2026-12-25")},
		{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:01"}, calendar: closedOn("2026-12-25")},
		{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:00"}, calendar: closedOn("2026-12-26")},
		{zone: "UTC", rules: []string{"uptime mon-fri 07:00-19:00"}},
		{zone: "UTC", rules: []string{"start 07:00"}},
		{zone: "UTC", rules: []string{"stop 07:00"}},
		{zone: "UTC", rules: []string{"stop 0 7 * * *"}},
	} {
		if f := one(s); seen[f] || f == "" {
			t.Errorf("%+v has the fingerprint of another", s)
		} else {
			seen[f] = true
		}
	}
	if got := (sketch{zone: "UTC"}).compile(t).Fingerprint("s0"); got != "" {
		t.Errorf("Fingerprint of an unknown name = %q", got)
	}
}
