package pages

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/web/access"
)

// Actions are what somebody may do about environments, on their page or on the one that
// asks about several.
type Actions struct {
	Forms   []Form
	Refused []string // why there are no more forms, a sentence each
	SignIn  string   // address to sign in at, "" when there is none or no need
}

// A Form is one action, with what it does said first.
type Form struct {
	To, Title, Says string
	Fields          []Field  // hidden
	Options         []Option // its buttons
	Free            *Free    // an end that somebody writes, nil when there is none
}

// A Field is a field that nobody sees.
type Field struct{ Name, Value string }

// An Option is one button, and what it does.
type Option struct{ Name, Value, Text, Says string }

// Free is the end of an override that somebody chooses.
type Free struct {
	Value, Min, Max string // local times
	Zone            string
	Stopped         bool // to keep stopped may be chosen as well
}

// A subject is what the forms of a page are about.
type subject struct {
	all          []scheduler.EnvironmentStatus
	names        []string
	file, coming *plan.Plan // without and with the overrides
	currency     string
	to           func(do string) string // address of a form
	fields       []Field
}

func (p *Pages) subject(ctx context.Context, all []scheduler.EnvironmentStatus, to func(do string) string, fields ...Field) (*subject, error) {
	s := &subject{all: all, to: to, fields: fields}
	for _, e := range all {
		s.names = append(s.names, e.Name)
	}
	_, s.currency = p.opts.Reports.Place()
	var err error
	s.file, s.coming, err = p.opts.Reports.Plans(ctx)
	return s, err
}

// choices returns the forms of actions that the identity of a request may use now, and why
// not the others.
func (p *Pages) choices(r *http.Request, c *clock, s *subject, actions ...string) (Actions, error) {
	var a Actions
	who := access.From(r.Context())
	if who.Role < access.Requester { // the same for every action
		a.Refused = []string{p.readOnly(who, s)}
		if p.canSignIn() && !who.SignedIn() && who.Role < access.Operator {
			a.SignIn = "/login?next=" + escapedPath(r)
		}
		return a, nil
	}
	for _, do := range actions {
		var err error
		switch do {
		case doKeep:
			err = p.keepChoices(r.Context(), c, s, &a)
		case doSkip:
			err = p.skipChoice(r.Context(), c, s, &a)
		default:
			err = p.actChoice(r.Context(), c, s, plan.Action(do), &a)
		}
		if err != nil {
			return a, err
		}
	}
	return a, nil
}

// readOnly says why somebody has no forms at all.
func (p *Pages) readOnly(who access.Identity, s *subject) string {
	if !p.canSignIn() && !who.SignedIn() {
		return "The pages only show: the schedule file has no access section, so nobody can sign in. The command line makes changes, with the API token: curfew start, stop, keep, skip, release."
	}
	return sentence(who.May(access.KeepRunning, s.names...))
}

func (p *Pages) canSignIn() bool { return p.opts.CanSignIn != nil && p.opts.CanSignIn() }

// refuse notes why an action has no form. An error that is no refusal is returned.
func (a *Actions) refuse(err error) error {
	var no *access.Denied
	var invalid *scheduler.InvalidError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &no), errors.As(err, &invalid):
	default:
		return err
	}
	said := sentence(err)
	if !slices.Contains(a.Refused, said) {
		a.Refused = append(a.Refused, said)
	}
	return nil
}

// actChoice is the form to start or to stop at once.
func (p *Pages) actChoice(ctx context.Context, c *clock, s *subject, action plan.Action, a *Actions) error {
	if err := p.opts.Changes.Could(ctx, access.RequestOf(action), time.Time{}, s.names...); err != nil {
		return a.refuse(err)
	}
	f := Form{To: s.to(string(action)), Title: "Start now", Fields: s.fields, Options: []Option{{Text: "Start"}}}
	keep, already := plan.Running, "running"
	if action == plan.Stop {
		f.Title, f.Options, keep, already = "Stop now", []Option{{Text: "Stop"}}, plan.Stopped, "stopped"
	}
	var sum report.Effect
	holds, known := time.Time{}, 0
	for _, e := range s.all {
		until := nextFire(s.coming, e.Name, c.now)
		sum.Add(report.EffectOf(s.coming, e, keep, c.now, until))
		if until.After(holds) {
			holds = until
		}
		if seen(e.Observation) == already {
			known++
		}
	}
	switch {
	case known == len(s.all):
		f.Says = "LCS shows " + it(len(s.all)) + " " + already + " already; this keeps it so"
	default:
		when, err := p.when(ctx, c, action, s.names)
		if err != nil {
			return err
		}
		f.Says = "LCS is asked " + when + "; this holds"
	}
	f.Says += fmt.Sprintf(" until %s, the next fire%s.", c.moment(holds).Text, effectText(sum, s.currency))
	if !holds.Before(c.now.Add(farthest)) {
		f.Says = "LCS is asked now. Nothing changes it afterwards: no schedule has a fire."
	}
	a.Forms = append(a.Forms, f)
	return nil
}

func it(n int) string {
	if n == 1 {
		return "it"
	}
	return "them"
}

// farthest is how far ahead the next fire is looked for.
const farthest = 366 * 24 * time.Hour

// nextFire is the next fire of an environment, far away when there is none.
func nextFire(p *plan.Plan, name string, now time.Time) time.Time {
	for f := range p.All(now.Add(time.Nanosecond), now.Add(farthest), name) {
		return f.At
	}
	return now.Add(farthest)
}

// when says when LCS can be asked, within its limits.
func (p *Pages) when(ctx context.Context, c *clock, action plan.Action, names []string) (string, error) {
	last, err := p.opts.Engine.LastCall(ctx, action, names...)
	if err != nil || last.Sub(c.now) < time.Minute {
		return "now", err
	}
	if len(names) == 1 {
		return "at " + c.moment(last).Text + ", when its quota allows", nil
	}
	return "from now on, for the last at " + c.moment(last).Text + ", as its quota allows", nil
}

// keepChoices are the forms to keep environments running: until ends that are offered, and
// until a time that somebody writes.
func (p *Pages) keepChoices(ctx context.Context, c *clock, s *subject, a *Actions) error {
	f := Form{To: s.to(doKeep), Title: "Keep running", Fields: append([]Field{{"keep", string(plan.Running)}}, s.fields...)}
	starts, err := p.startsText(ctx, c, s)
	if err != nil {
		return err
	}
	f.Says = "An override: nothing stops " + it(len(s.all)) + " until its end" + starts + ". Then the schedules decide again."
	for _, end := range s.ends(c) {
		if err := p.opts.Changes.Could(ctx, access.KeepRunning, end.until, s.names...); err != nil {
			if err := a.refuse(err); err != nil {
				return err
			}
			continue
		}
		var sum report.Effect
		for _, e := range s.all {
			sum.Add(report.EffectOf(s.coming, e, plan.Running, c.now, end.until))
		}
		f.Options = append(f.Options, Option{"until", end.until.Format(time.RFC3339), end.text, "until " + c.moment(end.until).Text + effectText(sum, s.currency)})
	}
	if len(f.Options) > 0 {
		a.Forms = append(a.Forms, f)
	}
	return p.freeChoice(ctx, c, s, a)
}

// freeChoice is the form to keep environments in a state until a time that somebody writes.
func (p *Pages) freeChoice(ctx context.Context, c *clock, s *subject, a *Actions) error {
	if err := p.opts.Changes.Could(ctx, access.KeepRunning, c.now.Add(time.Minute), s.names...); err != nil {
		return a.refuse(err)
	}
	const form = "2006-01-02T15:04"
	local := c.now.In(c.zone)
	free := &Free{
		Value: local.Add(3 * time.Hour).Truncate(time.Hour).Format(form), Min: local.Add(time.Minute).Format(form), Max: local.Add(scheduler.LongestOverride).Format(form), Zone: c.zone.String(),
	}
	free.Stopped = access.From(ctx).May(access.KeepStopped, s.names...) == nil
	f := Form{To: s.to(doKeep), Title: "Keep until a time", Fields: s.fields, Free: free, Options: []Option{{Text: "Keep"}}, Says: "31 days at most. " + s.perHour()}
	if !free.Stopped {
		f.Fields = append([]Field{{"keep", string(plan.Running)}}, s.fields...)
	}
	a.Forms = append(a.Forms, f)
	return nil
}

// perHour says what environments cost.
func (s *subject) perHour() string {
	cost := 0.0
	for _, e := range s.all {
		cost += e.CostPerHour
	}
	if cost == 0 {
		return "What an hour costs is not known: the schedule file has no cost_per_hour."
	}
	return "Each hour costs " + money(cost, s.currency) + "."
}

// startsText says whether keeping environments running starts some.
func (p *Pages) startsText(ctx context.Context, c *clock, s *subject) (string, error) {
	var stopped []string
	for _, e := range s.all {
		if seen(e.Observation) == "stopped" {
			stopped = append(stopped, e.Name)
		}
	}
	if len(stopped) == 0 {
		return "", nil
	}
	when, err := p.when(ctx, c, plan.Start, stopped)
	what := "it is"
	switch {
	case len(s.all) > 1 && len(stopped) == 1:
		what = stopped[0] + " is"
	case len(s.all) > 1:
		what = fmt.Sprintf("%d that are", len(stopped))
	}
	return ", and " + what + " stopped: LCS is asked " + when + " to start", err
}

// An end is one that is offered for an override.
type end struct {
	text  string
	until time.Time
}

// ends are those offered: 1 h and 2 h, after the next stop where all run until then, and
// tomorrow, when the schedules start one of them, or at 08:00.
func (s *subject) ends(c *clock) []end {
	from, longer := s.runUntil(c), ""
	if from.After(c.now) {
		longer = " longer"
	}
	from = from.Truncate(time.Minute)
	list := []end{{"1 h" + longer, from.Add(time.Hour)}, {"2 h" + longer, from.Add(2 * time.Hour)}}
	if t := s.tomorrow(c); t.After(list[1].until) {
		list = append(list, end{"Until tomorrow", t})
	}
	for i := range list {
		list[i].until = list[i].until.In(c.zone)
	}
	return list
}

// runUntil is when the last of the environments is to be stopped, where all are wanted
// running until within a day; now otherwise.
func (s *subject) runUntil(c *clock) time.Time {
	last := c.now
	for _, e := range s.all {
		until, ok := s.coming.Change(e.Name, c.now)
		if s.coming.Wanted(e.Name, c.now).Wanted != plan.Running || !ok || until.Sub(c.now) > 24*time.Hour {
			return c.now
		}
		if until.After(last) {
			last = until
		}
	}
	return last
}

func (s *subject) tomorrow(c *clock) time.Time {
	const morning = 8 * 60
	day := plan.DateOf(c.now.In(c.zone)).AddDays(1)
	for f := range s.file.All(day.In(c.zone), day.AddDays(1).In(c.zone), s.names...) {
		if f.Action == plan.Start {
			return f.At
		}
	}
	return plan.Resolve(day, morning, c.zone)
}

// skipChoice is the form to leave out the next stop.
func (p *Pages) skipChoice(ctx context.Context, c *clock, s *subject, a *Actions) error {
	var sum report.Effect
	var stops, ends []time.Time
	var without []string
	for _, e := range s.all {
		skip, ok := s.file.Skip(e.Name, c.now, c.now.Add(scheduler.LongestOverride))
		if !ok {
			without = append(without, e.Name)
			continue
		}
		stops, ends = append(stops, skip.Stop.At), append(ends, skip.Until)
		sum.Add(report.EffectOf(s.coming, e, plan.Running, skip.From, skip.Until))
	}
	if len(without) > 0 {
		a.Refused = append(a.Refused, "There is no stop to leave out in the next 31 days for "+listed(without)+".")
		return nil
	}
	if err := p.opts.Changes.Could(ctx, access.Skip, time.Time{}, s.names...); err != nil {
		return a.refuse(err)
	}
	f := Form{To: s.to(doSkip), Title: "Skip the next stop", Fields: s.fields, Options: []Option{{Text: "Skip"}}}
	if stop := stops[0].In(c.zone); len(stops) == 1 && plan.DateOf(stop) == plan.DateOf(c.now.In(c.zone)) {
		f.Options[0].Text = wording.SkipStop(stop)
	}
	f.Says = fmt.Sprintf("The stop at %s is left out: kept running until %s%s.", c.moment(stops[0]).Text, c.moment(ends[0]).Text, effectText(sum, s.currency))
	if len(s.all) > 1 {
		f.Says = fmt.Sprintf("The next stop of each is left out%s.", effectText(sum, s.currency))
	}
	a.Forms = append(a.Forms, f)
	return nil
}

// effectText says how much longer or shorter something runs, and what that costs.
func effectText(e report.Effect, currency string) string {
	switch {
	case e.Longer > 0 && e.Money > 0:
		return fmt.Sprintf("; %s beyond the schedule, %s", span(e.Longer), money(e.Money, currency))
	case e.Longer > 0:
		return fmt.Sprintf("; %s beyond the schedule", span(e.Longer))
	case e.Longer < 0 && e.Money < 0:
		return fmt.Sprintf("; %s less than scheduled, saves %s", span(-e.Longer), money(-e.Money, currency))
	case e.Longer < 0:
		return fmt.Sprintf("; %s less than scheduled", span(-e.Longer))
	}
	return "; costs nothing beyond the schedule"
}
