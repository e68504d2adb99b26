package clock_test

import (
	"testing"
	"testing/synctest"
	"time"

	"curfew/scheduler/clock"
)

// A process has a clock that can be set.
type process struct{ ahead time.Duration }

func (p *process) now() time.Time { return time.Now().Add(p.ahead) }

func TestStepOfTheProcessIsFollowedOnceItLasts(t *testing.T) {
	tests := []struct {
		name  string
		ahead time.Duration
		lasts time.Duration
		want  time.Duration // of the shared time, at the end of the step
		steps int
	}{
		{"a small one at once", 2 * time.Second, 15 * time.Second, 2 * time.Second, 1},
		{"one that is not worth it never", 50 * time.Millisecond, time.Hour, 0, 0},
		{"an hour ahead not for 25 s", time.Hour, 25 * time.Second, 0, 0},
		{"an hour behind not for 25 s", -time.Hour, 25 * time.Second, 0, 0},
		{"an hour ahead after a minute", time.Hour, time.Minute, time.Hour, 1},
		{"an hour behind after a minute", -time.Hour, time.Minute, -time.Hour, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{}
				c := clock.New(p.now)
				beat := func(lasts time.Duration) {
					for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(5 * time.Second) {
						c.Check()
					}
				}
				beat(time.Minute)
				p.ahead = tt.ahead
				beat(tt.lasts)
				if got := time.Until(c.Now()); got != tt.want || c.Steps() != tt.steps {
					t.Errorf("the shared time is %v ahead after %d steps, want %v after %d", got, c.Steps(), tt.want, tt.steps)
				}
				p.ahead = 0
				beat(time.Minute)
				if got := time.Until(c.Now()); got != 0 {
					t.Errorf("the shared time is %v ahead when the clock is right again, want 0", got)
				}
				if c.Wrong() {
					t.Error("the clock is wrong, and there is none to compare it with")
				}
			})
		})
	}
}

func TestElapsedLeavesOutWhatAStepSkipped(t *testing.T) {
	tests := []struct {
		name  string
		ahead []time.Duration // of the clock, ten minutes each
		from  int             // the stage in whose middle the time begins
		want  time.Duration
	}{
		{"a right clock", []time.Duration{0, 0, 0}, 0, 25 * time.Minute},
		{"an hour behind at first", []time.Duration{-time.Hour, 0, 0}, 0, 25 * time.Minute},
		{"an hour behind, and right before that instant", []time.Duration{-time.Hour, 0, 0}, 1, 15 * time.Minute},
		{"forward twice", []time.Duration{-3 * time.Hour, -time.Hour, 0}, 0, 25 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{ahead: tt.ahead[0]}
				c := clock.New(p.now)
				var from time.Time
				for i, ahead := range tt.ahead {
					p.ahead = ahead
					for beat := range 120 {
						if i == tt.from && beat == 60 {
							from = c.Now()
						}
						time.Sleep(5 * time.Second)
						c.Check()
					}
				}
				if got := c.Elapsed(from, c.Now()); got != tt.want {
					t.Errorf("elapsed = %v, want %v", got, tt.want)
				}
			})
		})
	}
}

func TestDatabaseTellsTheTime(t *testing.T) {
	for _, ahead := range []time.Duration{0, 3 * time.Second, -4 * time.Second, 90 * time.Second, -400 * time.Second, 30 * 24 * time.Hour} {
		t.Run(ahead.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := &process{ahead: ahead}
				c := clock.New(p.now)
				read := func(takes time.Duration) {
					begin := c.Begin()
					time.Sleep(takes / 2)
					at := time.Now()
					time.Sleep(takes / 2)
					c.Compare(begin, at)
				}
				for _, takes := range []time.Duration{20 * time.Millisecond, 3 * time.Second, time.Millisecond} {
					read(takes)
					if got := time.Until(c.Now()); got.Abs() > 100*time.Millisecond {
						t.Errorf("the shared time is %v ahead after an answer of %v, want 0", got, takes)
					}
					if got, want := c.Wrong(), ahead.Abs() > clock.Tolerance; got != want {
						t.Errorf("wrong = %t, want %t: it is %v ahead", got, want, c.Ahead())
					}
				}
				steps := c.Steps()
				p.ahead += time.Hour // and now it is stepped
				time.Sleep(8 * time.Second)
				if got := time.Until(c.Now()); got.Abs() > 100*time.Millisecond {
					t.Errorf("the shared time is %v ahead after a step of the clock, want 0", got)
				}
				read(time.Millisecond)
				if c.Steps() != steps || !c.Wrong() {
					t.Errorf("%d steps, wrong = %t, want no further step and a wrong clock", c.Steps()-steps, c.Wrong())
				}
			})
		})
	}
}

func TestAnswerThatTookLongSetsNoRightClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := clock.New(nil)
		c.Compare(c.Begin(), time.Now())
		begin := c.Begin()
		at := time.Now()
		time.Sleep(9 * time.Second) // all of it on the way back
		c.Compare(begin, at)
		if got := time.Until(c.Now()); got != 0 || c.Steps() != 0 || c.Ahead() != 0 {
			t.Errorf("the shared time is %v ahead after %d steps, and the process's %v, want no change", got, c.Steps(), c.Ahead())
		}
	})
}

func TestIDsSortByTheSharedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := func(c *clock.Clock) string {
			t.Helper()
			id, err := c.NewID()
			if err != nil {
				t.Fatal(err)
			}
			return id
		}
		c, ahead := clock.New(nil), clock.New((&process{ahead: 30 * 24 * time.Hour}).now)
		first, second := id(c), id(c)
		if first >= second || len(first) != 36 || first[14] != '7' {
			t.Errorf("ids %s, %s: want version 7, each greater than the one before", first, second)
		}
		future := id(ahead)
		ahead.Compare(ahead.Begin(), time.Now())
		time.Sleep(time.Second)
		compared := clock.New((&process{ahead: 30 * 24 * time.Hour}).now)
		compared.Compare(compared.Begin(), time.Now())
		if a, b := id(c), id(compared); a[:11] != b[:11] {
			t.Errorf("ids of the same instant begin with %s and %s", a[:11], b[:11])
		}
		c.After(future)
		c.After("not an id")
		if next := id(c); next <= future {
			t.Errorf("the id after %s is %s", future, next)
		}
	})
}
