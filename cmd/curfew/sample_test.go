package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"curfew/scheduler/web/api"
	"curfew/scheduler/zone"
)

// command runs a command line in this process.
func command(t *testing.T, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(name string) string { return vars[name] }}, args)
	return code, out.String(), errs.String()
}

func planOf(t *testing.T, file string, args ...string) []api.Fire {
	t.Helper()
	code, out, errs := command(t, nil, append([]string{"--config", file, "plan", "-o", "json"}, args...)...)
	if code != exitDone {
		t.Fatalf("curfew plan exited %d: %s", code, errs)
	}
	var fires []api.Fire
	if err := json.Unmarshal([]byte(out), &fires); err != nil {
		t.Fatal(err)
	}
	return fires
}

func TestSampleFileOverAYear(t *testing.T) {
	fires := planOf(t, "../../schedules.yaml", "--from", "2027-01-01", "--to", "2028-01-01")
	loc, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range fires {
		counts[f.Environment+" "+f.Action]++
		local := f.At.In(loc)
		if d := local.Weekday(); f.Environment != "build-01" && (d == time.Saturday || d == time.Sunday) {
			t.Errorf("%s of %s falls on a %s: %v", f.Action, f.Environment, d, local)
		}
		if got, want := local.Format("15:04"), map[string]string{"dev start": "07:00", "dev stop": "19:00", "build start": "06:30", "build stop": "22:00"}[strings.Split(f.Environment, "-")[0]+" "+f.Action]; got != want {
			t.Errorf("%s of %s at %s local time, want %s", f.Action, f.Environment, got, want)
		}
	}
	// 2027 has 261 days from Monday to Friday. Danish holidays among them: 1 January
	// (the file's own range too), Maundy Thursday 25 March, Good Friday 26 March, Easter
	// Monday 29 March, Ascension 6 May, Whit Monday 17 May. 24 and 31 December of 2026
	// are not in it; Christmas falls on a weekend.
	for _, name := range []string{"dev-01", "dev-02"} {
		if starts, stops := counts[name+" start"], counts[name+" stop"]; starts != 255 || stops != 255 {
			t.Errorf("%s has %d starts and %d stops, want 255 of each", name, starts, stops)
		}
	}
	if starts, stops := counts["build-01 start"], counts["build-01 stop"]; starts != 261 || stops != 365 {
		t.Errorf("build-01 has %d starts and %d stops, want 261 and 365", starts, stops)
	}
}

func TestBothDaylightSavingDays(t *testing.T) {
	sample, err := os.ReadFile("../../schedules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schedules.yaml")
	everyDay := strings.Replace(string(sample), "uptime: mon-fri 07:00-19:00", "uptime: 02:30-19:00", 1)
	if err := os.WriteFile(file, []byte(everyDay), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, day, next, start, stop string }{
		{"the missing hour moves to its end", "2027-03-28", "2027-03-29", "2027-03-28T03:00:00+02:00", "2027-03-28T19:00:00+02:00"},
		{"the repeated hour is taken once, the first time", "2027-10-31", "2027-11-01", "2027-10-31T02:30:00+02:00", "2027-10-31T19:00:00+01:00"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fires := planOf(t, file, "--from", tt.day, "--to", tt.next, "--environment", "dev-01")
			if len(fires) != 2 || fires[0].At.Format(time.RFC3339) != tt.start || fires[1].At.Format(time.RFC3339) != tt.stop {
				t.Errorf("fires = %v, want a start at %s and a stop at %s", fires, tt.start, tt.stop)
			}
		})
	}
}
