package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// backup runs the built binary's backup command, and returns its exit code and what it said.
func (s *site) backup(args ...string) (int, string) {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(path, append([]string{"backup", "--database", filepath.Join(s.dir, "curfew.db")}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func TestBackupOfARunningDaemonIsRestored(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.curfew("stop", "dev-00", "--wait")
	file := filepath.Join(t.TempDir(), "copy.db")
	if code, said := s.backup(file); code != 0 || !strings.Contains(said, file) {
		t.Fatalf("backup exited %d: %s", code, said)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy is %v, %v; want it readable by its owner alone", info, err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, said := s.backup(file); code != exitFailed || !strings.Contains(said, "exists already") {
		t.Errorf("backup to a file that exists exited %d: %s", code, said)
	}
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file that existed was changed (%v)", err)
	}
	if code, said := s.backup("--restore", file); code != exitFailed || !strings.Contains(said, "another curfew is using it") || !strings.HasSuffix(said, "; stop that one\n") {
		t.Errorf("restore next to the daemon exited %d: %s", code, said)
	}
	s.curfew("start", "dev-00") // what the copy does not have
	s.kill()                    // and leaves its -wal file
	wal := filepath.Join(s.dir, "curfew.db-wal")
	if info, err := os.Stat(wal); err != nil || info.Size() == 0 {
		t.Fatalf("the killed daemon left no -wal file: %v", err)
	}
	code, said := s.backup("--restore", file)
	if code != 0 {
		t.Fatalf("restore exited %d: %s", code, said)
	}
	if _, err := os.Stat(wal); err == nil {
		t.Error("the -wal file of the old database is still there")
	}
	s.start()
	if runs := s.runs(); len(runs) != 1 || runs[0].Action != "stop" || runs[0].State != "succeeded" {
		t.Errorf("after the restore the runs are %+v, want the stop alone", runs)
	}
	s.stop()
	old, err := filepath.Glob(filepath.Join(s.dir, "curfew.db.before-*Z"))
	if err != nil || len(old) != 1 {
		t.Fatalf("old databases = %v, %v; want one", old, err)
	}
	if code, said := s.backup("--restore", old[0]); code != 0 {
		t.Fatalf("restore of the old database exited %d: %s", code, said)
	}
	s.start()
	if runs := s.runs(); len(runs) != 2 {
		t.Errorf("the database that was moved aside has the runs %+v, want both: its -wal is part of it", runs)
	}
	s.stop()
}

func TestKillOfTheDaemonDuringABackupDamagesNeither(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.curfew("stop", "dev-00", "--wait")
	type result struct {
		code       int
		said, file string
	}
	results := make(chan result)
	const copies = 8
	for i := range copies {
		go func() {
			file := filepath.Join(s.dir, fmt.Sprintf("copy-%d.db", i))
			code, said := s.backup(file)
			results <- result{code, said, file}
		}()
	}
	first := <-results // the others are on their way
	s.kill()
	list := []result{first}
	for range copies - 1 {
		list = append(list, <-results)
	}
	for _, r := range list {
		if r.code != 0 {
			t.Errorf("backup exited %d: %s", r.code, r.said)
		}
	}
	s.start() // the database is sound, or the daemon would refuse it
	if runs := s.runs(); len(runs) != 1 {
		t.Errorf("runs = %+v, want one", runs)
	}
	s.stop()
	if code, said := s.backup("--restore", list[copies-1].file); code != 0 {
		t.Fatalf("restore exited %d: %s", code, said)
	}
	s.start()
	if runs := s.runs(); len(runs) != 1 {
		t.Errorf("after the restore the runs are %+v, want one", runs)
	}
	s.stop()
	if left, _ := filepath.Glob(filepath.Join(s.dir, "*.partial")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}

func TestRestoreRefusesWhatIsNoBackup(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.write("noise", strings.Repeat("noise", 10_000))
	s.write("empty", "")
	s.start()
	s.stop()
	before, err := os.ReadFile(filepath.Join(s.dir, "curfew.db"))
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"noise": "damaged or is no database", "empty": "no database of curfew's", "nobody": "no such file"} {
		if code, said := s.backup("--restore", filepath.Join(s.dir, file)); code != exitFailed || !strings.Contains(said, want) || !strings.Contains(said, "nothing was changed") {
			t.Errorf("restore of %s exited %d: %s", file, code, said)
		}
	}
	if after, err := os.ReadFile(filepath.Join(s.dir, "curfew.db")); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the database was changed (%v)", err)
	}
	if code, said := s.backup("--database", "postgres://curfew@127.0.0.1/curfew", filepath.Join(s.dir, "x")); code != exitUsage || !strings.Contains(said, "pg_dump") {
		t.Errorf("backup of PostgreSQL exited %d: %s", code, said)
	}
}
