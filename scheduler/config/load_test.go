package config

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"curfew/scheduler/plan"
)

func TestTheExampleHasNoProblems(t *testing.T) {
	for _, at := range []time.Time{{}, time.Date(2026, time.November, 23, 12, 0, 0, 0, time.UTC), now()} {
		cfg, diags := Load("../../schedules.yaml", Options{Now: at})
		if cfg == nil || len(diags) > 0 {
			t.Errorf("at %s: %s", at, write(diags))
		}
	}
}

// TestTheExampleShowsEveryKey reads the commented lines too.
func TestTheExampleShowsEveryKey(t *testing.T) {
	src, err := os.ReadFile("../../schedules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	sections := []section{
		fileSection(), accountSection(), secretSection("password"), projectSection(), environmentSection(), calendarSection(), icsSection(),
		scheduleSection(), exceptionSection(), receiverSection(), accessSection(), requesterSection(), defaultsSection(),
	}
	for _, s := range sections {
		for _, name := range s.names() {
			if !strings.Contains(string(src), name+":") {
				t.Errorf("schedules.yaml does not show %s of %s", name, s.title)
			}
		}
	}
}

func TestTheExampleUncommentedHasNoErrors(t *testing.T) {
	src, err := os.ReadFile("../../schedules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(string(src), "\n") {
		for _, key := range []string{"# exceptions:", "# defaults:", "#   - {", "#   catch_up", "#   deadline", "#   warn", "#   order", "#   verify", "#   max", "# enforce", "# client_secret", "# scope", "# authority", "# timezone", "# warn", "# notify:", "#   - name: ops", "#     url", "#     on", "# access:", "#   issuer", "#   client_id: 6", "#   client_secret: {file: /run/secrets/oidc", "#   viewer", "#   requester", "#   operator"} {
			if at := strings.Index(line, key); at >= 0 && strings.TrimSpace(line[:at]) == "" {
				line = strings.Replace(line, "# ", "", 1)
			}
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	if strings.Contains(text, "# defaults:") || strings.Contains(text, "# enforce: always") {
		t.Fatal("nothing was uncommented")
	}
	cfg, diags := Parse("schedules.yaml", []byte(text), ".", Options{})
	if diags.HasErrors() {
		t.Fatal(write(diags))
	}
	if len(cfg.Exceptions) != 2 || cfg.Schedules[0].Enforce != EnforceAlways || cfg.Access == nil {
		t.Errorf("exceptions %d, enforce %s, want 2 and always", len(cfg.Exceptions), cfg.Schedules[0].Enforce)
	}
}

func loadFull(t *testing.T) *Config {
	t.Helper()
	cfg, diags := Load("testdata/valid-full.yaml", Options{Now: now()})
	if cfg == nil {
		t.Fatal(write(diags))
	}
	return cfg
}

func TestConfigHoldsWhatTheFileSays(t *testing.T) {
	cfg := loadFull(t)
	tests := []struct {
		name      string
		got, want any
	}{
		{"path", cfg.Path, "testdata/valid-full.yaml"},
		{"zone", cfg.Location.String(), "Europe/Copenhagen"},
		{"currency", cfg.Currency, "kr."},
		{"files", cfg.Files, []string{"testdata/valid-full.yaml", "testdata/holidays.ics"}},
		{"secret in a file", *cfg.Accounts[0].Password, SecretRef{File: "/run/secrets/lcs-password"}},
		{"secret in the environment", *cfg.Accounts[2].Token, SecretRef{Env: "LCS_TOKEN"}},
		{"secret that is not there", cfg.Accounts[1].Password, (*SecretRef)(nil)},
		{"relative path", cfg.Notify[1].URL, SecretRef{File: "testdata/mail.url"}},
		{"slash at the end", cfg.Accounts[0].Authority, "https://login.microsoftonline.com"},
		{"project", cfg.Projects[0], Project{"contoso", 1234567, []string{"main", "second"}, "eu", "https://lcsapi.eu.lcs.dynamics.com", ""}},
		{"endpoint beats region", cfg.Projects[2], Project{"local", 1, []string{"fixed"}, "us", "http://127.0.0.1:9000", "api://x/.default"}},
		{"environment", cfg.Environments[0], Environment{"dev-01", "contoso", "55eb4327-9346-4c7b-82bd-fe8ef15112c6", []string{"dev", "team-a"}, 1.25}},
		{"id of digits", cfg.Environments[2].ID, "12345678901234567890123456789012"},
		{"tag", cfg.Schedules[0].Environments, []string{"dev-01"}},
		{"glob", cfg.Schedules[1].Environments, []string{"dev-01", "dev-02"}},
		{"lead auto", cfg.Schedules[0].Lead, Lead{Auto: true}},
		{"lead", cfg.Schedules[1].Lead, Lead{Fixed: 90 * time.Minute}},
		{"warn in days", cfg.Schedules[2].Warn, 24 * time.Hour},
		{"zone of a schedule", cfg.Schedules[2].Location.String(), "America/New_York"},
		{"disabled", cfg.Schedules[3].Enabled, false},
		{"disabled schedules are not planned", len(cfg.Spec.Schedules), 3},
		{"one time of two", cfg.Schedules[2].Stops[1].String(), "23:30"},
		{"exception names", []string{cfg.Exceptions[0].Name, cfg.Exceptions[1].Name, cfg.Exceptions[2].Name}, []string{"exception:2027-12-28", "exception:2027-12-29", "exception:2027-12-29#2"}},
		{"until excludes its day", cfg.Exceptions[0].Until.Format(time.RFC3339), "2028-01-02T00:00:00+01:00"},
		{"date is one day", cfg.Exceptions[1].Until.Sub(cfg.Exceptions[1].From), 24 * time.Hour},
		{"local time of another zone", cfg.Exceptions[2].From.Format(time.RFC3339), "2027-12-29T18:00:00Z"},
		{"RFC 3339", cfg.Exceptions[3].From.UTC().Format(time.RFC3339), "2027-05-01T16:00:00Z"},
		{"keep", cfg.Exceptions[0].Keep, plan.Stopped},
		{"reason", cfg.Exceptions[0].Reason, "Christmas"},
		{"on", cfg.Notify[1].On, []string{"failed", "missed", "warning", "unreachable", "approval", "config"}},
		{"defaults", cfg.Defaults, Defaults{36 * time.Hour, 90 * time.Minute, 0, 90 * time.Minute, OrderFile, 20}},
	}
	for _, tt := range tests {
		if !reflect.DeepEqual(tt.got, tt.want) {
			t.Errorf("%s = %#v, want %#v", tt.name, tt.got, tt.want)
		}
	}
	days := map[string]bool{"2026-12-24": true, "2027-01-01": true, "2027-01-05": true, "2027-01-06": false, "2027-12-25": true}
	for day, want := range days {
		date, err := plan.ParseDate(day)
		if err != nil {
			t.Fatal(err)
		}
		if _, got := cfg.Spec.Schedules[0].Calendar.Holiday(date); got != want {
			t.Errorf("Holiday(%s) = %v, want %v", day, got, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	cfg, diags := Load("testdata/valid-minimal.yaml", Options{Now: now()})
	if cfg == nil {
		t.Fatal(write(diags))
	}
	if want := (Defaults{2 * time.Hour, 2 * time.Hour, 0, 45 * time.Minute, OrderCost, 0}); cfg.Defaults != want {
		t.Errorf("Defaults = %+v, want %+v", cfg.Defaults, want)
	}
	s := cfg.Schedules[0]
	if !s.Enabled || s.Enforce != EnforceEdges || s.Lead != (Lead{}) || cfg.Projects[0].Region != "us" {
		t.Errorf("schedule %+v of region %s, want it enabled, at edges, without lead, in us", s, cfg.Projects[0].Region)
	}
}

func TestWarnOfDefaultsAppliesToSchedulesWithoutTheirOwn(t *testing.T) {
	src, err := os.ReadFile("testdata/valid-minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(src) + "  - {name: quiet, environments: \"*\", uptime: sat 07:00-19:00, warn: 0}\ndefaults: {warn: 15m}\n"
	cfg, diags := Parse("a.yaml", []byte(text), ".", Options{})
	if cfg == nil {
		t.Fatal(write(diags))
	}
	if a, b := cfg.Schedules[0].Warn, cfg.Schedules[1].Warn; a != 15*time.Minute || b != 0 {
		t.Errorf("warn = %v and %v, want 15m and 0", a, b)
	}
}

func TestNoMessageRepeatsASecret(t *testing.T) {
	for _, file := range []string{"testdata/secrets.yaml", "testdata/syntax-anchor.yaml", "testdata/endpoints.yaml"} {
		src, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(src), "hunter") {
			t.Fatalf("%s holds no secret to search for (%v)", file, err)
		}
		_, diags := Load(file, Options{})
		if got := write(diags); strings.Contains(got, "hunter") {
			t.Errorf("a message repeats a secret:\n%s", got)
		}
	}
}

func TestNoMessageNamesAGoType(t *testing.T) {
	for _, diags := range goldens(t) {
		for _, d := range diags {
			for _, word := range []string{"yaml:", "yaml.", "unmarshal", "time.", "interface", "%!", "config."} {
				if strings.Contains(d.Message, word) {
					t.Errorf("%s contains %q", d, word)
				}
			}
			if d.Line < 1 || d.Column < 1 {
				t.Errorf("%s has no place", d)
			}
		}
	}
}

func TestDiagnosticAsJSON(t *testing.T) {
	got, err := json.Marshal(Diagnostic{File: "a.yaml", Line: 3, Column: 9, Severity: Warning, Message: "m"})
	want := `{"file":"a.yaml","line":3,"column":9,"severity":"warning","message":"m"}`
	if err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v, want %s", got, err, want)
	}
}

func TestUnreadableFile(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads every file")
	}
	path := filepath.Join(t.TempDir(), "schedules.yaml")
	if err := os.WriteFile(path, []byte("version: 1\n"), 0); err != nil {
		t.Fatal(err)
	}
	if _, diags := Load(path, Options{}); !strings.Contains(write(diags), "permission denied") {
		t.Errorf("Load = %s, want permission denied", write(diags))
	}
}

func TestParseDuration(t *testing.T) {
	tests := []struct {
		in   string
		want time.Duration
		ok   bool
	}{
		{"0", 0, true},
		{"90m", 90 * time.Minute, true},
		{"1h30m", 90 * time.Minute, true},
		{"2d", 48 * time.Hour, true},
		{"1d12h", 36 * time.Hour, true},
		{"30", 0, false},
		{"", 0, false},
		{"d", 0, false},
		{"-1d", 0, false},
		{"1d-2h", 0, false},
		{"1.5d", 0, false},
		{"2d3", 0, false},
		{"1d1d", 0, false},
		{"106751d23h47m17s", 0, false},
	}
	for _, tt := range tests {
		if got, ok := ParseDuration(tt.in); got != tt.want || ok != tt.ok {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}

func TestWrittenDurationsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, 31*24*3600).Draw(t, "seconds")) * time.Second
		if got, ok := ParseDuration(plan.FormatDuration(want)); !ok || got != want {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", plan.FormatDuration(want), got, ok, want)
		}
	})
}

func TestSpecOfAValidFileCompiles(t *testing.T) {
	p, err := plan.Compile(loadFull(t).Spec)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2027, time.June, 7, 0, 0, 0, 0, time.UTC)
	if len(p.Fires(from, from.AddDate(0, 0, 7))) == 0 {
		t.Error("a week without fires, want some")
	}
}
