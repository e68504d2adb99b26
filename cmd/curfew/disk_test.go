//go:build linux

package main

import (
	"bytes"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/lcs/lcssim"
)

// smallDisk is a file system of 3 MiB. It takes a right that CI has and a
// contributor's machine may not have.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m")
	if errors.Is(err, syscall.EPERM) {
		t.Skip("mounting a file system is not allowed here")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	return dir
}

// fill writes until nothing more fits; free undoes it.
func fill(t *testing.T, dir string) (free func()) {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 1 << 20; size > 0; size /= 2 {
		for err == nil {
			_, err = f.Write(make([]byte, size))
		}
		err = nil
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return func() { _ = os.Remove(path) }
}

func TestFullDiskHoldsFiresUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	dir := smallDisk(t)
	at, cron := nextMinute(20 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	s.db = filepath.Join(dir, "curfew.db")
	s.start()
	s.ticked()
	free := fill(t, dir)
	s.logged("tick failed; the next tick will pick up its fires")
	s.until("the fire was five seconds ago", func() bool { return time.Since(at) > 5*time.Second })
	if n := s.sim.Accepted("", lcssim.Any); n != 0 {
		t.Errorf("LCS carried out %d operations that could not be written before, want none", n)
	}
	if metrics := s.get("/metrics"); strings.Contains(metrics, "curfew_tick_errors_total 0") {
		t.Error("curfew_tick_errors_total is 0 while ticks fail")
	}
	free()
	if runs := s.finished(1); len(runs) != 1 || runs[0].State != "succeeded" {
		t.Errorf("runs = %+v, want the stop, succeeded", runs)
	}
	if n := s.sim.Accepted("", lcssim.Any); n != 1 {
		t.Errorf("LCS carried out %d operations, want 1", n)
	}
	s.stop()
}

func TestDiskThatIsFullWhenLCSAnswersLosesNoAnswer(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	dir := smallDisk(t)
	_, cron := nextMinute(15 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	s.db = filepath.Join(dir, "curfew.db")
	s.start()
	full := make(chan func(), 1)
	once := sync.OnceFunc(func() { full <- fill(t, dir) })
	s.onRequest(func(r *http.Request, done bool) {
		if r.Method == http.MethodPost && done {
			once()
		}
	})
	free := <-full
	s.logged("saving a call's result failed")
	free()
	runs := s.finished(1)
	if len(runs) != 1 || runs[0].State != "succeeded" || runs[0].OperationActivityID == nil || len(runs[0].Attempts) != 1 || runs[0].Attempts[0].Outcome != "accepted" {
		t.Errorf("runs = %+v, want one with its one accepted call", runs)
	}
	s.stop()
}

func TestDamagedDatabaseIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t, "  - {name: evening, environments: [dev-00], stop: \"19:00\"}\n")
	s.start()
	s.stop()
	path := filepath.Join(s.dir, "curfew.db")
	page := rootOfRuns(t, path)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string]func(b []byte) []byte{
		"a page in the middle": func(b []byte) []byte { copy(b[page:], strings.Repeat("garbage ", 512)); return b },
		"the first page":       func(b []byte) []byte { copy(b, strings.Repeat("garbage ", 512)); return b },
		"cut off":              func(b []byte) []byte { return b[:len(b)/2+100] },
	}
	for name, spoil := range damage {
		t.Run(name, func(t *testing.T) {
			bad := filepath.Join(t.TempDir(), "curfew.db")
			if err := os.WriteFile(bad, spoil(bytes.Clone(whole)), 0o600); err != nil {
				t.Fatal(err)
			}
			before := sum(t, bad)
			said := refused(t, bad, nil)
			if !strings.Contains(said, "restore it from a back-up") || !strings.Contains(said, bad) {
				t.Errorf("said %q, want the file and how to go on", said)
			}
			if sum(t, bad) != before {
				t.Error("the file was changed")
			}
		})
	}
}

// rootOfRuns returns the offset in the file of a page that is surely in use.
func rootOfRuns(t *testing.T, path string) (offset int64) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var size int64
	if err := errors.Join(db.QueryRow(`SELECT rootpage - 1 FROM sqlite_master WHERE name = 'runs'`).Scan(&offset), db.QueryRow(`PRAGMA page_size`).Scan(&size)); err != nil {
		t.Fatal(err)
	}
	return offset * size
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

func TestReadOnlyStateDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	var asNobody func(*exec.Cmd)
	if os.Getuid() == 0 { // root may write anywhere
		asNobody = func(cmd *exec.Cmd) {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
		for parent := filepath.Dir(dir); parent != "/" && parent != os.TempDir(); parent = filepath.Dir(parent) {
			if err := os.Chmod(parent, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	if said := refused(t, filepath.Join(dir, "curfew.db"), asNobody); !strings.Contains(said, "must exist and be writable") {
		t.Errorf("said %q, want it to say that the directory must be writable", said)
	}
}

func TestSecondDaemonOnOneDatabaseFileIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, "  - {name: evening, environments: [dev-00], stop: \"19:00\"}\n")
	s.start()
	if said := refused(t, filepath.Join(s.dir, "curfew.db"), nil); !strings.Contains(said, "another curfew is using it") {
		t.Errorf("said %q, want it to say that another curfew uses the file", said)
	}
	s.stop()
}
