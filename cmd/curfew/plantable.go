package main

import (
	"bufio"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

// A planLine is one line of the plan's table: a fire, of one environment or of many.
type planLine struct {
	fire plan.Fire
	who  string
}

// A grouping names the environments of a fire.
type grouping struct {
	each bool // a line for each
	tags []tagged
	all  int // environments of the file
}

type tagged struct {
	name    string
	members map[string]bool
}

func newGrouping(cfg *config.Config, each bool) *grouping {
	g := &grouping{each: each, all: len(cfg.Environments)}
	place := map[string]int{}
	for _, env := range cfg.Environments {
		for _, tag := range env.Tags {
			i, ok := place[tag]
			if !ok {
				i = len(g.tags)
				place[tag] = i
				g.tags = append(g.tags, tagged{tag, map[string]bool{}})
			}
			g.tags[i].members[env.Name] = true
		}
	}
	slices.SortStableFunc(g.tags, func(a, b tagged) int { return len(a.members) - len(b.members) })
	return g
}

// label names environments by the smallest tag that all of them have: "40 of tag:dev".
func (g *grouping) label(names []string) string {
	const few = 2
	if len(names) <= few {
		return strings.Join(names, " ")
	}
	for _, t := range g.tags {
		if len(t.members) < len(names) || slices.ContainsFunc(names, func(name string) bool { return !t.members[name] }) {
			continue
		}
		if len(t.members) == len(names) {
			return fmt.Sprintf("%d of tag:%s", len(names), t.name)
		}
		return fmt.Sprintf("%d of the %d of tag:%s", len(names), len(t.members), t.name)
	}
	if len(names) == g.all {
		return fmt.Sprintf("all %d", g.all)
	}
	return fmt.Sprintf("%d environments", len(names))
}

// lines yields the lines of the table: the environments of one fire together, or each.
func (l listing) lines(g *grouping) iter.Seq[planLine] {
	return func(yield func(planLine) bool) {
		if g.each {
			for f := range l.fires() {
				if !yield(planLine{f, f.Environment}) {
					return
				}
			}
			return
		}
		for fire, names := range l.grouped() {
			if !yield(planLine{fire, g.label(names)}) {
				return
			}
		}
	}
}

// grouped yields fires with all their environments: those of one instant that have the
// same action and reason are one.
func (l listing) grouped() iter.Seq2[plan.Fire, []string] {
	return func(yield func(plan.Fire, []string) bool) {
		var fires []plan.Fire // of one instant
		var names [][]string
		flush := func() bool {
			for i, f := range fires {
				if !yield(f, names[i]) {
					return false
				}
			}
			fires, names = fires[:0], names[:0]
			return true
		}
		for b := range l.plan.Batches(l.from, l.to, l.environments...) {
			if len(fires) > 0 && !fires[0].At.Equal(b.At) && !flush() {
				return
			}
			i := slices.IndexFunc(fires, func(f plan.Fire) bool {
				return f.Action == b.Action && f.Schedule == b.Schedule && f.Reason == b.Reason
			})
			if i < 0 {
				i = len(fires)
				fires, names = append(fires, b.Fire), append(names, nil)
				fires[i].Environment = b.Environments[0] // one of them, for the change of the clocks
			}
			names[i] = append(names[i], b.Environments...)
		}
		flush()
	}
}

// writeTable prints the fires by day. It goes through them twice, first for the widths of
// the columns, so that a plan of any length needs little memory.
func (l listing) writeTable(w *bufio.Writer, s *screen, g *grouping) error {
	var who, schedule, fires int
	for line := range l.lines(g) {
		who, schedule = max(who, utf8.RuneCountInString(line.who)), max(schedule, utf8.RuneCountInString(kindOf(line.fire)))
		fires++
	}
	err := writeAll(w, s.heading(wording.Count(fires, "fire")))
	var day plan.Date
	for line := range l.lines(g) {
		if err != nil {
			return err
		}
		at := line.fire.At.In(s.zone)
		if d := plan.DateOf(at); d != day {
			day = d
			_ = writeAll(w, at.Format("Mon 2006-01-02"), "\n") // a bufio.Writer keeps its error
		}
		const first = "  15:04  start  "
		lead := fmt.Sprintf("  %s  %-5s  %-*s  %-*s  ", at.Format("15:04"), line.fire.Action, who, line.who, schedule, kindOf(line.fire))
		reason := cell(l.reason(line.fire, s.zone))
		if utf8.RuneCountInString(lead)+utf8.RuneCountInString(reason) <= s.width {
			err = writeAll(w, lead, reason, "\n")
			continue
		}
		var b strings.Builder
		wrap(&b, reason, strings.Repeat(" ", len(first)), s.width)
		err = writeAll(w, strings.TrimRight(lead, " "), "\n", b.String())
	}
	return err
}

// kindOf is the schedule of a fire; the reason names an exception or override.
func kindOf(f plan.Fire) string {
	kind, _, _ := strings.Cut(f.Schedule, ":")
	return kind
}

// reason is that of a fire, with the time in its own zone, where that is another one, and
// with what a change of the clocks does to it.
func (l listing) reason(f plan.Fire, zone *time.Location) string {
	reason := f.Reason
	if _, there := f.At.Zone(); there != offset(f.At.In(zone)) {
		reason += fmt.Sprintf(" (%s %s)", f.At.Format("15:04"), f.At.Location())
	}
	if !plan.ChangesNear(f.At) {
		return reason
	}
	if note, ok := l.plan.ZoneChange(f); ok {
		reason += " (" + note + ")"
	}
	return reason
}

func offset(t time.Time) int {
	_, seconds := t.Zone()
	return seconds
}
