package logqueue_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"curfew/internal/logqueue"
)

// A gate is a writer that takes nothing while it is closed, as a pipe that nobody reads.
type gate struct {
	opened chan struct{}
	fails  bool
	got    bytes.Buffer
}

func (g *gate) Write(b []byte) (int, error) {
	<-g.opened
	if g.fails {
		return 0, errors.New("the reader has gone")
	}
	return g.got.Write(b)
}

func newGate(open bool) *gate {
	g := &gate{opened: make(chan struct{})}
	if open {
		close(g.opened)
	}
	return g
}

func TestLinesAreWrittenInOrderAndFlushedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(true)
		q := logqueue.New(g, 1<<20)
		go q.Run()
		var want strings.Builder
		for i := range 1000 {
			fmt.Fprintln(&want, "line", i)
			if _, err := fmt.Fprintln(q, "line", i); err != nil {
				t.Fatal(err)
			}
		}
		q.Close(time.Second)
		if g.got.String() != want.String() || q.Count() != 0 {
			t.Errorf("%d bytes were written and %d lines dropped, want all %d bytes", g.got.Len(), q.Count(), want.Len())
		}
	})
}

func TestWriterThatTakesNothingCostsLinesAndNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(false)
		const most, length = 1000, 10
		q := logqueue.New(g, most)
		var told uint64
		q.Dropped = func(lines uint64) { told += lines }
		go q.Run()
		began := time.Now()
		fmt.Fprintln(q, "the first")
		synctest.Wait() // it is in the writer's hands
		for range 3 * most / length {
			fmt.Fprintln(q, "123456789")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("writing took %v, want no wait", took)
		}
		if got, want := q.Count(), uint64(2*most/length); got != want {
			t.Errorf("%d lines were dropped, want %d: the rest fits", got, want)
		}
		close(g.opened)
		synctest.Wait()
		if told != q.Count() {
			t.Errorf("%d dropped lines were reported once the writer took lines, want %d", told, q.Count())
		}
		if got, want := g.got.Len(), len("the first\n")+most; got != want {
			t.Errorf("%d bytes were written, want %d", got, want)
		}
		q.Close(time.Second)
	})
}

func TestCloseWaitsNoLongerThanItIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(false)
		q := logqueue.New(g, 1000)
		go q.Run()
		fmt.Fprintln(q, "a line")
		began := time.Now()
		q.Close(2 * time.Second)
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("Close took %v, want 2s", took)
		}
		close(g.opened) // Run ends: a bubble needs that
	})
}

func TestLinesThatTheWriterRefusesAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate(true)
		g.fails = true
		q := logqueue.New(g, 1000)
		go q.Run()
		fmt.Fprintln(q, "one")
		synctest.Wait()
		fmt.Fprintln(q, "two")
		q.Close(time.Second)
		if q.Count() != 2 {
			t.Errorf("%d lines were dropped, want 2", q.Count())
		}
	})
}
