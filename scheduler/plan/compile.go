package plan

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A Plan answers when which environments are started and stopped. It is made by
// Compile, never changes, and is for concurrent use.
type Plan struct {
	spec      Spec
	schedules []compiled // as those of spec
	layers    []*layer   // as the exceptions of spec
	place     map[string]place
	groups    []*group
	group     map[string]*group // by environment
	sorted    []string          // the environments

	rules func() []rule                // worked out once
	quiet atomic.Pointer[quietStretch] // the last one found
}

// A place is where the spec has a rule: among the schedules, or else the exceptions.
type place struct {
	schedule bool
	index    int
}

// A group is environments with the same rules, for which everything is worked out
// once.
type group struct {
	environments []string // sorted
	places       []uint32 // of the environments in the sorted ones of the plan
	windows      []*windowRule
	triggers     []*triggerRule
	layers       []*layer // the one that beats the others first
}

// Compile makes the plan of s. All problems are reported together: names that are
// unknown or given twice, an environment with both uptime and events, and rules that
// say nothing or contradict themselves.
func Compile(s Spec) (*Plan, error) {
	s.Schedules = slices.Clone(s.Schedules)
	s.Exceptions = slices.Clone(s.Exceptions)
	if err := check(s); err != nil {
		return nil, err
	}
	p := &Plan{spec: s, place: make(map[string]place, len(s.Schedules)+len(s.Exceptions)), group: make(map[string]*group, len(s.Environments))}
	p.build()
	p.rules = sync.OnceValue(p.distinctRules)
	return p, nil
}

// WithExceptions is the plan with more exceptions, which come after those it has and
// so beat them. Names that the plan does not know are refused, as by Compile: leave
// out what names an environment that is gone.
func (p *Plan) WithExceptions(list []Exception) (*Plan, error) {
	s := p.spec
	s.Exceptions = slices.Concat(s.Exceptions, list)
	return Compile(s)
}

// build groups the environments and compiles each rule once.
func (p *Plan) build() {
	p.schedules = make([]compiled, len(p.spec.Schedules))
	for i := range p.spec.Schedules {
		p.schedules[i] = compileSchedule(&p.spec.Schedules[i])
		p.place[p.spec.Schedules[i].Name] = place{true, i}
	}
	p.layers = make([]*layer, len(p.spec.Exceptions))
	for i := range p.spec.Exceptions {
		p.layers[i] = newLayer(&p.spec.Exceptions[i])
		p.place[p.spec.Exceptions[i].Name] = place{false, i}
	}
	groups := map[string]*group{}
	members := p.members()
	var key []byte
	for _, name := range p.spec.Environments {
		m := members[name]
		key = m.appendKey(key[:0])
		g := groups[string(key)]
		if g == nil {
			g = m.group(p.schedules, p.layers)
			groups[string(key)] = g
			p.groups = append(p.groups, g)
		}
		p.group[name] = g
	}
	p.sorted = slices.Sorted(slices.Values(p.spec.Environments))
	for i, name := range p.sorted {
		g := p.group[name]
		g.environments = append(g.environments, name)
		g.places = append(g.places, uint32(i))
	}
}

// A membership is the rules of one environment, by their place in the spec.
type membership struct{ schedules, exceptions []int }

// appendKey appends what is the same for environments with the same rules.
func (m *membership) appendKey(key []byte) []byte {
	for _, i := range m.schedules {
		key = binary.AppendUvarint(key, uint64(i+1)) //nolint:gosec // an index
	}
	key = append(key, 0)
	for _, i := range m.exceptions {
		key = binary.AppendUvarint(key, uint64(i+1)) //nolint:gosec // an index
	}
	return key
}

func (p *Plan) members() map[string]*membership {
	all := make([]membership, len(p.spec.Environments))
	members := make(map[string]*membership, len(all))
	for i, name := range p.spec.Environments {
		members[name] = &all[i]
	}
	for i, s := range p.spec.Schedules {
		for _, name := range s.Environments {
			m := members[name]
			m.schedules = appendOnce(m.schedules, i)
		}
	}
	for i, e := range p.spec.Exceptions {
		for _, name := range e.Environments {
			m := members[name]
			m.exceptions = appendOnce(m.exceptions, i)
		}
	}
	return members
}

// appendOnce appends i unless it is the last already: an environment that is named
// twice by a rule has it once.
func appendOnce(list []int, i int) []int {
	if len(list) > 0 && list[len(list)-1] == i {
		return list
	}
	return append(list, i)
}

// group is the group of the environments with these rules. Overrides come first,
// then exceptions, and of each the later before the earlier.
func (m *membership) group(schedules []compiled, layers []*layer) *group {
	g := &group{}
	for _, i := range m.schedules {
		g.windows = append(g.windows, schedules[i].windows...)
		g.triggers = append(g.triggers, schedules[i].triggers...)
	}
	for _, override := range []bool{true, false} {
		for _, i := range slices.Backward(m.exceptions) {
			if layers[i].exception.Override == override {
				g.layers = append(g.layers, layers[i])
			}
		}
	}
	return g
}

// compiled is the rules of one schedule.
type compiled struct {
	windows  []*windowRule
	triggers []*triggerRule
}

func compileSchedule(s *Schedule) compiled {
	var c compiled
	for _, w := range s.Uptime {
		r := &windowRule{
			window: w, lead: s.Lead, loc: s.Location, calendar: s.Calendar,
			ends: &cause{s.Name, "window " + w.String() + " ends", s.Location},
		}
		r.begins = &cause{s.Name, "window " + r.String() + " begins", s.Location}
		c.windows = append(c.windows, r)
	}
	for _, t := range s.Starts {
		c.triggers = append(c.triggers, &triggerRule{
			trigger: t, loc: s.Location, calendar: s.Calendar, wanted: Running,
			cause: &cause{s.Name, "start " + t.describe(), s.Location},
		})
	}
	for _, t := range s.Stops {
		c.triggers = append(c.triggers, &triggerRule{
			trigger: t, loc: s.Location, wanted: Stopped,
			cause: &cause{s.Name, "stop " + t.describe(), s.Location},
		})
	}
	return c
}

// check finds everything that Compile refuses.
func check(s Spec) error {
	var errs []error
	known := map[string]bool{}
	for _, name := range s.Environments {
		if known[name] {
			errs = append(errs, fmt.Errorf("environment %q is named twice; want each name once", name))
		}
		known[name] = true
	}
	rules := map[string]bool{}
	rule := func(kind, name string, environments []string) {
		if rules[name] {
			errs = append(errs, fmt.Errorf("%s %q has the name of another schedule or exception; want a name of its own", kind, name))
		}
		rules[name] = true
		for _, e := range environments {
			if !known[e] {
				errs = append(errs, fmt.Errorf("%s %q names the environment %q, which is not in the file; want one that is", kind, name, e))
			}
		}
	}
	for i := range s.Schedules {
		rule("schedule", s.Schedules[i].Name, s.Schedules[i].Environments)
		errs = append(errs, s.Schedules[i].check()...)
	}
	for i := range s.Exceptions {
		rule("exception", s.Exceptions[i].Name, s.Exceptions[i].Environments)
		errs = append(errs, s.Exceptions[i].check()...)
	}
	errs = append(errs, checkMixed(s)...)
	return errors.Join(errs...)
}

// maxLead is how much earlier than its window an environment can be started.
const maxLead = 24 * time.Hour

// checkMixed refuses environments that have windows and events: nobody could say
// which of the two an event between two windows beats.
func checkMixed(s Spec) []error {
	windows, events := map[string]string{}, map[string]string{}
	for _, sched := range s.Schedules {
		for _, e := range sched.Environments {
			if len(sched.Uptime) > 0 {
				windows[e] = sched.Name
			}
			if len(sched.Starts)+len(sched.Stops) > 0 {
				events[e] = sched.Name
			}
		}
	}
	var errs []error
	for _, e := range slices.Compact(slices.Sorted(slices.Values(s.Environments))) {
		if w, ev := windows[e], events[e]; w != "" && ev != "" {
			errs = append(errs, fmt.Errorf("environment %q has uptime from schedule %q and start or stop from %q; want one of the two kinds", e, w, ev))
		}
	}
	return errs
}

func (s *Schedule) check() []error {
	var errs []error
	if s.Name == "" {
		errs = append(errs, errors.New("a schedule has no name; want one"))
	}
	if s.Location == nil {
		errs = append(errs, fmt.Errorf("schedule %q has no timezone; want an IANA name", s.Name))
	}
	if len(s.Uptime)+len(s.Starts)+len(s.Stops) == 0 {
		errs = append(errs, fmt.Errorf("schedule %q has no rule; want uptime, start or stop", s.Name))
	}
	if s.Lead < 0 || s.Lead > maxLead {
		errs = append(errs, fmt.Errorf("schedule %q has a lead of %s; want one from 0 to %s", s.Name, FormatDuration(s.Lead), FormatDuration(maxLead)))
	}
	for _, t := range slices.Concat(s.Starts, s.Stops) {
		if t.text == "" {
			errs = append(errs, fmt.Errorf("schedule %q has an empty start or stop; want HH:MM or a cron expression of five fields", s.Name))
		}
	}
	if s.neverStops() {
		errs = append(errs, fmt.Errorf("schedule %q starts and stops at the same times, %s, so that it never stops; want two different ones",
			s.Name, s.Stops[0].describe()))
	}
	return append(errs, checkWindows(fmt.Sprintf("schedule %q", s.Name), s.Uptime)...)
}

// neverStops reports whether each stop is also a start, which wins.
func (s *Schedule) neverStops() bool {
	starts := map[string]bool{}
	for _, start := range s.Starts {
		starts[start.canonical()] = true
	}
	return len(s.Stops) > 0 && !slices.ContainsFunc(s.Stops, func(stop Trigger) bool { return !starts[stop.canonical()] })
}

func (e *Exception) check() []error {
	var errs []error
	title := fmt.Sprintf("exception %q", e.Name)
	if e.Location == nil {
		errs = append(errs, fmt.Errorf("%s has no timezone; want an IANA name", title))
	}
	switch {
	case e.Name == "":
		errs = append(errs, errors.New("an exception has no name; want one"))
	case e.Keep != "" && len(e.Uptime) > 0:
		errs = append(errs, fmt.Errorf("%s has both keep and uptime; want one of them", title))
	case e.Keep == "" && len(e.Uptime) == 0:
		errs = append(errs, fmt.Errorf("%s has no effect; want keep or uptime", title))
	case e.Keep != "" && e.Keep != Running && e.Keep != Stopped:
		errs = append(errs, fmt.Errorf("%s has keep %q; want running or stopped", title, e.Keep))
	}
	return append(errs, checkWindows(title, e.Uptime)...)
}

func checkWindows(title string, list []Window) []error {
	var errs []error
	for _, w := range list {
		length := w.EndDay*minutesPerDay + w.End - w.Begin
		inRange := 0 <= w.Begin && w.Begin < minutesPerDay && 0 <= w.End && w.End <= minutesPerDay && w.EndDay >= 0
		if !inRange || length <= 0 || length > daysPerWeek*minutesPerDay || w.Days&EveryDay == 0 || w.Days > EveryDay {
			errs = append(errs, fmt.Errorf("%s has the impossible window %s; want one such as mon-fri 07:00-19:00", title, strings.TrimSpace(w.String())))
		}
	}
	return errs
}
