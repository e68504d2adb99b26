package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
)

func TestReadyMeansThatTheClockTicks(t *testing.T) {
	t.Parallel()
	type tick struct {
		after time.Duration // since the one before
		by    int           // 0: the engine that is asked, 1: another replica
		off   time.Duration // of the clock that makes it
	}
	tests := []struct {
		name  string
		ticks []tick
		then  time.Duration
		want  string
	}{
		{"no tick was made yet", nil, 0, scheduler.UnreadyNoTick},
		{"the last tick is a minute old", []tick{{}}, time.Minute, ""},
		{"the last tick is older", []tick{{}}, time.Minute + time.Second, scheduler.UnreadyNoTick},
		{"another replica ticks, and this process does not", []tick{{}, {after: 50 * time.Second, by: 1}}, 20 * time.Second, scheduler.UnreadyNoTick},
		{"the clock of another replica is a little ahead", []tick{{}, {after: time.Second, by: 1, off: 5 * time.Second}}, 0, ""},
		{"the last tick lies in the future", []tick{{}, {after: time.Second, by: 1, off: time.Hour}}, 0, scheduler.UnreadyFuture},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				s := w.open()
				defer s.Close()
				engines := []*engine.Engine{w.idle(), w.idle()}
				for _, one := range tt.ticks {
					time.Sleep(one.after)
					if err := engines[one.by].Tick(t.Context(), time.Now().Add(one.off)); err != nil {
						t.Fatal(err)
					}
				}
				time.Sleep(tt.then)
				got := ""
				if u, ok := errors.AsType[*scheduler.UnreadyError](engines[0].Ready(t.Context())); ok {
					got = u.Reason
				}
				if got != tt.want {
					t.Errorf("Ready = %q, want %q", got, tt.want)
				}
			})
		})
	}
}
