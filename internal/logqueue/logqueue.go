// Package logqueue writes the lines of a log without making their authors wait: a reader
// that is slow, or does not read at all, costs lines of the log and nothing else.
package logqueue

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// A Queue is a bounded number of bytes on their way to a writer. It is safe for concurrent
// use.
type Queue struct {
	w    io.Writer
	most int
	// Dropped is called from Run with how many lines were dropped, once there is room again.
	Dropped func(lines uint64)

	mu       sync.Mutex // guards what follows
	waiting  bytes.Buffer
	lines    uint64 // in waiting
	unsaid   uint64 // dropped since Dropped was called last
	closed   bool
	wake     chan struct{}
	finished chan struct{} // closed when Run has returned

	dropped atomic.Uint64
}

// New returns a queue for a writer, which holds so many bytes. Nothing is written until Run.
func New(w io.Writer, most int) *Queue {
	return &Queue{w: w, most: most, wake: make(chan struct{}, 1), finished: make(chan struct{})}
}

// Write takes a line, or drops it where there is no room. It never waits for the writer and
// never fails.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	if q.closed || q.waiting.Len()+len(line) > q.most {
		q.unsaid++
		q.dropped.Add(1)
	} else {
		q.lines++
		q.waiting.Write(line)
	}
	q.mu.Unlock()
	q.signal()
	return len(line), nil
}

// Sync does nothing: a line is not worth a wait.
func (q *Queue) Sync() error { return nil }

// Count returns how many lines were dropped so far.
func (q *Queue) Count() uint64 { return q.dropped.Load() }

// Run writes lines until the queue is closed and empty.
func (q *Queue) Run() {
	defer close(q.finished)
	var batch bytes.Buffer
	for {
		lines, closed := q.take(&batch)
		if lines == 0 {
			if closed {
				return
			}
			<-q.wake
			continue
		}
		if _, err := q.w.Write(batch.Bytes()); err != nil {
			q.lost(lines)
			continue
		}
		q.report()
	}
}

// Close has Run write what there is and return. It waits for that no longer than so long.
func (q *Queue) Close(wait time.Duration) {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case <-q.finished:
	case <-late.C:
	}
}

func (q *Queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take moves what waits into a batch.
func (q *Queue) take(batch *bytes.Buffer) (lines uint64, closed bool) {
	batch.Reset()
	q.mu.Lock()
	defer q.mu.Unlock()
	*batch, q.waiting = q.waiting, *batch
	lines, q.lines = q.lines, 0
	return lines, q.closed
}

// lost counts lines that the writer did not take.
func (q *Queue) lost(lines uint64) {
	q.dropped.Add(lines)
	q.mu.Lock()
	q.unsaid += lines
	q.mu.Unlock()
}

// report tells of the lines that were dropped, once the writer takes lines.
func (q *Queue) report() {
	q.mu.Lock()
	lines, closed := q.unsaid, q.closed
	q.unsaid = 0
	q.mu.Unlock()
	if lines > 0 && !closed && q.Dropped != nil {
		q.Dropped(lines)
	}
}
