package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"curfew/internal/freeport"
)

// fullPipe returns the writing end of a pipe that takes nothing more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = r.Close(), w.Close() })
	if err := w.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Skipf("pipes have no deadlines here: %v", err)
	}
	for junk := bytes.Repeat([]byte("x"), 4096); ; {
		if _, err := w.Write(junk); err != nil {
			return w
		}
	}
}

// startUnread is start with a log that nobody reads.
func (s *site) startUnread(stderr *os.File) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	port, err := freeport.Pick(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	s.listen = fmt.Sprintf("127.0.0.1:%d", port)
	s.cmd = exec.Command(path, "--config", filepath.Join(s.dir, "schedules.yaml"), "serve", "--listen", s.listen, "--database", cmp.Or(s.db, filepath.Join(s.dir, "curfew.db")), "--log-level", "debug", "--log-format", "json")
	s.cmd.Env, s.cmd.Stderr = append(os.Environ(), "CURFEW_API_TOKEN="+e2eAPI), stderr
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.wait = sync.OnceValue(s.cmd.Wait)
	s.ready(http.StatusOK)
}

func TestLogThatNobodyReadsStallsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	w := fullPipe(t)
	s.startUnread(w)
	s.curfew("stop", "dev-00", "--wait")
	s.curfew("start", "dev-00", "--wait")
	if got := s.metric("curfew_log_dropped_total"); got != "0" {
		t.Errorf("curfew_log_dropped_total = %s, want 0: there is room for so few lines", got)
	}
	s.stop()
}

func TestLogWhoseReaderHasGoneEndsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s.startUnread(w)
	s.curfew("stop", "dev-00", "--wait")
	if got := s.metric("curfew_log_dropped_total"); got == "0" {
		t.Error("curfew_log_dropped_total = 0, want the lines that nobody took")
	}
	s.stop()
}

func TestLastWordThatNobodyReadsEndsInTime(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	w := fullPipe(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--config", filepath.Join(t.TempDir(), "none.yaml"), "serve")
	cmd.Stderr = w
	if err := cmd.Run(); cmd.ProcessState.ExitCode() != exitInvalid {
		t.Errorf("curfew serve without a schedule file ended with %v, want exit code %d within 10 s", err, exitInvalid)
	}
}
