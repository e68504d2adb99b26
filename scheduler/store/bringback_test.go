package store_test

import (
	"errors"
	"testing"
	"time"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// bringBack sets the last tick to an instant.
func (b *bench) bringBack(now time.Time) scheduler.BroughtBack {
	b.t.Helper()
	c, err := b.Runs.Cursor(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	got, err := b.Runs.BringBack(b.t.Context(), c, now, func(scheduler.BroughtBack) []scheduler.Event {
		return []scheduler.Event{{Kind: scheduler.EventWarning, At: now}}
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return got
}

func TestRunsOfFiresToComeAreWithdrawnUnlessTheyMadeACall(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		due := func(environment string, at time.Time, change func(*scheduler.Run)) scheduler.Run {
			r := newRun(environment, plan.Stop, at)
			r.Trigger, r.DueAt, r.CreatedAt = scheduler.TriggerSchedule, at, t0.Add(time.Hour)
			if change != nil {
				change(&r)
			}
			return r
		}
		missed := func(r *scheduler.Run) { r.State, r.FinishedAt = scheduler.Missed, r.CreatedAt }
		past := due("dev-01", t0.Add(-time.Hour), func(r *scheduler.Run) { r.CreatedAt = t0.Add(-time.Hour); missed(r) })
		running := due("dev-07", t0.Add(-time.Minute), func(r *scheduler.Run) { r.CreatedAt = t0.Add(-time.Minute); r.State, r.Tries = scheduler.Running, 1 })
		b.tick(time.Time{}, t0.Add(-time.Second), past, running)
		list := []scheduler.Run{
			due("dev-02", t0.Add(30*time.Minute), nil),
			due("dev-03", t0.Add(30*time.Minute), missed),
			due("dev-04", t0.Add(30*time.Second), nil), // clocks differ a little
			due("dev-05", t0.Add(30*time.Minute), func(r *scheduler.Run) { r.State, r.Tries = scheduler.Running, 1 }),
			due("dev-06", t0.Add(-10*time.Minute), missed), // given up by the clock that was ahead
			due("dev-07", t0.Add(40*time.Minute), nil),
			due("dev-08", t0.Add(50*time.Minute), func(r *scheduler.Run) { r.Trigger = scheduler.TriggerManual }),
		}
		b.tick(t0.Add(-time.Second), t0.Add(time.Hour), list...)
		got := b.bringBack(t0)
		if names := environmentsOf(got.Withdrawn); !sameNames(names, "dev-02", "dev-03", "dev-06", "dev-07") {
			t.Errorf("withdrawn = %v", names)
		}
		if len(got.Reopened) != 1 || got.Reopened[0].ID != running.ID || b.run(running.ID).State != scheduler.Running || b.run(running.ID).SupersededBy != "" {
			t.Errorf("reopened = %+v, want the run of dev-07 that had made a call", got.Reopened)
		}
		if len(got.Tickets) == 0 {
			t.Error("no pass goes on with what was changed")
		}
		if r := b.run(list[6].ID); r.FireAt.After(t0) || r.DueAt.After(t0) {
			t.Errorf("the request by hand is dated %v, want now at most", r.FireAt)
		}
		if r := b.run(list[3].ID); !r.FireAt.Equal(t0.Add(30*time.Minute)) || r.CreatedAt.After(t0) {
			t.Errorf("run that made its call: fire %v, created %v; want its fire kept, so that it is made once", r.FireAt, r.CreatedAt)
		}
		c, err := b.Runs.Cursor(t.Context())
		if err != nil || !c.At.Equal(t0.Add(-10*time.Minute-time.Microsecond)) {
			t.Errorf("cursor = %v, %v, want it before the fire that was given up", c.At, err)
		}
		if _, err := b.Runs.BringBack(t.Context(), c, t0, nil); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("a tick that is not in the future: %v, want ErrStale", err)
		}
	})
}

func environmentsOf(runs []scheduler.Run) (names []string) {
	for _, r := range runs {
		names = append(names, r.Environment)
	}
	return names
}

func sameNames(got []string, want ...string) bool {
	left := map[string]bool{}
	for _, name := range want {
		left[name] = true
	}
	for _, name := range got {
		if !left[name] {
			return false
		}
		delete(left, name)
	}
	return len(left) == 0
}

func TestWhatAClockThatWasAheadWroteIsBroughtBack(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ctx, ahead := t.Context(), t0.Add(time.Hour)
		seen := scheduler.Observation{Project: 1, ID: "a", Page: 1, At: ahead, Name: "A", Condition: lcs.Stopped}
		if err := b.Observations.Record(ctx, scheduler.Call{Kind: lcs.CallMetadata, Project: 1, At: ahead, Done: ahead}, []scheduler.Observation{seen}); err != nil {
			t.Fatal(err)
		}
		if err := b.AddCall(ctx, scheduler.Call{Kind: lcs.CallStop, Account: "main", Project: 1, Environment: "a", At: ahead, Done: ahead.Add(time.Second), Outcome: scheduler.OutcomeAccepted}); err != nil {
			t.Fatal(err)
		}
		if err := b.Holds.Hold(ctx, []scheduler.Hold{{Scope: "account/main", Until: ahead.Add(10 * time.Minute)}, {Scope: "account/second", Until: t0.Add(5 * time.Minute)}}); err != nil {
			t.Fatal(err)
		}
		rule := scheduler.Rule{Name: "a", Environment: "dev-01"}
		if _, err := b.Runs.SyncRules(ctx, scheduler.Loading{At: ahead, Rules: []scheduler.Rule{rule}}); err != nil {
			t.Fatal(err)
		}
		b.tick(time.Time{}, ahead)
		o, _, err := b.Overrides.Add(ctx, scheduler.Override{ID: "o", Environments: []string{"dev-01"}, Keep: plan.Running, From: t0.Add(time.Minute), Until: t0.Add(3 * time.Hour), CreatedAt: t0.Add(time.Minute)}, nil, nil)
		if err != nil || !o.From.After(ahead) {
			t.Fatalf("override = %+v, %v, want it to start after the last tick", o, err)
		}
		now := t0.Add(2 * time.Minute)
		b.bringBack(now)
		if all, err := b.Observations.Observations(ctx); err != nil || len(all) != 1 || !all[0].At.Equal(now.Add(-scheduler.ObservationHolds)) {
			t.Errorf("observations = %+v, %v, want an old one", all, err)
		}
		var at, done int64
		if err := b.QueryRow(ctx, `SELECT at, done FROM calls WHERE kind = 'stop'`).Scan(&at, &done); err != nil || at != now.UnixMicro() || done != now.UnixMicro() {
			t.Errorf("the call is dated %d to %d, %v, want now", at, done, err)
		}
		holds, err := b.Holds.Holds(ctx, now)
		if err != nil || len(holds) != 2 || !holds[0].Until.Equal(now.Add(10*time.Minute)) || !holds[1].Until.Equal(t0.Add(5*time.Minute)) {
			t.Errorf("holds = %+v, %v, want the first to last 10 minutes from now, the other one as it was", holds, err)
		}
		since, err := b.Runs.SyncRules(ctx, scheduler.Loading{At: t0.Add(2 * time.Hour), Rules: []scheduler.Rule{rule}})
		if err != nil || !since[rule].Equal(now) {
			t.Errorf("the rule stands since %v, %v, want now", since[rule], err)
		}
		c, err := b.Runs.Cursor(ctx)
		if err != nil || !c.At.Equal(now) || len(c.Overrides) != 1 || !c.Overrides[0].From.Equal(now.Add(time.Microsecond)) || !c.Overrides[0].Until.Equal(o.Until) {
			t.Errorf("cursor = %+v, %v, want now, with the override from now on", c, err)
		}
		if events, err := b.Events.After(ctx, "", 10); err != nil || len(events) != 1 || events[0].Kind != scheduler.EventWarning {
			t.Errorf("events = %+v, %v, want the warning", events, err)
		}
	})
}

func TestObservationFromTheFutureIsReplaced(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		record := func(at, done time.Time, condition lcs.Condition) {
			t.Helper()
			seen := scheduler.Observation{Project: 1, ID: "a", Page: 1, At: at, Name: "A", Condition: condition}
			if err := b.Observations.Record(t.Context(), scheduler.Call{Kind: lcs.CallMetadata, Project: 1, At: at, Done: done}, []scheduler.Observation{seen}); err != nil {
				t.Fatal(err)
			}
		}
		last := func() lcs.Condition {
			t.Helper()
			all, err := b.Observations.Observations(t.Context())
			if err != nil || len(all) != 1 {
				t.Fatalf("observations = %+v, %v", all, err)
			}
			return all[0].Condition
		}
		record(t0.Add(time.Hour), t0.Add(time.Hour), lcs.Stopped)
		record(t0, t0.Add(time.Second), lcs.Running)
		if got := last(); got != lcs.Running {
			t.Errorf("the observation is %s, want the one that is not from the future", got)
		}
		record(t0.Add(20*time.Second), t0.Add(21*time.Second), lcs.Stopped)
		record(t0.Add(10*time.Second), t0.Add(40*time.Second), lcs.Running) // took longer
		if got := last(); got != lcs.Stopped {
			t.Errorf("the observation is %s, want the newer one", got)
		}
	})
}

func TestClockIsThatOfPostgreSQL(t *testing.T) {
	dsn := postgresDSN(t)
	own := func() time.Time { return time.Now().Add(30 * 24 * time.Hour) }
	s := openWith(t, dsn, own)
	if got := time.Until(s.Clock.Now()); got.Abs() > time.Second {
		t.Errorf("the shared time is %v from that of the database", got)
	}
	if !s.Clock.Wrong() {
		t.Errorf("the clock of the process is not known to be wrong: it is %v ahead", s.Clock.Ahead())
	}
	id, err := s.Clock.NewID()
	right := openWith(t, dsn, nil)
	if other, oerr := right.Clock.NewID(); err != nil || oerr != nil || id[:6] != other[:6] {
		t.Errorf("ids of two replicas at the same time are %s and %s, %v, %v", id, other, err, oerr)
	}
	if right.Clock.Wrong() {
		t.Error("a right clock is taken for a wrong one")
	}
}
