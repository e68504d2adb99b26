package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/store/pgtest"
	"curfew/scheduler/web"
)

// never is a schedule that has no fire while a test lasts.
func never() string {
	far := time.Now().UTC().Add(12 * time.Hour)
	return fmt.Sprintf("  - {name: night, environments: [dev-00, dev-01], stop: \"%d %d * * *\"}\n", far.Minute(), far.Hour())
}

// metric reads one value of /metrics.
func (s *site) metric(name string) string {
	s.t.Helper()
	for line := range strings.SplitSeq(s.get("/metrics"), "\n") {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return value
		}
	}
	s.t.Fatalf("there is no metric %s", name)
	return ""
}

func TestFileIsLoadedAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	ways := map[string]func(s *site, text string){
		"written in place": func(s *site, text string) { s.write("schedules.yaml", text) },
		"replaced, as editors do": func(s *site, text string) {
			s.write("new", text)
			if err := os.Rename(filepath.Join(s.dir, "new"), filepath.Join(s.dir, "schedules.yaml")); err != nil {
				s.t.Fatal(err)
			}
		},
		"a link that is swapped, as Kubernetes does": func(s *site, text string) {
			dir := filepath.Join(s.dir, "..2026")
			if err := os.Mkdir(dir, 0o755); err != nil {
				s.t.Fatal(err)
			}
			s.write("..2026/schedules.yaml", text)
			s.write("..2026/token", e2eToken)
			if err := os.Symlink(dir, filepath.Join(s.dir, "..data_tmp")); err != nil {
				s.t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(s.dir, "..data_tmp"), filepath.Join(s.dir, "..data")); err != nil {
				s.t.Fatal(err)
			}
		},
	}
	for name, change := range ways {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, never())
			if strings.Contains(name, "Kubernetes") {
				s.mountAsConfigMap()
			}
			s.start()
			change(s, s.file(strings.Replace(never(), "night", "renamed", 1)))
			s.logged("schedule file loaded")
			if fires := s.get("/api/v1/fires"); !strings.Contains(fires, `"schedule":"renamed"`) {
				t.Errorf("fires = %s, want those of the new file", fires)
			}
			if n := len(s.runs()); n != 0 {
				t.Errorf("loading the file made %d runs, want none", n)
			}
			s.stop()
		})
	}
}

// mountAsConfigMap has the file be a link to one in a folder that a link names.
func (s *site) mountAsConfigMap() {
	s.t.Helper()
	first := filepath.Join(s.dir, "..2025")
	if err := os.Mkdir(first, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for _, name := range []string{"schedules.yaml", "token"} {
		path := filepath.Join(s.dir, name)
		if err := os.Rename(path, filepath.Join(first, name)); err != nil {
			s.t.Fatal(err)
		}
		if err := os.Symlink(filepath.Join("..data", name), path); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := os.Symlink(first, filepath.Join(s.dir, "..data")); err != nil {
		s.t.Fatal(err)
	}
}

func TestBadFileLeavesTheOldOneInForce(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.write("schedules.yaml", "version: 1\ntimezone: Mars\nschedules: [{}]\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.logged("the old one stays in force")
	if got := s.metric("curfew_config_last_reload_successful"); got != "0" {
		t.Errorf("curfew_config_last_reload_successful = %s, want 0", got)
	}
	if log := s.log.String(); !strings.Contains(log, "Mars") || !strings.Contains(log, "schedules.yaml:3:") {
		t.Errorf("the log does not name every error of the file:\n%s", log)
	}
	if fires := s.get("/api/v1/fires"); !strings.Contains(fires, `"schedule":"night"`) {
		t.Errorf("fires = %s, want those of the old file", fires)
	}
	if status, body := s.post("/-/reload", e2eAPI); status != http.StatusUnprocessableEntity || !strings.Contains(body, "schedules.yaml:2:11: unknown time zone") {
		t.Errorf("reload = %d %s, want 422 with the errors", status, body)
	}
	s.write("schedules.yaml", s.file(never()))
	s.until("the file is well again", func() bool { return s.metric("curfew_config_last_reload_successful") == "1" })
	if status, _ := s.post("/api/v1/reload", ""); status != http.StatusUnauthorized {
		t.Errorf("reload without a token = %d, want 401", status)
	}
	s.stop()
}

func (s *site) post(path, token string) (int, string) {
	s.t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+s.listen+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	var p web.Problem
	_ = json.NewDecoder(res.Body).Decode(&p)
	return res.StatusCode, p.Detail
}

func TestCommandsThatChangeSomething(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	if out := s.curfew("stop", "dev-00", "--wait"); !strings.Contains(out, "succeeded") {
		t.Errorf("curfew stop --wait printed %s", out)
	}
	if got := s.sim.State(e2eID(0)); got != lcssim.Stopped {
		t.Errorf("after curfew stop --wait dev-00 is %s, want Stopped", got)
	}
	var made []web.Override
	if err := json.Unmarshal([]byte(s.curfew("keep", "dev-01", "--running", "--for", "2h", "--reason", "a demo", "-o", "json")), &made); err != nil || len(made) != 1 {
		t.Fatalf("curfew keep made %+v, %v", made, err)
	}
	s.until("the override has started dev-01", func() bool { return s.sim.State(e2eID(1)) == lcssim.Finished })
	if out := s.curfew("overrides"); !strings.Contains(out, made[0].ID) || !strings.Contains(out, "active") || !strings.Contains(out, "a demo") {
		t.Errorf("curfew overrides printed %s", out)
	}
	s.kill()
	s.start() // an override outlives the process
	if out := s.curfew("release", made[0].ID); !strings.Contains(out, "released") {
		t.Errorf("curfew release printed %s", out)
	}
	s.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
	var runs []web.Run
	if err := json.Unmarshal([]byte(s.curfew("stop", "dev-01", "-o", "json")), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("curfew stop made %+v, %v", runs, err)
	}
	if out := s.curfew("cancel", runs[0].ID); !strings.Contains(out, "canceled") {
		t.Errorf("curfew cancel printed %s", out)
	}
	s.stop()
}

func TestLargeStopOfTheBinaryWaitsForAnApproval(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	_, cron := nextMinute(15 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00, dev-01], stop: %q}\ndefaults: {max_stops_per_fire: 1}\n", cron))
	s.sim.Set(e2eID(1), lcssim.Finished)
	s.start()
	s.logged("waits for an approval")
	runs := s.runs()
	if n := s.sim.Accepted("", lcssim.Any); n != 0 || len(runs) != 2 || runs[0].State != "queued" {
		t.Errorf("before the approval LCS carried out %d stops and the runs are %+v", n, runs)
	}
	s.curfew("approve", runs[0].ID)
	for _, r := range s.finished(2) {
		if r.State != "succeeded" {
			t.Errorf("after the approval %s is %s", r.Environment, r.State)
		}
	}
	s.stop()
}

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
	s.until("the schedules are known", func() bool { return s.metric("curfew_last_tick_timestamp_seconds") != "0" })
	if err := server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusServiceUnavailable)
	s.until("the fire was five seconds ago", func() bool { return time.Since(at) > 5*time.Second })
	if n := s.sim.Accepted("", lcssim.Any); n != 0 {
		t.Errorf("LCS carried out %d operations while the database was away, want none", n)
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
	s.until("the new file is in force", func() bool { return s.metric("curfew_config_last_reload_successful") == "1" })
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

func TestDatabaseThatCannotBeUsedIsToldWithoutItsPassword(t *testing.T) {
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

func TestRotatedAPITokenNeedsNoRestart(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.write("api-token", e2eAPI+"\n")
	s.env = append(s.env, "CURFEW_API_TOKEN=", "CURFEW_API_TOKEN_FILE="+filepath.Join(s.dir, "api-token"))
	s.start()
	const next = "another-api-token-5544"
	for _, now := range []string{e2eAPI, next} {
		s.write("api-token", now)
		for _, token := range []string{e2eAPI, next} {
			want := http.StatusUnauthorized
			if token == now {
				want = http.StatusOK
			}
			if status, body := s.post("/-/reload", token); status != want {
				t.Errorf("with the token %.5s… while the file holds %.5s…: %d %s, want %d", token, now, status, body, want)
			}
		}
	}
	if err := os.Remove(filepath.Join(s.dir, "api-token")); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.post("/-/reload", next); status != http.StatusOK {
		t.Errorf("with the file gone: %d, want the last token to stand", status)
	}
	showsNone(t, s.shown(), []string{e2eAPI, next})
}
