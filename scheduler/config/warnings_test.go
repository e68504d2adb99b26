package config

import (
	"strings"
	"testing"
)

// TestHoursUp holds the notes on the hours up per week against windows and events.
func TestHoursUp(t *testing.T) {
	tests := []struct{ name, rule, want string }{
		{"a window on working days", "uptime: mon-fri 07:00-19:00", "60"},
		{"windows that overlap count once", "uptime: [mon 07:00-12:00, mon 11:00-13:30]", "6.5"},
		{"a window over the end of the week", "uptime: sun 22:00-06:00", "8"},
		{"a window of several days", "uptime: fri 19:00 - mon 07:00", "60"},
		{"the whole week", "uptime: 00:00-24:00", "168"},
		{"a lead counts", "uptime: mon-fri 07:00-19:00, lead: 30m", "62.5"},
		{"starts and stops", `start: "07:00", stop: "19:00", days: mon-fri`, "60"},
		{"a start that lasts over the weekend", `start: "0 7 * * thu", stop: "0 7 * * mon"`, "96"},
		{"a second start changes nothing", `start: ["07:00", "08:00"], stop: "12:00"`, "35"},
		{"a stop at the instant of a start has no effect", `start: "07:00", stop: ["07:00", "19:00"], days: mon-fri`, "60"},
		{"stops alone say nothing", `stop: "19:00"`, ""},
		{"a schedule without effect", "uptime: mon 07:00-19:00, enabled: false", ""},
	}
	head := "version: 1\ntimezone: Africa/Nairobi\naccounts: [{name: a, mode: static, token: {env: T}}]\nprojects: [{name: p, id: 1, account: a}]\n" +
		"environments: [{name: e, project: p, id: 0f6b2c1e-5d0a-4c53-9a3e-7b1f2d4c8e90}]\nschedules:\n  - {name: s, environments: e, "
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, diags := Parse("a.yaml", []byte(head+tt.rule+"}\n"), ".", Options{Now: now(), Notes: true})
			got := ""
			for _, n := range diags.only(Note) {
				got += n.String() + "\n"
			}
			want := "a.yaml:7:12: note: schedule \"s\" keeps its environments up " + tt.want + " hours a week\n"
			if tt.want == "" {
				want = ""
			}
			if got != want {
				t.Errorf("notes of %s = %q, want %q", tt.rule, got, want)
			}
		})
	}
}

func TestNotesAreNoProblems(t *testing.T) {
	src := "version: 1\ntimezone: UTC\naccounts: [{name: a, mode: static, token: {env: T}}]\nprojects: [{name: p, id: 1, account: a}]\n" +
		"environments: [{name: e, project: p, id: 0f6b2c1e-5d0a-4c53-9a3e-7b1f2d4c8e90}]\nschedules: [{name: s, environments: e, uptime: mon 07:00-19:00}]\n"
	cfg, diags := Parse("a.yaml", []byte(src), ".", Options{Now: now(), Notes: true})
	if cfg == nil || diags.HasErrors() || len(diags.Warnings()) > 0 || !strings.Contains(write(diags), "note: ") {
		t.Errorf("problems %s, want a note alone", write(diags))
	}
	if _, diags := Parse("a.yaml", []byte(src), ".", Options{Now: now()}); len(diags) > 0 {
		t.Errorf("problems %s without Notes, want none", write(diags))
	}
}
