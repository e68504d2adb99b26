package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
)

// A full disk has the first transaction of each kind fail that writes events, between the
// change and its events: nothing of either may be left.
type full struct {
	w *world

	mu   sync.Mutex
	lost map[string][]scheduler.Event // by kind of transaction
}

// try carries a transaction out, and fails it within when it is the first of its kind
// that has events.
func (f *full) try(ctx context.Context, kind string, emit engine.Emit, do func(context.Context, engine.Emit) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var lost []scheduler.Event
	err := do(ctx, func(runs []scheduler.Run) []scheduler.Event {
		if emit == nil {
			return nil
		}
		events := emit(runs)
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(events) > 0 && f.lost[kind] == nil {
			lost, f.lost[kind] = events, events
			cancel()
		}
		return events
	})
	if lost == nil {
		return err
	}
	if err == nil {
		f.w.t.Errorf("%s: the transaction succeeded although it was to fail", kind)
	}
	for _, e := range lost {
		n := f.w.count(func(other scheduler.Event) bool { return other.Kind == e.Kind && other.At.Equal(e.At) }) //nolint:contextcheck // that of the transaction has ended
		if n != 0 {
			f.w.t.Errorf("%s: %d events like %+v are left of a transaction that failed, want none", kind, n, e)
		}
	}
	return errDiskFull
}

// count counts the events there are of which is says so.
func (w *world) count(is func(scheduler.Event) bool) int {
	w.t.Helper()
	n := 0
	for _, e := range w.events() {
		if is(e) {
			n++
		}
	}
	return n
}

func (f *full) stores(s engine.Stores) engine.Stores {
	s.Ticks, s.Requests, s.Passes, s.Calls, s.Overrides = fullTicks{s.Ticks, f}, fullRequests{s.Requests, f}, fullPasses{s.Passes, f}, fullCalls{s.Calls, f}, fullOverrides{s.Overrides, f}
	return s
}

type fullTicks struct {
	engine.TickStore
	f *full
}

func (s fullTicks) CommitTick(ctx context.Context, from scheduler.Cursor, to time.Time, runs []scheduler.Run, emit engine.Emit) (w scheduler.Written, err error) {
	err = s.f.try(ctx, "CommitTick", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		w, err = s.TickStore.CommitTick(ctx, from, to, runs, emit)
		return err
	})
	return w, err
}

type fullRequests struct {
	engine.RequestStore
	f *full
}

func (s fullRequests) InsertManual(ctx context.Context, r scheduler.Run, emit engine.Emit) (w scheduler.Written, err error) {
	err = s.f.try(ctx, "InsertManual", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		w, err = s.RequestStore.InsertManual(ctx, r, emit)
		return err
	})
	return w, err
}

func (s fullRequests) InsertEnforced(ctx context.Context, r scheduler.Run, quietSince time.Time, emit engine.Emit) (w scheduler.Written, err error) {
	err = s.f.try(ctx, "InsertEnforced", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		w, err = s.RequestStore.InsertEnforced(ctx, r, quietSince, emit)
		return err
	})
	return w, err
}

func (s fullRequests) Cancel(ctx context.Context, id string, now time.Time, message string, emit engine.Emit) (w scheduler.Written, err error) {
	err = s.f.try(ctx, "Cancel", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		w, err = s.RequestStore.Cancel(ctx, id, now, message, emit)
		return err
	})
	return w, err
}

func (s fullRequests) Approve(ctx context.Context, id string, now time.Time, message string, emit engine.Emit) (w scheduler.Written, err error) {
	err = s.f.try(ctx, "Approve", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		w, err = s.RequestStore.Approve(ctx, id, now, message, emit)
		return err
	})
	return w, err
}

type fullPasses struct {
	engine.PassStore
	f *full
}

func (s fullPasses) Save(ctx context.Context, t scheduler.Ticket, runs []scheduler.Run, emit engine.Emit) (stale []string, err error) {
	err = s.f.try(ctx, "Save", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		stale, err = s.PassStore.Save(ctx, t, runs, emit)
		return err
	})
	return stale, err
}

type fullCalls struct {
	engine.CallStore
	f *full
}

func (s fullCalls) Settle(ctx context.Context, list []scheduler.Settlement, emit engine.Emit) (stale []string, err error) {
	err = s.f.try(ctx, "Settle", emit, func(ctx context.Context, emit engine.Emit) (err error) {
		stale, err = s.CallStore.Settle(ctx, list, emit)
		return err
	})
	return stale, err
}

type fullOverrides struct {
	engine.OverrideStore
	f *full
}

func (s fullOverrides) Add(ctx context.Context, o scheduler.Override, repeats scheduler.Repeats, emit func(scheduler.Override) []scheduler.Event) (kept scheduler.Override, made bool, err error) {
	err = s.f.try(ctx, "Add", func([]scheduler.Run) []scheduler.Event { return emit(o) }, func(ctx context.Context, f engine.Emit) (err error) {
		kept, made, err = s.OverrideStore.Add(ctx, o, repeats, func(o scheduler.Override) []scheduler.Event { f(nil); return emit(o) })
		return err
	})
	return kept, made, err
}

func (s fullOverrides) End(ctx context.Context, id string, now time.Time, emit func(scheduler.Override) []scheduler.Event) (o scheduler.Override, err error) {
	err = s.f.try(ctx, "End", func([]scheduler.Run) []scheduler.Event { return emit(scheduler.Override{ID: id}) }, func(ctx context.Context, f engine.Emit) (err error) {
		o, err = s.OverrideStore.End(ctx, id, now, func(o scheduler.Override) []scheduler.Event { f(nil); return emit(o) })
		return err
	})
	return o, err
}

// TestEventsAreWrittenWithTheirCauseOrNotAtAll fails each kind of transaction that writes
// events once, and then lets it succeed: by itself, where the daemon tries again, or when
// the person does.
func TestEventsAreWrittenWithTheirCauseOrNotAtAll(t *testing.T) {
	t.Parallel()
	again := func(t *testing.T, ask func() error) {
		t.Helper()
		if err := ask(); !errors.Is(err, errDiskFull) {
			t.Fatalf("the first request = %v, want that the disk is full", err)
		}
		if err := ask(); err != nil {
			t.Fatalf("the second request = %v, want none", err)
		}
	}
	tests := []struct {
		name  string // of the transaction
		begin time.Time
		setUp func(w *world)
		steps func(t *testing.T, w *world) // from 10 s after 19:00
		kind  scheduler.EventKind
	}{
		{"CommitTick", monday(22, 0), func(*world) {}, func(*testing.T, *world) {}, scheduler.EventMissed},
		{"Save", monday(18, 59), func(w *world) { w.sim.Set(envID(0), lcssim.Stopped) }, func(*testing.T, *world) {}, scheduler.EventSucceeded},
		{"Settle", monday(18, 59), func(w *world) { w.sim.Inject(lcssim.Fault{Kind: lcssim.Forbidden, Verb: lcssim.Stop}) }, func(*testing.T, *world) {}, scheduler.EventFailed},
		{"InsertManual", monday(18, 59), func(w *world) { w.sim.Inject(inService()) }, func(t *testing.T, w *world) {
			again(t, func() error {
				_, err := w.engine.Request(t.Context(), envName(0), plan.Start, anna)
				if r := w.runs()[0]; (err == nil) != r.State.Finished() {
					t.Errorf("after %v the run is %s", err, r.State)
				}
				return err
			})
		}, scheduler.EventCanceled},
		{"InsertEnforced", monday(18, 0), func(w *world) {
			w.sim.Set(envID(0), lcssim.Stopped)
			w.setup.Enforced = map[string]string{envName(0): "office-hours"}
			w.schedule.Uptime = []plan.Window{window(w.t, "mon 00:00-24:00")}
		}, func(*testing.T, *world) {}, scheduler.EventDrift},
		{"Cancel", monday(18, 59), func(w *world) { w.sim.Inject(inService()) }, func(t *testing.T, w *world) {
			again(t, func() error {
				_, err := w.engine.Cancel(t.Context(), w.only().ID, anna)
				if r := w.only(); (err == nil) != r.State.Finished() {
					t.Errorf("after %v the run is %s", err, r.State)
				}
				return err
			})
		}, scheduler.EventCanceled},
		{"Approve", monday(18, 59), func(w *world) {
			w.setup.Environments = append(w.setup.Environments, scheduler.Environment{Name: envName(1), Project: "contoso", ID: envID(1)})
			w.schedule.Environments = append(w.schedule.Environments, envName(1))
			w.sim.AddEnvironment(project, lcssim.Environment{ID: envID(1)})
			w.setup.Defaults.MaxStops = 1
		}, func(t *testing.T, w *world) {
			again(t, func() error {
				_, err := w.engine.Approve(t.Context(), w.runs()[0].ID, anna)
				if r := w.runs()[0]; (err == nil) != (r.Waiting != scheduler.WaitApproval) {
					t.Errorf("after %v the run waits for %q", err, r.Waiting)
				}
				return err
			})
		}, scheduler.EventApproval},
		{"Add", monday(18, 59), func(*world) {}, func(t *testing.T, w *world) {
			again(t, func() error {
				_, _, err := w.engine.Override(t.Context(), scheduler.Override{Environments: []string{envName(0)}, Keep: plan.Stopped, Until: monday(23, 0), By: anna})
				if list, _ := w.engine.Overrides(t.Context()); (err == nil) != (len(list) == 1) {
					t.Errorf("after %v there are the overrides %+v", err, list)
				}
				return err
			})
		}, scheduler.EventOverride},
		{"End", monday(18, 59), func(*world) {}, func(t *testing.T, w *world) {
			o := scheduler.Override{Environments: []string{envName(0)}, Keep: plan.Stopped, Until: monday(23, 0), By: anna}
			again(t, func() (err error) {
				made, _, err := w.engine.Override(t.Context(), o)
				o.ID = made.ID
				return err
			})
			until("2000-01-03 19:02:00")
			again(t, func() error {
				_, err := w.engine.Release(t.Context(), o.ID, anna)
				if list, _ := w.engine.Overrides(t.Context()); len(list) != 1 || (err == nil) != (list[0].State == "released") {
					t.Errorf("after %v there are the overrides %+v", err, list)
				}
				return err
			})
		}, scheduler.EventOverride},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.sim.Set(envID(0), lcssim.Finished)
				w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00")}
				tt.setUp(w)
				until("2000-01-03 17:50:00")
				w.start()
				until("2000-01-03 17:50:30")
				w.stop()
				time.Sleep(time.Until(tt.begin))
				ctx, cancel := context.WithCancel(t.Context())
				w.cancel = cancel
				f := &full{w: w, lost: map[string][]scheduler.Event{}}
				w.runWith(ctx, f.stores(storesOf(w.open())))
				time.Sleep(max(0, time.Until(monday(19, 0).Add(10*time.Second))))
				synctest.Wait()
				tt.steps(t, w)
				time.Sleep(20 * time.Minute)
				synctest.Wait()
				lost := f.lost[tt.name]
				if len(lost) == 0 || lost[0].Kind != tt.kind {
					t.Errorf("events = %+v of a %s that failed, want one of kind %s", lost, tt.name, tt.kind)
				}
				for _, e := range lost {
					says := e.Reason[:strings.IndexAny(e.Reason+":", ":;")] // what follows names instants
					if n := w.count(func(other scheduler.Event) bool {
						return other.Kind == e.Kind && other.Environment == e.Environment && other.By == e.By && strings.HasPrefix(other.Reason, says)
					}); n != 1 {
						t.Errorf("%d events like %+v since the transaction has succeeded, want 1: %+v", n, e, w.events())
					}
				}
				w.endedOnce()
				w.stop()
			})
		})
	}
}
