package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/store/pgtest"
)

// newPostgres is a server of its own, and the name of an empty database on it.
func newPostgres(t *testing.T) (*pgtest.Server, string) {
	t.Helper()
	server, err := pgtest.Start(t.Context())
	if err != nil {
		if os.Getenv("CI") == "" && strings.Contains(err.Error(), pgtest.ErrAbsent.Error()) {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	name, err := server.Create(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return server, name
}

func TestLostDatabaseHoldsCallsAndLosesNothing(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	server, name := newPostgres(t)
	dsn := server.URL(name, "")
	at, cron := nextMinute(20 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	s.db = dsn
	s.start()
	s.ready(http.StatusOK)
	s.ticked()
	if err := server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusServiceUnavailable)
	s.until("the fire was five seconds ago", func() bool { return time.Since(at) > 5*time.Second })
	if n := s.sim.Accepted("", lcssim.Any); n != 0 {
		t.Errorf("LCS carried out %d operations while the database was down, want none", n)
	}
	// A file that changes meanwhile is loaded when the database is back.
	s.write("schedules.yaml", s.file(fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n  - {name: new, environments: [dev-01], stop: \"19:00\"}\n", cron)))
	s.until("the new file is refused", func() bool { return s.metric("curfew_config_last_reload_successful") == "0" })
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusOK)
	if runs := s.finished(1); len(runs) != 1 || runs[0].State != "succeeded" || len(runs[0].Attempts) != 1 {
		t.Errorf("runs = %+v, want the stop, succeeded with one call", runs)
	}
	s.until("the new file is active", func() bool { return s.metric("curfew_config_last_reload_successful") == "1" })
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	password, _ := address.User.Password()
	if strings.Contains(s.log.String(), password) {
		t.Error("the log shows the password of the database")
	}
	s.stop()
}

// ticked waits until the engine has recorded the rules of the file and ticked.
func (s *site) ticked() {
	s.t.Helper()
	s.until("the engine has ticked", func() bool { return s.metric("curfew_last_tick_timestamp_seconds") != "0" })
}

// ready waits until the daemon's readiness is what is wanted.
func (s *site) ready(status int) {
	s.t.Helper()
	s.until(fmt.Sprintf("/readyz answers %d", status), func() bool {
		res, err := http.Get("http://" + s.listen + "/readyz")
		if err != nil {
			return false
		}
		_ = res.Body.Close()
		return res.StatusCode == status
	})
}

func TestDatabaseThatCannotBeUsedIsReportedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	for name, dsn := range map[string]string{
		"nobody listens":   "postgres://curfew:known-password-77@127.0.0.1:1/curfew",
		"a broken address": "postgres://curfew:known-password-77@127.0.0.1:x/curfew",
	} {
		said := refused(t, dsn, nil)
		if strings.Contains(said, "known-password-77") || !strings.Contains(said, "open database") {
			t.Errorf("%s: said %q, want the reason and no password", name, said)
		}
	}
}

// refused starts the daemon on a database that it cannot use, as another user if runAs makes it one.
func refused(t *testing.T, database string, runAs func(*exec.Cmd)) string {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, "  - {name: evening, environments: [dev-00], stop: \"19:00\"}\n")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--config", filepath.Join(s.dir, "schedules.yaml"), "serve", "--listen", "127.0.0.1:0", "--database", database)
	if runAs != nil {
		runAs(cmd)
		for _, place := range []string{filepath.Dir(path), path, s.dir, filepath.Join(s.dir, "schedules.yaml"), filepath.Dir(s.dir)} {
			if err := os.Chmod(place, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != exitFailed {
		t.Fatalf("serve = %v, want exit code 1\n%s", err, &stderr)
	}
	return stderr.String()
}
