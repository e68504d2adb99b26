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
	"curfew/scheduler/engine"
)

var errKilled = errors.New("killed")

// A mortal lets so many accesses to the database through and then kills the engine, before
// or after the last of them was written: what was not written is lost, what LCS was asked
// is not.
type mortal struct {
	kill  context.CancelFunc
	after bool

	mu   sync.Mutex
	left int
}

// access reports whether to carry the access out, and whether its result arrives.
func (m *mortal) access() (before, after error) {
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

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left <= 0
}

func live[T any](m *mortal, f func() (T, error)) (T, error) {
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

// stores are those of a database whose accesses around a fire can be the last.
func (m *mortal) stores(s engine.Stores) engine.Stores {
	s.Ticks = mortalTicks{s.Ticks, m}
	s.Passes = mortalPasses{s.Passes, m}
	s.Calls = mortalCalls{s.Calls, m}
	s.Metadata = mortalMetadata{s.Metadata, m}
	return s
}

type mortalTicks struct {
	engine.TickStore
	m *mortal
}

func (s mortalTicks) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run, emit engine.Emit) (scheduler.Written, error) {
	return live(s.m, func() (scheduler.Written, error) { return s.TickStore.CommitTick(ctx, from, to, runs, emit) })
}

type mortalPasses struct {
	engine.PassStore
	m *mortal
}

func (s mortalPasses) Load(ctx context.Context, t scheduler.Ticket, id int64, ids map[string]string) (scheduler.Work, error) {
	return live(s.m, func() (scheduler.Work, error) { return s.PassStore.Load(ctx, t, id, ids) })
}

func (s mortalPasses) Save(ctx context.Context, t scheduler.Ticket, runs []scheduler.Run, emit engine.Emit) ([]string, error) {
	return live(s.m, func() ([]string, error) { return s.PassStore.Save(ctx, t, runs, emit) })
}

func (s mortalPasses) End(ctx context.Context, t scheduler.Ticket) (bool, error) {
	return live(s.m, func() (bool, error) { return s.PassStore.End(ctx, t) })
}

type mortalCalls struct {
	engine.CallStore
	m *mortal
}

func (s mortalCalls) Reserve(ctx context.Context, r scheduler.Reservation) (scheduler.Reserved, error) {
	return live(s.m, func() (scheduler.Reserved, error) { return s.CallStore.Reserve(ctx, r) })
}

func (s mortalCalls) Settle(ctx context.Context, list []scheduler.Settlement, emit engine.Emit) ([]string, error) {
	return live(s.m, func() ([]string, error) { return s.CallStore.Settle(ctx, list, emit) })
}

type mortalMetadata struct {
	engine.MetadataStore
	m *mortal
}

func (s mortalMetadata) ReserveMetadata(ctx context.Context, now time.Time, p scheduler.Contender) (c *scheduler.Call, w scheduler.Wait, err error) {
	c, err = live(s.m, func() (c *scheduler.Call, err error) {
		c, w, err = s.MetadataStore.ReserveMetadata(ctx, now, p)
		return c, err
	})
	return c, w, err
}

func (s mortalMetadata) Record(ctx context.Context, c scheduler.Call, seen []scheduler.Observation) error {
	_, err := live(s.m, func() (int, error) { return 0, s.MetadataStore.Record(ctx, c, seen) })
	return err
}

func TestKilledAtAnyAccessAFireEndsInOneAcceptedCall(t *testing.T) {
	t.Parallel()
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

// killedAt kills the engine at one access and starts it again; it reports whether
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
		m := &mortal{kill: cancel, after: after, left: kill}
		w.runWith(ctx, m.stores(storesOf(w.open())))
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
		r := w.only()
		if r.State != scheduler.Succeeded {
			t.Errorf("killed at access %d (after it: %t): the run is %s (%s), want succeeded", kill, after, r.State, r.Message)
		}
		if events := w.ends(r.ID); len(events) != 1 || events[0].Kind != scheduler.EventSucceeded {
			t.Errorf("killed at access %d (after it: %t): the end of the run has the events %+v, want one", kill, after, events)
		}
		w.stop()
	})
	return reached && !t.Failed()
}

// A forgetful store loses the end of the first call, as a full disk does.
type forgetful struct {
	engine.CallStore
	mu   sync.Mutex
	lost int
}

var errDiskFull = errors.New("database or disk is full")

// Settle fails as long as an engine tries to write the end.
func (f *forgetful) Settle(ctx context.Context, list []scheduler.Settlement, emit engine.Emit) ([]string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost == 0 {
		f.lost++
		return nil, errDiskFull
	}
	return f.CallStore.Settle(ctx, list, emit)
}

func TestCallWhoseEndWasNotWrittenIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, lcssim.Options{})
		w.sim.Set(envID(0), lcssim.Finished)
		until("2000-01-03 18:59:00")
		w.start()
		until("2000-01-03 18:59:30")
		w.stop()
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		stores := storesOf(w.open())
		f := &forgetful{CallStore: stores.Calls}
		stores.Calls = f
		w.runWith(ctx, stores)
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
