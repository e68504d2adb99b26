package main

import (
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"curfew/internal/longtest"
)

// acrossFires is long enough for a fire, of which there is one each minute.
const acrossFires = 70 * time.Second

// longestHandover is how long nobody may be active after the one before has ended.
const longestHandover = 2 * time.Second

// TestHandoversLoseAndDoubleNothing has one process of a SQLite database follow the other
// across fires, half of them killed, and then checks whether each fire had its run, and each
// run its one accepted call.
func TestHandoversLoseAndDoubleNothing(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	handovers := longtest.Or(6, 50)
	f := newStorm(t, storm{environments: 20, seed: 20261128}, 2)
	f.dsn = filepath.Join(filepath.Dir(f.config), "curfew.db")
	f.start(0)
	f.ready0(0)
	began := time.Now()
	var took []time.Duration
	for n := 0; n < handovers || time.Since(began) < acrossFires; n++ {
		took = append(took, f.handOver(n%2, n%4 < 2))
	}
	f.each[0] = f.each[len(took)%2] // runs are read from the first
	until := time.Now()
	runs := f.settled(patience)
	f.judge(runs, []stretch{{f.files[0], began, until}})
	slices.Sort(took)
	worst := took[len(took)-1]
	t.Logf("%d hand-overs: median %v, worst %v; %d runs", len(took), took[len(took)/2].Round(time.Millisecond), worst.Round(time.Millisecond), len(runs))
	if worst > longestHandover {
		t.Errorf("the slowest hand-over took %v, want %v at most", worst, longestHandover)
	}
}

// ready0 waits until a process is the active one.
func (f *fleet) ready0(i int) {
	f.t.Helper()
	f.eventually(30*time.Second, "the process is active", func() bool { return f.says(i, "/readyz") == "ready" })
}

// says returns what a process answers.
func (f *fleet) says(i int, path string) string {
	res, err := http.Get("http://" + f.each[i].addr + path)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	return strings.TrimSpace(string(b))
}

// handOver starts the other process, ends the active one, and returns how long nobody was
// active.
func (f *fleet) handOver(active int, killed bool) time.Duration {
	f.t.Helper()
	next := 1 - active
	f.start(next)
	f.eventually(30*time.Second, "the process stands by", func() bool { return f.says(next, "/readyz") == "standby" })
	time.Sleep(time.Duration(f.rand.IntN(3000)) * time.Millisecond) // anywhere around a fire
	signal := syscall.SIGTERM
	if killed {
		signal = syscall.SIGKILL
	}
	if err := f.each[active].cmd.Process.Signal(signal); err != nil {
		f.t.Fatal(err)
	}
	<-f.each[active].done
	ended := time.Now()
	check := time.NewTicker(5 * time.Millisecond)
	defer check.Stop()
	for ; f.says(next, "/healthz") != "ok"; <-check.C {
		if time.Since(ended) > 30*time.Second {
			f.t.Fatalf("nobody took over\n%s", f.tail())
		}
	}
	return time.Since(ended)
}
