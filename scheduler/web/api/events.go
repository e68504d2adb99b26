package api

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

const (
	mostListeners = 200                    // a browser has one for each page that it shows
	batchesBehind = 32                     // that a listener may be behind before it is dropped
	pollShared    = 500 * time.Millisecond // for what other replicas do
	pollOwn       = 5 * time.Second        // where every change is a transaction of this process
	pause         = 200 * time.Millisecond // between two reads, so that the changes of a fire come together
	keepAlive     = 10 * time.Second
	patience      = 10 * time.Second // with a listener that takes a batch slowly
	joinTimeout   = 5 * time.Second  // a database that takes longer is down
	longest       = 15 * time.Minute // then the client asks again, and has to be one who may
	newsAgain     = 5 * time.Minute  // an event that was sent again is no news any more
)

// A listener has every change within a second, with time left to read it.
const _ = uint(900*time.Millisecond - pollShared - pause)

// A Watch compares what the database holds with what it held.
type Watch interface {
	// Position is the last event that was read, "" when there was none.
	Position() string
	// Read returns what changed since it was last called. With an error it returns what it
	// could read, and the next call returns the rest.
	Read(ctx context.Context, now time.Time) ([]scheduler.Update, error)
}

// Updates are the changes that listeners follow.
type Updates interface {
	// Watch begins to compare: its first Read returns what changed since then.
	Watch(ctx context.Context) (Watch, error)
	// After calls each with what changed after an event, oldest first, some at a time.
	After(ctx context.Context, event string, now time.Time, each func([]scheduler.Update) error) error
	// Committed returns a channel that holds a value once this process has changed
	// something, and what ends it.
	Committed() (<-chan struct{}, func())
}

// EventsOptions are what Events are made of.
type EventsOptions struct {
	Updates Updates
	Logger  *zap.Logger
	// Shared says that other processes change the same database: they are polled.
	Shared        bool
	KeepAlive     time.Duration // between two comments to a listener; 10 s when zero
	MostListeners int           // at the same time; 200 when zero
	Patience      time.Duration // with a listener that takes what is sent slowly; 10 s when zero
}

// Events sends the changes to those who listen. The format of server-sent events is a
// few lines of text; what a library adds to it is a memory of messages, which the database
// is here, and it could not drop a listener by a deadline of its own.
type Events struct {
	opts    EventsOptions
	log     *zap.Logger
	join    chan *listener
	leave   chan *listener
	stopped chan struct{} // closed when Run has returned
}

// A listener is one request. Only Run sends to it and closes it.
type listener struct {
	joined  chan string  // holds the position from which on it has everything; closed: there are too many
	batches chan []frame // closed when it is too slow, and at shutdown
}

// A frame is one update as it is sent.
type frame struct {
	event string // its id in the outbox, if it has one
	text  []byte
}

// NewEvents makes an Events. It answers while it runs.
func NewEvents(o EventsOptions) *Events {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = keepAlive
	}
	if o.MostListeners == 0 {
		o.MostListeners = mostListeners
	}
	if o.Patience == 0 {
		o.Patience = patience
	}
	return &Events{opts: o, log: o.Logger.Named("events"), join: make(chan *listener), leave: make(chan *listener), stopped: make(chan struct{})}
}

// Run serves listeners until ctx ends. While there is none, it does nothing.
func (e *Events) Run(ctx context.Context) error {
	defer close(e.stopped)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-e.leave: // it was dropped
		case l := <-e.join:
			(&broadcast{Events: e, listeners: map[*listener]bool{}, joining: []*listener{l}}).run(ctx)
		}
	}
}

// A broadcast goes on as long as somebody listens.
type broadcast struct {
	*Events
	watch     Watch // nil until the database has answered
	listeners map[*listener]bool
	joining   []*listener
	count     int // of updates without an event
}

func (b *broadcast) run(ctx context.Context) {
	defer b.end()
	committed, stop := b.opts.Updates.Committed()
	defer stop()
	every := pollOwn
	if b.opts.Shared {
		every = pollShared
	}
	due := time.NewTimer(every)
	defer due.Stop()
	for b.read(ctx); len(b.listeners)+len(b.joining) > 0; {
		select {
		case <-ctx.Done():
			return
		case l := <-b.leave:
			b.drop(l)
			continue
		case l := <-b.join:
			b.admit(l)
		case <-committed:
			select { // changes come together: those that follow are read with this one
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		case <-due.C:
		}
		b.read(ctx)
		due.Reset(every)
	}
}

// end closes every listener that is left.
func (b *broadcast) end() {
	for l := range b.listeners {
		close(l.batches)
	}
	for _, l := range b.joining {
		close(l.joined)
	}
}

func (b *broadcast) admit(l *listener) {
	if len(b.listeners)+len(b.joining) >= b.opts.MostListeners {
		close(l.joined)
		return
	}
	b.joining = append(b.joining, l)
}

func (b *broadcast) drop(l *listener) {
	b.log.Debug("a listener left")
	delete(b.listeners, l)
	b.joining = slices.DeleteFunc(b.joining, func(j *listener) bool { return j == l })
}

// read sends what changed, then lets those in who came meanwhile.
func (b *broadcast) read(ctx context.Context) {
	if err := b.update(ctx); err != nil {
		if ctx.Err() == nil {
			b.log.Warn("changes not read; trying again", zap.Error(err))
		}
		return
	}
	for _, l := range b.joining {
		b.listeners[l] = true
		l.joined <- b.cursor()
	}
	b.joining = nil
}

func (b *broadcast) update(ctx context.Context) (err error) {
	if b.watch == nil {
		b.watch, err = b.opts.Updates.Watch(ctx)
		return err
	}
	list, err := b.watch.Read(ctx, time.Now())
	batch := make([]frame, 0, len(list))
	for _, u := range list {
		if u.Event == "" {
			b.count++
		}
		batch = append(batch, frameOf(u, b.cursor()))
	}
	for l := range b.listeners {
		if len(batch) == 0 {
			break
		}
		select {
		case l.batches <- batch:
		default:
			b.dropped()
			close(l.batches)
			delete(b.listeners, l)
		}
	}
	return err
}

// cursor is the id of an update that has no event: those after it are no event's loss.
func (b *broadcast) cursor() string {
	return fmt.Sprintf("%s.%d", b.watch.Position(), b.count)
}

// An EventData is the data of an event.
type EventData struct {
	ID           string    `json:"id"`
	Environment  *string   `json:"environment"` // of an override, its first
	At           time.Time `json:"at"`
	Environments []string  `json:"environments,omitempty"` // of an override
	Action       string    `json:"action,omitempty"`       // of a run
	State        string    `json:"state,omitempty"`        // of a run; what LCS shows; or loaded and refused of a file
	Keep         string    `json:"keep,omitempty"`         // of an override
	Message      string    `json:"message,omitempty"`
}

func frameOf(u scheduler.Update, cursor string) frame {
	if u.Event != "" {
		cursor = u.Event
	}
	data, _ := json.Marshal(EventData{ // texts and instants always can be
		ID: u.ID, Environment: orNil(u.Environment), At: u.At, Environments: u.Environments, Action: u.Action, State: u.State, Keep: u.Keep, Message: u.Message,
	})
	return frame{u.Event, fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n\n", cursor, u.Kind, data)}
}

// joinAs returns the position from which on l has everything.
func (e *Events) joinAs(ctx context.Context, l *listener) (position string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	select {
	case e.join <- l:
	case <-e.stopped:
		return "", false
	case <-ctx.Done():
		return "", false
	}
	select {
	case position, ok = <-l.joined:
		return position, ok
	case <-ctx.Done():
		e.left(l)
		return "", false
	}
}

func (e *Events) dropped() { e.log.Info("a listener was too slow and was dropped; it can ask again") }

func (e *Events) left(l *listener) {
	select {
	case e.leave <- l:
	case <-e.stopped:
	}
}
