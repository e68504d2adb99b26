package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/web/api"
)

// A notice is what a generic webhook gets.
type notice struct{ Title, Message string }

// An inbox is a receiver that keeps what it gets.
type inbox struct {
	url string // of curfew's file
	mu  sync.Mutex
	got []notice
}

// newInbox answers everything with a status.
func newInbox(t *testing.T, status int) *inbox {
	t.Helper()
	in := &inbox{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n notice
		if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
			t.Errorf("what a receiver gets is no message: %v", err)
		}
		in.mu.Lock()
		in.got = append(in.got, n)
		in.mu.Unlock()
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	in.url = strings.Replace(server.URL, "http://", "generic://", 1) + "/known-secret-in-the-path?template=json&disabletls=yes"
	return in
}

// about are the messages whose title has a text.
func (in *inbox) about(text string) []notice {
	in.mu.Lock()
	defer in.mu.Unlock()
	var list []notice
	for _, n := range in.got {
		if strings.Contains(n.Title, text) {
			list = append(list, n)
		}
	}
	return list
}

// withReceivers is a file with the receivers ops, which takes everything, and broken.
func (s *site) withReceivers(schedules string, ops, broken *inbox) string {
	s.t.Helper()
	s.write("ops-url", ops.url)
	s.write("broken-url", broken.url)
	return s.file(schedules) + `notify:
  - {name: ops, url: {file: ops-url}, on: [warning, failed, succeeded, override]}
  - {name: broken, url: {file: broken-url}}
`
}

// link returns a link of a warning by a pattern for its name.
func link(t *testing.T, n notice, name string) string {
	t.Helper()
	found := regexp.MustCompile(name + `: (\S+)`).FindStringSubmatch(n.Message)
	if found == nil {
		t.Fatalf("the message has no link %q:\n%s", name, n.Message)
	}
	return found[len(found)-1]
}

// follow posts the form of a link as a browser does, and returns the status and the page.
func follow(t *testing.T, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", at.Scheme+"://"+at.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(page)
}

// A stop is warned of, a mail scanner opens every link, a person keeps the environment by
// one of them, and a receiver that is down is seen everywhere.
func TestWarningCarriesLinksThatKeepTheEnvironment(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	ops, broken := newInbox(t, http.StatusOK), newInbox(t, http.StatusInternalServerError)
	at, cron := nextMinute(90 * time.Second)
	schedules := fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q, warn: 1m}\n", cron)
	s := newSite(t, schedules)
	s.write("schedules.yaml", s.withReceivers(schedules, ops, broken))
	public := s.publish()
	s.start()
	s.until("the stop is warned of", func() bool { return len(ops.about("dev-00 stops at")) == 1 })
	warning := ops.about("dev-00 stops at")[0]
	keep, skip := link(t, warning, "Keep 1 h more"), link(t, warning, "Skip (tonight|this stop)")

	for range 2 { // a scanner
		if page := s.get(strings.TrimPrefix(keep, public)); !strings.Contains(page, "Keep running 1 hour longer") {
			t.Errorf("the page of the link is\n%s", page)
		}
	}
	if list := s.overrides(); len(list) != 0 {
		t.Errorf("overrides = %+v after the links were read, want none", list)
	}
	if status, page := follow(t, keep); status != http.StatusOK || !strings.Contains(page, "dev-00") {
		t.Errorf("following the link answers %d:\n%s", status, page)
	}
	if status, page := follow(t, keep); status != http.StatusConflict || !strings.Contains(page, "used already") {
		t.Errorf("following it again answers %d:\n%s", status, page)
	}
	list := s.overrides()
	if len(list) != 1 || list[0].By != "link:ops" || !list[0].Until.Equal(at.Add(time.Hour)) {
		t.Errorf("overrides = %+v, want one by link:ops until an hour after the stop", list)
	}
	if audit := s.curfew("audit"); !strings.Contains(audit, "link:ops") {
		t.Errorf("curfew audit prints\n%s", audit)
	}
	if page := s.get(strings.TrimPrefix(skip, public)); !strings.Contains(page, "Skip ") {
		t.Errorf("the page of another link of the message is\n%s", page)
	}
	s.until("the stop was twenty seconds ago", func() bool { return time.Since(at) > 20*time.Second })
	if n := s.sim.Accepted("", lcssim.Any); n != 0 {
		t.Errorf("LCS carried out %d operations, want none: the environment is kept", n)
	}
	s.showsBroken()
	showsNone(t, map[string]string{"the log": s.log.String(), "status": s.curfew("status"), "the page": s.get("/health"), "the API": s.get("/api/v1/receivers")}, []string{"known-secret-in-the-path"})
	s.stop()
}

// showsBroken reads of the receiver that is down wherever people read.
func (s *site) showsBroken() {
	s.t.Helper()
	if status := s.curfew("status"); !strings.Contains(status, "notices to broken do not arrive") {
		s.t.Errorf("curfew status prints\n%s", status)
	}
	if page := s.get("/"); !strings.Contains(page, "broken") {
		s.t.Errorf("the page has no banner about the receiver:\n%s", page)
	}
	if n := s.metric(`curfew_notices_total{receiver="broken",result="retried"}`); n == "0" {
		s.t.Error("no try is counted as retried")
	}
}

func (s *site) overrides() []api.Override {
	s.t.Helper()
	return items[api.Override](s, "overrides")
}

func TestNotifyTestSaysWhatEachReceiverAnswers(t *testing.T) {
	t.Parallel()
	ops, broken := newInbox(t, http.StatusOK), newInbox(t, http.StatusInternalServerError)
	s := newSite(t, never())
	s.write("schedules.yaml", s.withReceivers(never(), ops, broken))
	test := func(args ...string) (int, string) {
		var out, errs bytes.Buffer
		e := env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(string) string { return "" }}
		code := run(t.Context(), e, append([]string{"--config", filepath.Join(s.dir, "schedules.yaml"), "notify", "test"}, args...))
		return code, out.String() + errs.String()
	}
	if code, said := test("ops"); code != exitDone || strings.Contains(said, "not delivered") || strings.Count(said, "\n") != len(ops.about("")) {
		t.Errorf("notify test ops exits with %d after %d messages:\n%s", code, len(ops.about("")), said)
	}
	code, said := test()
	if code != exitFailed || !strings.Contains(said, `broken: notice "failed" not delivered: `) || !strings.Contains(said, `ops: notice "succeeded" accepted`) || strings.Contains(said, "summary") || strings.Contains(said, "known-secret-in-the-path") {
		t.Errorf("notify test exits with %d:\n%s", code, said)
	}
	if code, said := test("nobody"); code != exitUsage || !strings.Contains(said, "want ops or broken") {
		t.Errorf("notify test nobody exits with %d:\n%s", code, said)
	}
}
