package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/longtest"
)

// skewSource is a file more of Go's package time: CURFEW_TEST_CLOCK is by how many seconds a
// process's clock is ahead, from how many seconds after its start on, and until how many.
const skewSource = `package time

import "syscall"

var skew [3]int64

func init() {
	text, _ := syscall.Getenv("CURFEW_TEST_CLOCK")
	n, sign := 0, int64(1)
	for _, c := range []byte(text) {
		switch {
		case c == '-':
			sign = -1
		case c == ',':
			n, sign = n+1, 1
		default:
			skew[n] = skew[n]*10 + sign*int64(c-'0')
		}
	}
}

func skewed(mono int64) int64 {
	if since := (mono - startNano) / int64(Second); since >= skew[1] && since < skew[2] {
		return skew[0]
	}
	return 0
}
`

// wrongBinary is the built curfew with a Go library whose clock can be wrong: what users run
// has no way to have that.
var wrongBinary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env: %w", err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "src", "time")
	text, err := os.ReadFile(filepath.Join(source, "time.go"))
	if err != nil {
		return "", err
	}
	const reads = "\tsec, nsec, mono := runtimeNow()\n"
	head, body, found := strings.Cut(string(text), "func Now() Time {\n"+reads)
	if !found {
		return "", fmt.Errorf("%s: time.Now does not begin as it did", source)
	}
	dir, err := os.MkdirTemp("", "curfew-wrong-clock-")
	if err != nil {
		return "", err
	}
	replaced := map[string]string{}
	for name, content := range map[string]string{"time.go": head + "func Now() Time {\n" + reads + "\tsec += skewed(mono)\n" + body, "skew.go": skewSource} {
		replaced[filepath.Join(source, name)] = filepath.Join(dir, name)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replaced})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		return "", err
	}
	path := filepath.Join(dir, "curfew")
	if out, err := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// clockAhead is what has a process's clock be wrong from an instant after its start on, and
// until another.
func clockAhead(ahead, from, to time.Duration) string {
	return fmt.Sprintf("CURFEW_TEST_CLOCK=%d,%d,%d", int(ahead.Seconds()), int(from.Seconds()), int(to.Seconds()))
}

const always = 24 * time.Hour

// TestBinaryWithAWrongClockMakesItsFireInTime runs one process on SQLite whose clock is ahead
// for a while, and two on PostgreSQL of which one has a wrong clock.
func TestBinaryWithAWrongClockMakesItsFireInTime(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	path, err := wrongBinary()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		shared bool // two replicas on PostgreSQL
		clock  string
	}{
		{"an hour ahead for its first 25 s", false, clockAhead(time.Hour, 0, 25*time.Second)},
		{"an hour ahead for 25 s later on", false, clockAhead(time.Hour, 20*time.Second, 45*time.Second)},
		{"a replica 30 days ahead", true, clockAhead(30*24*time.Hour, 0, always)},
		{"a replica 90 s ahead", true, clockAhead(90*time.Second, 0, always)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at, cron := nextMinute(95 * time.Second)
			s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
			s.path, s.env = path, []string{tt.clock}
			if tt.shared {
				server, database := newPostgres(t)
				s.db = server.URL(database, "")
				right := &site{t: t, sim: s.sim, dir: s.dir, db: s.db, log: &lockedBuffer{}, endpoint: s.endpoint}
				t.Cleanup(right.kill)
				right.start()
			}
			s.start()
			runs := s.finished(1)
			if len(runs) != 1 || runs[0].State != "succeeded" || !runs[0].FireAt.Equal(at) {
				t.Errorf("runs = %+v, want one that succeeded", runs)
			}
			s.calledOnce()
			for _, r := range s.sim.Requests() {
				if late := r.At.Sub(at); r.Accepted && (late < -time.Second || late > time.Minute) {
					t.Errorf("LCS was called %v after the fire", late)
				}
			}
			s.stop()
		})
	}
}
