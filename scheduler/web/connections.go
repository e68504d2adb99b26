package web

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/scheduler/web/api"
)

const (
	// mostConnections is how many connections there are at most, where a server is not told.
	mostConnections = 1024
	// keptFree is the part of them that no request but those for health and metrics uses.
	keptFree = 8
)

// connections bounds the connections of a server. One that waits for a request gives way
// to a new one, the one that has waited longest first: whoever opens connections and sends
// nothing, or keeps them open, keeps nobody else out. Requests that are being answered take
// all but a few connections, which are left for health and metrics.
type connections struct {
	most    int
	limited *prometheus.CounterVec
	number  prometheus.GaugeFunc

	mu      sync.Mutex // guards what follows
	open    map[*connection]bool
	serving int
}

func newConnections(most int) *connections {
	if most <= 0 {
		most = mostConnections
	}
	c := &connections{most: most, open: map[*connection]bool{}}
	c.limited = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "curfew_http_limited_total", Help: "What was ended or refused since there were too many HTTP connections.",
	}, []string{"what"})
	for _, what := range []string{waitingClosed, newClosed, requestRefused} {
		c.limited.WithLabelValues(what)
	}
	c.number = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "curfew_http_connections", Help: "HTTP connections that are open.",
	}, func() float64 {
		c.mu.Lock()
		defer c.mu.Unlock()
		return float64(len(c.open))
	})
	return c
}

// What is ended or refused.
const (
	waitingClosed  = "waiting connection"
	newClosed      = "new connection"
	requestRefused = "request"
)

// A connection is one of a bounded number.
type connection struct {
	net.Conn
	of      *connections
	since   time.Time // it waits for a request since; guarded by of.mu
	serving bool      // guarded by of.mu
}

// Close makes room.
func (c *connection) Close() error {
	c.of.forget(c)
	return c.Conn.Close()
}

// A boundedListener accepts at once, whatever there is already.
type boundedListener struct {
	net.Listener
	of *connections
}

func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.of.admit(raw, time.Now()); c != nil {
			return c, nil
		}
		_ = raw.Close()
	}
}

// admit takes in a new connection, in place of the one that has waited longest where there
// are too many. It returns nil where all are being served.
func (c *connections) admit(raw net.Conn, now time.Time) *connection {
	fresh := &connection{Conn: raw, of: c, since: now}
	c.mu.Lock()
	var longest *connection
	if len(c.open) >= c.most {
		longest = c.longestWaiting()
		if longest == nil {
			c.mu.Unlock()
			c.limited.WithLabelValues(newClosed).Inc()
			return nil
		}
		delete(c.open, longest)
	}
	c.open[fresh] = true
	c.mu.Unlock()
	if longest != nil {
		c.limited.WithLabelValues(waitingClosed).Inc()
		_ = longest.Conn.Close()
	}
	return fresh
}

// longestWaiting returns the connection that has waited longest for a request, nil when
// none waits; the lock is held.
func (c *connections) longestWaiting() *connection {
	var longest *connection
	for one := range c.open {
		if !one.serving && (longest == nil || one.since.Before(longest.since)) {
			longest = one
		}
	}
	return longest
}

func (c *connections) forget(one *connection) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, one)
}

type connectionKey struct{}

// inContext notes the connection of requests in their contexts.
func inContext(ctx context.Context, raw net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, raw)
}

// begin notes that a request is answered, if it may be.
func (c *connections) begin(one *connection, always bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !always && c.serving >= max(c.most-keptFree, 1) {
		return false
	}
	c.serving++
	one.serving = true
	return true
}

func (c *connections) end(one *connection, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serving--
	one.serving, one.since = false, now
}

// bounded answers only as many requests at a time as leave connections for health and
// metrics.
func (c *connections) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		one, ok := r.Context().Value(connectionKey{}).(*connection)
		if !ok { // not of this server's listener
			next.ServeHTTP(w, r)
			return
		}
		always := r.URL.Path == "/healthz" || r.URL.Path == "/readyz" || r.URL.Path == "/metrics"
		if !c.begin(one, always) {
			c.limited.WithLabelValues(requestRefused).Inc()
			w.Header().Set("Connection", "close")
			w.Header().Set("Retry-After", "5")
			api.WriteProblem(w, http.StatusServiceUnavailable, "too many requests at the same time", "every connection that the daemon has for requests is in use: try again")
			return
		}
		defer func() { c.end(one, time.Now()) }()
		next.ServeHTTP(w, r)
	})
}
