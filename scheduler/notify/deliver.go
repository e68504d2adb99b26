package notify

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"curfew/scheduler"
)

const (
	pollEvery  = time.Second
	readEvery  = 10 // polls between two reads of what waits, while nothing is known to: a replica that died may have left it
	firstRetry = 5 * time.Second
	mostRetry  = 2 * time.Minute
	retryFor   = time.Hour
	lastWords  = 5 * time.Second // for a message that is being sent when the daemon stops
)

// A Store is the outbox, and what is on its way to receivers.
type Store interface {
	// Address writes the deliveries of events that have none yet.
	Address(ctx context.Context, now time.Time, route func([]scheduler.Event) []scheduler.Addressed) (int, error)
	// AddOnce writes a delivery without events, unless one with its id is there.
	AddOnce(ctx context.Context, d scheduler.Delivery) error
	// Claim takes a delivery that is due for one try; nil when there is none.
	Claim(ctx context.Context, receiver string, now time.Time) (*scheduler.Delivery, error)
	// Settle writes how the try ended.
	Settle(ctx context.Context, id string, result scheduler.DeliveryResult, message string, now time.Time) error
	Backlogs(ctx context.Context) ([]scheduler.Backlog, error)
	// LastFailure returns why the last delivery to a receiver was given up, or failed before
	// it was dropped; "" when it arrived.
	LastFailure(ctx context.Context, receiver string) (message string, since time.Time, err error)
}

// Options are what a Deliverer is made of.
type Options struct {
	Store      Store
	Logger     *zap.Logger
	Registerer prometheus.Registerer
	File       File
	// PublicURL is the address that people use; "" when there is none: messages have no
	// links then.
	PublicURL string
	Links     *Links // nil without PublicURL
	// Summarize returns the summary of the day that ends at an instant, for a receiver.
	Summarize func(ctx context.Context, r Receiver, at time.Time) (Message, error)
	// Now is the time by which what is shared is ordered; time.Now when nil.
	Now func() time.Time
	// Transport is that of messages over HTTP; http.DefaultTransport when nil.
	Transport http.RoundTripper
}

// A Deliverer brings what is in the outbox to its receivers. It holds nothing up: who
// writes an event does not wait for it.
type Deliverer struct {
	opts     Options
	log      *zap.Logger
	metrics  *metrics
	channels *channels
	pending  atomic.Bool // something waits, or may

	mu     sync.Mutex // guards what follows; written by Load and by tries
	file   File
	states map[string]*state // by receiver
}

// A state is how tries to one receiver go, in this process: a restart tries at once.
type state struct {
	busy      bool
	failures  int // in a row
	notBefore time.Time
	summary   time.Time // the last that was written
}

// New makes a deliverer. It does nothing until Run.
func New(o Options) (*Deliverer, error) {
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, err
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	d := &Deliverer{opts: o, log: o.Logger.Named("notify"), metrics: m, channels: newChannels(o.Transport), states: map[string]*state{}}
	d.opts.PublicURL = strings.TrimRight(o.PublicURL, "/")
	d.Load(o.File)
	return d, nil
}

// Load makes another file the active one.
func (d *Deliverer) Load(f File) {
	d.mu.Lock()
	before := d.file
	d.file = f
	d.mu.Unlock()
	d.metrics.follow(before, f)
	for _, r := range f.Receivers {
		if err := d.channels.check(r.URL); err != nil {
			d.log.Error("receiver cannot be used as it is; what is for it is tried for an hour", zap.String("receiver", r.Name), zap.String("message", err.Error()))
		}
	}
}

func (d *Deliverer) active() File {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.file
}

// Run delivers until ctx ends, and waits for the tries under way.
func (d *Deliverer) Run(ctx context.Context) error {
	var tries sync.WaitGroup
	defer tries.Wait()
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for n := 0; ; n++ {
		if err := d.pass(ctx, &tries, n%readEvery == 0); err != nil && ctx.Err() == nil {
			d.log.Warn("notices not delivered; retrying", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

// pass addresses new events and starts a try for each receiver that something is due for.
// An idle daemon reads what waits now and then only.
func (d *Deliverer) pass(ctx context.Context, tries *sync.WaitGroup, read bool) error {
	file, now := d.active(), d.opts.Now()
	for {
		n, err := d.opts.Store.Address(ctx, now, file.route)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		read = true
	}
	if err := d.summaries(ctx, file, now); err != nil {
		return err
	}
	if !read && !d.pending.Load() {
		return nil
	}
	waiting, err := d.opts.Store.Backlogs(ctx)
	if err != nil {
		return err
	}
	d.pending.Store(len(waiting) > 0)
	d.show(file, waiting, now)
	for _, b := range waiting {
		if !d.takes(b.Receiver, now) {
			continue
		}
		one, err := d.opts.Store.Claim(ctx, b.Receiver, now)
		if err != nil || one == nil {
			d.free(b.Receiver)
			if err != nil {
				return err
			}
			continue
		}
		tries.Go(func() { d.try(ctx, *one) })
	}
	return nil
}

// takes reports whether a receiver can be tried now, and marks it as busy.
func (d *Deliverer) takes(receiver string, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state(receiver)
	if s.busy || s.notBefore.After(now) {
		return false
	}
	s.busy = true
	return true
}

// state is that of a receiver; the lock is held.
func (d *Deliverer) state(receiver string) *state {
	s := d.states[receiver]
	if s == nil {
		s = &state{}
		d.states[receiver] = s
	}
	return s
}

func (d *Deliverer) free(receiver string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state(receiver).busy = false
}

// try sends one delivery, then as many more to its receiver as are due.
func (d *Deliverer) try(ctx context.Context, one scheduler.Delivery) {
	defer d.free(one.Receiver)
	for {
		if !d.once(ctx, one) || ctx.Err() != nil {
			return
		}
		next, err := d.opts.Store.Claim(ctx, one.Receiver, d.opts.Now())
		if err != nil || next == nil {
			return // the next pass tries again
		}
		one = *next
	}
}

// once sends one delivery and writes how that went, and reports whether it arrived.
func (d *Deliverer) once(ctx context.Context, one scheduler.Delivery) bool {
	sending, cancel := graceful(ctx)
	result, message := d.send(sending, one)
	if sending.Err() != nil && result == scheduler.Retried {
		message = "" // the process ends: nothing is wrong with the receiver
	}
	cancel()
	now := d.opts.Now()
	d.mu.Lock()
	s := d.state(one.Receiver)
	s.failures++
	s.notBefore = now.Add(retryAfter(s.failures))
	if result == scheduler.Delivered || result == scheduler.Dropped {
		s.failures, s.notBefore = 0, time.Time{}
	}
	d.mu.Unlock()
	if _, ok := d.active().receiver(one.Receiver); ok {
		d.metrics.results.WithLabelValues(one.Receiver, string(result)).Inc()
	}
	log := d.log.With(zap.String("receiver", one.Receiver), zap.String("delivery", one.ID), zap.Int("try", one.Tries))
	switch result {
	case scheduler.Delivered:
		log.Info("notice delivered", zap.Int("events", len(one.Events)))
	case scheduler.Retried:
		log.Warn("notice not delivered; retrying", zap.String("message", message))
	case scheduler.GivenUp:
		log.Error("notice given up after an hour", zap.String("message", message))
	default:
		log.Info("notice dropped", zap.String("message", message))
	}
	d.settle(ctx, one, result, message)
	return result == scheduler.Delivered || result == scheduler.Dropped
}

// graceful is a context that ends a while after ctx: a message that may have left already
// is better seen through than sent again after the restart.
func graceful(ctx context.Context) (context.Context, context.CancelFunc) {
	sending, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cancel) })
	return sending, func() {
		stop()
		cancel()
	}
}

// retryAfter is the wait after so many failures in a row.
func retryAfter(failures int) time.Duration {
	return min(firstRetry<<min(failures-1, 10), mostRetry)
}

func (d *Deliverer) send(ctx context.Context, one scheduler.Delivery) (result scheduler.DeliveryResult, message string) {
	file := d.active()
	r, ok := file.receiver(one.Receiver)
	switch {
	case !ok:
		return scheduler.Dropped, "the schedule file has no such receiver any more"
	case over(one, d.opts.Now()):
		return scheduler.Dropped, "its stop is over"
	}
	defer func() {
		if bug := recover(); bug != nil { // what a panic says could be anything
			result, message = scheduler.Retried, fmt.Sprintf("a bug in curfew or a library: sending panicked (%T)", bug)
		}
	}()
	m, err := d.message(ctx, file, r, one)
	if err == nil {
		err = d.channels.send(ctx, r.URL, m)
	}
	switch {
	case err == nil:
		return scheduler.Delivered, ""
	case d.opts.Now().Sub(one.FirstTry) >= retryFor:
		return scheduler.GivenUp, err.Error()
	}
	return scheduler.Retried, err.Error()
}

// over reports whether a warning comes too late to be of use.
func over(one scheduler.Delivery, now time.Time) bool {
	for _, e := range one.Events {
		if e.Kind != scheduler.EventStopping || e.FireAt.After(now) {
			return false
		}
	}
	return len(one.Events) > 0
}

func (d *Deliverer) message(ctx context.Context, file File, r Receiver, one scheduler.Delivery) (Message, error) {
	if one.Topic == string(scheduler.EventSummary) {
		return d.opts.Summarize(ctx, r, one.At)
	}
	w := writer{zone: file.Zone, public: d.opts.PublicURL, now: d.opts.Now()}
	if d.opts.Links != nil {
		w.links = d.opts.Links.buttons
	}
	return w.compose(one), nil
}

// settle writes how a try ended, as often as it takes: until it is written, this process
// tries nothing more for the receiver.
func (d *Deliverer) settle(ctx context.Context, one scheduler.Delivery, result scheduler.DeliveryResult, message string) {
	lasting := context.WithoutCancel(ctx)
	for {
		err := d.opts.Store.Settle(lasting, one.ID, result, message, d.opts.Now())
		if err == nil {
			return
		}
		d.log.Error("the result of a notice was not written; retrying", zap.String("receiver", one.Receiver), zap.Error(err))
		select {
		case <-ctx.Done():
			return // after the restart it may be sent a second time
		case <-time.After(firstRetry):
		}
	}
}

func (d *Deliverer) show(file File, waiting []scheduler.Backlog, now time.Time) {
	of := map[string]scheduler.Backlog{}
	for _, b := range waiting {
		of[b.Receiver] = b
	}
	for _, r := range file.Receivers {
		b := of[r.Name]
		d.metrics.pending.WithLabelValues(r.Name).Set(float64(b.Pending))
		age := 0.0
		if !b.Failing.IsZero() {
			age = max(now.Sub(b.Failing).Seconds(), 0)
		}
		d.metrics.failing.WithLabelValues(r.Name).Set(age)
	}
}

// Receivers returns how deliveries to each receiver of the file go.
func (d *Deliverer) Receivers(ctx context.Context) ([]scheduler.ReceiverStatus, error) {
	waiting, err := d.opts.Store.Backlogs(ctx)
	if err != nil {
		return nil, err
	}
	var list []scheduler.ReceiverStatus
	for _, r := range d.active().Receivers {
		s := scheduler.ReceiverStatus{Name: r.Name}
		for _, b := range waiting {
			if b.Receiver == r.Name {
				s.Pending, s.Failing, s.Message = b.Pending, b.Failing, b.Message
			}
		}
		if s.Failing.IsZero() {
			if s.Message, s.Failing, err = d.opts.Store.LastFailure(ctx, r.Name); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	return list, nil
}
