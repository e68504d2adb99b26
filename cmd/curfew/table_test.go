package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/zone"
)

// evening is when the tables of the tests are read: 40 environments are being stopped.
func evening(t *testing.T) time.Time {
	t.Helper()
	return time.Date(2026, 11, 23, 19, 2, 0, 0, mustZone(t))
}

func mustZone(t *testing.T) *time.Location {
	t.Helper()
	loc, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func forty(t *testing.T) []api.Environment {
	t.Helper()
	now := evening(t)
	fire, seen, next := now.Add(-2*time.Minute), now.Add(-time.Minute), now.Add(12*time.Hour)
	list := make([]api.Environment, 40)
	approval := "approval"
	for i := range list {
		name := fmt.Sprintf("dev-%02d", i+1)
		list[i] = api.Environment{
			Name: name, Project: "contoso", Tags: []string{"dev"}, Wanted: "stopped", Because: "no window", Observed: "stopped", ObservedAt: &seen,
			NextFire: &api.Fire{At: next, Action: "start"},
		}
		if i >= 28 {
			list[i].Observed, list[i].Waiting = "running", &approval
			list[i].Run = &api.Run{ID: fmt.Sprintf("019ac36b-1000-7000-8000-0000a1b2c3%02d", i), Action: "stop", State: "queued", FireAt: fire, Environment: name}
		}
	}
	old, later := now.Add(-3*time.Hour), now.AddDate(0, 0, 9)
	list[0].Manual = &api.Manual{Action: "start", At: old, Until: &next, Run: "019ac36b-1000-7000-8000-0000a1b2c3d4", By: "token"}
	list[0].Wanted, list[0].Observed = "running", "running"
	list[1].ObservedAt, list[1].NextFire.At = &old, later
	list[2].ObservedAt, list[2].Observed, list[2].NextFire, list[2].Wanted = nil, "unknown", nil, "unknown"
	note := "dev-04 is running; nothing stops it before Mon 2026-11-30 19:00, since loading a file never stops anything: curfew stop dev-04"
	list[3].Observed, list[3].Note = "running", &note
	list[4].Observed, list[4].Run = "stopping", &api.Run{ID: "019ac36b-1000-7000-8000-0000a1b2c3e5", Action: "stop", State: "verifying", FireAt: fire}
	list[5].Observed, list[5].Run = "running", &api.Run{ID: "019ac36b-1000-7000-8000-0000a1b2c3e6", Action: "stop", State: "verifying", FireAt: fire}
	return list
}

func someRuns(t *testing.T) []api.Run {
	t.Helper()
	at := evening(t).Add(-2 * time.Minute)
	activity, message := "6f1d2c3b-4a59-4e68-8777-86950a4b3c2d", "LCS accepted the stop, but the environment did not arrive within 45m: LCS shows Stopping (Stopping); give LCS support the operation activity id"
	held, done := "this fire stops 40 environments at once, more than max_stops_per_fire, 10; waiting for an approval", "metadata shows Stopped (Stopped)"
	return []api.Run{
		{ID: "019ac36b-1000-7000-8000-0000a1b2c3d4", Environment: "dev-01", Project: "contoso", Action: "start", Trigger: "manual", State: "succeeded", FireAt: at, Message: &done, By: "anna@contoso.com"},
		{ID: "019ac36b-1000-7000-8000-0000a1b2c3d5", Environment: "dev-02", Project: "contoso", Schedule: "office-hours", Action: "stop", Trigger: "schedule", State: "queued", FireAt: at, Message: &held},
		{ID: "019ac36b-1000-7000-8000-0000a1b2c3d6", Environment: "dev-03", Project: "contoso", Schedule: "office-hours", Action: "stop", Trigger: "catch-up", State: "failed", FireAt: at.AddDate(0, 0, -1), Message: &message, OperationActivityID: &activity},
	}
}

func someOverrides(t *testing.T) []api.Override {
	t.Helper()
	from := evening(t)
	reason := "month end"
	names := make([]string, 40)
	for i := range names {
		names[i] = fmt.Sprintf("dev-%02d", i+1)
	}
	return []api.Override{
		{ID: "k3f9x2ab", Environments: names, Keep: "running", From: from, Until: from.Add(3 * time.Hour), Reason: &reason, State: "active", By: "token", Stale: []string{"dev-40"}},
		{ID: "p7q2m4cd", Environments: []string{"build-01"}, Keep: "stopped", From: from.AddDate(0, 0, 1), Until: from.AddDate(0, 0, 14), State: "pending", By: "token"},
	}
}

func someAudit(t *testing.T) []api.AuditEntry {
	t.Helper()
	at := evening(t)
	kept, ended := "keep running from 2026-11-23T17:02:00Z until 2026-11-24T21:00:00.5+02:00: month end, due 2026-13-99T25:00:00Z", "keep running from 2026-11-23T17:02:00Z until 2026-11-23T18:02:00Z"
	return []api.AuditEntry{
		{At: at, By: "anna@contoso.com", From: "192.0.2.7:5", Action: "release", Environments: []string{"dev-01"}, Before: &kept, After: &ended},
		{At: at.Add(-time.Hour), By: "token", From: "127.0.0.1:5", Action: "keep", Environments: []string{"dev-01", "dev-02"}, After: &kept},
	}
}

func someAccounts(t *testing.T) []api.Account {
	t.Helper()
	now := evening(t)
	project, environment, stop := "contoso", "dev-01", "stop"
	throttled := "LCS answered 429, Too Many Requests: somebody else uses the same account or environment"
	since, next, message := now.Add(-2*time.Hour), now.Add(5*time.Minute), "wrong user name or password: correct the password file; it is read again when it changes"
	return []api.Account{
		{Name: "main", Mode: "password", Projects: []string{"contoso", "fabrikam"}, State: "down", Since: &since, NextTry: &next, Message: &message, Holds: []api.Hold{{Subject: "account", Until: next, Reason: message}}},
		{Name: "second", Mode: "delegated", Projects: []string{"contoso"}, State: "up", Since: &since, Login: &api.Login{User: "svc@contoso.com", RefreshedAt: now.Add(-time.Hour), LapsesAt: now.AddDate(0, 0, 80)}, Holds: []api.Hold{
			{Subject: "project", Project: &project, Until: next, Reason: "the account lacks the role"},
			{Subject: "calls", Action: &stop, Until: next, Reason: throttled},
			{Subject: "metadata", Project: &project, Until: next, Reason: throttled},
			{Subject: "environment", Project: &project, Environment: &environment, Action: &stop, Until: next, Reason: throttled},
		}},
	}
}

func someSeen() []seen {
	list := make([]seen, 3)
	for i := range list {
		list[i] = seen{fmt.Sprintf("contoso-dev-%02d", i), "contoso", fmt.Sprintf("55eb4327-9346-4c7b-82bd-%012d", i), "Finished", "running", "CustomerManaged", "DevTestDev"}
	}
	list[2].State, list[2].Condition, list[2].Infrastructure, list[2].Type = "Finished", "unsupported", "MicrosoftManaged", "Sandbox"
	return list
}

const fortyFile = `version: 1
timezone: Europe/Copenhagen
accounts: [{name: a, mode: static, token: {env: T}}]
projects: [{name: contoso, id: 1, account: a}]
environments:
%s- {name: build-01, project: contoso, id: 00000000-0000-0000-0000-000000000999}
schedules:
- {name: office-hours, environments: ["tag:dev"], uptime: mon-fri 07:00-19:00}
- {name: build-box, environments: [build-01], timezone: America/New_York, start: "06:30", stop: "0 22 * * *", days: mon-fri}
exceptions:
- {environments: [dev-01, dev-02, dev-03], from: 2026-11-24, until: 2026-11-25, keep: stopped, reason: an update of the shared build tools}
`

func planOfForty(t *testing.T) (listing, *config.Config) {
	t.Helper()
	var environments strings.Builder
	for i := range 40 {
		fmt.Fprintf(&environments, "- {name: dev-%02d, project: contoso, tags: [dev], id: 00000000-0000-0000-0000-%012d}\n", i+1, i)
	}
	cfg, diags := config.Parse("a.yaml", fmt.Appendf(nil, fortyFile, environments.String()), ".", config.Options{})
	if cfg == nil {
		t.Fatal(diags)
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return listing{p, evening(t), evening(t).AddDate(0, 0, 2), nil}, cfg
}

// TestTables holds each table against its golden file: none is wider than 80 columns.
// UPDATE_GOLDEN=1 writes the files again.
func TestTables(t *testing.T) {
	refused := api.File{ActiveSince: evening(t).Add(-9 * time.Hour), Refused: &api.Refused{At: evening(t).Add(-time.Minute), Problems: []string{"schedules.yaml:3:9: unknown time zone \"Local\"; want an IANA name", "schedules.yaml:9:1: unknown key"}}}
	other := func(newer bool) api.File {
		return api.File{Other: &api.OtherFile{Digest: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", Newer: newer, LoadedAt: evening(t).Add(-2 * time.Minute)}}
	}
	planned := func(each bool, only ...string) func(*screen) error {
		return func(s *screen) error {
			l, cfg := planOfForty(t)
			l.environments = only
			w := bufio.NewWriter(s.w)
			if err := l.writeTable(w, s, newGrouping(cfg, each)); err != nil {
				return err
			}
			return w.Flush()
		}
	}
	tests := []struct {
		name  string
		print func(s *screen) error
	}{
		{"status", func(s *screen) error { return printStatus(s, api.File{}, forty(t)) }},
		{"status-refused", func(s *screen) error { return printStatus(s, refused, forty(t)[:1]) }},
		{"status-newer-file", func(s *screen) error { return printStatus(s, other(true), forty(t)[:1]) }},
		{"status-older-file", func(s *screen) error { return printStatus(s, other(false), forty(t)[:1]) }},
		{"status-none", func(s *screen) error { return printStatus(s, api.File{}, nil) }},
		{"history", func(s *screen) error { return printHistory(s, someRuns(t)) }},
		{"overrides", func(s *screen) error { return printOverrides(s, someOverrides(t)) }},
		{"audit", func(s *screen) error { return printAudit(s, someAudit(t)) }},
		{"accounts", func(s *screen) error { return printAccounts(s, someAccounts(t)) }},
		{"environments", func(s *screen) error { return printSeen(s, someSeen()) }},
		{"plan", planned(false)},
		{"plan-each", planned(true, "build-01", "dev-01", "dev-40")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got bytes.Buffer
			if err := tt.print(&screen{w: &got, width: plainWidth, zone: mustZone(t), now: evening(t)}); err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", "tables", tt.name+".out")
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(golden, got.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if want := read(t, golden); got.String() != want {
				t.Errorf("got\n%s\nwant\n%s", &got, want)
			}
			for line := range strings.Lines(got.String()) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > plainWidth {
					t.Errorf("%d columns, want %d at most: %s", n, plainWidth, line)
				}
			}
		})
	}
}

func TestTablesUseColourAndWidthOfTheTerminalAlone(t *testing.T) {
	var got bytes.Buffer
	s := &screen{w: &got, width: 120, colour: true, zone: mustZone(t), now: evening(t)}
	if err := printHistory(s, someRuns(t)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.String(), "\x1b[31mfailed\x1b[0m     catch-up") {
		t.Errorf("on a terminal a failed run is not red, or moves the columns: %q", &got)
	}
	plain := newScreen(env{stdout: &got, getenv: func(string) string { return "" }}, time.UTC)
	if plain.colour || plain.width != plainWidth {
		t.Errorf("without a terminal the screen is %+v, want no colour and %d columns", plain, plainWidth)
	}
}

func TestTableNeverCutsWhatAnotherCommandTakes(t *testing.T) {
	var got bytes.Buffer
	list := forty(t)[:1]
	list[0].Name = strings.Repeat("long-name-", 12)
	list[0].Run = &api.Run{ID: "019ac36b-1000-7000-8000-0000a1b2c3d4", Action: "stop", State: "verifying"}
	if err := printStatus(&screen{w: &got, width: 40, zone: time.UTC, now: evening(t)}, api.File{}, list); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.String(), list[0].Name+"  ") || !strings.Contains(got.String(), "stop verifying a1b2c3d4") || strings.Contains(got.String(), "contoso") {
		t.Errorf("at 40 columns:\n%s\nwant the name and the run whole, and no project", &got)
	}
}
