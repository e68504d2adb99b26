package scheduler_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A person is whoever edits the file, makes overrides, restarts the daemon and
// sets the clock, in any order.
type person struct {
	*world
	r    *rapid.T
	made []scheduler.Override
	told []string
}

func (p *person) note(format string, args ...any) {
	p.told = append(p.told, time.Now().UTC().Format("Mon 15:04 ")+fmt.Sprintf(format, args...))
}

// windowsToChooseFrom are pairwise different in each of their ends.
var windowsToChooseFrom = []string{"mon-fri 07:00-19:00", "06:30-18:30", "mon-sun 08:00-12:00", "20:00-04:00", "tue 10:00 - thu 16:00"}

func (p *person) edits() {
	text := rapid.SampledFrom(windowsToChooseFrom).Draw(p.r, "uptime")
	p.note("uptime: %s", text)
	p.schedule.Uptime = []plan.Window{window(p.t, text)}
	p.reload()
}

func (p *person) keeps() {
	i := rapid.IntRange(0, len(p.setup.Environments)-1).Draw(p.r, "environment")
	keep := rapid.SampledFrom([]plan.Wanted{plan.Running, plan.Stopped}).Draw(p.r, "keep")
	until := time.Now().Add(time.Duration(rapid.IntRange(1, 30*60).Draw(p.r, "minutes")) * time.Minute)
	p.note("%s is kept %s until %s", envName(i), keep, until.UTC().Format("Mon 15:04"))
	p.made = append(p.made, p.keep(i, keep, until))
}

func (p *person) releases() {
	if len(p.made) == 0 {
		return
	}
	k := rapid.IntRange(0, len(p.made)-1).Draw(p.r, "override")
	p.note("override %d is released", k)
	_, _ = p.engine.Release(p.t.Context(), p.made[k].ID) // it may have ended
}

func (p *person) restarts() {
	away := time.Duration(rapid.IntRange(0, 110).Draw(p.r, "away")) * time.Minute // less than catch_up
	p.note("restart, %v away", away)
	p.stop()
	time.Sleep(away)
	p.start()
	synctest.Wait()
}

// stepsTheClock has a tick see an instant that is not now: what a replica does
// whose clock is wrong for a moment.
func (p *person) stepsTheClock() {
	step := time.Duration(rapid.IntRange(-60, 60).Draw(p.r, "step")) * time.Minute
	p.note("clock steps by %v", step)
	if err := p.engine.Tick(p.t.Context(), time.Now().Add(step)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *person) faults() {
	kind := rapid.SampledFrom(passing).Draw(p.r, "fault")
	p.note("fault: %s", kind)
	p.sim.Inject(lcssim.Fault{Kind: kind, Times: rapid.IntRange(1, 4).Draw(p.r, "times"), Delay: 90 * time.Second, Message: "no", RetryAfter: "60"})
}

func (p *person) waits() {
	d := time.Duration(rapid.IntRange(1, 10*60).Draw(p.r, "wait")) * time.Minute
	time.Sleep(d)
	synctest.Wait()
}

// TestWhateverIsDoneEachEnvironmentEndsWhereThePlanWantsIt is about any sequence
// of edits, overrides, restarts and steps of the clock: once nothing disturbs any
// more, each environment is where the file and the overrides want it.
//
// An edit by itself starts and stops nothing, so that the plan's wish shows from
// the next fire on: the test ends with a day of rest.
func TestWhateverIsDoneEachEnvironmentEndsWhereThePlanWantsIt(t *testing.T) {
	steps := 12
	if os.Getenv("CURFEW_CHAOS") == "full" {
		steps = 40
	}
	rapid.Check(t, func(r *rapid.T) {
		var wrong []string // told outside of the bubble, whose end rapid's would be
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3, lcssim.Options{StartTime: 3 * time.Minute, StopTime: 2 * time.Minute})
			w.long = true
			p := &person{world: w, r: r}
			until("2000-01-03 05:00:00")
			p.start()
			synctest.Wait()
			for range rapid.IntRange(1, steps).Draw(r, "steps") {
				rapid.SampledFrom([]func(){p.edits, p.keeps, p.releases, p.restarts, p.stepsTheClock, p.faults, p.waits, p.waits}).Draw(r, "step")()
			}
			p.rest()
			for _, hour := range []int{12, 22} { // wanted running, and stopped
				time.Sleep(time.Until(time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 1).Add(time.Duration(hour) * time.Hour)))
				synctest.Wait()
				wrong = append(wrong, p.judge()...)
			}
			p.stop()
		})
		if len(wrong) > 0 {
			r.Fatalf("%s", strings.Join(wrong, "\n"))
		}
	})
}

// rest lets faults and overrides end and a window begin and end.
func (p *person) rest() {
	p.sim.ClearFaults()
	for _, o := range p.made {
		_, _ = p.engine.Release(p.t.Context(), o.ID)
	}
	p.schedule.Uptime = []plan.Window{window(p.t, "09:00-17:00")}
	p.reload()
	time.Sleep(24 * time.Hour)
	synctest.Wait()
}

// judge tells what is not as it should be.
func (p *person) judge() (wrong []string) {
	list, err := p.engine.Statuses(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	for i, s := range list {
		want := map[plan.Wanted]lcssim.State{plan.Running: lcssim.Finished, plan.Stopped: lcssim.Stopped}[s.Wanted]
		if got := p.sim.State(envID(i)); got != want {
			wrong = append(wrong, fmt.Sprintf("%s is %s, the plan wants it %s (%s)\n%v", s.Name, got, s.Wanted, s.Because, p.told))
		}
	}
	for _, q := range p.sim.Requests() {
		if q.Status == 429 && !slices.Contains(q.Struck, lcssim.Throttle) {
			wrong = append(wrong, fmt.Sprintf("LCS answered 429 by its own limits: %+v\n%v", q, p.told))
		}
	}
	fires := map[string]string{}
	for _, r := range p.all() {
		key := fmt.Sprint(r.Schedule, r.Environment, r.Action, r.FireAt.UnixMicro())
		if other := fires[key]; other != "" {
			wrong = append(wrong, fmt.Sprintf("two runs of one fire: %s and %s", other, r.ID))
		}
		fires[key] = r.ID
	}
	return wrong
}
