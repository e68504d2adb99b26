package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"curfew/internal/longtest"
	"curfew/scheduler/store/pgtest"
)

// A counter stands between a daemon and its database and counts what the daemon
// sends from an instant on. Before the message of a number it calls strike, which
// lasts until the daemon is dead: nothing more gets through.
type counter struct {
	upstream string
	from     time.Time
	strike   func()

	mu   sync.Mutex // guards left; every connection counts
	left int
}

// listen serves until the test ends.
func (c *counter) listen(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(down)
		}
	}()
	return l.Addr().String()
}

func (c *counter) carry(down net.Conn) {
	up, err := net.Dial("tcp", c.upstream)
	if err != nil {
		_ = down.Close()
		return
	}
	go func() {
		_, _ = io.Copy(down, up)
		_ = down.Close()
	}()
	defer up.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := down.Read(buf)
		if err != nil || c.counts() {
			return
		}
		if _, err := up.Write(buf[:n]); err != nil {
			return
		}
	}
}

// counts reports whether this message is the one, or came after it.
func (c *counter) counts() bool {
	if time.Now().Before(c.from) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left--; c.left == 0 {
		c.strike()
	}
	return c.left <= 0
}

// TestBinaryKilledBetweenMessagesToPostgresMakesOneAcceptedCall kills the daemon
// before the n-th message that it sends to its database after a fire: on its way
// through a run that is between any two accesses.
func TestBinaryKilledBetweenMessagesToPostgresMakesOneAcceptedCall(t *testing.T) {
	longtest.Only(t)
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	points := []int{1, 4, 8, 12, 17, 22, 27, 33, 40, 50}
	if os.Getenv("CURFEW_CHAOS") == "full" {
		points = nil
		for n := range 60 {
			points = append(points, n+1)
		}
	}
	server, _ := newPostgres(t)
	for wave := range slices.Chunk(points, 12) { // more daemons at once are more connections than a server takes
		at, cron := nextMinute(45 * time.Second)
		t.Run("points", func(t *testing.T) { // all are done before the server stops
			for _, n := range wave {
				t.Run(fmt.Sprintf("message %d", n), func(t *testing.T) {
					t.Parallel()
					killedAtMessage(t, server, n, at, cron)
				})
			}
		})
	}
}

// killedAtMessage kills a daemon with a stop at an instant before its n-th message
// to the database from then on, and starts it again.
func killedAtMessage(t *testing.T, server *pgtest.Server, n int, at time.Time, cron string) {
	name, err := server.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	reached, dead := make(chan struct{}), make(chan struct{})
	c := &counter{upstream: server.Addr(), from: at, left: n, strike: func() { close(reached); <-dead }}
	s.db = server.URL(name, c.listen(t))
	s.start()
	<-reached
	s.kill()
	close(dead)
	s.db = server.URL(name, "")
	s.start()
	runs := s.finished(1)
	if len(runs) != 1 || runs[0].State != "succeeded" {
		t.Errorf("runs = %+v, want one that succeeded", runs)
	}
	s.calledOnce()
	s.stop()
}
