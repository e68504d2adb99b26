package engine_test

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// linkTo is a link of a warning about the stops of some environments at Monday 19:00.
func linkTo(choice scheduler.LinkChoice, environments ...string) scheduler.LinkUse {
	u := scheduler.LinkUse{Delivery: "d", Choice: choice, By: scheduler.Actor{Via: "link:ops", From: "10.0.0.1"}}
	for _, name := range environments {
		u.Stops = append(u.Stops, scheduler.PlannedStop{Environment: name, At: monday(19, 0)})
	}
	if len(environments) == 1 {
		u.Environment = environments[0]
	}
	return u
}

// follow follows a link and returns until when it keeps what: "dev-00 Mon 20:00".
func (w *world) follow(u scheduler.LinkUse) ([]string, error) {
	made, err := w.engine.Follow(w.t.Context(), u)
	var list []string
	for _, o := range made {
		for _, name := range o.Environments {
			list = append(list, name+" "+o.Until.Format("Mon 15:04"))
		}
	}
	slices.Sort(list)
	return list, err
}

func TestLinksKeepUntilAfterTheStop(t *testing.T) {
	for _, tt := range []struct {
		choice scheduler.LinkChoice
		want   []string
	}{
		{scheduler.LinkKeep1, []string{"dev-00 Mon 20:00", "dev-01 Mon 20:00"}},
		{scheduler.LinkKeep2, []string{"dev-00 Mon 21:00", "dev-01 Mon 21:00"}},
		{scheduler.LinkSkip, []string{"dev-00 Tue 07:00", "dev-01 Tue 07:00"}},
	} {
		t.Run(string(tt.choice), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, lcssim.Options{})
				until("2000-01-03 10:00:00")
				w.start()
				until("2000-01-03 18:40:00")
				u := linkTo(tt.choice, envName(0), envName(1))
				for range 2 { // whoever only looks changes nothing
					if stops, err := w.engine.Standing(t.Context(), u); len(stops) != 2 || err != nil {
						t.Errorf("Standing = %v, %v; want both", stops, err)
					}
				}
				if got, err := w.follow(u); !slices.Equal(got, tt.want) || err != nil {
					t.Errorf("Follow = %q, %v; want %q", got, err, tt.want)
				}
				if _, err := w.follow(u); !errors.Is(err, scheduler.ErrLinkUsed) {
					t.Errorf("a second time = %v, want ErrLinkUsed", err)
				}
				until("2000-01-03 19:30:00")
				w.state(0, lcssim.Finished)
				audit, err := w.store.Events.Audit(t.Context(), time.Time{}, "", 10)
				if err != nil || len(audit) == 0 || audit[0].By.String() != "link:ops" || audit[0].By.From != "10.0.0.1" {
					t.Errorf("audit = %+v, %v; want who and from where", audit, err)
				}
				w.stop()
			})
		})
	}
}

func TestLinkLeavesTheOthersOfItsMessageValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 2, lcssim.Options{})
		until("2000-01-03 10:00:00")
		w.start()
		until("2000-01-03 18:40:00")
		for _, tt := range []struct {
			link scheduler.LinkUse
			want []string
		}{
			{linkTo(scheduler.LinkKeep1, envName(0)), []string{"dev-00 Mon 20:00"}},
			{linkTo(scheduler.LinkKeep2, envName(0)), []string{"dev-00 Mon 21:00"}},
			{linkTo(scheduler.LinkKeep1, envName(0), envName(1)), []string{"dev-00 Mon 20:00", "dev-01 Mon 20:00"}},
		} {
			if got, err := w.follow(tt.link); !slices.Equal(got, tt.want) || err != nil {
				t.Errorf("Follow = %q, %v; want %q", got, err, tt.want)
			}
		}
		until("2000-01-03 20:30:00")
		w.state(0, lcssim.Finished) // the longest counts
		w.state(1, lcssim.Stopped)
		w.stop()
	})
}

func TestLinkIsVoid(t *testing.T) {
	tests := []struct {
		name   string
		before func(w *world)
		at     string
		want   []string // that it keeps all the same
	}{
		{"when its stop is over", func(*world) {}, "2000-01-03 19:00:00", nil},
		{"when somebody moved the stop", func(w *world) { w.keep(0, plan.Running, monday(22, 0)); w.keep(1, plan.Running, monday(22, 0)) }, "2000-01-03 18:50:00", nil},
		{"for the environment alone whose stop was moved", func(w *world) { w.keep(0, plan.Running, monday(22, 0)) }, "2000-01-03 18:50:00", []string{"dev-01 Mon 20:00"}},
		{"when the file has other times", func(w *world) {
			w.schedule.Uptime = []plan.Window{window(w.t, "mon-fri 07:00-19:30")}
			w.reload()
		}, "2000-01-03 18:50:00", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, lcssim.Options{})
				until("2000-01-03 10:00:00")
				w.start()
				until("2000-01-03 18:40:00")
				tt.before(w)
				until(tt.at)
				u := linkTo(scheduler.LinkKeep1, envName(0), envName(1))
				var want error
				if tt.want == nil {
					want = scheduler.ErrLinkVoid
				}
				if got, err := w.follow(u); !slices.Equal(got, tt.want) || !errors.Is(err, want) {
					t.Errorf("Follow = %q, %v; want %q, %v", got, err, tt.want, want)
				}
				w.stop()
			})
		})
	}
}
