package notify

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

// mostFires is how many coming fires a summary lists.
const mostFires = 8

// A Day is what a summary reports.
type Day struct {
	Zone        *time.Location
	Currency    string
	From, Until time.Time
	Public      string // the address of the pages, "" when there is none
	Savings     report.Sums

	done   map[plan.Action]int
	failed []scheduler.Run
	open   int
	coming []comingFire
}

type comingFire struct {
	at     time.Time
	action plan.Action
	names  []string
}

// Add counts a run of the day.
func (d *Day) Add(run scheduler.Run) {
	switch run.State {
	case scheduler.Succeeded:
		if d.done == nil {
			d.done = map[plan.Action]int{}
		}
		d.done[run.Action]++
	case scheduler.Failed, scheduler.Missed:
		d.failed = append(d.failed, run)
	case scheduler.Queued, scheduler.Running, scheduler.Verifying:
		d.open++
	default: // canceled and skipped runs are nobody's concern
	}
}

// Coming adds a fire of the day after, in the order in which they come.
func (d *Day) Coming(f plan.Fire) {
	if n := len(d.coming); n > 0 && d.coming[n-1].at.Equal(f.At) && d.coming[n-1].action == f.Action {
		d.coming[n-1].names = append(d.coming[n-1].names, f.Environment)
		return
	}
	d.coming = append(d.coming, comingFire{f.At, f.Action, []string{f.Environment}})
}

// Message is the summary.
func (d *Day) Message() Message {
	clock := func(t time.Time) string { return t.In(d.Zone).Format(clockForm) }
	m := Message{Title: fmt.Sprintf("Summary of %s to %s", clock(d.From), clock(d.Until)), Footer: "Times are in " + d.Zone.String() + "."}
	add := func(text, next string) { m.Parts = append(m.Parts, Part{Text: text, Next: next}) }
	ran := fmt.Sprintf("%s and %s succeeded", wording.Count(d.done[plan.Stop], "stop"), wording.Count(d.done[plan.Start], "start"))
	if d.open > 0 {
		ran += "; " + wording.Count(d.open, "run") + " not finished"
	}
	add(ran, "")
	if len(d.failed) == 0 {
		add("Nothing failed", "")
	}
	w := writer{zone: d.Zone}
	for _, p := range w.parts(eventsOf(d.failed)) {
		p.Text = "Failed or missed: " + p.Text
		m.Parts = append(m.Parts, p)
	}
	saved := fmt.Sprintf("%.1f h off, %s saved", d.Savings.HoursOff, d.money(d.Savings.Saved))
	if d.Savings.LostFailed > 0 {
		saved += ", " + d.money(d.Savings.LostFailed) + " lost to environments that ran although they were wanted stopped"
	}
	if d.Savings.LostOverrides > 0 {
		saved += ", " + d.money(d.Savings.LostOverrides) + " spent on overrides"
	}
	add(saved, "")
	var coming []string
	for _, f := range d.coming[:min(len(d.coming), mostFires)] {
		coming = append(coming, fmt.Sprintf("%s %s %s", clock(f.at), f.action, wording.Environments(f.names)))
	}
	if rest := len(d.coming) - mostFires; rest > 0 {
		coming = append(coming, fmt.Sprintf("and %d more fires", rest))
	}
	if len(coming) == 0 {
		coming = []string{"nothing"}
	}
	add("Until the next summary: "+strings.Join(coming, "; "), "")
	if d.Public != "" {
		m.Buttons = []Button{{"Show curfew", strings.TrimRight(d.Public, "/") + "/"}, {"Show the savings", strings.TrimRight(d.Public, "/") + "/savings"}}
	}
	return m
}

func (d *Day) money(v float64) string {
	return strings.TrimSpace(fmt.Sprintf("%.2f %s", v, d.Currency))
}

// eventsOf are the ends of runs, as events.
func eventsOf(runs []scheduler.Run) []scheduler.Event {
	list := make([]scheduler.Event, len(runs))
	for i, run := range runs {
		list[i] = scheduler.Event{Kind: scheduler.EventFailed, At: run.FinishedAt, Environment: run.Environment, Schedule: run.Schedule, Action: run.Action, Reason: run.Message}
		if run.State == scheduler.Missed {
			list[i].Kind = scheduler.EventMissed
		}
	}
	slices.Reverse(list) // runs come newest first
	return list
}
