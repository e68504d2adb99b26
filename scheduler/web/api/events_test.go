package api_test

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
	"curfew/scheduler/store/pgtest"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
)

// rows are the updates of a store, as they are: observations have no names.
type rows struct{ *store.Updates }

func (r rows) Watch(ctx context.Context) (api.Watch, error) { return r.Updates.Watch(ctx) }

// A listening is a daemon's events on a real server and a real database.
type listening struct {
	t     *testing.T
	store *store.Store
	url   string
	stop  func() // and waits
}

// A sharedServer is one PostgreSQL server for all tests of the package.
type sharedServer struct {
	once   sync.Once
	server *pgtest.Server
	err    error
}

var postgres sharedServer

func (s *sharedServer) start() (*pgtest.Server, error) {
	s.once.Do(func() { s.server, s.err = pgtest.Start(context.Background()) })
	return s.server, s.err
}

func (s *sharedServer) stop() error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "curfew.db")) })
	t.Run("postgres", func(t *testing.T) {
		server, err := postgres.start()
		if errors.Is(err, pgtest.ErrAbsent) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		name, err := server.Create(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		test(t, server.URL(name, ""))
	})
}

func openStore(t *testing.T, dsn string) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Options{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	return st
}

func listen(t *testing.T, dsn string, o api.EventsOptions) *listening {
	t.Helper()
	l := &listening{t: t, store: openStore(t, dsn)}
	o.Updates, o.Shared = rows{l.store.Updates}, store.Shared(dsn)
	events := api.NewEvents(o)
	site := served(api.Options{Engine: fixed{}, Reports: past{}, Events: events}, web.Options{Ready: fixed{}.Ready})
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 2)
	go func() { ended <- events.Run(ctx) }()
	go func() { ended <- site.Serve(ctx, listener) }()
	l.url = "http://" + listener.Addr().String() + api.EventsPath
	stopped := false
	l.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := errors.Join(<-ended, <-ended); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(l.stop)
	return l
}

// A received is one event of a stream, or a comment.
type received struct {
	id, event, comment string
	data               api.EventData
}

// A reader reads a stream.
type reader struct {
	t    *testing.T
	body io.ReadCloser
	scan *bufio.Scanner
	last string // id
}

// connect returns once the daemon sends what changes from now on.
func (l *listening) connect(last string) *reader {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute) // a stream that lacks an event has no end
	l.t.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url, nil)
	if err != nil {
		l.t.Fatal(err)
	}
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		l.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		l.t.Fatalf("GET events = %s %v", res.Status, res.Header)
	}
	c := &reader{t: l.t, body: res.Body, scan: bufio.NewScanner(res.Body)}
	c.scan.Buffer(nil, 2<<20)
	l.t.Cleanup(c.close)
	if first := c.next(); first.event != "" || first.id == "" {
		l.t.Fatalf("the stream begins with %+v, want an id alone", first)
	}
	return c
}

func (c *reader) close() { _ = c.body.Close() }

// next returns what comes next; the zero value: the stream has ended.
func (c *reader) next() received {
	c.t.Helper()
	var r received
	for c.scan.Scan() {
		name, value, _ := strings.Cut(c.scan.Text(), ": ")
		switch name {
		case "":
			if value != "" {
				r.comment = value
			}
			if value == "" && (r.id != "" || r.comment != "") {
				return r
			}
		case "id":
			r.id, c.last = value, value
		case "event":
			r.event = value
		case "data":
			if err := json.Unmarshal([]byte(value), &r.data); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	return r
}

// event returns the next event.
func (c *reader) event() received {
	c.t.Helper()
	for {
		r := c.next()
		if r.event != "" {
			return r
		}
		if r.comment == "" {
			c.t.Fatal("the stream has ended")
		}
	}
}

// logTo sends the messages of a log to a channel.
func logTo(logged chan<- string) *zap.Logger {
	core, _ := observer.New(zap.DebugLevel)
	return zap.New(core, zap.Hooks(func(e zapcore.Entry) error {
		logged <- e.Message
		return nil
	}))
}

// start writes a run that somebody asks for, as the engine does.
func start(t *testing.T, st *store.Store, environment string) scheduler.Run {
	t.Helper()
	id, err := uuid.NewV7()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Microsecond)
	r := scheduler.Run{ID: id.String(), Environment: environment, Project: "contoso", Schedule: "manual " + id.String(), Action: plan.Start, Trigger: scheduler.TriggerManual, State: scheduler.Queued, By: scheduler.ByToken, FireAt: now, CreatedAt: now}
	_, err = st.Runs.InsertManual(t.Context(), r, func(runs []scheduler.Run) []scheduler.Event {
		var list []scheduler.Event
		for _, r := range runs {
			kind := scheduler.EventRequest
			if r.State == scheduler.Canceled {
				kind = scheduler.EventCanceled
			}
			list = append(list, scheduler.Event{Kind: kind, At: now, Environment: r.Environment, Run: r.ID})
		}
		return list
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// observe writes that LCS showed an environment in a condition.
func observe(t *testing.T, st *store.Store, id string, condition lcs.Condition) {
	t.Helper()
	now := time.Now()
	call, wait, err := st.Observations.ReserveMetadata(t.Context(), now, scheduler.Contender{Name: "contoso", ID: 7, Accounts: []string{"main"}})
	if err != nil || call == nil {
		t.Fatal(wait, err)
	}
	call.Outcome, call.Done = scheduler.OutcomeAccepted, now
	seen := []scheduler.Observation{{Project: 7, ID: id, Page: 1, At: now, Condition: condition, DeploymentState: string(condition)}}
	if err := st.Observations.Record(t.Context(), *call, seen); err != nil {
		t.Fatal(err)
	}
}

func override(t *testing.T, st *store.Store, id string, environments ...string) {
	t.Helper()
	now := time.Now().Truncate(time.Microsecond)
	o := scheduler.Override{ID: id, Environments: environments, Keep: plan.Running, From: now, Until: now.Add(time.Hour), CreatedAt: now, By: scheduler.ByToken}
	_, _, err := st.Overrides.Add(t.Context(), o, nil, func(o scheduler.Override) []scheduler.Event {
		return []scheduler.Event{{Kind: scheduler.EventOverride, At: now, Override: o.ID, Reason: "override made"}}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func appendEvents(t *testing.T, st *store.Store, events ...scheduler.Event) {
	t.Helper()
	if err := st.Events.Append(t.Context(), events...); err != nil {
		t.Fatal(err)
	}
}

// beforePoll is less than the time between two polls of a database that no other process
// changes: what comes within it was sent because it was written.
const beforePoll = 4 * time.Second

// Each change comes as soon as it is written, with what it is about.
func TestEventsAreTheChangesInTheirOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := listen(t, dsn, api.EventsOptions{})
		observe(t, l.store, "e1", lcs.Running)
		start(t, l.store, "before") // from before: nobody listened
		c := l.connect("")
		want := func(kind, state string, about func(api.EventData) bool) {
			t.Helper()
			began := time.Now()
			got := c.event()
			if got.event != kind || got.data.State != state || !about(got.data) {
				t.Fatalf("the event is %+v, want a %s in state %q", got, kind, state)
			}
			if took := time.Since(began); took > beforePoll {
				t.Errorf("the %s came after %v, want it as soon as it is written", kind, took)
			}
		}
		first := start(t, l.store, "dev-01")
		want("run", "queued", func(d api.EventData) bool {
			return d.ID == first.ID && *d.Environment == "dev-01" && d.Action == "start"
		})
		second := start(t, l.store, "dev-01")
		want("run", "queued", func(d api.EventData) bool { return d.ID == second.ID })
		want("run", "canceled", func(d api.EventData) bool { return d.ID == first.ID })
		override(t, l.store, "o1", "dev-02", "dev-03")
		want("override", "", func(d api.EventData) bool {
			return d.ID == "o1" && *d.Environment == "dev-02" && slices.Equal(d.Environments, []string{"dev-02", "dev-03"}) && d.Keep == "running"
		})
		observe(t, l.store, "e1", lcs.Stopping)
		want("observation", "stopping", func(d api.EventData) bool { return d.ID == "e1" && !d.At.IsZero() })
		appendEvents(t, l.store, scheduler.Event{Kind: scheduler.EventReload, At: time.Now()}, scheduler.Event{Kind: scheduler.EventUnreachable, Account: "main", At: time.Now()},
			scheduler.Event{Kind: scheduler.EventConfig, At: time.Now(), Reason: "line 3"})
		want("reload", "loaded", func(d api.EventData) bool { return d.Environment == nil && d.ID != "" })
		want("reload", "refused", func(d api.EventData) bool { return d.Message == "line 3" })
	})
}

// Whoever comes again with the id of the last event gets what came meanwhile, once and in
// order, and then the news.
func TestLastEventIDLosesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := listen(t, dsn, api.EventsOptions{})
		c := l.connect("")
		start(t, l.store, "dev-00")
		c.event()
		c.close()
		var missed []string
		for i := range 1200 { // more than is read at a time
			missed = append(missed, fmt.Sprint(i))
		}
		events := make([]scheduler.Event, len(missed))
		for i, text := range missed {
			events[i] = scheduler.Event{Kind: scheduler.EventConfig, At: time.Now(), Reason: text}
		}
		appendEvents(t, l.store, events...)
		l.stop() // a restart forgets nothing
		if err := l.store.Close(); err != nil {
			t.Fatal(err)
		}
		again := listen(t, dsn, api.EventsOptions{})
		c = again.connect(c.last)
		appendEvents(t, again.store, scheduler.Event{Kind: scheduler.EventConfig, At: time.Now(), Reason: "news"})
		var got []string
		for {
			r := c.event()
			if r.event == "reload" {
				got = append(got, r.data.Message)
			}
			if r.data.Message == "news" && len(got) == len(missed)+1 { // which may be among what is sent again, and is no news then
				appendEvents(t, again.store, scheduler.Event{Kind: scheduler.EventConfig, At: time.Now(), Reason: "last"})
			}
			if r.data.Message == "last" {
				break
			}
		}
		if want := append(missed, "news", "last"); !slices.Equal(got, want) {
			t.Errorf("%d events came, want %d, from 0 to 1199, the news and the last; the first are %.5q, the last %.3q", len(got), len(want), got, got[max(0, len(got)-3):])
		}
	})
}

// An id that is none begins with what changes from now on.
func TestLastEventIDThatIsNone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := listen(t, dsn, api.EventsOptions{})
		appendEvents(t, l.store, scheduler.Event{Kind: scheduler.EventReload, At: time.Now(), Reason: "old"})
		c := l.connect("yesterday")
		appendEvents(t, l.store, scheduler.Event{Kind: scheduler.EventReload, At: time.Now(), Reason: "new"})
		if got := c.event(); got.data.Message != "new" {
			t.Errorf("the first event is %+v, want the new one", got)
		}
	})
}

// What other replicas do comes too, and an event whose transaction is committed after
// that of a later one.
func TestEventsOfOtherReplicas(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		if !store.Shared(dsn) {
			t.Skip("one process uses a SQLite database")
		}
		l, other := listen(t, dsn, api.EventsOptions{}), openStore(t, dsn)
		c := l.connect("")
		r := start(t, other, "dev-01")
		if got := c.event(); got.data.ID != r.ID {
			t.Fatalf("the event is %+v, want that of the other replica", got)
		}
		observe(t, other, "e1", lcs.Running)
		if got := c.event(); got.event != "observation" || got.data.ID != "e1" {
			t.Fatalf("the event is %+v, want the observation of the other replica", got)
		}
		db, err := sql.Open("pgx", dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		late, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		id, err := uuid.NewV7()
		if err != nil {
			t.Fatal(err)
		}
		_, err = late.ExecContext(t.Context(), `INSERT INTO events (id, kind, at, by_name, by_via, environment, run, override, account, reason, next_step) VALUES ($1, 'reload', 1, '', '', '', '', '', '', 'late', '')`, id.String())
		if err != nil {
			t.Fatal(err)
		}
		appendEvents(t, other, scheduler.Event{Kind: scheduler.EventReload, At: time.Now(), Reason: "later"})
		if got := c.event(); got.data.Message != "later" {
			t.Fatalf("the event is %+v, want the one that is committed first", got)
		}
		if err := late.Commit(); err != nil {
			t.Fatal(err)
		}
		if got := c.event(); got.data.Message != "late" {
			t.Fatalf("the event is %+v, want the one that was committed late", got)
		}
		appendEvents(t, other, scheduler.Event{Kind: scheduler.EventReload, At: time.Now(), Reason: "last"})
		if got := c.event(); got.data.Message != "last" {
			t.Errorf("the event is %+v, want each once", got)
		}
	})
}

func TestEventsAreKeptAlive(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		c := listen(t, dsn, api.EventsOptions{KeepAlive: 20 * time.Millisecond}).connect("")
		for range 3 {
			if got := c.next(); got.comment != "keep-alive" || got.event != "" {
				t.Fatalf("what comes is %+v, want a comment", got)
			}
		}
	})
}

// A daemon that stops ends the streams, and does not wait for the clients.
func TestEventsEndWithTheDaemon(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := listen(t, dsn, api.EventsOptions{})
		c := l.connect("")
		began := time.Now()
		l.stop()
		if got := c.next(); got.id != "" || got.event != "" {
			t.Errorf("what comes is %+v, want the end", got)
		}
		if took := time.Since(began); took > beforePoll {
			t.Errorf("it took %v, want it at once", took)
		}
	})
}

// A listener that does not read is dropped; the others get everything.
func TestASlowListenerIsDropped(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		logged := make(chan string, 10)
		l := listen(t, dsn, api.EventsOptions{Patience: 6 * time.Second, Logger: logTo(logged)})
		l.connect("") // and reads no more
		c := l.connect("")
		const events = 16
		for i := range events {
			appendEvents(t, l.store, scheduler.Event{Kind: scheduler.EventReload, At: time.Now(), Reason: strings.Repeat("x", 1<<20) + fmt.Sprint(i)})
		}
		for i := range events {
			if got := c.event(); !strings.HasSuffix(got.data.Message, fmt.Sprint("x", i)) {
				t.Fatalf("event %d is another one", i)
			}
		}
		if got := <-logged; !strings.Contains(got, "too slow and was dropped") {
			t.Errorf("the log says %q, want that a listener was dropped", got)
		}
	})
}

// There is a bound to how many listen, and a place is free again when one goes.
func TestListenersAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		logged := make(chan string, 10)
		l := listen(t, dsn, api.EventsOptions{MostListeners: 2, Logger: logTo(logged)})
		first := l.connect("")
		l.connect("")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, l.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if said := body(t, res); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" || !strings.Contains(said, "more than 2 listen") {
			t.Errorf("the third listener gets %s %s, want a problem", res.Status, said)
		}
		first.close()
		if got := <-logged; got != "a listener left" {
			t.Errorf("the log says %q", got)
		}
		l.connect("")
	})
}
