package config

import (
	"strings"
	"testing"
	"time"
)

// TestChangesOfTheClocksAreReported holds which of the fires of twelve months are named.
// The window of 40 minutes has no fire on the day when its hour does not exist.
func TestChangesOfTheClocksAreReported(t *testing.T) {
	tests := []struct {
		name, now, rule string
		want            []string // severities, actions and days, in order
	}{
		{"of both changes of a year", "2026-11-28", "uptime: 01:00-02:30", []string{"note stop of 2027-03-28", "note stop of 2027-10-31"}},
		{"with a warning within 60 days", "2027-03-01", "uptime: 01:00-02:30", []string{"note stop of 2027-10-31", "warning stop of 2027-03-28"}},
		{"months ahead", "2026-11-28", `start: "30 2 * 10 *"`, []string{"note start of 2027-10-31"}},
		{"of the next two changes, where there are three", "2027-03-27", `stop: "02:30"`, []string{"note stop of 2027-10-31", "warning stop of 2027-03-28"}},
		{"start and stop of one change", "2026-11-28", "uptime: sun 02:10-02:50", []string{"note start of 2027-10-31", "note stop of 2027-10-31"}},
		{"many fires of one change once", "2026-11-28", `start: "*/5 2 * * *"`, []string{"note start of 2027-03-28", "note start of 2027-10-31"}},
		{"no fires of other hours", "2026-11-28", "uptime: 07:00-19:00", nil},
		{"no fires on other days", "2026-11-28", "uptime: mon 02:30-19:00", nil},
	}
	for _, tt := range tests {
		at, err := time.Parse(time.DateOnly, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		src := "version: 1\ntimezone: Europe/Copenhagen\naccounts: [{name: a, mode: static, token: {env: T}}]\nprojects: [{name: p, id: 1, account: a}]\n" +
			"environments: [{name: e, project: p, id: 0f6b2c1e-5d0a-4c53-9a3e-7b1f2d4c8e90}]\nschedules: [{name: s, environments: e, " + tt.rule + "}]\n"
		_, diags := Parse("a.yaml", []byte(src), ".", Options{Now: at, Notes: true})
		var got []string
		for _, d := range diags {
			if what, _, ok := strings.Cut(strings.TrimPrefix(d.Message, `schedule "s", `), ": "); ok {
				got = append(got, string(d.Severity)+" "+what)
			}
		}
		if strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
			t.Errorf("%s: reported %q, want %q\n%s", tt.name, got, tt.want, write(diags))
		}
	}
}
