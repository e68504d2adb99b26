package engine_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"curfew/internal/longtest"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/plan"
)

// A rule is what the file says of one environment.
type rule struct {
	name          string // of its schedule
	uptime        []string
	starts, stops []string
	lead          scheduler.Lead
	enforced      bool
}

// rulesToChooseFrom are pairwise different in the instants of their fires, but for
// those that are the same rule with another lead or under another name.
var rulesToChooseFrom = []rule{
	{name: "none"},
	{name: "office", uptime: []string{"mon-fri 07:00-19:00"}},
	{name: "office", uptime: []string{"mon-fri 07:00-12:00", "mon-fri 13:00-17:30"}},
	{name: "other", uptime: []string{"mon-fri 07:00-19:00"}},
	{name: "office", uptime: []string{"mon-fri 07:00-19:00"}, lead: scheduler.Lead{Fixed: 25 * time.Minute}},
	{name: "office", uptime: []string{"mon-fri 07:00-19:00"}, lead: scheduler.Lead{Auto: true}},
	{name: "office", uptime: []string{"06:30-08:30", "09:30-10:30", "16:00-20:00"}, lead: scheduler.Lead{Auto: true}, enforced: true},
	{name: "office", uptime: []string{"06:30-18:30"}, enforced: true},
	{name: "office", uptime: []string{"20:00-04:00"}},
	{name: "office", uptime: []string{"tue 10:00 - thu 16:00"}},
	{name: "events", starts: []string{"07:30", "14:00"}, stops: []string{"18:15"}},
	{name: "events", starts: []string{"45 */5 * * *"}, stops: []string{"15 */3 * * *"}},
	{name: "events", stops: []string{"11:00", "22:00"}},
	{name: "events", starts: []string{"06:00"}},
}

// schedule is the rule as one of an environment.
func (r rule) schedule(t *testing.T, environment string) plan.Schedule {
	s := plan.Schedule{Name: r.name + " of " + environment, Environments: []string{environment}, Location: time.UTC, Lead: r.lead.Fixed}
	for _, text := range r.uptime {
		s.Uptime = append(s.Uptime, window(t, text))
	}
	triggers := func(texts []string) (list []plan.Trigger) {
		for _, text := range texts {
			trigger, err := plan.ParseTrigger(text, plan.EveryDay)
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, trigger)
		}
		return list
	}
	s.Starts, s.Stops = triggers(r.starts), triggers(r.stops)
	return s
}

// A person is whoever edits the file, makes overrides, starts and stops, restarts
// the daemon and sets the clock, in any order. He keeps account of where each
// environment should be, without knowing of runs: where the last fire, edge of an
// override or request of his own had it. Where two states are right, there is none in
// his account.
type person struct {
	*world
	choices    []uint32                // still to be made; the person is done when there are none
	known      []scheduler.Environment // in the file or not
	rules      map[string]rule
	exceptions []plan.Exception
	edits      int
	overrides  []scheduler.Override
	in         map[string]bool // the file
	where      map[string]plan.Wanted
	byHand     map[string]bool // what a person did last, and no fire since
	plan       *plan.Plan
	reckoned   time.Time // the fires up to here are in the account
	notes      []string
	off        atomic.Int64 // of the machine's clock
}

const (
	// pace is how often the person checks what may have changed by itself.
	pace = 5 * time.Minute
	// earliest is how long before its fire an automatic lead may start.
	earliest = 30 * time.Minute
)

func newPerson(t *testing.T, choices []uint32) *person {
	w := newWorld(t, 3, lcssim.Options{StartTime: 3 * time.Minute, StopTime: 2 * time.Minute})
	w.long = true
	p := &person{world: w, choices: choices, known: w.setup.Environments, rules: map[string]rule{}, in: map[string]bool{}, where: map[string]plan.Wanted{}, byHand: map[string]bool{}}
	for i := range p.known {
		p.in[envName(i)], p.where[envName(i)] = true, plan.Stopped
		p.rules[envName(i)] = oneOf(p, rulesToChooseFrom)
		p.note("%s: %+v", envName(i), p.rules[envName(i)])
	}
	w.clock = clock.New(func() time.Time { return time.Now().Add(time.Duration(p.off.Load())) })
	w.file = p.spec
	p.write()
	return p
}

// between makes a choice. What rapid draws is mostly small: it is spread.
func (p *person) between(low, high int) int {
	if len(p.choices) == 0 {
		return low
	}
	c := uint64(p.choices[0]) * 0x9E3779B97F4A7C15 >> 20
	p.choices = p.choices[1:]
	return low + int(c%uint64(high-low+1))
}

func oneOf[T any](p *person, list []T) T { return list[p.between(0, len(list)-1)] }

func (p *person) note(format string, args ...any) {
	p.notes = append(p.notes, time.Now().UTC().Format("Mon 15:04:05 ")+fmt.Sprintf(format, args...))
}

// write sets the world to what the file says; it is active from the next reload on.
func (p *person) write() {
	p.setup.Environments, p.setup.Leads, p.setup.Enforced = nil, map[string]scheduler.Lead{}, map[string]string{}
	for _, env := range p.known {
		r := p.rules[env.Name]
		if !p.in[env.Name] {
			continue
		}
		p.setup.Environments = append(p.setup.Environments, env)
		name := r.schedule(p.t, env.Name).Name
		if r.lead != (scheduler.Lead{}) {
			p.setup.Leads[name] = r.lead
		}
		if r.enforced {
			p.setup.Enforced[env.Name] = name
		}
	}
}

func (p *person) spec(names []string) plan.Spec {
	s := plan.Spec{Environments: names}
	for _, name := range names {
		if r := p.rules[name]; r.name != "none" {
			s.Schedules = append(s.Schedules, r.schedule(p.t, name))
		}
	}
	for _, x := range p.exceptions {
		if p.in[x.Environments[0]] {
			s.Exceptions = append(s.Exceptions, x)
		}
	}
	return s
}

// replan is the active file with the overrides there are.
func (p *person) replan() {
	list := []plan.Exception{}
	for _, o := range p.overrides {
		if p.in[o.Environments[0]] && o.From.Before(o.Until) {
			list = append(list, plan.Exception{
				Name: plan.OverridePrefix + o.ID, Environments: o.Environments, From: o.From, Until: o.Until, Location: time.UTC, Keep: o.Keep, Override: true,
			})
		}
	}
	var err error
	if p.plan, err = p.setup.Plan.WithExceptions(list); err != nil {
		p.t.Fatal(err)
	}
}

// reckon brings the account up to an instant.
func (p *person) reckon(to time.Time) {
	for p.reckoned.Before(to) {
		next := p.reckoned.Add(pace)
		if next.After(to) {
			next = to
		}
		for _, f := range p.plan.Fires(p.reckoned.Add(time.Nanosecond), next.Add(time.Nanosecond)) {
			p.where[f.Environment] = map[plan.Action]plan.Wanted{plan.Start: plan.Running, plan.Stop: plan.Stopped}[f.Action]
			delete(p.byHand, f.Environment)
		}
		p.reckoned = next
		p.doubt(next)
	}
}

// doubt takes out of the account what enforcement or an automatic lead may have
// changed, or may not yet.
func (p *person) doubt(at time.Time) {
	for _, env := range p.setup.Environments {
		wanted := p.plan.Wanted(env.Name, at).Wanted
		overruled, override := p.plan.Overruled(env.Name, at)
		drifted := p.rules[env.Name].enforced && !override && wanted != plan.Unknown && wanted != p.where[env.Name]
		early := p.rules[env.Name].lead.Auto && !overruled && p.where[env.Name] != plan.Running && p.startIsNext(env.Name, at)
		if drifted || early {
			p.where[env.Name] = ""
		}
	}
}

func (p *person) startIsNext(name string, at time.Time) bool {
	fires := p.plan.Fires(at, at.Add(earliest), name)
	return len(fires) > 0 && fires[0].Action == plan.Start
}

// acts is one thing that the person does, never within seconds of a fire or of
// another: it would not be known which came first.
func (p *person) acts(what func()) {
	time.Sleep(time.Second)
	synctest.Wait()
	if s := time.Now().Second(); s < 10 || s > 50 {
		time.Sleep(20 * time.Second)
		synctest.Wait()
	}
	p.reckon(time.Now())
	what()
	p.replan()
	p.doubt(time.Now())
}

func (p *person) environment() string {
	return oneOf(p, slices.Sorted(maps.Keys(p.in)))
}

func (p *person) changesARule() {
	name := p.environment()
	p.rules[name] = oneOf(p, rulesToChooseFrom)
	p.note("%s: %+v", name, p.rules[name])
	p.edited()
}

func (p *person) changesExceptions() {
	p.exceptions = nil
	p.edits++
	for i := range p.between(0, 2) {
		from := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, p.between(-1, 1))
		x := plan.Exception{
			Name: fmt.Sprintf("exception:%d-%d", p.edits, i), Environments: []string{p.environment()}, From: from,
			Until: from.Add(time.Duration(p.between(6, 40)) * time.Hour), Location: time.UTC,
		}
		if x.Keep = oneOf(p, []plan.Wanted{plan.Running, plan.Stopped, ""}); x.Keep == "" {
			x.Uptime = []plan.Window{window(p.t, "08:10-09:20"), window(p.t, "17:00-23:00")}
		}
		p.note("exception: %+v", x)
		p.exceptions = append(p.exceptions, x)
	}
	p.edited()
}

// takesOutOrPutsBack removes an environment from the file, or has it again. What
// was under way for it is canceled, wherever it had come.
func (p *person) takesOutOrPutsBack() {
	name := p.environment()
	if p.in[name] && (len(p.setup.Environments) == 1 || p.rules[name].lead.Auto && p.startIsNext(name, time.Now())) {
		return // an early start that is canceled with its environment counts as its fire
	}
	p.in[name] = !p.in[name]
	p.note("%s is in the file: %t", name, p.in[name])
	if !p.in[name] && p.unfinished(name) {
		p.where[name] = ""
	}
	p.edited()
}

func (p *person) edited() {
	p.write()
	p.reload()
}

func (p *person) unfinished(name string) bool {
	return slices.ContainsFunc(p.runs(), func(r scheduler.Run) bool { return (name == "" || r.Environment == name) && !r.State.Finished() })
}

// asksByHand has an environment started or stopped by hand.
func (p *person) asksByHand() {
	name, action := p.environment(), oneOf(p, []plan.Action{plan.Start, plan.Stop})
	if !p.in[name] {
		return
	}
	p.note("%s of %s by hand", action, name)
	if _, err := p.engine.Request(p.t.Context(), name, action, scheduler.ByToken); err != nil {
		p.t.Fatal(err)
	}
	p.where[name] = map[plan.Action]plan.Wanted{plan.Start: plan.Running, plan.Stop: plan.Stopped}[action]
	p.byHand[name] = true
}

func (p *person) keeps() {
	name := p.environment()
	if !p.in[name] {
		return
	}
	keep := oneOf(p, []plan.Wanted{plan.Running, plan.Stopped})
	until := time.Now().Add(time.Duration(p.between(1, 12*60)) * time.Minute)
	o, _, err := p.engine.Override(p.t.Context(), scheduler.Override{Environments: []string{name}, Keep: keep, Until: until})
	if errors.Is(err, scheduler.ErrOver) { // after a tick that saw a later clock
		p.note("an override of %s until %s is refused", name, until.UTC().Format("Mon 15:04:05"))
		return
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.note("%s is kept %s from %s until %s", name, keep, o.From.Format("Mon 15:04:05"), until.UTC().Format("Mon 15:04:05"))
	p.overrides = append(p.overrides, o)
	p.reopen(o.From)
}

// reopen has the account check an instant again, which was not known to matter.
func (p *person) reopen(at time.Time) {
	if !p.reckoned.Before(at) {
		p.reckoned = at.Add(-time.Microsecond)
	}
}

func (p *person) releases() {
	if len(p.overrides) == 0 {
		return
	}
	p.release(p.between(0, len(p.overrides)-1))
}

func (p *person) release(k int) {
	o, err := p.engine.Release(p.t.Context(), p.overrides[k].ID, scheduler.ByToken)
	if err != nil {
		return // it had ended
	}
	p.note("override of %v is released at %s", o.Environments, o.Until.Format("15:04:05"))
	p.overrides[k] = o
	p.reopen(o.Until)
}

func (p *person) restarts() {
	down := time.Duration(p.between(0, 110)) * time.Minute // less than catch_up
	p.note("restart, down for %v", down)
	p.stop()
	time.Sleep(down)
	p.start()
	synctest.Wait()
	p.reckon(time.Now())
}

// stepsTheClock has a tick see an instant of the future, or sets the clock of the machine
// back for some minutes. It changes nothing: the next tick brings back what is in the future.
func (p *person) stepsTheClock() {
	by := time.Duration(p.between(-60, 60)) * time.Minute
	if by < 0 {
		p.setsBack(by)
		return
	}
	to := time.Now().Add(by)
	p.note("a tick sees %s", to.UTC().Format("15:04:05"))
	if err := p.engine.Tick(p.t.Context(), to); err != nil {
		p.t.Fatal(err)
	}
	time.Sleep(16 * time.Second)
	synctest.Wait()
}

func (p *person) setsBack(by time.Duration) {
	lasts := time.Duration(p.between(1, 10)) * time.Minute
	p.note("the clock is set to %s for %v", time.Now().Add(by).UTC().Format("15:04:05"), lasts)
	p.off.Store(int64(by))
	time.Sleep(lasts)
	p.off.Store(0)
	time.Sleep(time.Minute) // a step is followed once it has lasted
	synctest.Wait()
	p.reckon(time.Now())
}

func (p *person) faults() {
	kind := oneOf(p, passing)
	p.note("fault: %s", kind)
	p.sim.Inject(lcssim.Fault{Kind: kind, Times: p.between(1, 4), Delay: 90 * time.Second, Message: "no", RetryAfter: "60"})
}

func (p *person) waits() {
	time.Sleep(time.Duration(p.between(1, 3*60)) * time.Minute)
	synctest.Wait()
}

// calm lets time pass until nothing is under way and the last tick is not in the
// future, and returns what is not as the account has it.
func (p *person) calm(at string) (wrong []string) {
	time.Sleep(30 * time.Second) // two ticks, whichever came just before
	synctest.Wait()
	limit := time.Now().Add(4 * time.Hour)
	for time.Now().Before(p.reckoned) || p.unfinished("") {
		if time.Now().After(limit) {
			return []string{at + ": a run does not come to its end"}
		}
		time.Sleep(time.Minute)
		synctest.Wait()
	}
	p.acts(func() {})
	if p.unfinished("") { // a fire came just now
		return p.calm(at)
	}
	for i, env := range p.known {
		want, ok := map[plan.Wanted]lcssim.State{plan.Running: lcssim.Finished, plan.Stopped: lcssim.Stopped}[p.where[env.Name]]
		if got := p.sim.State(envID(i)); ok && got != want {
			wrong = append(wrong, fmt.Sprintf("%s, %s: %s is %s, and should be %s", at, time.Now().UTC().Format("Mon 15:04:05"), env.Name, got, want))
		}
	}
	return wrong
}

// enforcedAreBack returns which environments with enforce: always are not where they
// are wanted, hours after anything was done. What was done by hand holds until the next fire.
func (p *person) enforcedAreBack() (wrong []string) {
	for i, env := range p.known {
		d := p.plan.Wanted(env.Name, time.Now())
		_, override := p.plan.Overruled(env.Name, time.Now())
		want, ok := map[plan.Wanted]lcssim.State{plan.Running: lcssim.Finished, plan.Stopped: lcssim.Stopped}[d.Wanted]
		if !p.in[env.Name] || !p.rules[env.Name].enforced || override || p.byHand[env.Name] || p.startIsNext(env.Name, time.Now()) {
			continue
		}
		settled := len(p.plan.Fires(time.Now().Add(-90*time.Minute), time.Now(), env.Name)) == 0
		if got := p.sim.State(envID(i)); ok && settled && got != want {
			wrong = append(wrong, fmt.Sprintf("%s: %s is %s, and is enforced to be %s (%s)", time.Now().UTC().Format("Mon 15:04:05"), env.Name, got, want, d.Because))
		}
	}
	return wrong
}

// breaches returns runs and calls that must never be.
func (p *person) breaches() (wrong []string) {
	for _, q := range p.sim.Requests() {
		if q.Status == 429 && !slices.Contains(q.Struck, lcssim.Throttle) {
			wrong = append(wrong, fmt.Sprintf("LCS answered 429 by its own limits: %+v", q))
		}
	}
	fires := map[string]string{}
	for _, r := range p.all() {
		key := fmt.Sprint(r.Schedule, r.Environment, r.Action, r.FireAt.UnixMicro())
		if other := fires[key]; other != "" {
			wrong = append(wrong, fmt.Sprintf("two runs of one fire: %s and %s", other, r.ID))
		}
		fires[key] = r.ID
		if r.State == scheduler.Failed {
			wrong = append(wrong, fmt.Sprintf("the %s of %s of %s failed: %s", r.Action, r.Environment, r.FireAt, r.Message))
		}
	}
	return wrong
}

// stillLive does things until no choice is left, then lets faults end, and checks: at once, after
// more of the file's own fires, and after the end of each override. Nothing is
// reloaded or restarted meanwhile, which could set right what is wrong.
func (p *person) stillLive() (wrong []string) {
	time.Sleep(time.Until(monday(5, 0).Add(20 * time.Second)))
	p.reckoned = time.Now()
	p.start()
	synctest.Wait()
	p.replan()
	for len(p.choices) > 0 {
		p.acts(oneOf(p, []func(){
			p.changesARule, p.changesARule, p.changesExceptions, p.takesOutOrPutsBack, p.asksByHand, p.asksByHand, p.keeps, p.releases, p.restarts, p.stepsTheClock, p.faults, p.waits, p.waits, p.waits,
		}))
	}
	p.sim.ClearFaults()
	wrong = append(wrong, p.calm("at the end")...)
	time.Sleep(3 * time.Hour)
	synctest.Wait()
	wrong = append(wrong, p.calm("three hours later")...)
	wrong = append(wrong, p.enforcedAreBack()...)
	for k := range p.overrides {
		p.acts(func() { p.release(k) })
		wrong = append(wrong, p.calm("after a release")...)
	}
	return append(wrong, p.breaches()...)
}

// TestWhateverIsDoneEachEnvironmentIsWhereItShouldBe is about any sequence of edits
// of the file, overrides, starts and stops by hand, restarts, faults of LCS and
// steps of the clock.
func TestWhateverIsDoneEachEnvironmentIsWhereItShouldBe(t *testing.T) {
	t.Parallel()
	steps := 15
	if os.Getenv("CURFEW_CHAOS") == "full" {
		steps = 40
	} else if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set(longtest.Or("1", "4")); err != nil { // no other test of this package asks rapid
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		choices := rapid.SliceOfN(rapid.Uint32(), 3*steps, 4*steps).Draw(r, "choices")
		var wrong, notes []string // reported outside of the bubble, whose end rapid's would be
		synctest.Test(t, func(t *testing.T) {
			p := newPerson(t, choices)
			wrong = p.stillLive()
			if notes = p.notes; len(wrong) > 0 {
				for _, run := range p.all() {
					notes = append(notes, fmt.Sprintf("%s %s %q %s %s fire %s created %s finished %s: %s", run.Environment, run.Action, run.Schedule, run.Trigger, run.State,
						run.FireAt.UTC().Format("Mon 15:04:05"), run.CreatedAt.Format("15:04:05"), run.FinishedAt.Format("15:04:05"), run.Message))
				}
			}
			p.stop()
		})
		if len(wrong) > 0 {
			r.Fatalf("%s\n%s", strings.Join(wrong, "\n"), strings.Join(notes, "\n"))
		}
	})
}
