package report_test

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-ical"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

func TestCalendarCanBeSubscribedTo(t *testing.T) {
	now := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	var text strings.Builder
	w := bufio.NewWriter(&text)
	c := report.NewCalendar(w, "curfew, ours", now)
	o := scheduler.Override{ID: "k3f9x2ab", Keep: plan.Running, From: now, Until: now.Add(2 * time.Hour), Reason: "a demo; for us,\nall", By: scheduler.Actor{Name: "anna@contoso.com"}}
	fire := plan.Fire{At: now.Add(3 * time.Hour), Action: plan.Stop, Environment: "dev-01", Schedule: "office-hours", Reason: "window ends"}
	for _, err := range []error{c.Override(o, []string{"dev-01", "dev-02"}), c.Fire(fire), c.End(), w.Flush()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	read, err := ical.NewDecoder(strings.NewReader(text.String())).Decode()
	if err != nil {
		t.Fatalf("%v in\n%s", err, &text)
	}
	events := read.Events()
	if len(events) != 2 {
		t.Fatalf("%d events, want 2:\n%s", len(events), &text)
	}
	for i, want := range []struct {
		uid, summary, description string
		from, until               time.Time
	}{
		{"override-k3f9x2ab@curfew", "keep running dev-01, dev-02", "by anna@contoso.com: a demo; for us,\nall", now, now.Add(2 * time.Hour)},
		{"1795878000-dev-01-stop@curfew", "stop dev-01", "office-hours: window ends", now.Add(3 * time.Hour), now.Add(3 * time.Hour)},
	} {
		e := events[i]
		uid, _ := e.Props.Text(ical.PropUID)
		summary, _ := e.Props.Text(ical.PropSummary)
		description, _ := e.Props.Text(ical.PropDescription)
		from, err := e.DateTimeStart(time.UTC)
		until, uerr := e.DateTimeEnd(time.UTC)
		if uid != want.uid || summary != want.summary || description != want.description || err != nil || !from.Equal(want.from) || uerr != nil || !until.Equal(want.until) {
			t.Errorf("event %d = %s %q %q from %v until %v (%v, %v), want %+v", i, uid, summary, description, from, until, err, uerr, want)
		}
	}
	if name, _ := read.Props.Text("X-WR-CALNAME"); name != "curfew, ours" {
		t.Errorf("its name is %q", name)
	}
}
