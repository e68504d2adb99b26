package engine_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/internal/longtest"
	"curfew/lcs"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A season is how much is simulated with faults at random: a month of 200
// environments with CURFEW_CHAOS=full, which is what `make chaos` runs.
type season struct {
	environments, days int
	seed               uint64
}

func seasonOf() season {
	if os.Getenv("CURFEW_CHAOS") == "full" {
		return season{environments: 200, days: 30, seed: 20261124}
	}
	days, err := strconv.Atoi(os.Getenv("CURFEW_CHAOS")) // so many days, for something between
	if err != nil {
		days = 3
	}
	return season{environments: 24, days: days, seed: 20261124}
}

// A weather injects faults, and knows of each what an oracle must.
type weather struct {
	w    *world
	rand *rand.Rand
	// serviced is when each environment is in servicing, which hides its state.
	serviced map[int][]lcssim.Fault
}

// terminal are the faults after which a run is to fail.
var terminal = []lcssim.FaultKind{lcssim.Forbidden, lcssim.NotFound, lcssim.EndsFailed, lcssim.AcceptedNoChange, lcssim.StuckTransition}

// passing are the faults that a run is to get over.
var passing = []lcssim.FaultKind{
	lcssim.Error500HTML, lcssim.Error503, lcssim.ResetBeforeAccept, lcssim.ResetAfterAccept, lcssim.Slow, lcssim.Throttle, lcssim.NearEOL,
	lcssim.Unauthorized, lcssim.UnauthorizedHTML, lcssim.NotJSON, lcssim.Truncated, lcssim.HugeBody, lcssim.Refuse, lcssim.EmptyData,
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

// storm injects the faults of one day: on an operation of a third of the
// environments, on some metadata calls, and servicing here and there.
func (x *weather) storm(day time.Time) {
	for i := range x.w.setup.Environments {
		verb := pick(x.rand, []lcssim.Verb{lcssim.Start, lcssim.Stop})
		f := lcssim.Fault{Environment: envID(i), Verb: verb, From: day, Until: day.Add(24 * time.Hour), Times: 1, Message: "no", Delay: 2 * time.Minute}
		switch n := x.rand.IntN(30); {
		case n == 0:
			f.Kind = pick(x.rand, terminal)
			x.w.sim.Inject(f)
		case n < 9:
			f.Kind, f.Times = pick(x.rand, passing), 1+x.rand.IntN(3)
			f.RetryAfter = pick(x.rand, []string{"", "30", "400"})
			x.w.sim.Inject(f)
		case n == 9:
			begin := day.Add(time.Duration(x.rand.IntN(24*60)) * time.Minute)
			servicing := lcssim.Fault{Kind: lcssim.ServicingWindow, Environment: envID(i), From: begin, Until: begin.Add(time.Duration(10+x.rand.IntN(80)) * time.Minute)}
			x.w.sim.Inject(servicing)
			x.serviced[i] = append(x.serviced[i], servicing)
		}
	}
	for range 6 {
		begin := day.Add(time.Duration(x.rand.IntN(24*60)) * time.Minute)
		kind := pick(x.rand, []lcssim.FaultKind{lcssim.Error503, lcssim.ResetBeforeAccept, lcssim.Slow, lcssim.EmptyData, lcssim.Truncated, lcssim.Throttle, lcssim.Unauthorized})
		x.w.sim.Inject(lcssim.Fault{Kind: kind, Verb: lcssim.Metadata, From: begin, Until: begin.Add(time.Duration(1+x.rand.IntN(15)) * time.Minute), Times: 1 + x.rand.IntN(20), Delay: 90 * time.Second, RetryAfter: "60"})
	}
}

// heal sets right what is stuck, as the operator does who reads of the failed run.
func (x *weather) heal() {
	for i := range x.w.setup.Environments {
		id := envID(i)
		if s := x.w.sim.State(id); s == lcssim.Starting || s == lcssim.Stopping {
			x.w.sim.Set(id, map[lcssim.State]lcssim.State{lcssim.Starting: lcssim.Finished, lcssim.Stopping: lcssim.Stopped}[s])
		}
	}
}

func TestEachRunOfARandomMonthEndsAsTheOracleSays(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	s := seasonOf()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, s.environments, lcssim.Options{Keep: 10_000_000, Seed: s.seed})
		w.long = true
		w.accounts = nil
		for i := range s.environments/20 + 1 {
			w.accounts = append(w.accounts, fmt.Sprintf("account-%d", i))
		}
		x := &weather{w: w, rand: rand.New(rand.NewPCG(s.seed, 1)), serviced: map[int][]lcssim.Fault{}}
		w.schedule.Uptime = []plan.Window{window(t, "07:00-12:00"), window(t, "15:00-19:00")} // four fires a day
		until("2000-01-03 00:00:00")
		w.start()
		for day := range s.days {
			midnight := monday(0, 0).AddDate(0, 0, day)
			x.storm(midnight)
			for _, hour := range []int{11, 14, 18, 22} { // after the deadline of each fire
				time.Sleep(time.Until(midnight.Add(time.Duration(hour)*time.Hour + 30*time.Minute)))
				synctest.Wait()
				x.heal()
			}
		}
		w.sim.ClearFaults()
		time.Sleep(time.Until(monday(11, 0).AddDate(0, 0, s.days))) // a morning without faults
		synctest.Wait()
		runs := w.all()
		x.check(runs)
		for i := range s.environments {
			w.state(i, lcssim.Finished)
		}
		w.stop()
	})
}

// all returns every run, oldest first, over all pages.
func (w *world) all() []scheduler.Run {
	w.t.Helper()
	var all []scheduler.Run
	for cursor := ""; ; {
		runs, next, err := w.engine.Runs(w.t.Context(), scheduler.RunFilter{Limit: 1000, Cursor: cursor})
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, runs...)
		if cursor = next; cursor == "" {
			slices.Reverse(all)
			return all
		}
	}
}

// check compares each run with what LCS saw of it. It knows nothing of the
// engine's states on the way, only what was asked of LCS and what LCS did.
func (x *weather) check(runs []scheduler.Run) {
	t := x.w.t
	asked := map[string][]lcssim.Request{} // operations, by normalised id
	throttled := 0
	for _, r := range x.w.sim.Requests() {
		if r.Verb == lcssim.Start || r.Verb == lcssim.Stop {
			asked[r.Environment] = append(asked[r.Environment], r)
		}
		if r.Status == 429 && !slices.Contains(r.Struck, lcssim.Throttle) {
			throttled++
		}
	}
	byEnvironment := map[string][]scheduler.Run{}
	for _, r := range runs {
		byEnvironment[r.Environment] = append(byEnvironment[r.Environment], r)
	}
	count := map[string]int{}
	for i, env := range x.w.setup.Environments {
		mine := byEnvironment[env.Name]
		slices.SortFunc(mine, func(a, b scheduler.Run) int { return a.FireAt.Compare(b.FireAt) })
		if want := 4*seasonOf().days + 1; len(mine) != want {
			t.Errorf("%s has %d runs, want %d", env.Name, len(mine), want)
		}
		for k, r := range mine {
			var next time.Time
			if k+1 < len(mine) {
				next = mine[k+1].FireAt
			}
			want, why := x.oracle(i, r, asked[lcs.NormalizeID(env.ID)], next)
			count[string(r.State)]++
			if r.State != want {
				t.Errorf("%s of %s at %s is %s (%s), want %s: %s", r.Action, r.Environment, r.FireAt.Format("Jan 2 15:04"), r.State, r.Message, want, why)
			}
			if r.State == scheduler.Failed && r.Message == "" {
				t.Errorf("%s of %s at %s failed and history does not say why", r.Action, r.Environment, r.FireAt)
			}
			if r.State == scheduler.Canceled && r.SupersededBy == "" {
				t.Errorf("%s of %s at %s was canceled by nobody", r.Action, r.Environment, r.FireAt)
			}
		}
	}
	if throttled > 0 {
		t.Errorf("LCS answered 429 %d times by its own limits, want never", throttled)
	}
	t.Logf("seed %d: %d environments, %d days, %d runs: %v; %d requests to LCS", seasonOf().seed, seasonOf().environments, seasonOf().days, len(runs), count, len(x.w.sim.Requests()))
}

// oracle returns how a run should have ended, from what LCS was asked between its
// fire and the next, and why.
func (x *weather) oracle(i int, r scheduler.Run, asked []lcssim.Request, next time.Time) (scheduler.State, string) {
	if !next.IsZero() && !r.FinishedAt.IsZero() && !r.FinishedAt.Before(next) {
		return scheduler.Canceled, "the next fire came first"
	}
	var mine []lcssim.Request
	accepted := 0
	for _, q := range asked {
		if q.At.Before(r.FireAt) || !next.IsZero() && !q.At.Before(next) || q.Verb != lcssim.Verb(r.Action) {
			continue
		}
		mine = append(mine, q)
		if q.Accepted {
			accepted++
		}
	}
	if accepted > 1 {
		return "one accepted call", fmt.Sprintf("LCS accepted %d calls", accepted)
	}
	for _, q := range mine {
		for _, kind := range q.Struck {
			operated := kind == lcssim.Forbidden || kind == lcssim.NotFound || q.Accepted
			if slices.Contains(terminal, kind) && operated {
				return scheduler.Failed, "LCS answered with " + string(kind)
			}
		}
	}
	for _, f := range x.serviced[i] {
		late := r.AcceptedAt.Add(x.w.setup.Defaults.VerifyTimeout)
		if accepted != 1 || late.Before(f.From) || !late.Before(f.Until) {
			continue
		}
		if !f.From.After(r.AcceptedAt.Add(3 * time.Minute)) {
			return scheduler.Failed, "servicing hid the state until verify_timeout had passed"
		}
		if !f.From.After(r.AcceptedAt.Add(3*time.Minute+x.round())) && r.State == scheduler.Failed {
			return scheduler.Failed, "servicing came before the environment's page was read"
		}
	}
	if x.w.setup.Defaults.Deadline <= r.FinishedAt.Sub(r.FireAt) && accepted == 0 && !inState(r, asked, r.FinishedAt) {
		return scheduler.Failed, "the deadline passed"
	}
	return scheduler.Succeeded, "nothing stood in its way: " + requests(mine)
}

// round is how long it takes to read every page of the project: all its environments are
// called at one instant, and LCS lets 6 pages a minute be read to see what became of them.
func (x *weather) round() time.Duration {
	return time.Duration(len(x.w.setup.Environments)/pageSize+1) * 10 * time.Second
}

// inState reports whether the environment was where the run wants it, going by the
// operations that LCS carried out.
func inState(r scheduler.Run, asked []lcssim.Request, at time.Time) bool {
	state := plan.Stop // they begin stopped
	for _, q := range asked {
		if q.Accepted && q.At.Before(at) && !slices.Contains(q.Struck, lcssim.AcceptedNoChange) && !slices.Contains(q.Struck, lcssim.EndsFailed) {
			state = plan.Action(q.Verb)
		}
	}
	return state == r.Action
}

func requests(list []lcssim.Request) string {
	var b strings.Builder
	for _, q := range list {
		fmt.Fprintf(&b, "%s %d %v accepted %t; ", q.At.Format("15:04:05"), q.Status, q.Struck, q.Accepted)
	}
	return cmp.Or(b.String(), "no call was made")
}
