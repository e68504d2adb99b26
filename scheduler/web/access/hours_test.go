package access_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
	"curfew/scheduler/zone"
)

// A ledger is an engine that does what it is asked, and remembers it.
type ledger struct {
	plan *plan.Plan
	zone *time.Location
	slow time.Duration // how long a change takes

	mu        sync.Mutex
	overrides []scheduler.Override
	runs      []scheduler.Run
}

func (l *ledger) Plan(context.Context) (*plan.Plan, *time.Location, error) {
	return l.plan, l.zone, nil
}

func (l *ledger) Asked(_ context.Context, by scheduler.Actor, since time.Time) ([]scheduler.Override, []scheduler.Run, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var overrides []scheduler.Override
	for _, o := range l.overrides {
		if o.By.Name == by.Name && o.By.Via == by.Via && !o.Until.Before(since) {
			overrides = append(overrides, o)
		}
	}
	var runs []scheduler.Run
	for _, r := range l.runs {
		if r.By.Name == by.Name && r.By.Via == by.Via && !r.FireAt.Before(since) {
			runs = append(runs, r)
		}
	}
	return overrides, runs, nil
}

func (l *ledger) Request(_ context.Context, environment string, action plan.Action, by scheduler.Actor) (scheduler.Run, error) {
	time.Sleep(l.slow)
	l.mu.Lock()
	defer l.mu.Unlock()
	r := scheduler.Run{ID: fmt.Sprint("r", len(l.runs)), Environment: environment, Action: action, State: scheduler.Succeeded, FireAt: time.Now(), By: by}
	l.runs = append(l.runs, r)
	return r, nil
}

func (l *ledger) Override(_ context.Context, o scheduler.Override) (scheduler.Override, bool, error) {
	time.Sleep(l.slow)
	l.mu.Lock()
	defer l.mu.Unlock()
	if o.From.Before(time.Now()) {
		o.From = time.Now()
	}
	o.ID = fmt.Sprint("o", len(l.overrides))
	l.overrides = append(l.overrides, o)
	return o, true, nil
}

func (l *ledger) Overrides(context.Context) ([]scheduler.OverrideStatus, error) {
	var list []scheduler.OverrideStatus
	for _, o := range l.overrides {
		list = append(list, scheduler.OverrideStatus{Override: o})
	}
	return list, nil
}

func (l *ledger) Skip(ctx context.Context, environment string, by scheduler.Actor) (scheduler.Override, bool, error) {
	s, ok := l.plan.Skip(environment, time.Now(), time.Now().Add(scheduler.LongestOverride))
	if !ok {
		return scheduler.Override{}, false, &scheduler.InvalidError{Message: "nothing to skip"}
	}
	return l.Override(ctx, scheduler.Override{Environments: []string{environment}, Keep: plan.Running, From: s.From, Until: s.Until, By: by})
}

func (l *ledger) ReleaseAccount(context.Context, string, scheduler.Actor) (scheduler.AccountStatus, error) {
	return scheduler.AccountStatus{}, nil
}

func (l *ledger) Release(_ context.Context, id string, _ scheduler.Actor) (scheduler.Override, error) {
	for i := range l.overrides {
		if l.overrides[i].ID == id {
			l.overrides[i].Until = time.Now()
			return l.overrides[i], nil
		}
	}
	return scheduler.Override{}, scheduler.ErrNoOverride
}

func (l *ledger) Cancel(_ context.Context, id string, by scheduler.Actor) (scheduler.Run, error) {
	return scheduler.Run{ID: id, By: by}, nil
}

func (l *ledger) Approve(_ context.Context, id string, by scheduler.Actor) ([]scheduler.Run, error) {
	return []scheduler.Run{{ID: id, By: by}}, nil
}

// newLedger has dev-01 and dev-02 up on working days from 07:00 to 19:00, bare-01 without
// a schedule, and a night off for dev-02.
func newLedger(t *testing.T) *ledger {
	t.Helper()
	location, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	window, err := plan.ParseWindow("mon-fri 07:00-19:00")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2000, 1, 5, 7, 0, 0, 0, location)
	p, err := plan.Compile(plan.Spec{
		Environments: []string{"dev-01", "dev-02", "bare-01"},
		Schedules:    []plan.Schedule{{Name: "office", Environments: []string{"dev-01", "dev-02"}, Location: location, Uptime: []plan.Window{window}}},
		Exceptions:   []plan.Exception{{Name: "off", Environments: []string{"dev-02"}, From: at, Until: at.Add(24 * time.Hour), Location: location, Keep: plan.Stopped}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return &ledger{plan: p, zone: location}
}

// do asks for what a line says: start, stop or skip and an environment; keep, environments
// and how long; release and an id.
func do(ctx context.Context, c *access.Changes, line string) error {
	words := strings.Fields(line)
	var err error
	switch words[0] {
	case "start", "stop":
		_, err = c.Request(ctx, words[1], plan.Action(words[0]))
	case "skip":
		_, _, err = c.Skip(ctx, words[1])
	case "release":
		_, err = c.Release(ctx, words[1])
	case "keep":
		length, perr := time.ParseDuration(words[2])
		if perr != nil {
			return perr
		}
		_, _, err = c.Override(ctx, scheduler.Override{Environments: strings.Split(words[1], ","), Keep: plan.Running, Until: time.Now().Add(length)})
	default:
		err = errors.New("no such line")
	}
	return err
}

// step is something done at a time of the zone of the file, and how much of the week's
// hours has been used then.
type step struct {
	at, line, used, refused string
}

func TestHoursBeyondTheSchedule(t *testing.T) {
	grant := func(hours float64, names ...string) access.Grant {
		return access.Grant{Environments: names, HoursPerWeek: hours}
	}
	tests := []struct {
		name   string
		grants []access.Grant
		steps  []step
	}{
		{"a start counts to the next boundary", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-01-05 20:00", "start dev-01", "11h", ""},
		}},
		{"a start within the window counts nothing", []access.Grant{grant(1, "dev-01")}, []step{
			{"2000-01-05 12:00", "start dev-01", "0s", ""},
		}},
		{"an exception that stops counts as not wanted", []access.Grant{grant(20, "dev-02")}, []step{
			{"2000-01-05 12:00", "keep dev-02 2h", "2h", ""},
		}},
		{"an override counts only where the schedule does not want it running", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-01-05 18:00", "keep dev-01 3h", "2h", ""},
		}},
		{"each environment counts", []access.Grant{grant(20, "dev-01", "dev-02")}, []step{
			{"2000-01-06 19:00", "keep dev-01,dev-02 3h", "6h", ""},
		}},
		{"what overlaps counts once", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-01-05 19:00", "keep dev-01 3h", "3h", ""},
			{"2000-01-05 20:00", "keep dev-01 3h", "4h", ""},
			{"2000-01-05 21:00", "start dev-01", "12h", ""},
		}},
		{"a released override counts until its release", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-01-05 19:00", "keep dev-01 10h", "10h", ""},
			{"2000-01-05 20:30", "release o0", "1h30m", ""},
		}},
		{"a skip counts until the next start", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-01-05 18:00", "skip dev-01", "12h", ""},
		}},
		{"what does not fit is refused, and uses nothing", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-01-05 19:00", "keep dev-01 9h", "9h", ""},
			{"2000-01-06 19:00", "start dev-01", "9h", "rita@contoso.com may use 20 h a week beyond the schedule for dev-01, and has 11 h left in the week from Mon 2000-01-03; this takes 12 h: ask for less, wait for Monday, or ask somebody with the role operator"},
			{"2000-01-06 20:00", "start dev-01", "20h", ""},
			{"2000-01-07 12:00", "start dev-01", "20h", ""},
			{"2000-01-07 19:00", "keep dev-01 1m", "20h", "has 0 min left"},
		}},
		{"monday brings the hours back", []access.Grant{grant(10, "dev-01")}, []step{
			{"2000-01-05 19:00", "keep dev-01 10h", "10h", ""},
			{"2000-01-09 23:00", "keep dev-01 30m", "10h", "left in the week from Mon 2000-01-03; this takes 30 min"},
			{"2000-01-10 00:00", "keep dev-01 5h", "5h", ""},
		}},
		{"hours over Monday count in the week they lie in", []access.Grant{grant(10, "dev-01")}, []step{
			{"2000-01-09 14:00", "keep dev-01 11h", "10h", ""},
			{"2000-01-10 02:00", "keep dev-01 5h", "6h", ""},
		}},
		{"a long override is refused by a later week", []access.Grant{grant(30, "dev-01")}, []step{
			{"2000-01-09 20:00", "keep dev-01 48h", "4h", ""},
			{"2000-01-09 21:00", "keep dev-01 90h", "4h", "in the week from Mon 2000-01-10"},
		}},
		{"a start that no boundary ends is never within hours", []access.Grant{grant(20, "bare-01")}, []step{
			{"2000-01-05 12:00", "start bare-01", "0s", "may use 20 h a week"},
			{"2000-01-05 12:00", "keep bare-01 2h", "2h", ""},
		}},
		{"of two grants of an environment the larger counts", []access.Grant{grant(2, "dev-01"), grant(5, "dev-01")}, []step{
			{"2000-01-05 19:00", "keep dev-01 5h", "0s 5h", ""},
			{"2000-01-06 19:00", "keep dev-01 1h", "0s 5h", "may use 5 h a week"},
		}},
		{"grants of different environments count apart", []access.Grant{grant(2, "dev-01"), grant(5, "dev-02")}, []step{
			{"2000-01-06 19:00", "keep dev-01,dev-02 2h", "2h 2h", ""},
			{"2000-01-06 19:30", "keep dev-01 3h", "2h 2h", "for dev-01"},
		}},
		{"the night of summer time is as long as it is", []access.Grant{grant(20, "dev-01")}, []step{
			{"2000-03-25 23:00", "keep dev-01 6h", "6h", ""},
			{"2000-03-26 23:00", "keep dev-01 2h", "7h", ""},
			{"2000-03-27 00:30", "keep dev-01 1h", "1h30m", ""},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkSteps(t, tt.grants, tt.steps) })
		})
	}
}

func checkSteps(t *testing.T, grants []access.Grant, steps []step) {
	l := newLedger(t)
	c := access.NewChanges(l, l)
	who := asker
	who.Grants = grants
	ctx := access.With(t.Context(), who)
	for _, s := range steps {
		at, err := time.ParseInLocation("2006-01-02 15:04", s.at, l.zone)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Until(at))
		err = do(ctx, c, s.line)
		if s.refused == "" && err != nil || s.refused != "" && (err == nil || !strings.Contains(err.Error(), s.refused)) {
			t.Errorf("%s: %s = %v, want %q", s.at, s.line, err, s.refused)
		}
		budgets, err := c.Budgets(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var used []string
		for _, b := range budgets {
			used = append(used, b.Used.String())
		}
		if got := strings.Join(used, " "); got != normal(s.used) {
			t.Errorf("%s: used after %q = %s, want %s", s.at, s.line, got, s.used)
		}
	}
}

// normal writes each duration of a list in one way.
func normal(list string) string {
	words := strings.Fields(list)
	for i, w := range words {
		if d, err := time.ParseDuration(w); err == nil {
			words[i] = d.String()
		}
	}
	return strings.Join(words, " ")
}

func TestTwoRequestsDoNotShareOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		l.slow = time.Second
		c := access.NewChanges(l, l)
		who := asker
		who.Grants = []access.Grant{{Environments: []string{"dev-01", "dev-02"}, HoursPerWeek: 3}}
		ctx := access.With(t.Context(), who) // Saturday, 01:00
		var wg sync.WaitGroup
		results := make([]error, 2)
		for i, name := range []string{"dev-01", "dev-02"} {
			wg.Go(func() { results[i] = do(ctx, c, "keep "+name+" 2h") })
		}
		wg.Wait()
		if (results[0] == nil) == (results[1] == nil) {
			t.Errorf("two requests of 2 h at once on a budget of 3 h: %v, %v; want one of them refused", results[0], results[1])
		}
	})
}

func TestOthersHaveNoHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := access.NewChanges(l, l)
		for _, who := range []access.Identity{boss, access.Token("")} {
			ctx := access.With(t.Context(), who)
			for _, line := range []string{"keep dev-01 700h", "start bare-01", "stop dev-01", "skip dev-01", "release o0"} {
				if err := do(ctx, c, line); err != nil {
					t.Errorf("%s: %s = %v", who.Actor, line, err)
				}
			}
			if budgets, err := c.Budgets(ctx); err != nil || budgets != nil {
				t.Errorf("budgets of %s = %v, %v; want none", who.Actor, budgets, err)
			}
		}
	})
}

func TestChangesRecordTheIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLedger(t)
		c := access.NewChanges(l, l)
		who := boss
		who.Actor.From = "192.0.2.1:5"
		ctx := access.With(t.Context(), who)
		o, _, err := c.Override(ctx, scheduler.Override{Environments: []string{"dev-01"}, Keep: plan.Stopped, Until: time.Now().Add(time.Hour), By: scheduler.ByToken})
		if err != nil || o.By != who.Actor {
			t.Errorf("override by %+v, %v; want %+v, whatever the request said", o.By, err, who.Actor)
		}
		if r, err := c.Cancel(ctx, "1"); err != nil || r.By != who.Actor {
			t.Errorf("canceled by %+v, %v", r.By, err)
		}
		if runs, err := c.Approve(ctx, "1"); err != nil || runs[0].By != who.Actor {
			t.Errorf("approved by %+v, %v", runs, err)
		}
	})
}

func TestNobodyChangesAnything(t *testing.T) {
	l := newLedger(t)
	c := access.NewChanges(l, l)
	for _, who := range []access.Identity{{}, access.Local(""), nobody, viewer} {
		ctx := access.With(t.Context(), who)
		for _, line := range []string{"keep dev-01 2h", "start dev-01", "stop dev-01", "skip dev-01", "release o0"} {
			if _, ok := errors.AsType[*access.Denied](do(ctx, c, line)); !ok {
				t.Errorf("%s %q: %s is not denied", who.Role, who.Actor, line)
			}
		}
	}
	if len(l.overrides)+len(l.runs) > 0 {
		t.Errorf("the engine was asked: %v %v", l.overrides, l.runs)
	}
}
