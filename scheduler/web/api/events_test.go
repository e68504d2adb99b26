package api_test

import (
	"bufio"
	"context"
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
	"testing"
	"time"

	"go.uber.org/goleak"

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
	dsn   string
	store *store.Store
	url   string
	stop  func() // and waits
}

// onBoth runs a test on each database.
func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "curfew.db")) })
	t.Run("postgres", func(t *testing.T) {
		server, err := pgtest.Start(t.Context())
		if errors.Is(err, pgtest.ErrAbsent) && os.Getenv("CI") == "" {
			t.Skip(err)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := server.Stop(); err != nil {
				t.Error(err)
			}
		})
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

func listen(t *testing.T, dsn string, alive time.Duration) *listening {
	t.Helper()
	l := &listening{t: t, dsn: dsn, store: openStore(t, dsn)}
	events := api.NewEvents(api.EventsOptions{Updates: rows{l.store.Updates}, Shared: store.Shared(dsn), KeepAlive: alive})
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

// A client reads a stream.
type client struct {
	t    *testing.T
	body io.ReadCloser
	scan *bufio.Scanner
	last string // id
}

// connect returns once the daemon sends what changes from now on.
func (l *listening) connect(last string) *client {
	l.t.Helper()
	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodGet, l.url, nil)
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
	c := &client{t: l.t, body: res.Body, scan: bufio.NewScanner(res.Body)}
	l.t.Cleanup(c.close)
	if first := c.next(); first.event != "" || first.id == "" {
		l.t.Fatalf("the stream begins with %+v, want an id alone", first)
	}
	return c
}

func (c *client) close() { _ = c.body.Close() }

// next returns what comes next; the zero value: the stream has ended.
func (c *client) next() received {
	c.t.Helper()
	var r received
	for c.scan.Scan() {
		name, value, _ := strings.Cut(c.scan.Text(), ": ")
		switch name {
		case "":
			r.comment = value
			if value == "" && r != (received{}) {
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
func (c *client) event() received {
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
