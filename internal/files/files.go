// Package files reads what others put on a disk: schedule files, calendars, secrets. Nothing
// that stands there keeps the caller: a named pipe that nobody writes to, a device, a file
// without an end, or a share that no longer answers.
package files

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"
)

// Limit is how long a disk or a share may take.
const Limit = 3 * time.Second

var (
	// ErrDirectory means that the name is that of a directory.
	ErrDirectory = errors.New("is a directory")
	// ErrNotRegular means that the name is that of a pipe, a socket or a device.
	ErrNotRegular = errors.New("is no regular file")
	// ErrHangs means that the system did not answer in time.
	ErrHangs = errors.New("is not answered for by its disk or share within " + Limit.String())
)

// hanging counts, by name, the calls that nobody waits for any more: each keeps a thread, so
// that no further call is made for the same name.
var hanging = struct {
	mu    sync.Mutex // guards names
	names map[string]int
}{names: map[string]int{}}

// Read returns the content of a file, at most one byte more than most, so that the caller sees
// that it is too large. An error is a *fs.PathError.
func Read(name string, most int64) ([]byte, error) {
	var src []byte
	err := Do(name, func() (err error) {
		src, err = read(name, most)
		return err
	})
	if err != nil {
		return nil, err
	}
	return src, nil
}

func read(name string, most int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrDirectory}
	case !mode.IsRegular() && !handedOver(name, mode):
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	return io.ReadAll(io.LimitReader(f, most+1))
}

// handedOver reports whether a name is that of a pipe which the caller of this process made
// for it, as in: curfew validate <(sed …).
func handedOver(name string, mode fs.FileMode) bool {
	if mode&fs.ModeNamedPipe == 0 {
		return false
	}
	return name == "/dev/stdin" || strings.HasPrefix(name, "/dev/fd/") || strings.HasPrefix(name, "/proc/self/fd/")
}

// Do calls f, which works on the file of a name, and waits for it as long as Limit. What f
// changes may be read only if Do returns f's own error, or none.
func Do(name string, f func() error) error {
	hangs := &fs.PathError{Op: "read", Path: name, Err: ErrHangs}
	hanging.mu.Lock()
	known := hanging.names[name] > 0
	hanging.mu.Unlock()
	if known {
		return hangs
	}
	c := &call{name: name, done: make(chan error, 1)}
	go func() {
		err := f()
		c.end()
		c.done <- err
	}()
	limit := time.NewTimer(Limit)
	defer limit.Stop()
	select {
	case err := <-c.done:
		return err
	case <-limit.C:
		c.leave()
		return hangs
	}
}

// A call is one f. Its fields are guarded by hanging.mu.
type call struct {
	name        string
	done        chan error
	ended, left bool
}

func (c *call) end() {
	hanging.mu.Lock()
	defer hanging.mu.Unlock()
	c.ended = true
	if !c.left {
		return
	}
	if hanging.names[c.name]--; hanging.names[c.name] == 0 {
		delete(hanging.names, c.name)
	}
}

// leave stops waiting for a call.
func (c *call) leave() {
	hanging.mu.Lock()
	defer hanging.mu.Unlock()
	if !c.ended {
		c.left = true
		hanging.names[c.name]++
	}
}
