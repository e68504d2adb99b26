package web_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
)

const mostConnections = 20

// serving is a server on a real socket with a route that answers once it may.
type serving struct {
	t       *testing.T
	addr    string
	arrived chan struct{} // gets a value for each request of the slow route
	release chan struct{} // closed: the slow route answers
}

func serve(t *testing.T) *serving {
	t.Helper()
	s := &serving{t: t, arrived: make(chan struct{}, 1000), release: make(chan struct{})}
	reg := prometheus.NewRegistry()
	server := web.New(web.Options{
		API: api.New(api.Options{}), Gatherer: reg, Registerer: reg, Ready: func(context.Context) error { return nil },
		Open: map[string]http.HandlerFunc{"GET /slow": func(http.ResponseWriter, *http.Request) { s.arrived <- struct{}{}; <-s.release }},
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	front := web.NewFront(nil, mostConnections)
	if err := front.Register(reg); err != nil {
		t.Fatal(err)
	}
	front.Show(server.Handler(l.Addr()))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- front.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// dial opens a connection and sends a text.
func (s *serving) dial(text string) {
	s.t.Helper()
	c, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = c.Close() })
	if _, err := io.WriteString(c, text); err != nil {
		s.t.Fatal(err)
	}
}

// get reads an address over a connection of its own.
func (s *serving) get(path string) (int, string) {
	s.t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	res, err := client.Get("http://" + s.addr + path)
	if err != nil {
		s.t.Errorf("GET %s: %v", path, err)
		return 0, ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(b)
}

func (s *serving) healthy() {
	s.t.Helper()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, _ := s.get(path); status != http.StatusOK {
			s.t.Errorf("GET %s = %d, want 200", path, status)
		}
	}
}

func (s *serving) metric(line string) {
	s.t.Helper()
	if _, body := s.get("/metrics"); !strings.Contains(body, line+"\n") {
		s.t.Errorf("/metrics does not have %q", line)
	}
}

func TestConnectionsThatWaitGiveWayToNewOnes(t *testing.T) {
	tests := map[string]string{
		"nothing sent":           "",
		"half a header":          "GET /healthz HTTP/1.1\r\nHost: ",
		"kept after an answer":   "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
		"what is no HTTP":        "\x16\x03\x01",
		"a body that never ends": "POST /api/v1/reload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n",
	}
	for name, text := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t)
			for range 10 * mostConnections {
				s.dial(text)
			}
			s.healthy()
			_, metrics := s.get("/metrics")
			_, after, _ := strings.Cut(metrics, "\ncurfew_http_connections ")
			text, _, _ := strings.Cut(after, "\n")
			if n, err := strconv.Atoi(text); err != nil || n > mostConnections {
				t.Errorf("%q connections are open, want %d at most", text, mostConnections)
			}
			close(s.release)
		})
	}
}

func TestRequestsThatAreAnsweredLeaveRoomForHealthAndMetrics(t *testing.T) {
	s := serve(t)
	const most = mostConnections - 8
	for range most {
		s.dial("GET /slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
		<-s.arrived
	}
	if status, body := s.get("/slow"); status != http.StatusServiceUnavailable || !strings.Contains(body, "too many requests at the same time") {
		t.Errorf("one more request = %d %s, want 503", status, body)
	}
	for range mostConnections {
		s.dial("")
	}
	s.healthy()
	s.metric(`curfew_http_limited_total{what="request"} 1`)
	close(s.release)
}
