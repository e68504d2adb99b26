package engine_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
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
			{"an end too far away", func(o *scheduler.Override) { o.Until = time.Now().Add(31*24*time.Hour + time.Minute) }, "more than 31 days"},
			{"no environment", func(o *scheduler.Override) { o.Environments = nil }, "at least one"},
			{"an unknown environment", func(o *scheduler.Override) { o.Environments = []string{"dev-99"} }, `"dev-99"`},
			{"an unknown state", func(o *scheduler.Override) { o.Keep = "on" }, "want running or stopped"},
		}
		for _, tt := range tests {
			o := good
			tt.ask(&o)
			if _, err := w.engine.Override(t.Context(), o); err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%s: %v, want it to say %q", tt.name, err, tt.says)
			}
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
