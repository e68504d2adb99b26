package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
)

// mixedFile has names of different lengths, two zones, and texts that JSON and
// iCalendar escape.
const mixedFile = `version: 1
timezone: Europe/Copenhagen
accounts: [{name: a, mode: static, token: {env: T}}]
projects: [{name: p, id: 1, account: a}]
environments:
- {name: dev-é, project: p, id: 00000000-0000-0000-0000-000000000001}
- {name: a-much-longer-name, project: p, id: 00000000-0000-0000-0000-000000000002}
- {name: b, project: p, id: 00000000-0000-0000-0000-000000000003}
schedules:
- {name: office, environments: [dev-é, b], uptime: mon-fri 02:30-19:00}
- {name: new-york-nights, timezone: America/New_York, environments: [a-much-longer-name], start: "06:30", stop: "0 22 * * *"}
exceptions:
- {environments: b, from: 2027-03-25, until: 2027-03-27, keep: stopped, reason: "a; \"b\" <c>, d\\e"}
`

func mixedListing(t *testing.T, environments ...string) listing {
	t.Helper()
	cfg, diags := config.Parse("a.yaml", []byte(mixedFile), ".", config.Options{})
	if cfg == nil {
		t.Fatal(diags)
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2027, 3, 20, 0, 0, 0, 0, time.UTC)
	return listing{p, from, from.AddDate(0, 0, 14), environments}
}

// TestStreamedFormsAreThoseOfAllRowsAtOnce holds each form against one that has all
// fires at hand.
func TestStreamedFormsAreThoseOfAllRowsAtOnce(t *testing.T) {
	now := time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		stream func(l listing, w *bufio.Writer) error
		all    func(l listing, w *bytes.Buffer) error
	}{
		{"json", listing.writeJSON, func(l listing, w *bytes.Buffer) error {
			rows := []api.Fire{}
			for f := range l.fires() {
				rows = append(rows, api.FireOf(f))
			}
			return printJSON(w, rows)
		}},
		{"ics", func(l listing, w *bufio.Writer) error { return l.writeCalendar(w, now) }, func(l listing, w *bytes.Buffer) error { return calendarOf(l, w, now) }},
	}
	for _, tt := range tests {
		for _, l := range []listing{mixedListing(t), mixedListing(t, "b"), {mixedListing(t).plan, now, now, nil}} {
			t.Run(fmt.Sprint(tt.name, l.environments, l.from.Equal(l.to)), func(t *testing.T) {
				var got, want bytes.Buffer
				w := bufio.NewWriter(&got)
				if err := errors.Join(tt.stream(l, w), w.Flush(), tt.all(l, &want)); err != nil {
					t.Fatal(err)
				}
				if got.String() != want.String() {
					t.Errorf("streamed:\n%s\nat once:\n%s", &got, &want)
				}
			})
		}
	}
}

// TestPlanNotesChangesOfTheClocks holds the notes on stderr of the forms that have no room
// for them, and their output, which has nothing but fires.
func TestPlanNotesChangesOfTheClocks(t *testing.T) {
	const note = "Sun 2027-03-28 03:00 CEST: start of office: 02:30 does not exist on 2027-03-28 in Europe/Copenhagen; fires at 03:00\n"
	file := filepath.Join(t.TempDir(), "schedules.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(mixedFile, "mon-fri 02:30", "02:30")), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, form string
		args       []string
		notes      int
	}{
		{"json", "json", nil, 1},
		{"iCalendar", "ics", nil, 1},
		{"the table has it in the reason", "table", nil, 0},
		{"of other days", "json", []string{"--days", "7"}, 0},
		{"of other environments", "json", []string{"--environment", "a-much-longer-name"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--config", file, "plan", "--from", "2027-03-20", "-o", tt.form}, tt.args...)
			if tt.args == nil || tt.args[0] != "--days" {
				args = append(args, "--to", "2027-04-03")
			}
			code, out, errs := command(t, nil, args...)
			if code != exitDone || strings.Count(errs, note) != tt.notes {
				t.Errorf("exited %d, stderr:\n%swant %d times:\n%s", code, errs, tt.notes, note)
			}
			if tt.form == "json" && !json.Valid([]byte(out)) {
				t.Errorf("stdout is no JSON:\n%s", out)
			}
		})
	}
}

func TestValidateSaysWithinWhichTimeNothingFires(t *testing.T) {
	file := filepath.Join(t.TempDir(), "schedules.yaml")
	src := mixedFile[:strings.Index(mixedFile, "schedules:")] + "schedules: [{name: s, environments: \"*\", start: \"07:00\", enabled: false}]\n"
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := command(t, nil, "--config", file, "validate"); !strings.Contains(out, "1 schedule, no fire within twelve months\n") {
		t.Errorf("validate prints\n%s\nwant no fire within twelve months", out)
	}
}

func calendarOf(l listing, w *bytes.Buffer, now time.Time) error {
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, "-//curfew//plan//EN")
	for f := range l.fires() {
		event := ical.NewEvent()
		event.Props.SetText(ical.PropUID, fmt.Sprintf("%d-%s-%s@curfew", f.At.Unix(), f.Environment, f.Action))
		event.Props.SetDateTime(ical.PropDateTimeStamp, now.UTC())
		event.Props.SetDateTime(ical.PropDateTimeStart, f.At.UTC())
		event.Props.SetText(ical.PropSummary, fmt.Sprintf("%s %s", f.Action, f.Environment))
		event.Props.SetText(ical.PropDescription, fmt.Sprintf("%s: %s", f.Schedule, f.Reason))
		cal.Children = append(cal.Children, event.Component)
	}
	if len(cal.Children) == 0 { // the encoder refuses one without events
		_, err := w.WriteString("BEGIN:VCALENDAR\r\nPRODID:-//curfew//plan//EN\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")
		return err
	}
	return ical.NewEncoder(w).Encode(cal)
}

// closed is a pipe whose reader has gone.
type closed struct{ written int }

func (c *closed) Write(p []byte) (int, error) {
	c.written += len(p)
	return 0, syscall.EPIPE
}

func TestPlanEndsWhenItsReaderHasGone(t *testing.T) {
	l := mixedListing(t)
	l.to = l.from.AddDate(10, 0, 0)
	for name, write := range map[string]func(*bufio.Writer) error{
		"table": func(w *bufio.Writer) error { return l.writeTable(w, &screen{width: 80, zone: time.UTC}, &grouping{}) }, "json": l.writeJSON, "ics": func(w *bufio.Writer) error { return l.writeCalendar(w, l.from) },
	} {
		c := &closed{}
		if err := write(bufio.NewWriterSize(c, 1024)); !errors.Is(err, syscall.EPIPE) || c.written > 2048 {
			t.Errorf("%s: %v after %d bytes, want EPIPE at once", name, err, c.written)
		}
	}
}
