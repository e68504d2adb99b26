package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"curfew/scheduler/web/api"
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

func TestBadFileLeavesTheOldOneActive(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.write("schedules.yaml", "version: 1\ntimezone: Mars\nschedules: [{}]\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.logged("the old one stays active")
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

func TestWarningsOfAFileFollowItsLoad(t *testing.T) {
	t.Parallel()
	over := func(date string) string {
		return never() + "exceptions:\n  - {environments: [dev-00], date: " + date + ", keep: stopped}\n"
	}
	s := newSite(t, over("2020-12-24"))
	s.start()
	s.logged("the exception ended at 2020-12-25")
	s.write("schedules.yaml", s.file(over("2021-12-24")))
	s.logged("the exception ended at 2021-12-25")
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
	var p api.Problem
	_ = json.NewDecoder(res.Body).Decode(&p)
	return res.StatusCode, p.Detail
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
	if status, body := s.post("/-/reload", next); status != http.StatusUnauthorized {
		t.Errorf("with the file gone: %d %s, want 401: a token that was taken away is not valid", status, body)
	}
	s.logged("the API token cannot be used; no token is accepted until it can")
	s.write("api-token", next)
	if status, body := s.post("/-/reload", next); status != http.StatusOK {
		t.Errorf("with the file back: %d %s, want 200 at once", status, body)
	}
	s.api = next
	showsNone(t, s.shown(), []string{e2eAPI, next})
}

func TestRefusedFileShowsInStatus(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	if out := s.curfew("status"); strings.Contains(out, "refused") {
		t.Errorf("with a good file, curfew status printed %s", out)
	}
	s.write("schedules.yaml", strings.Replace(s.file(never()), "timezone:", "timezoned:", 1))
	s.logged("the schedule file was not loaded")
	if out := strings.Join(strings.Fields(s.curfew("status")), " "); !strings.Contains(out, "The schedule file was refused on ") || !strings.Contains(out, "schedules.yaml:2:1: ") || !strings.Contains(out, "dev-00") {
		t.Errorf("with a bad file, curfew status printed %s", out)
	}
	s.write("schedules.yaml", s.file(never()))
	s.logged("schedule file loaded")
	if out := s.curfew("status"); strings.Contains(out, "refused") {
		t.Errorf("with the good file again, curfew status printed %s", out)
	}
	s.stop()
}

// Each reload is audited: who or what caused it, and what changed.
func TestReloadIsAudited(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	extra := func(name string) string {
		return s.file(never() + "  - {name: " + name + ", environments: [dev-00], start: \"0 0 30 1 *\"}\n")
	}
	for i, way := range []struct {
		reload           func()
		by, from, change string
	}{
		{func() { s.write("schedules.yaml", extra("first")) }, "schedule", "file", "schedules added: first"},
		{func() {
			if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
		}, "schedule", "SIGHUP", "no environment, schedule or fire differs"},
		{func() {
			if status, _ := s.post("/-/reload", e2eAPI); status != http.StatusOK {
				t.Errorf("reload = %d", status)
			}
		}, "token", "127.0.0.1", "no environment, schedule or fire differs"},
	} {
		way.reload()
		var list struct{ Items []api.AuditEntry }
		s.until("the reload is audited", func() bool {
			if err := json.Unmarshal([]byte(s.get("/api/v1/audit")), &list); err != nil {
				t.Fatal(err)
			}
			return len(list.Items) > i
		})
		e := list.Items[0]
		if e.Action != "reload" || e.By != way.by || !strings.HasPrefix(e.From, way.from) || e.After == nil || !strings.Contains(*e.After, way.change) {
			t.Errorf("the audit has %+v, want a reload by %s from %s: %s", e, way.by, way.from, way.change)
		}
	}
	s.stop()
}
