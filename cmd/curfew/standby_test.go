package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// second is another daemon on the database of s, which stands by.
func (s *site) second() *site {
	s.t.Helper()
	other := newSite(s.t, never())
	other.db, other.started = filepath.Join(s.dir, "curfew.db"), "another process uses the database; this one stands by"
	other.start()
	return other
}

func TestProcessThatStandsByIsHealthyAndReadsOnly(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.curfew("stop", "dev-00", "--wait")
	other := s.second()
	other.until("it stands by", func() bool { return strings.TrimSpace(other.get("/readyz")) == "standby" })
	if got := strings.TrimSpace(other.get("/healthz")); got != "standby" {
		t.Errorf("/healthz = %q, want standby", got)
	}
	if runs := other.runs(); len(runs) != 1 || runs[0].Action != "stop" {
		t.Errorf("runs = %+v, want the one of the active process", runs)
	}
	if page := other.get("/"); !strings.Contains(page, "This process stands by.") {
		t.Error("the page does not say that the process stands by")
	}
	for _, path := range []string{"/api/v1/environments/dev-00/start", "/api/v1/reload", "/-/reload", "/api/v1/overrides"} {
		status, said := other.within("POST", path)
		if status != http.StatusServiceUnavailable || !strings.Contains(said, "this process stands by") || !strings.Contains(said, s.listen) {
			t.Errorf("POST %s = %d %s, want 503 and the active process, %s", path, status, said, s.listen)
		}
	}
	if got := other.curfew("status"); !strings.Contains(got, "This process stands by") {
		t.Errorf("status of the one that stands by = %s", got)
	}
	if got := s.curfew("status"); !strings.Contains(got, "Another process stands by") {
		t.Errorf("status of the active one = %s", got)
	}
	if got := other.metric("curfew_standby"); got != "1" {
		t.Errorf("curfew_standby = %s, want 1", got)
	}
	s.until("the active process has seen the other one", func() bool { return s.metric("curfew_standby_waiting") == "1" })
	if !strings.Contains(s.log.String(), "another process stands by") {
		t.Error("the log of the active process does not say that another one stands by")
	}
	s.stop()
	other.until("it took over", func() bool { return strings.TrimSpace(other.get("/healthz")) == "ok" })
	other.curfew("start", "dev-00", "--wait")
	if runs := other.runs(); len(runs) != 2 {
		t.Errorf("runs = %+v, want both", runs)
	}
	other.stop()
}

func TestDatabaseDeletedUnderADaemonIsSavedAndReported(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.curfew("stop", "dev-00", "--wait")
	path := filepath.Join(s.dir, "curfew.db")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := s.wait(); err == nil || s.cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("the daemon ended with %v, want exit code 1", err)
	}
	if !strings.Contains(s.log.String(), "was deleted or moved away while it was in use") {
		t.Errorf("the daemon does not say why it ended:\n%s", s.log)
	}
	saved, err := filepath.Glob(path + ".saved-*Z")
	if err != nil || len(saved) != 1 {
		t.Fatalf("saved = %v, %v; want one copy", saved, err)
	}
	if code, said := s.backup("--restore", saved[0]); code != 0 {
		t.Fatalf("restore exited %d: %s", code, said)
	}
	s.start()
	if runs := s.runs(); len(runs) != 1 || runs[0].State != "succeeded" {
		t.Errorf("runs = %+v, want the one from before", runs)
	}
	s.stop()
}

func TestDaemonThatStartsBeforePostgreSQLWaitsForIt(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	server, name := newPostgres(t)
	if err := server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, never())
	s.db, s.started = server.URL(name, ""), "opening the database failed; retrying"
	s.start()
	if status, said := s.within("GET", "/readyz"); status != http.StatusServiceUnavailable || !strings.Contains(said, "the database does not answer") {
		t.Errorf("/readyz = %d %s, want 503 and the reason", status, said)
	}
	if status, said := s.within("GET", "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz = %d %s, want 200", status, said)
	}
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusOK)
	s.stop()
}
