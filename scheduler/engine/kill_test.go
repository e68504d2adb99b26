package engine_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

var errKilled = errors.New("killed")

// A mortalStore lets so many accesses through and then kills the engine, before
// or after the last of them was written: what was not written is lost, what LCS
// was told is not.
type mortalStore struct {
	scheduler.Store
	kill  context.CancelFunc
	after bool

	mu   sync.Mutex
	left int
}

// access tells whether to carry the access out, and whether its result arrives.
func (m *mortalStore) access() (before, after error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left--
	switch {
	case m.left > 0:
		return nil, nil
	case m.left == 0 && m.after:
		m.kill()
		return nil, errKilled
	default:
		m.kill()
		return errKilled, errKilled
	}
}

func (m *mortalStore) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left <= 0
}

func mortal[T any](m *mortalStore, f func() (T, error)) (T, error) {
	var none T
	before, after := m.access()
	if before != nil {
		return none, before
	}
	v, err := f()
	if after != nil {
		return none, after
	}
	return v, err
}

func (m *mortalStore) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run) (scheduler.TickResult, error) {
	return mortal(m, func() (scheduler.TickResult, error) { return m.Store.CommitTick(ctx, from, to, runs) })
}

func (m *mortalStore) Run(ctx context.Context, id string) (scheduler.Run, error) {
	return mortal(m, func() (scheduler.Run, error) { return m.Store.Run(ctx, id) })
}

func (m *mortalStore) SaveRun(ctx context.Context, r scheduler.Run) error {
	_, err := mortal(m, func() (int, error) { return 0, m.Store.SaveRun(ctx, r) })
	return err
}

func (m *mortalStore) Reserve(ctx context.Context, r scheduler.Reservation) (scheduler.Grant, error) {
	return mortal(m, func() (scheduler.Grant, error) { return m.Store.Reserve(ctx, r) })
}

func (m *mortalStore) Settle(ctx context.Context, c scheduler.Call, r *scheduler.Run) error {
	_, err := mortal(m, func() (int, error) { return 0, m.Store.Settle(ctx, c, r) })
	return err
}

func (m *mortalStore) Observe(ctx context.Context, seen []scheduler.Observation) error {
	_, err := mortal(m, func() (int, error) { return 0, m.Store.Observe(ctx, seen) })
	return err
}

func (m *mortalStore) LastCall(ctx context.Context, project int64, environment string) (scheduler.Call, bool, error) {
	ok := false
	c, err := mortal(m, func() (c scheduler.Call, err error) {
		c, ok, err = m.Store.LastCall(ctx, project, environment)
		return c, err
	})
	return c, ok, err
}

func TestKilledAtAnyAccessAFireEndsInOneAcceptedCall(t *testing.T) {
	points := 0
	for _, after := range []bool{false, true} {
		for kill := 1; ; kill++ {
			if !killedAt(t, kill, after) {
				break
			}
			points++
		}
	}
	if points < 20 {
		t.Errorf("%d points were tried, want 20 at least", points)
	}
	t.Logf("killed at %d points", points)
}

// killedAt kills the engine at one access and starts it again; it tells whether
// the run was not at its end before that access.
func killedAt(t *testing.T, kill int, after bool) (reached bool) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{StopTime: 20 * time.Second})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 18:59:30")
		w.start()
		until("2000-01-03 18:59:50")
		w.stop()

		ctx, cancel := context.WithCancel(t.Context())
		m := &mortalStore{Store: w.open(), kill: cancel, after: after, left: kill}
		w.runWith(ctx, m)
		until("2000-01-03 19:01:00")
		reached = m.dead()
		cancel()
		<-w.done
		if err := w.store.Close(); err != nil {
			t.Fatal(err)
		}

		w.start()
		w.finished(monday(19, 12))
		if n := w.sim.Accepted("", lcssim.Stop); n != 1 {
			t.Errorf("killed at access %d (after it: %t): LCS carried out %d stops, want 1", kill, after, n)
		}
		if r := w.only(); r.State != scheduler.Succeeded {
			t.Errorf("killed at access %d (after it: %t): the run is %s (%s), want succeeded", kill, after, r.State, r.Message)
		}
		w.stop()
	})
	return reached && !t.Failed()
}

// A forgetfulStore loses the end of the first call, as a full disk does.
type forgetfulStore struct {
	scheduler.Store
	mu   sync.Mutex
	lost int
}

var errDiskFull = errors.New("database or disk is full")

func (f *forgetfulStore) Settle(ctx context.Context, c scheduler.Call, r *scheduler.Run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.Run != "" && f.lost == 0 {
		f.lost++
		return errDiskFull
	}
	return f.Store.Settle(ctx, c, r)
}

func TestCallWhoseEndWasNotWrittenIsNotMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 18:59:30")
		w.stop()
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		f := &forgetfulStore{Store: w.open()}
		w.runWith(ctx, f)
		until("2000-01-03 19:10:00")
		if f.lost != 1 {
			t.Errorf("%d ends were lost, want 1", f.lost)
		}
		if r := w.only(); r.State != scheduler.Succeeded {
			t.Errorf("run = %s (%s), want succeeded", r.State, r.Message)
		}
		if n := w.sim.Accepted("", lcssim.Any); n != 1 {
			t.Errorf("LCS carried out %d operations, want 1", n)
		}
		w.stop()
	})
}
