package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
)

func TestOverrideHoldsAndItsEndBringsBackWhatTheSchedulesWant(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		w.sim.Set(envID(1), lcssim.Finished)
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 18:01:00")
		w.keep(0, plan.Running, monday(20, 30))
		until("2000-01-03 19:10:00")
		w.state(0, lcssim.Finished)
		w.state(1, lcssim.Stopped)
		until("2000-01-03 20:29:59")
		w.state(0, lcssim.Finished)
		until("2000-01-03 20:40:00")
		w.state(0, lcssim.Stopped)
		if got, want := w.triggers(), []string{"start override", "stop schedule", "stop override"}; !slices.Equal(got, want) {
			t.Errorf("runs = %v, want %v", got, want)
		}
		if n := w.logs.FilterMessageSnippet("override expired").Len(); n != 1 {
			t.Errorf("%d lines say that the override expired, want 1", n)
		}
		w.stop()
	})
}

func TestOverrideThatEndsWhileTheDaemonIsDownIsCaughtUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:01:00")
		w.keep(0, plan.Stopped, monday(12, 0))
		until("2000-01-03 10:10:00")
		w.state(0, lcssim.Stopped)
		until("2000-01-03 11:59:59")
		w.stop()
		until("2000-01-03 12:00:00") // the very instant
		w.start()
		until("2000-01-03 12:10:00")
		w.state(0, lcssim.Finished)
		if got, want := w.triggers(), []string{"stop override", "start override"}; !slices.Equal(got, want) {
			t.Errorf("runs = %v, want %v", got, want)
		}
		w.stop()
	})
}

func TestReleaseEndsAnOverrideAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 10:01:00")
		o := w.keep(0, plan.Stopped, monday(18, 0))
		until("2000-01-03 10:10:00")
		if _, err := w.engine.Release(t.Context(), o.ID, scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 10:20:00")
		w.state(0, lcssim.Finished)
		list, err := w.engine.Overrides(t.Context())
		if err != nil || len(list) != 1 || list[0].State != "released" {
			t.Errorf("overrides = %+v, %v; want it listed as released", list, err)
		}
		w.stop()
	})
}

func TestOverrideIsRefusedWithoutWhatItNeeds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.start()
		synctest.Wait()
		good := scheduler.Override{Environments: []string{envName(0)}, Keep: plan.Running, Until: time.Now().Add(time.Hour)}
		tests := []struct {
			name string
			ask  func(o *scheduler.Override)
			says string
		}{
			{"no end", func(o *scheduler.Override) { o.Until = time.Time{} }, "must have an end"},
			{"an end before now", func(o *scheduler.Override) { o.Until = time.Now().Add(-time.Second) }, "not after its start"},
			{"a reason that is too long", func(o *scheduler.Override) { o.Reason = strings.Repeat("ü", 501) }, "reason: it has 501 characters; want 500 at most"},
			{"an end too far away", func(o *scheduler.Override) { o.Until = time.Now().Add(31*24*time.Hour + time.Minute) }, "more than 31 days"},
			{"no environment", func(o *scheduler.Override) { o.Environments = nil }, "at least one"},
			{"an unknown environment", func(o *scheduler.Override) { o.Environments = []string{"dev-99"} }, `"dev-99"`},
			{"an unknown state", func(o *scheduler.Override) { o.Keep = "on" }, "want running or stopped"},
		}
		for _, tt := range tests {
			o := good
			tt.ask(&o)
			if _, _, err := w.engine.Override(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want it to say %q", tt.name, err, tt.says)
			}
		}
		w.stop()
	})
}

// A double click, or the same request again, makes no second override.
func TestRepeatedOverrideIsTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 18:01:00")
		ask := func(change func(o *scheduler.Override)) (scheduler.Override, bool) {
			o := scheduler.Override{Environments: []string{envName(0)}, Keep: plan.Running, Until: monday(20, 0), By: rita}
			change(&o)
			kept, made, err := w.engine.Override(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			return kept, made
		}
		first, made := ask(func(*scheduler.Override) {})
		if !made {
			t.Fatal("the first is not made")
		}
		until("2000-01-03 18:11:00")
		for _, tt := range []struct {
			name   string
			change func(o *scheduler.Override)
			made   bool
		}{
			{"the same", func(*scheduler.Override) {}, false},
			{"the same by somebody else", func(o *scheduler.Override) { o.By = scheduler.ByToken }, false},
			{"named twice", func(o *scheduler.Override) { o.Environments = []string{envName(0), envName(0)} }, false},
			{"another end", func(o *scheduler.Override) { o.Until = monday(21, 0) }, true},
			{"the other state", func(o *scheduler.Override) { o.Keep = plan.Stopped }, true},
			{"one environment more", func(o *scheduler.Override) { o.Environments = []string{envName(0), envName(1)} }, true},
			{"a later start", func(o *scheduler.Override) { o.From = monday(19, 0) }, true},
			{"the same later start", func(o *scheduler.Override) { o.From = monday(19, 0) }, false},
		} {
			kept, made := ask(tt.change)
			if made != tt.made || !made && tt.name != "the same later start" && kept.ID != first.ID {
				t.Errorf("%s: %+v, made %v; want made %v", tt.name, kept, made, tt.made)
			}
		}
		w.stop()
	})
}

var rita = scheduler.Actor{Name: "rita@contoso.com", Via: "user", From: "192.0.2.7:5"}

// audited is what the audit has, oldest first.
func (w *world) audited() []string {
	w.t.Helper()
	found, err := w.store.Events.Audit(w.t.Context(), time.Time{}, "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	slices.Reverse(found)
	list := make([]string, len(found))
	for i, e := range found {
		list[i] = fmt.Sprintf("%s by %s from %s of %s: %s", e.Change.Action, e.By, e.By.From, strings.Join(e.Change.Names(), " "), e.Change.After)
	}
	return list
}

// Each change is audited by what the person did: a skip is no keep.
func TestSkipIsAuditedAsASkip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		until("2000-01-03 18:00:00")
		w.start()
		until("2000-01-03 18:01:00")
		for range 2 {
			if _, _, err := w.engine.Skip(t.Context(), envName(0), rita); err != nil {
				t.Fatal(err)
			}
		}
		w.keep(0, plan.Running, monday(23, 0))
		want := []string{
			"skip by rita@contoso.com from 192.0.2.7:5 of dev-00: keep running from 2000-01-03T18:01:00Z until 2000-01-04T07:00:00Z: leaves out the stop of Mon 2000-01-03 19:00",
			"keep by  from  of dev-00: keep running from 2000-01-03T18:01:00Z until 2000-01-03T23:00:00Z: test",
		}
		if got := w.audited(); !slices.Equal(got, want) {
			t.Errorf("the audit has %q, want %q", got, want)
		}
		w.stop()
	})
}

// A reload is audited with who asked for it and what changed; the first load is none.
func TestReloadIsAudited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.start()
		synctest.Wait()
		setup := w.setup
		if err := w.engine.Reload(t.Context(), &setup, engine.Reloading{By: rita, Environments: []string{"dev-07"}, Changes: "environments removed: dev-07"}); err != nil {
			t.Fatal(err)
		}
		if got, want := w.audited(), []string{"reload by rita@contoso.com from 192.0.2.7:5 of dev-07: environments removed: dev-07"}; !slices.Equal(got, want) {
			t.Errorf("the audit has %q, want %q", got, want)
		}
		w.stop()
	})
}

func TestSkipLeavesOutOneStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00"), window(t, "mon 19:30-20:00")}
		w.sim.Set(envID(0), lcssim.Finished)
		w.sim.Set(envID(1), lcssim.Finished)
		until("2000-01-03 18:40:00")
		w.start()
		until("2000-01-03 18:41:00")
		o, made, err := w.engine.Skip(t.Context(), envName(0), scheduler.ByToken)
		if want := monday(19, 30); err != nil || !made || !o.Until.Equal(want) || o.Reason != "leaves out the stop of Mon 2000-01-03 19:00" {
			t.Fatalf("Skip = %+v, %v, %v; want an override until %v", o, made, err, want)
		}
		again, made, err := w.engine.Skip(t.Context(), envName(0), scheduler.ByToken)
		if err != nil || made || again.ID != o.ID {
			t.Errorf("Skip again = %+v, %v, %v; want the same override", again, made, err)
		}
		if _, _, err := w.engine.Skip(t.Context(), "nobody", scheduler.ByToken); !errors.Is(err, scheduler.ErrNoEnvironment) {
			t.Errorf("Skip of nobody: %v", err)
		}
		until("2000-01-03 19:10:00")
		w.state(0, lcssim.Finished)
		w.state(1, lcssim.Stopped)
		until("2000-01-03 20:10:00")
		w.state(0, lcssim.Stopped)
		w.stop()
	})
}
