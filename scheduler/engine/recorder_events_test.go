package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A record is what something that is no run's end must leave in a world, once.
type record struct {
	w *world

	// event must be there once. Its Reason and NextStep are parts of what the event's
	// say; all else but ID and At is as it is here.
	event scheduler.Event
	line  string   // starts the message of a line of the log, which must be there once
	lines int      // or so many times, once for each of several runs
	by    string   // in the line, where it says who
	count []string // of a counter that must have grown by one, with its labels; nil when there is none

	fromEvent, fromLine, counted int // what was there before
}

// before notes what is there before something happens.
func (r *record) before() {
	r.fromEvent, r.fromLine = len(r.w.events()), r.w.logs.Len()
	if r.count != nil {
		r.counted = r.w.counter(r.count[0], r.count[1:]...)
	}
}

func (r *record) check() {
	w := r.w
	w.t.Helper()
	var events []scheduler.Event
	for _, e := range w.events()[r.fromEvent:] {
		about := (r.event.Override == "" || e.Override == r.event.Override) && (r.event.Account == "" || e.Account == r.event.Account)
		if e.Kind == r.event.Kind && about {
			events = append(events, e)
		}
	}
	if len(events) != 1 {
		w.t.Errorf("there are %d events of kind %s, want 1: %+v", len(events), r.event.Kind, events)
	}
	for _, e := range events {
		want := r.event
		want.ID, want.At = e.ID, e.At
		if !strings.Contains(e.Change.After, want.Change.After) || (e.Change.After == "") != (want.Change.After == "") {
			w.t.Errorf("change = %+v, want it to end as %q", e.Change, want.Change.After)
		}
		want.Change.After = e.Change.After
		if !strings.Contains(e.Reason, want.Reason) || (want.NextStep == "") != (e.NextStep == "") || !strings.Contains(e.NextStep, want.NextStep) || e.Reason == "" || e.At.IsZero() {
			w.t.Errorf("event = %+v, want it to say %q, with the next step %q", e, want.Reason, want.NextStep)
		}
		want.Reason, want.NextStep = e.Reason, e.NextStep
		if e != want {
			w.t.Errorf("event = %+v, want %+v", e, want)
		}
	}
	lines := 0
	for _, e := range w.logs.All()[r.fromLine:] {
		if account := e.ContextMap()["account"]; !strings.HasPrefix(e.Message, r.line) || account != nil && account != r.event.Account {
			continue
		}
		lines++
		if by := e.ContextMap()["by"]; r.by != "" && by != r.by {
			w.t.Errorf("the line %q says that it is by %v, want %s", e.Message, by, r.by)
		}
	}
	if want := max(r.lines, 1); lines != want {
		w.t.Errorf("the log has %d lines %q, want %d", lines, r.line, want)
	}
	if r.count != nil {
		if n := w.counter(r.count[0], r.count[1:]...) - r.counted; n != 1 {
			w.t.Errorf("%v has grown by %d, want 1", r.count, n)
		}
	}
}

// held is a world of two environments whose stops of Monday at 19:00 wait for an approval.
func held(t *testing.T, r *record) {
	r.w = newWorld(t, 2, lcssim.Options{})
	r.w.sim.Set(envID(0), lcssim.Finished)
	r.w.sim.Set(envID(1), lcssim.Finished)
	r.w.setup.Defaults.MaxStops = 1
	until("2000-01-03 18:59:00")
	r.w.start()
	until("2000-01-03 18:59:30")
}

// kept is a world of two environments that run, on Monday at 10:00.
func kept(t *testing.T, r *record) {
	r.w = newWorld(t, 2, lcssim.Options{})
	r.w.sim.Set(envID(0), lcssim.Finished)
	r.w.sim.Set(envID(1), lcssim.Finished)
	until("2000-01-03 10:00:00")
	r.w.start()
	until("2000-01-03 10:00:20")
}

// overrides makes an override of the first environment, and puts it in the record.
func (r *record) overrides(by scheduler.Actor, end time.Time) {
	r.w.t.Helper()
	o, _, err := r.w.engine.Override(r.w.t.Context(), scheduler.Override{Environments: []string{envName(0)}, Keep: plan.Running, Until: end, By: by})
	if err != nil {
		r.w.t.Fatal(err)
	}
	r.event = scheduler.Event{Kind: scheduler.EventOverride, Override: o.ID, Reason: "keep dev-00 running until"}
}

// leavesTheFile takes the first environment out of the file.
func (r *record) leavesTheFile() {
	r.w.setup.Environments, r.w.schedule.Environments = r.w.setup.Environments[1:], r.w.schedule.Environments[1:]
	r.w.reload()
	r.event.By, r.event.Reason, r.event.NextStep = scheduler.BySchedule, "without effect on dev-00", "curfew release "+r.event.Override
	r.line = "override names environments that the schedule file does not have"
}

// wrongPassword is an office whose account cannot sign in, on Monday at 18:58. It is to be
// started.
func wrongPassword(t *testing.T, r *record) *office {
	o := newOffice(t, auth.ModePassword)
	r.w = o.world
	o.setPassword("wrong")
	until("2000-01-03 18:58:00")
	return o
}

func (r *record) accountUp() {
	r.event = scheduler.Event{Kind: scheduler.EventReachable, By: scheduler.BySchedule, Account: "main", Reason: "recovered"}
	r.line = "account recovered; its runs resume"
}

// lapsing is an office whose login lapses within 14 days, an hour after its start.
func lapsing(t *testing.T, r *record) {
	o := newOffice(t, auth.ModeDelegated)
	r.w = o.world
	o.long = true
	o.schedule.Uptime = []plan.Window{window(t, "mon 00:00-24:00")}
	o.signIn()
	time.Sleep(80 * 24 * time.Hour)
	o.entra.Fail(lcssim.Unavailable)
	r.event = scheduler.Event{Kind: scheduler.EventWarning, By: scheduler.BySchedule, Account: "main", Reason: "lapses at", NextStep: "curfew login main"}
	r.line = "the account's login lapses soon; run: curfew login main"
	o.start()
	time.Sleep(time.Hour)
	synctest.Wait()
}

// TestEachHappeningIsRecordedOnce goes through what happens apart from the ends of runs:
// each is logged once, counted once where there is a counter, and emitted once.
func TestEachHappeningIsRecordedOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		happens func(t *testing.T, r *record)
	}{
		{"a fire waits for an approval", func(t *testing.T, r *record) {
			held(t, r)
			r.before()
			until("2000-01-03 19:01:00")
			r.line = "a fire would stop more environments than max_stops_per_fire; it waits for an approval"
			said := r.w.logs.FilterMessageSnippet(r.line).All()[0].ContextMap()
			run, _ := said["run_id"].(string)
			environment, _ := said["environment"].(string)
			r.event = scheduler.Event{Kind: scheduler.EventApproval, By: scheduler.BySchedule, Environment: environment, Run: run, Reason: "stops 2 environments at once", NextStep: "curfew approve " + run}
		}},
		{"a fire is approved", func(t *testing.T, r *record) {
			held(t, r)
			until("2000-01-03 19:01:00")
			r.before()
			runs, err := r.w.engine.Approve(t.Context(), r.w.runs()[1].ID, anna)
			if err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:10:00")
			r.event = scheduler.Event{Kind: scheduler.EventApproval, By: anna, Environment: runs[0].Environment, Run: runs[0].ID, Reason: "approved: 2 runs", Change: scheduler.Change{
				Action: scheduler.ChangeApprove, Environments: runs[0].Environment + "\n" + runs[1].Environment, Before: "waits for an approval", After: "goes on",
			}}
			r.line, r.lines, r.by = "run approved", 2, anna.Name // a line for each run
		}},
		{"drift is corrected", func(t *testing.T, r *record) {
			r.w = newWorld(t, 1, lcssim.Options{})
			r.w.long = true
			r.w.sim.Set(envID(0), lcssim.Finished)
			r.w.setup.Enforced = map[string]string{envName(0): "office-hours"}
			until("2000-01-03 10:00:00")
			r.w.start()
			until("2000-01-03 10:07:00")
			r.before()
			r.w.sim.Set(envID(0), lcssim.Stopped)
			until("2000-01-03 10:25:00")
			r.event = scheduler.Event{Kind: scheduler.EventDrift, By: scheduler.BySchedule, Environment: envName(0), Run: r.w.only().ID, Reason: "LCS showed Stopped"}
			r.line = "environment drifted; correcting"
		}},
		{"a person asks for a run", func(t *testing.T, r *record) {
			kept(t, r)
			r.before()
			run, err := r.w.engine.Request(t.Context(), envName(0), plan.Stop, anna)
			if err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 10:01:00")
			r.event = scheduler.Event{Kind: scheduler.EventRequest, By: anna, Environment: envName(0), Run: run.ID, Reason: "stop asked for by hand", Change: scheduler.Change{
				Action: scheduler.ChangeStop, Environments: envName(0), After: "queued",
			}}
			r.line, r.by = "run queued", anna.Name
		}},
		{"a person cancels a run", func(t *testing.T, r *record) {
			held(t, r)
			until("2000-01-03 19:01:00")
			r.before()
			run, err := r.w.engine.Cancel(t.Context(), r.w.runs()[1].ID, anna)
			if err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 19:02:00")
			r.event = scheduler.Event{Kind: scheduler.EventCanceled, By: anna, Environment: run.Environment, Run: run.ID, Reason: "canceled by anna@contoso.com", Change: scheduler.Change{
				Action: scheduler.ChangeCancel, Environments: run.Environment, Before: "unfinished", After: "canceled",
			}}
			r.line = "run canceled"
		}},
		{"an override is made", func(t *testing.T, r *record) {
			kept(t, r)
			r.before()
			r.overrides(anna, monday(12, 0))
			until("2000-01-03 10:01:00")
			r.event.By, r.event.Reason = anna, "override made: "+r.event.Reason
			r.event.Change = scheduler.Change{Action: scheduler.ChangeKeep, Environments: envName(0), After: "keep running from 2000-01-03T"}
			r.line, r.by = "override made", anna.Name
		}},
		{"an override is released by somebody else", func(t *testing.T, r *record) {
			kept(t, r)
			r.overrides(scheduler.ByToken, monday(12, 0))
			until("2000-01-03 10:01:00")
			r.before()
			if _, err := r.w.engine.Release(t.Context(), r.event.Override, anna); err != nil {
				t.Fatal(err)
			}
			until("2000-01-03 12:30:00") // its end would have been before
			r.event.By, r.event.Reason = anna, "override released: "+r.event.Reason
			r.event.Change = scheduler.Change{Action: scheduler.ChangeRelease, Environments: envName(0), Before: "keep running", After: "keep running from 2000-01-03T"}
			r.line, r.by = "override released", anna.Name
		}},
		{"an override expires", func(t *testing.T, r *record) {
			kept(t, r)
			r.overrides(anna, monday(12, 0))
			until("2000-01-03 11:59:00")
			r.before()
			until("2000-01-03 12:30:00")
			r.event.By, r.event.Reason = scheduler.BySchedule, "override expired: "+r.event.Reason
			r.line = "override expired"
		}},
		{"an override expires while the daemon is down", func(t *testing.T, r *record) {
			kept(t, r)
			r.overrides(anna, monday(12, 0))
			until("2000-01-03 11:59:00")
			r.before()
			r.w.stop()
			until("2000-01-03 12:30:00")
			r.w.start()
			until("2000-01-03 12:40:00")
			r.event.By, r.event.Reason = scheduler.BySchedule, "override expired: "+r.event.Reason
			r.line = "override expired"
		}},
		{"an override is stale at a reload", func(t *testing.T, r *record) {
			kept(t, r)
			r.overrides(anna, monday(12, 0))
			until("2000-01-03 10:01:00")
			r.before()
			r.leavesTheFile()
			until("2000-01-03 10:05:00")
		}},
		{"an override is stale at a reload, and another is made after it", func(t *testing.T, r *record) {
			kept(t, r)
			r.overrides(anna, monday(12, 0))
			until("2000-01-03 10:01:00")
			r.before()
			r.leavesTheFile()
			until("2000-01-03 10:03:00")
			r.w.keep(1, plan.Running, monday(11, 0))
			until("2000-01-03 10:05:00")
		}},
		{"an account is down, over two failures and a restart", func(t *testing.T, r *record) {
			o := wrongPassword(t, r)
			o.start() // there is no event before
			until("2000-01-03 19:05:00")
			o.stop()
			o.start()
			until("2000-01-03 19:20:00")
			if n := o.entra.Asked(); n != 2 {
				t.Errorf("the account failed %d times, want twice", n)
			}
			r.event = scheduler.Event{Kind: scheduler.EventUnreachable, By: scheduler.BySchedule, Account: "main", Reason: "wrong user name or password", NextStep: "curfew accounts check main"}
			r.line = "account cannot sign in; its runs wait"
		}},
		{"one of two accounts stays down, and is used only now and then", func(t *testing.T, r *record) {
			o := newOffice(t, auth.ModePassword)
			r.w = o.world
			o.long = true
			second := o.options
			second.Username, second.Password.File = "other@contoso.com", filepath.Join(t.TempDir(), "second")
			if err := os.WriteFile(second.Password.File, []byte("wrong"), 0o600); err != nil {
				t.Fatal(err)
			}
			o.withSecond(second)
			o.setPassword("wrong")
			o.start()
			time.Sleep(15 * time.Minute)
			o.setPassword(knownPassword) // from here on the first does all there is
			time.Sleep(4 * time.Hour)
			o.setPassword("wrong")
			o.entra.Revoke()
			o.stop()
			o.start()
			time.Sleep(15 * time.Minute)
			synctest.Wait()
			r.event = scheduler.Event{Kind: scheduler.EventUnreachable, By: scheduler.BySchedule, Account: "second", Reason: "AADSTS", NextStep: "curfew accounts check second"}
			r.line = "account cannot sign in; its runs wait"
		}},
		{"an account is not accepted by its project", func(t *testing.T, r *record) {
			r.w = newWorld(t, 1, lcssim.Options{})
			until("2000-01-03 18:50:00")
			r.w.start()
			until("2000-01-03 18:58:00")
			r.before()
			r.w.sim.Inject(lcssim.Fault{Kind: lcssim.Unauthorized})
			until("2000-01-03 19:30:00")
			r.event = scheduler.Event{Kind: scheduler.EventUnreachable, By: scheduler.BySchedule, Account: "main", Reason: "401", NextStep: "curfew accounts check main"}
			r.line = "the account is not accepted for this project; its runs wait"
		}},
		{"an account is up again", func(t *testing.T, r *record) {
			o := wrongPassword(t, r)
			o.start()
			until("2000-01-03 19:05:00")
			r.before()
			o.setPassword(knownPassword)
			until("2000-01-03 19:20:00")
			r.accountUp()
		}},
		{"an account is up again after a restart", func(t *testing.T, r *record) {
			o := wrongPassword(t, r)
			o.start()
			until("2000-01-03 19:05:00")
			r.before()
			o.stop()
			o.setPassword(knownPassword)
			o.start()
			until("2000-01-03 19:20:00")
			r.accountUp()
		}},
		{"a file becomes active", func(t *testing.T, r *record) {
			kept(t, r)
			r.before()
			r.w.reload()
			until("2000-01-03 10:05:00")
			r.event = scheduler.Event{Kind: scheduler.EventReload, By: scheduler.BySchedule, Reason: "schedule file loaded: 2 environments, 1 projects"}
			r.line = "schedule file loaded"
		}},
		{"a file is refused", func(t *testing.T, r *record) {
			kept(t, r)
			r.before()
			r.w.engine.RefuseFile(t.Context(), `schedules.yaml:3:9: unknown time zone "Local"`)
			until("2000-01-03 10:05:00")
			r.event = scheduler.Event{Kind: scheduler.EventConfig, By: scheduler.BySchedule, Reason: "schedules.yaml:3:9", NextStep: "correct the file"}
			r.line = "the schedule file was not loaded; the old one stays active"
		}},
		{"LCS throttles a call", func(t *testing.T, r *record) {
			r.count = []string{"curfew_lcs_calls_total", "kind=stop", "outcome=throttled"}
			r.w = newWorld(t, 1, lcssim.Options{})
			r.w.sim.Set(envID(0), lcssim.Finished)
			r.w.sim.Inject(lcssim.Fault{Kind: lcssim.Throttle, Verb: lcssim.Stop, Times: 1, RetryAfter: "60"})
			until("2000-01-03 18:55:00")
			r.w.start()
			until("2000-01-03 18:56:00")
			r.before()
			until("2000-01-03 19:10:00")
			r.event = scheduler.Event{
				Kind: scheduler.EventThrottled, By: scheduler.BySchedule, Environment: envName(0), Run: r.w.only().ID, Account: "main",
				Reason: "429", NextStep: "see who else",
			}
			r.line = "call not accepted"
		}},
		{"LCS throttles metadata", func(t *testing.T, r *record) {
			r.count = []string{"curfew_lcs_calls_total", "kind=metadata", "outcome=throttled"}
			kept(t, r)
			r.before()
			r.w.sim.Inject(lcssim.Fault{Kind: lcssim.Throttle, Verb: lcssim.Metadata, Times: 1, RetryAfter: "60"})
			until("2000-01-03 10:20:00")
			r.event = scheduler.Event{Kind: scheduler.EventThrottled, By: scheduler.BySchedule, Account: "main", Reason: "metadata of project contoso"}
			r.line = "metadata not read"
		}},
		{"an environment is not up when its window begins", func(t *testing.T, r *record) {
			r.count = []string{"curfew_lead_misses_total"}
			r.w = newWorld(t, 1, lcssim.Options{StartTime: 30 * time.Minute})
			r.w.long = true
			r.w.setup.Leads = map[string]scheduler.Lead{"office-hours": {Fixed: 10 * time.Minute}}
			r.w.schedule.Lead = 10 * time.Minute
			until("2000-01-03 06:40:00")
			r.w.start()
			until("2000-01-03 06:45:00")
			r.before()
			until("2000-01-03 07:45:00")
			r.event = scheduler.Event{Kind: scheduler.EventWarning, By: scheduler.BySchedule, Environment: envName(0), Run: r.w.only().ID, Reason: "not up when its window began", NextStep: "longer lead"}
			r.line = "environment was not up when its window began"
		}},
		{"a login lapses soon", lapsing},
		{"a login lapses soon, over a restart within the day", func(t *testing.T, r *record) {
			lapsing(t, r)
			r.w.stop()
			r.w.start()
			time.Sleep(time.Hour)
			synctest.Wait()
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r := &record{}
				tt.happens(t, r)
				r.check()
				r.w.endedOnce()
				r.w.stop()
			})
		})
	}
}
