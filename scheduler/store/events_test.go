package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestEventsAreReadInTheOrderInWhichTheyWereWritten(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		want := scheduler.Event{
			Kind: scheduler.EventFailed, At: t0, By: scheduler.Actor{Name: "anna", Via: "page", From: "10.0.0.1"}, Environment: "dev-01", Run: "r", Override: "o", Account: "main",
			Reason: "LCS refused it", NextStep: "ask LCS", Change: scheduler.Change{Action: scheduler.ChangeKeep, Environments: "dev-01\ndev-02", Before: "a", After: "b"},
		}
		if err := b.Events.Append(t.Context()); err != nil {
			t.Errorf("Append of nothing = %v", err)
		}
		var all []scheduler.Event
		for i := range 300 {
			all = append(all, scheduler.Event{Kind: scheduler.EventWarning, At: t0.Add(-time.Duration(i) * time.Minute), Reason: fmt.Sprint(i)})
		}
		if err := errors.Join(b.Events.Append(t.Context(), want), b.Events.Append(t.Context(), all...)); err != nil {
			t.Fatal(err)
		}
		b.reopen()
		after, n := "", -1
		for {
			page, err := b.Events.After(t.Context(), after, 70)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				id := e.ID
				e.ID = ""
				switch {
				case n < 0 && e != want:
					t.Errorf("event = %+v, want %+v", e, want)
				case n >= 0 && e != all[n]:
					t.Errorf("event = %+v, want %+v", e, all[n])
				case id <= after:
					t.Errorf("id %s comes after %s", id, after)
				}
				after = id
				n++
			}
		}
		if n != 300 {
			t.Errorf("%d events, want 301", n+1)
		}
	})
}

func TestAuditIsTheChangesNewestFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var all []scheduler.Event
		for i := range 9 {
			e := scheduler.Event{Kind: scheduler.EventOverride, At: t0, Reason: fmt.Sprint(i)}
			if i%2 == 0 { // the others nobody caused
				e.Change = scheduler.Change{Action: scheduler.ChangeKeep, After: fmt.Sprint(i)}
			}
			all = append(all, e)
		}
		began := time.Now().Add(-time.Second)
		if err := b.Events.Append(t.Context(), all...); err != nil {
			t.Fatal(err)
		}
		var got []string
		for before := ""; ; {
			page, err := b.Events.Audit(t.Context(), began, before, 2)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, e := range page {
				got, before = append(got, e.Change.After), e.ID
			}
		}
		if want := []string{"8", "6", "4", "2", "0"}; !slices.Equal(got, want) {
			t.Errorf("audit = %v, want %v", got, want)
		}
		if page, err := b.Events.Audit(t.Context(), began.Add(time.Hour), "", 2); len(page) != 0 || err != nil {
			t.Errorf("audit since later = %v, %v; want nothing", page, err)
		}
	})
}

// Each change is written with its events or not at all: an event that cannot be written
// undoes it.
func TestChangeIsUndoneThatCannotWriteItsEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r, held := newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0)
		held.Waiting = scheduler.WaitApproval
		b.tick(time.Time{}, t0, r, held)
		g := b.reserve(r, t0)
		ticket := b.pass("contoso")
		o, _, err := b.Overrides.Add(t.Context(), scheduler.Override{ID: "o1", From: t0, Until: t0.Add(time.Hour), By: scheduler.BySchedule}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Exec(t.Context(), `DROP TABLE events`); err != nil {
			t.Fatal(err)
		}
		before := b.dump()
		event := scheduler.Event{Kind: scheduler.EventWarning, At: t0}
		override := func(scheduler.Override) []scheduler.Event { return []scheduler.Event{event} }
		changed := b.run(r.ID)
		changed.State = scheduler.Verifying
		call := *g.Call
		call.Outcome, call.Done = scheduler.OutcomeAccepted, t0
		ctx, later := t.Context(), t0.Add(time.Minute)
		cursor, err := b.Runs.Cursor(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for name, change := range map[string]func() error{
			"CommitTick": func() error {
				_, err := b.Runs.CommitTick(ctx, cursor, later, []scheduler.Run{newRun("dev-01", plan.Start, later)}, emit)
				return err
			},
			"InsertManual": func() error {
				_, err := b.Runs.InsertManual(ctx, newRun("dev-01", plan.Start, later), emit)
				return err
			},
			"InsertEnforced": func() error {
				_, err := b.Runs.InsertEnforced(ctx, newRun("dev-09", plan.Start, later), t0, emit)
				return err
			},
			"Cancel":  func() error { _, err := b.Runs.Cancel(ctx, r.ID, t0, "", emit); return err },
			"Approve": func() error { _, err := b.Runs.Approve(ctx, held.ID, t0, "", emit); return err },
			"Save":    func() error { _, err := b.Passes.Save(ctx, ticket, []scheduler.Run{changed}, emit); return err },
			"Settle": func() error {
				_, err := b.Ledger.Settle(ctx, []scheduler.Settlement{{Call: call, Run: &changed}}, emit)
				return err
			},
			"Add": func() error {
				_, _, err := b.Overrides.Add(ctx, scheduler.Override{ID: "o2", From: t0, Until: later}, nil, override)
				return err
			},
			"End":  func() error { _, err := b.Overrides.End(ctx, o.ID, later, override); return err },
			"Hold": func() error { return b.Holds.Hold(ctx, []scheduler.Hold{{Scope: "account/main", Until: later}}, event) },
			"SyncRules": func() error {
				_, err := b.Runs.SyncRules(ctx, scheduler.Loading{At: t0, Rules: []scheduler.Rule{{Name: "a"}}}, event)
				return err
			},
			"Append": func() error { return b.Events.Append(ctx, event) },
		} {
			if err := change(); err == nil {
				t.Errorf("%s wrote no event and returned no error", name)
			}
			if got := b.dump(); got != before {
				t.Errorf("%s left %s, want what was there: %s", name, got, before)
			}
		}
	})
}

// dump reads what changes may have left.
func (b *bench) dump() string {
	b.t.Helper()
	text := ""
	for _, query := range []string{
		`SELECT COUNT(*) FROM runs`, `SELECT COUNT(*) FROM runs WHERE state = 'queued'`, `SELECT COUNT(*) FROM runs WHERE state = 'running'`, `SELECT SUM(generation) FROM runs`,
		`SELECT COUNT(*) FROM runs WHERE waiting = 'approval'`, `SELECT COUNT(*) FROM calls WHERE outcome = 'pending'`, `SELECT SUM(generation) FROM projects`, `SELECT COUNT(*) FROM river_job`,
		`SELECT COUNT(*) FROM overrides WHERE released_at = 0`, `SELECT COUNT(*) FROM holds`, `SELECT COUNT(*) FROM rules`, `SELECT SUM(at / 1000000) FROM ticks`,
	} {
		text += fmt.Sprint(b.count(query), " ")
	}
	return text
}

func TestEventsOfATickAreThoseOfItsRunsAndOfWhatTheySuperseded(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0, newRun("dev-01", plan.Stop, t0))
		later := t0.Add(time.Minute)
		runs := []scheduler.Run{newRun("dev-01", plan.Start, later), newRun("dev-02", plan.Start, later), newRun("dev-01", plan.Stop, t0)} // the last is there already
		if _, err := b.Runs.CommitTick(t.Context(), scheduler.Cursor{At: t0}, later, runs, emit); err != nil {
			t.Fatal(err)
		}
		want := []string{"queued dev-01", "queued dev-02", "canceled dev-01"}
		if got := b.events(); !slices.Equal(got, want) {
			t.Errorf("events = %v, want %v", got, want)
		}
		if _, err := b.Runs.CommitTick(t.Context(), scheduler.Cursor{At: t0}, later, runs, emit); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("again = %v, want ErrStale", err)
		}
		if got := b.events(); !slices.Equal(got, want) {
			t.Errorf("events after a stale tick = %v, want %v", got, want)
		}
	})
}

func TestOldEventsArePruned(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		old, recent := scheduler.Event{Kind: scheduler.EventWarning, At: t0, Reason: "old"}, scheduler.Event{Kind: scheduler.EventWarning, At: t0.Add(time.Hour), Reason: "recent"}
		if err := b.Events.Append(t.Context(), append(slices.Repeat([]scheduler.Event{old}, 501), recent)...); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{500, 1, 0} {
			if n, err := b.PruneHistory(t.Context(), t0.Add(time.Hour)); n != want || err != nil {
				t.Errorf("PruneHistory = %d, %v; want %d", n, err, want)
			}
		}
		if got := b.events(); !slices.Equal(got, []string{"warning recent"}) {
			t.Errorf("events = %v, want the recent one", got)
		}
	})
}
