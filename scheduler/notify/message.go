package notify

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A Message is what is sent to a receiver, in parts that each kind of receiver shows in its
// own way.
type Message struct {
	Title   string
	Parts   []Part
	Buttons []Button
	Footer  string
}

// A Part is one thing that happened, or that a person can do.
type Part struct {
	Text    string // one sentence or a few
	Next    string // what a person can do
	Buttons []Button
}

// A Button is a link with a name.
type Button struct{ Name, URL string }

const (
	mostParts = 12 // of a kind in one message; the rest is counted
	mostNames = 5  // of environments in a line
	clockForm = "Mon 2 Jan 15:04"
)

// A writer puts events into words.
type writer struct {
	zone   *time.Location
	public string // the address of the pages, without a final slash; "" when there is none
	now    time.Time
	// links returns the buttons of a warning, of one environment or of all with "". Nil:
	// there are none.
	links func(d scheduler.Delivery, environment string, zone *time.Location) []Button
}

// order is that of the kinds in a message: what needs a person first.
var order = []scheduler.EventKind{
	scheduler.EventStopping, scheduler.EventApproval, scheduler.EventFailed, scheduler.EventMissed, scheduler.EventConfig, scheduler.EventUnreachable,
	scheduler.EventReachable, scheduler.EventWarning, scheduler.EventThrottled, scheduler.EventDrift, scheduler.EventOverride, scheduler.EventSucceeded,
}

// buttons are the links of a warning, of one environment or of all with "".
func (w writer) buttons(d scheduler.Delivery, environment string) []Button {
	if w.links == nil {
		return nil
	}
	return w.links(d, environment, w.zone)
}

// compose is the message of a delivery.
func (w writer) compose(d scheduler.Delivery) Message {
	var m Message
	if len(d.Events) == 0 {
		return m
	}
	var heads []string
	for _, kind := range order {
		var of []scheduler.Event
		for _, e := range d.Events {
			if e.Kind == kind {
				of = append(of, e)
			}
		}
		if len(of) == 0 {
			continue
		}
		heads = append(heads, w.head(of))
		if kind == scheduler.EventStopping {
			m.Parts = append(m.Parts, w.stopping(d, of)...)
		} else {
			m.Parts = append(m.Parts, w.parts(of)...)
		}
	}
	m.Title = strings.Join(heads, "; ")
	if name := d.Events[0].Environment; name == "" || !strings.HasPrefix(m.Title, name) {
		m.Title = capital(m.Title)
	}
	m.Buttons = w.pageOf(d.Events)
	m.Footer = "Times are in " + w.zone.String() + "."
	return m
}

// capital writes the first letter as a capital.
func capital(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:]
}

func (w writer) at(t time.Time) string { return t.In(w.zone).Format(clockForm) }

// head says in a few words what events of one kind are about.
func (w writer) head(of []scheduler.Event) string {
	e, n := of[0], len(of)
	what := func(one, many string) string {
		if n == 1 {
			return one
		}
		return many
	}
	when := w.fireTime(of)
	switch e.Kind {
	case scheduler.EventStopping:
		return what(e.Environment+" stops", wording.Count(n, "environment")+" stop") + when
	case scheduler.EventApproval:
		return "a fire" + when + approvalHead(e)
	case scheduler.EventFailed, scheduler.EventMissed, scheduler.EventSucceeded:
		return what(string(e.Action)+" of "+e.Environment+" "+string(e.Kind), actions(of)+" "+string(e.Kind)) + when
	case scheduler.EventConfig:
		return "the schedule file was refused"
	case scheduler.EventUnreachable:
		return subject(of) + " cannot be reached"
	case scheduler.EventReachable:
		return subject(of) + " can be reached again"
	case scheduler.EventThrottled:
		return "LCS limits calls: " + what(subject(of), wording.Count(n, "call")) + what("", " refused")
	case scheduler.EventDrift:
		return what(e.Environment+" is not as the schedules want it; it is brought back", wording.Count(n, "environment")+" are not as the schedules want them; they are brought back")
	case scheduler.EventOverride:
		return what("an override changed", wording.Count(n, "override")+" changed")
	default:
		return what("a warning about "+subject(of), wording.Count(n, "warning")) + when
	}
}

func approvalHead(e scheduler.Event) string {
	if e.NextStep == "" {
		return " was approved"
	}
	return " waits for an approval"
}

// actions counts the starts and stops of events.
func actions(of []scheduler.Event) string {
	n := map[plan.Action]int{}
	for _, e := range of {
		n[e.Action]++
	}
	var parts []string
	for _, a := range []plan.Action{plan.Stop, plan.Start} {
		if n[a] > 0 {
			parts = append(parts, wording.Count(n[a], string(a)))
		}
	}
	return strings.Join(parts, " and ")
}

// fireTime is the instant of the fire, where all events are of the same.
func (w writer) fireTime(of []scheduler.Event) string {
	at := of[0].FireAt
	for _, e := range of {
		if e.FireAt.IsZero() || !e.FireAt.Equal(at) {
			return ""
		}
	}
	return " at " + w.at(at)
}

// subject names what events are about, in file words.
func subject(of []scheduler.Event) string {
	var names []string
	for _, e := range of {
		name := "the schedule file"
		switch {
		case e.Environment != "":
			name = e.Environment
		case e.Account != "":
			name = "account " + e.Account
		case e.Project != "":
			name = "LCS of project " + e.Project
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return some(names)
}

func some(names []string) string {
	if len(names) <= mostNames {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames-1], ", "), len(names)-mostNames+1)
}

// A cause is what several events have in common.
type cause struct {
	reason string
	events []scheduler.Event
}

// parts are one part for each cause: failures of one cause are one line with a count.
func (w writer) parts(of []scheduler.Event) []Part {
	var causes []*cause
	at := map[string]*cause{}
	for _, e := range of {
		key := alike(e)
		c := at[key]
		if c == nil {
			c = &cause{reason: e.Reason}
			at[key] = c
			causes = append(causes, c)
		}
		c.events = append(c.events, e)
	}
	slices.SortStableFunc(causes, func(a, b *cause) int { return len(b.events) - len(a.events) })
	var list []Part
	for i, c := range causes {
		if i == mostParts && len(causes) > mostParts+1 {
			n := 0
			for _, rest := range causes[i:] {
				n += len(rest.events)
			}
			list = append(list, Part{Text: fmt.Sprintf("and %d more, of %d other causes", n, len(causes)-i)})
			break
		}
		list = append(list, w.part(c))
	}
	return list
}

func (w writer) part(c *cause) Part {
	e := c.events[0]
	p := Part{Text: w.local(c.reason), Next: w.local(e.NextStep)}
	if len(c.events) > 1 {
		p.Text = w.local(ofEach(c))
	}
	var names, schedules []string
	for _, e := range c.events {
		if e.Environment != "" && !slices.Contains(names, e.Environment) {
			names = append(names, e.Environment)
		}
		if e.Schedule != "" && !strings.HasPrefix(e.Schedule, plan.OverridePrefix) && !slices.Contains(schedules, e.Schedule) {
			schedules = append(schedules, e.Schedule)
		}
	}
	if len(names) > 0 {
		who := some(names)
		if len(names) > 1 {
			who = wording.Count(len(names), "environment") + " (" + who + ")"
		}
		if len(schedules) > 0 {
			who += ", " + plural(len(schedules), "schedule") + " " + some(schedules)
		}
		p.Text = who + ": " + orNone(p.Text, string(e.Kind))
	}
	if len(names) > 1 && e.NextStep != "" && (e.Kind == scheduler.EventFailed || e.Kind == scheduler.EventMissed) {
		p.Next = fmt.Sprintf("if they are still wanted: curfew %s %s", e.Action, strings.Join(names[:min(len(names), mostNames)], " "))
		if len(names) > mostNames {
			p.Next += " …"
		}
	}
	if e.Kind == scheduler.EventOverride && e.By.Via != "schedule" {
		p.Text += ", by " + e.By.String()
	}
	return p
}

func plural(n int, what string) string {
	if n == 1 {
		return what
	}
	return what + "s"
}

func orNone(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

var (
	ids      = regexp.MustCompile(`[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}`)
	instants = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`)
)

// alike is the reason of an event without what is different from one environment to the next.
func alike(e scheduler.Event) string {
	text := e.Reason
	if e.Environment != "" {
		text = strings.ReplaceAll(text, e.Environment, "·")
	}
	return string(e.Action) + instants.ReplaceAllString(ids.ReplaceAllString(text, "·"), "·")
}

// ofEach is the reason of several events without what is of the first alone.
func ofEach(c *cause) string {
	text := c.reason
	for _, e := range c.events {
		if e.Reason != c.reason {
			if first := c.events[0].Environment; first != "" {
				text = strings.ReplaceAll(text, first, "the environment")
			}
			return ids.ReplaceAllString(text, "…")
		}
	}
	return text
}

// local writes the instants of a text in the zone of the file.
func (w writer) local(text string) string {
	return instants.ReplaceAllStringFunc(text, func(s string) string {
		t, err := time.Parse(time.RFC3339Nano, s)
		if err != nil {
			return s
		}
		return w.at(t)
	})
}

// pageOf is the page that says more: of the run, where there is one.
func (w writer) pageOf(events []scheduler.Event) []Button {
	if w.public == "" || len(events) == 0 {
		return nil
	}
	e := events[0]
	switch {
	case len(events) == 1 && e.Kind == scheduler.EventApproval && e.NextStep != "":
		return []Button{{"Approve", w.public + "/environments/" + url.PathEscape(e.Environment)}, {"Show the run", w.public + "/runs/" + e.Run}}
	case len(events) == 1 && e.Run != "":
		return []Button{{"Show the run", w.public + "/runs/" + e.Run}}
	case e.Kind == scheduler.EventUnreachable, e.Kind == scheduler.EventReachable, e.Kind == scheduler.EventConfig:
		return []Button{{"Show the health", w.public + "/health"}}
	case e.Run != "":
		return []Button{{"Show the runs", w.public + "/runs"}}
	}
	return []Button{{"Show curfew", w.public + "/"}}
}

// stopping is a warning: what is to be stopped, and the links that keep it.
func (w writer) stopping(d scheduler.Delivery, of []scheduler.Event) []Part {
	var list []Part
	for _, e := range of {
		p := Part{Text: fmt.Sprintf("%s stops at %s, schedule %s", e.Environment, w.at(e.FireAt), e.Schedule), Next: "keep it: curfew keep " + e.Environment + " --running --for 2h, or curfew skip " + e.Environment}
		if strings.HasPrefix(e.Schedule, plan.OverridePrefix) {
			p.Text = fmt.Sprintf("%s stops at %s, since an override ends", e.Environment, w.at(e.FireAt))
		}
		if b := w.buttons(d, e.Environment); len(b) > 0 {
			p.Next, p.Buttons = "", b
		}
		list = append(list, p)
	}
	if len(of) == 1 {
		return list
	}
	all := Part{Text: "All " + wording.Count(len(of), "environment"), Buttons: w.buttons(d, "")}
	if len(all.Buttons) == 0 {
		return list
	}
	return append([]Part{all}, list...)
}
