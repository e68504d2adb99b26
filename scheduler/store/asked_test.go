package store_test

import (
	"strings"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestAskedReturnsWhatSomebodyKeepsRunning(t *testing.T) {
	rita := scheduler.Actor{Name: "rita@contoso.com", Via: "user"}
	onBoth(t, func(t *testing.T, b *bench) {
		start := func(environment string, at time.Time, by scheduler.Actor, action plan.Action, trigger scheduler.Trigger) {
			r := newRun(environment, action, at)
			r.By, r.Trigger = by, trigger
			if trigger == scheduler.TriggerManual {
				if _, err := b.Runs.InsertManual(t.Context(), r, nil); err != nil {
					t.Fatal(err)
				}
				return
			}
			b.tick(time.Time{}, at, r)
		}
		start("dev-01", t0.Add(-time.Second), rita, plan.Start, scheduler.TriggerManual)
		start("dev-02", t0, rita, plan.Start, scheduler.TriggerManual)
		start("dev-03", t0.Add(time.Hour), rita, plan.Start, scheduler.TriggerManual)
		start("dev-04", t0, rita, plan.Stop, scheduler.TriggerManual)
		start("dev-05", t0, scheduler.Actor{Name: "anna@contoso.com", Via: "user"}, plan.Start, scheduler.TriggerManual)
		start("dev-06", t0, scheduler.Actor{Name: rita.Name, Via: "link:ops"}, plan.Start, scheduler.TriggerManual)
		start("dev-07", t0, scheduler.ByToken, plan.Start, scheduler.TriggerManual)
		for _, o := range []scheduler.Override{
			{ID: "ended", Keep: plan.Running, Until: t0.Add(-time.Second), By: rita},
			{ID: "lasts", Keep: plan.Running, Until: t0, By: rita},
			{ID: "stopped", Keep: plan.Stopped, Until: t0.Add(time.Hour), By: rita},
			{ID: "other", Keep: plan.Running, Until: t0.Add(time.Hour), By: scheduler.ByToken},
			{ID: "later", Keep: plan.Running, Until: t0.Add(time.Hour), By: rita},
		} {
			o.Environments, o.From, o.CreatedAt = []string{"dev-01"}, t0.Add(-time.Hour), t0
			if _, _, err := b.Overrides.Add(t.Context(), o, nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		overrides, runs, err := b.Asked(t.Context(), rita, t0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range overrides {
			got = append(got, o.ID)
		}
		for _, r := range runs {
			got = append(got, r.Environment)
		}
		if list, want := strings.Join(got, " "), "lasts later dev-02 dev-03"; list != want {
			t.Errorf("Asked() = %s, want %s", list, want)
		}
	})
}
