package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"

	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

// A hook is a webhook that receivers post to, in memory.
type hook struct {
	mu   sync.Mutex
	down bool
	got  []string // titles
	body []string
	at   []time.Time
}

func (h *hook) RoundTrip(r *http.Request) (*http.Response, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var m struct{ Title, Message string }
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return nil, err
	}
	h.at = append(h.at, time.Now())
	if h.down {
		return nil, errors.New("connection refused")
	}
	h.got, h.body = append(h.got, m.Title), append(h.body, m.Message)
	return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func (h *hook) set(down bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.down = down
}

func (h *hook) titles() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// A desk is a deliverer with its database, inside a bubble.
type desk struct {
	t       *testing.T
	hook    *hook
	dsn     string
	store   *store.Store
	wrap    func(Store) Store
	on      []scheduler.EventKind
	metrics *prometheus.Registry
	cancel  context.CancelFunc
	done    chan error
	deliver *Deliverer
}

func newDesk(t *testing.T, on ...scheduler.EventKind) *desk {
	t.Helper()
	d := &desk{t: t, hook: &hook{}, dsn: filepath.Join(t.TempDir(), "curfew.db"), on: on, wrap: func(s Store) Store { return s }}
	d.open()
	return d
}

func (d *desk) open() {
	d.t.Helper()
	s, err := store.Open(d.t.Context(), store.Options{DSN: d.dsn})
	if err != nil {
		d.t.Fatal(err)
	}
	d.store = s
}

func receiver(name string, on ...scheduler.EventKind) Receiver {
	url := "generic+https://hooks.example.com/" + name + "?template=json"
	return Receiver{Name: name, On: on, SummaryAt: 8 * 60, URL: secret.Source{Env: name, Getenv: func(string) string { return url }}}
}

func (d *desk) start() {
	d.t.Helper()
	d.metrics = prometheus.NewRegistry()
	var err error
	d.deliver, err = New(Options{
		Store: d.wrap(d.store.Deliveries), Logger: zap.NewNop(), Registerer: d.metrics, Transport: d.hook, PublicURL: "https://curfew.example.com/",
		File: File{Zone: time.UTC, Receivers: []Receiver{receiver("ops", d.on...)}},
		Summarize: func(_ context.Context, _ Receiver, at time.Time) (Message, error) {
			return Message{Title: "summary " + at.Format("15:04")}, nil
		},
	})
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(d.t.Context())
	d.cancel, d.done = cancel, make(chan error, 1)
	go func() { d.done <- d.deliver.Run(ctx) }()
}

func (d *desk) stop() {
	d.t.Helper()
	d.cancel()
	if err := <-d.done; err != nil {
		d.t.Error(err)
	}
	if err := d.store.Close(); err != nil {
		d.t.Error(err)
	}
}

func (d *desk) append(events ...scheduler.Event) {
	d.t.Helper()
	if err := d.store.Events.Append(d.t.Context(), events...); err != nil {
		d.t.Fatal(err)
	}
}

func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// fire writes a fire of n stops at now.
func (d *desk) fire(n int) []scheduler.Run {
	d.t.Helper()
	now := time.Now().Truncate(time.Microsecond)
	runs := make([]scheduler.Run, n)
	for i := range runs {
		runs[i] = scheduler.Run{
			ID: fmt.Sprintf("run-%04d", i), Environment: fmt.Sprintf("dev-%04d", i), Project: "contoso", Schedule: "office", Action: plan.Stop,
			Trigger: scheduler.TriggerSchedule, State: scheduler.Queued, FireAt: now, DueAt: now, CreatedAt: now, By: scheduler.BySchedule,
		}
	}
	if _, err := d.store.Runs.CommitTick(d.t.Context(), scheduler.Cursor{}, now, runs, nil); err != nil {
		d.t.Fatal(err)
	}
	return runs
}

// end ends runs, each with an event of a kind.
func (d *desk) end(kind scheduler.EventKind, reason string, runs ...scheduler.Run) {
	d.t.Helper()
	for _, r := range runs {
		_, err := d.store.Runs.Cancel(d.t.Context(), r.ID, time.Now(), reason, func([]scheduler.Run) []scheduler.Event {
			return []scheduler.Event{{
				Kind: kind, At: time.Now(), Environment: r.Environment, Run: r.ID, Schedule: r.Schedule, Action: r.Action, FireAt: r.FireAt, Reason: reason,
				NextStep: "if it is still wanted: curfew stop " + r.Environment,
			}}
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
}

func TestStopsOfAFireAreOneMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventSucceeded, scheduler.EventFailed)
		d.start()
		runs := d.fire(60)
		for _, part := range [][]scheduler.Run{runs[:20], runs[20:40], runs[40:]} {
			pass(15 * time.Minute)
			if got := d.hook.titles(); len(got) > 0 {
				t.Errorf("sent %q before the fire was done", got)
			}
			d.end(scheduler.EventSucceeded, "metadata shows Stopped", part...)
		}
		pass(5 * time.Second)
		if got, want := d.hook.titles(), []string{"60 stops succeeded at Sat 1 Jan 00:00"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		d.stop()
	})
}

func TestThousandFailuresOfAFireAreTwoMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventFailed)
		d.start()
		runs := d.fire(1000)
		for i, part := range slices.Collect(slices.Chunk(runs, 100)) {
			d.end(scheduler.EventFailed, "LCS answered 403, Forbidden, to "+part[0].Environment, part[0])
			d.end(scheduler.EventFailed, "LCS answered 403, Forbidden", part[1:]...)
			pass(time.Minute)
			if got := d.hook.titles(); len(got) != 1 && i < 9 {
				t.Fatalf("after %d minutes sent %q, want one message", i+1, got)
			}
		}
		want := []string{"100 stops failed at Sat 1 Jan 00:00", "900 stops failed at Sat 1 Jan 00:00"}
		if got := d.hook.titles(); !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		if lines := strings.Count(d.hook.body[1], "\n"); lines > 12 {
			t.Errorf("the message has %d lines, want failures of one cause in one:\n%s", lines, d.hook.body[1])
		}
		if at := d.hook.at[0].Sub(runs[0].FireAt); at < fireWait || at > fireWait+5*time.Second {
			t.Errorf("the first message came after %v, want about %v", at, fireWait)
		}
		d.stop()
	})
}

func failure() scheduler.Event {
	return scheduler.Event{Kind: scheduler.EventConfig, At: time.Now(), Reason: "schedules.yaml:1:1: unknown key"}
}

func TestReceiverThatIsDownForMostOfAnHourGetsItsMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventConfig)
		d.hook.set(true)
		d.start()
		d.append(failure())
		pass(30 * time.Minute)
		failing, err := d.deliver.Receivers(t.Context())
		if err != nil || len(failing) != 1 || failing[0].Failing.IsZero() || !strings.Contains(failing[0].Message, "connection refused") {
			t.Errorf("receivers = %+v, %v; want one that fails, with the reason", failing, err)
		}
		if strings.Contains(failing[0].Message, "/ops") {
			t.Errorf("the reason shows the address: %q", failing[0].Message)
		}
		d.append(failure()) // it does not have to wait for the first one's turn
		pass(25 * time.Minute)
		d.hook.set(false)
		pass(mostRetry + 2*time.Second)
		if got := d.hook.titles(); len(got) != 2 {
			t.Errorf("sent %q, want both", got)
		}
		for i, at := range d.hook.at[1:] {
			if wait := at.Sub(d.hook.at[i]); wait > mostRetry+2*time.Second {
				t.Errorf("try %d came %v after the one before, want %v at most", i+1, wait, mostRetry)
			}
		}
		if failing, err = d.deliver.Receivers(t.Context()); err != nil || !failing[0].Failing.IsZero() {
			t.Errorf("receivers = %+v, %v; want none that fails", failing, err)
		}
		d.stop()
	})
}

func TestReceiverThatIsDownForLongerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventConfig)
		d.hook.set(true)
		d.start()
		d.append(failure())
		pass(time.Hour + 5*time.Minute)
		d.hook.set(false)
		pass(time.Hour)
		if got := d.hook.titles(); len(got) > 0 {
			t.Errorf("sent %q after an hour of failures", got)
		}
		counts := map[scheduler.DeliveryResult]float64{}
		for _, r := range scheduler.DeliveryResults() {
			counts[r] = testutil.ToFloat64(d.deliver.metrics.results.WithLabelValues("ops", string(r)))
		}
		if counts[scheduler.GivenUp] != 1 || counts[scheduler.Delivered] != 0 || counts[scheduler.Retried] < 30 {
			t.Errorf("results = %v, want one given up after many tries", counts)
		}
		if failing, err := d.deliver.Receivers(t.Context()); err != nil || failing[0].Failing.IsZero() {
			t.Errorf("receivers = %+v, %v; want it to fail until something arrives", failing, err)
		}
		d.append(failure())
		pass(10 * time.Second)
		if failing, err := d.deliver.Receivers(t.Context()); err != nil || !failing[0].Failing.IsZero() {
			t.Errorf("receivers = %+v, %v; want none that fails", failing, err)
		}
		d.stop()
	})
}

func TestPendingNoticesGoAtOnceAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventConfig)
		d.hook.set(true)
		d.start()
		d.append(failure())
		pass(20 * time.Minute)
		d.stop()
		d.hook.set(false)
		d.open()
		d.start()
		pass(time.Second)
		if got := d.hook.titles(); len(got) != 1 {
			t.Errorf("sent %q a second after the restart, want the notice", got)
		}
		d.stop()
	})
}

// killed is a store whose process is killed at a step: nothing of it happens from then on.
type killed struct {
	Store
	after bool
	kill  func()

	mu   sync.Mutex
	left int // steps until then
}

var errKilled = errors.New("killed")

func (k *killed) step(f func() error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left--
	switch {
	case k.left < 0:
		return errKilled
	case k.left == 0 && !k.after:
		k.kill()
		return errKilled
	}
	err := f()
	if k.left == 0 {
		k.kill()
		return errKilled
	}
	return err
}

func (k *killed) Address(ctx context.Context, now time.Time, route func([]scheduler.Event) []scheduler.Addressed) (n int, err error) {
	err = k.step(func() error { n, err = k.Store.Address(ctx, now, route); return err })
	return n, err
}

func (k *killed) Claim(ctx context.Context, receiver string, now time.Time) (d *scheduler.Delivery, err error) {
	if err = k.step(func() error { d, err = k.Store.Claim(ctx, receiver, now); return err }); err != nil {
		return nil, err
	}
	return d, nil
}

func (k *killed) Settle(ctx context.Context, id string, result scheduler.DeliveryResult, message string, now time.Time) error {
	return k.step(func() error { return k.Store.Settle(ctx, id, result, message, now) })
}

func TestKillBetweenAnyTwoStepsLosesNothing(t *testing.T) {
	doubled := 0
	for step := 1; step <= 20; step++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, done %v", step, after), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					d := newDesk(t, scheduler.EventConfig)
					d.append(failure())
					d.wrap = func(s Store) Store { return &killed{Store: s, left: step, after: after, kill: func() { d.cancel() }} }
					d.start()
					pass(30 * time.Second)
					d.stop()
					d.wrap = func(s Store) Store { return s }
					d.open()
					d.start()
					pass(30 * time.Second)
					d.stop()
					switch got := d.hook.titles(); len(got) {
					case 1:
					case 2:
						doubled++
					default:
						t.Errorf("sent %q, want the notice once, or twice after a kill between sending and noting it", got)
					}
				})
			})
		}
	}
	if doubled != 1 {
		t.Errorf("%d kills had the notice sent twice, want that between sending and noting it alone", doubled)
	}
}

func TestWarningThatCannotArriveInTimeIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventWarning)
		d.hook.set(true)
		d.start()
		d.append(scheduler.Event{Kind: scheduler.EventStopping, At: time.Now(), Environment: "dev-01", FireAt: time.Now().Add(10 * time.Minute), Schedule: "office"})
		pass(10 * time.Minute)
		d.hook.set(false)
		pass(5 * time.Minute)
		if got := d.hook.titles(); len(got) > 0 {
			t.Errorf("sent %q after the stop", got)
		}
		d.stop()
	})
}

func TestSummaryIsSentOnceADay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventSummary)
		d.start()
		pass(8*time.Hour + 10*time.Second)
		d.stop()
		d.open()
		d.start() // again within the hour
		pass(24 * time.Hour)
		d.stop()
		if got, want := d.hook.titles(), []string{"summary 08:00", "summary 08:00"}; !slices.Equal(got, want) {
			t.Errorf("sent %q, want %q", got, want)
		}
		pass(6 * time.Hour)
		d.open()
		d.start() // hours after the last one was due
		pass(time.Minute)
		d.stop()
		if got := d.hook.titles(); len(got) != 2 {
			t.Errorf("sent %q, want no summary hours late", got)
		}
	})
}

func TestNoticesOfAReceiverThatIsGoneAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, scheduler.EventConfig)
		d.hook.set(true)
		d.start()
		d.append(failure())
		pass(10 * time.Second)
		d.deliver.Load(File{Zone: time.UTC, Receivers: []Receiver{receiver("other", scheduler.EventConfig)}})
		d.hook.set(false)
		d.append(failure())
		pass(3 * time.Minute)
		if got := len(d.hook.titles()); got != 1 {
			t.Errorf("sent %d messages, want the one for the receiver of the new file", got)
		}
		if left, err := d.store.Deliveries.Backlogs(t.Context()); err != nil || len(left) > 0 {
			t.Errorf("left: %+v, %v", left, err)
		}
		names, err := d.metrics.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range names {
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					if l.GetValue() == "ops" {
						t.Errorf("%s still has the receiver that is gone", f.GetName())
					}
				}
			}
		}
		d.stop()
	})
}
