package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"curfew/internal/freeport"
	"curfew/lcs/lcssim"
	"curfew/scheduler/web/api"
)

const (
	e2eProject = 1234567
	e2eToken   = "known-token-0123456789"
	e2eAPI     = "known-api-token-987654"
	patience   = 8 * time.Minute // above LCS's five minutes between two calls on an environment
)

// binary is the built curfew, the one that users run.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "curfew-e2e-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "curfew")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, out)
	}
	return path, nil
})

// A site is one daemon on its own simulated LCS behind a real socket.
type site struct {
	t        *testing.T
	sim      *lcssim.Sim
	dir      string
	path     string   // of another binary than the one that users run
	db       string   // the database; a file in dir when ""
	more     []string // arguments of serve
	env      []string // in addition to its own environment
	api      string   // the token that commands send, when it is not the first one
	listen   string
	started  string // how the line of the log begins by which it is known to listen; "curfew started" when ""
	endpoint string
	cmd      *exec.Cmd
	wait     func() error
	log      *lockedBuffer
	// hook sees each request before it is answered and after.
	mu   sync.Mutex
	hook func(r *http.Request, done bool)
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// newSite has one environment that runs, and a file that stops it at the next
// minute that is far enough away.
func newSite(t *testing.T, schedules string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), log: &lockedBuffer{}}
	s.sim = lcssim.New(lcssim.Options{StartTime: 2 * time.Second, StopTime: 2 * time.Second, Tokens: []string{e2eToken}})
	for i := range 2 {
		s.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(i), Name: fmt.Sprintf("LCS %d", i), State: []lcssim.State{lcssim.Finished, lcssim.Stopped}[i]})
	}
	inner := s.sim.Handler()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.observe(r, false)
		// The answer leaves only after the hook has seen that LCS has carried it out.
		rec := httptest.NewRecorder()
		inner.ServeHTTP(rec, r)
		s.observe(r, true)
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	s.endpoint = server.URL
	s.write("token", e2eToken)
	s.write("schedules.yaml", s.file(schedules))
	t.Cleanup(s.kill)
	return s
}

// file is a schedule file with these schedules.
func (s *site) file(schedules string) string {
	return fmt.Sprintf(`version: 1
timezone: UTC
accounts: [{name: main, mode: static, token: {file: token}}]
projects: [{name: contoso, id: %d, account: main, endpoint: "%s"}]
environments:
  - {name: dev-00, project: contoso, id: %s}
  - {name: dev-01, project: contoso, id: %s}
schedules:
%s`, e2eProject, s.endpoint, e2eID(0), e2eID(1), schedules)
}

func e2eID(i int) string { return fmt.Sprintf("55eb4327-9346-4c7b-82bd-%012d", i) }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) observe(r *http.Request, done bool) {
	s.mu.Lock()
	hook := s.hook
	s.mu.Unlock()
	if hook != nil {
		hook(r, done)
	}
}

func (s *site) onRequest(f func(r *http.Request, done bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hook = f
}

// start runs the daemon and waits until it says that it listens.
func (s *site) start() {
	s.t.Helper()
	path, err := binary()
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := exec.Command(cmp.Or(s.path, path), append([]string{
		"--config", filepath.Join(s.dir, "schedules.yaml"), "serve", "--listen", "127.0.0.1:0",
		"--database", cmp.Or(s.db, filepath.Join(s.dir, "curfew.db")), "--log-level", "debug", "--log-format", "json",
	}, s.more...)...)
	cmd.Env = append(append(os.Environ(), "CURFEW_API_TOKEN="+e2eAPI), s.env...)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	listening := make(chan string, 1)
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		s.follow(stderr, listening)
	}()
	s.cmd, s.wait = cmd, sync.OnceValue(func() error { <-drained; return cmd.Wait() })
	select {
	case s.listen = <-listening:
	case <-drained:
		s.t.Fatalf("the daemon ended: %v\n%s", s.wait(), s.log)
	}
}

// follow keeps the log and picks the address out of it.
func (s *site) follow(r io.Reader, listening chan<- string) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		_, _ = s.log.Write(append(lines.Bytes(), '\n'))
		var line struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && strings.HasPrefix(line.Msg, cmp.Or(s.started, "curfew started")) {
			select {
			case listening <- line.Listen:
			default: // it is known already
			}
		}
	}
}

// kill ends the daemon as kill -9 does.
func (s *site) kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill()
		_ = s.wait()
	}
}

// stop ends the daemon as an orchestrator does.
func (s *site) stop() {
	s.t.Helper()
	began := time.Now()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	if err := s.wait(); err != nil {
		s.t.Errorf("after SIGTERM: %v, want exit code 0", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		s.t.Errorf("the daemon took %v to stop, want 10 s at most", took)
	}
}

// get reads an address of the daemon.
func (s *site) get(path string) string {
	s.t.Helper()
	res, err := http.Get("http://" + s.listen + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s = %d, %v: %s\n%s", path, res.StatusCode, err, b, s.log)
	}
	return string(b)
}

// within makes a request with the token, which must be answered soon.
func (s *site) within(method, path string) (status int, said string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, "http://"+s.listen+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+e2eAPI)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(b)
}

// items reads a list of the API.
func items[T any](s *site, list string) []T {
	s.t.Helper()
	var page api.List[T]
	if err := json.Unmarshal([]byte(s.get("/api/v1/"+list)), &page); err != nil {
		s.t.Fatal(err)
	}
	return page.Items
}

func (s *site) runs() []api.Run {
	s.t.Helper()
	return items[api.Run](s, "runs")
}

// publish has the daemon listen where people reach it, and returns that address.
func (s *site) publish() string {
	s.t.Helper()
	port, err := freeport.Pick(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	s.more = []string{"--listen", address, "--public-url", "http://" + address}
	return "http://" + address
}

// finished waits until n runs are at their end, and returns them.
func (s *site) finished(n int) []api.Run {
	s.t.Helper()
	var runs []api.Run
	s.until(fmt.Sprintf("%d runs are at their end", n), func() bool {
		done := 0
		runs = s.runs()
		for _, r := range runs {
			if r.FinishedAt != nil {
				done++
			}
		}
		return done >= n
	})
	return runs
}

// calledOnce fails the test unless LCS accepted one call and throttled none.
func (s *site) calledOnce() {
	s.t.Helper()
	if n := s.sim.Accepted("", lcssim.Any); n != 1 {
		s.t.Errorf("LCS carried out %d operations, want 1", n)
	}
	if n := s.sim.Throttled(); n != 0 {
		s.t.Errorf("LCS answered 429 %d times, want never", n)
	}
}

// nextMinute returns the next whole minute that is at least ahead away, and the
// cron expression that fires then.
func nextMinute(ahead time.Duration) (time.Time, string) {
	at := time.Now().Add(ahead + time.Minute).UTC().Truncate(time.Minute)
	return at, fmt.Sprintf("%d %d * * *", at.Minute(), at.Hour())
}

func TestBinaryStopsAndStartsAndProvesIt(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	at, cron := nextMinute(15 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n  - {name: morning, environments: [dev-01], start: %q}\n", cron, cron))
	s.start()
	runs := s.finished(2)
	history := s.history()
	for _, r := range runs {
		if r.State != "succeeded" || r.OperationActivityID == nil || !r.FireAt.Equal(at) || len(r.Attempts) != 1 {
			t.Errorf("run = %+v, want it succeeded at its first attempt", r)
			continue
		}
		for place, text := range map[string]string{"the log": s.log.String(), "curfew history": history} {
			if !strings.Contains(text, *r.OperationActivityID) {
				t.Errorf("%s does not name the activity id %s of %s", place, *r.OperationActivityID, r.Environment)
			}
		}
	}
	if stopped, started := s.sim.State(e2eID(0)), s.sim.State(e2eID(1)); stopped != lcssim.Stopped || started != lcssim.Finished {
		t.Errorf("LCS shows %s and %s, want Stopped and Finished", stopped, started)
	}
	for _, r := range s.sim.Requests() {
		if r.MSVersion != "2017-09-15" || r.ContentType != "application/json" || r.Verb != lcssim.Metadata && r.ContentLength != 0 {
			t.Errorf("request on the wire = %+v", r)
		}
	}
	s.stop()
}

// history is what `curfew history` prints, with all there is of each run.
func (s *site) history() string {
	s.t.Helper()
	return s.curfew("history") + s.curfew("history", "-o", "json")
}

// curfew runs a command that talks to the daemon, and returns what it prints.
func (s *site) curfew(args ...string) string {
	s.t.Helper()
	var out, errs bytes.Buffer
	given := map[string]string{"CURFEW_SERVER": "http://" + s.listen, "CURFEW_API_TOKEN": cmp.Or(s.api, e2eAPI)}
	e := env{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(name string) string { return given[name] }}
	if code := run(s.t.Context(), e, args); code != exitDone {
		s.t.Fatalf("curfew %v exited %d: %s", args, code, &errs)
	}
	return out.String()
}

// logged waits until the log says something.
func (s *site) logged(text string) {
	s.t.Helper()
	s.until("the log says "+text, func() bool { return strings.Contains(s.log.String(), text) })
}

// until checks again and again, for as long as patience lasts.
func (s *site) until(what string, is func() bool) {
	s.t.Helper()
	check := time.NewTicker(50 * time.Millisecond)
	defer check.Stop()
	for end := time.Now().Add(patience); !is(); <-check.C {
		if time.Now().After(end) {
			s.t.Fatalf("not within %v: %s\n%s", patience, what, s.log)
		}
	}
}

func TestBinaryKilledAroundAFireMakesOneAcceptedCall(t *testing.T) {
	t.Parallel()
	post := func(r *http.Request) bool { return r.Method == http.MethodPost }
	meta := func(r *http.Request) bool { return r.Method == http.MethodGet }
	tests := []struct {
		name    string
		after   time.Duration            // from the fire, when seen is nil
		seen    func(*http.Request) bool // the first such request after the fire
		done    bool                     // when LCS has carried it out, else when it arrives
		posted  bool                     // only once a POST was seen
		lasting time.Duration            // this long after that
	}{
		{name: "half a second before the fire", after: -500 * time.Millisecond},
		{name: "at the fire"},
		{name: "5 ms after the fire", after: 5 * time.Millisecond},
		{name: "30 ms after the fire", after: 30 * time.Millisecond},
		{name: "150 ms after the fire", after: 150 * time.Millisecond},
		{name: "when metadata is asked for", seen: meta},
		{name: "when metadata was read", seen: meta, done: true},
		{name: "when LCS has accepted and not yet answered", seen: post, done: true},
		{name: "5 ms after LCS has answered", seen: post, done: true, lasting: 5 * time.Millisecond},
		{name: "100 ms after LCS has answered", seen: post, done: true, lasting: 100 * time.Millisecond},
		{name: "when the state is polled", seen: meta, posted: true},
		{name: "when the state was polled", seen: meta, done: true, posted: true},
	}
	if _, err := binary(); err != nil { // built before the minute is chosen
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at, cron := nextMinute(15 * time.Second)
			s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
			s.start()
			dead := make(chan struct{})
			strike := sync.OnceFunc(func() { s.kill(); close(dead) })
			posted := false
			s.onRequest(func(r *http.Request, done bool) {
				if time.Now().Before(at) || tt.seen == nil || done != tt.done {
					posted = posted || post(r)
					return
				}
				if tt.seen(r) && (posted || !tt.posted) {
					if tt.lasting > 0 {
						time.AfterFunc(tt.lasting, strike)
					} else {
						strike()
					}
				}
				posted = posted || post(r)
			})
			if tt.seen == nil {
				time.AfterFunc(time.Until(at.Add(tt.after)), strike)
			}
			<-dead
			s.onRequest(nil)
			s.start()
			runs := s.finished(1)
			if len(runs) != 1 || runs[0].State != "succeeded" {
				t.Errorf("runs = %+v, want one that succeeded", runs)
			}
			s.calledOnce()
			s.stop()
		})
	}
}

func TestBinaryToldToStopInTheMiddleOfACallLosesNothing(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	_, cron := nextMinute(15 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	s.sim.Inject(lcssim.Fault{Kind: lcssim.Slow, Verb: lcssim.Stop, Times: 1, Delay: time.Minute})
	s.start()
	posted := make(chan struct{}, 1)
	s.onRequest(func(r *http.Request, done bool) {
		if r.Method == http.MethodPost && !done {
			posted <- struct{}{}
		}
	})
	<-posted
	s.stop() // exits 0 within 10 s although the answer takes a minute
	s.onRequest(nil)
	s.start()
	runs := s.finished(1)
	if len(runs) != 1 || runs[0].State != "succeeded" || len(runs[0].Attempts) != 1 || runs[0].Attempts[0].Outcome != "ambiguous" {
		t.Errorf("runs = %+v, want one that succeeded with an attempt whose answer was lost", runs)
	}
	if n := s.sim.Accepted("", lcssim.Any); n != 1 {
		t.Errorf("LCS carried out %d operations, want 1", n)
	}
	s.stop()
}

func TestNoSecretShowsAnywhereOverARunWithFaults(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	_, cron := nextMinute(15 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n  - {name: morning, environments: [dev-01], start: %q}\n", cron, cron))
	for _, kind := range []lcssim.FaultKind{lcssim.UnauthorizedHTML, lcssim.Error500HTML, lcssim.Throttle, lcssim.NearEOL} {
		s.sim.Inject(lcssim.Fault{Kind: kind, Verb: lcssim.Metadata, Times: 1, RetryAfter: "1"})
	}
	s.sim.Inject(lcssim.Fault{Kind: lcssim.NotJSON, Verb: lcssim.Stop, Times: 1})
	s.sim.Inject(lcssim.Fault{Kind: lcssim.Echo, Verb: lcssim.Metadata, Times: 1})
	s.sim.Inject(lcssim.Fault{Kind: lcssim.Echo, Verb: lcssim.Start, Times: 1})
	s.start()
	runs := s.finished(2)
	if !slices.ContainsFunc(runs, func(r api.Run) bool { return r.Message != nil && strings.Contains(*r.Message, "blocked by policy") }) {
		t.Errorf("runs = %+v, want one that the gateway refused", runs)
	}
	shown := s.shown()
	showsNone(t, shown, []string{e2eToken, e2eAPI})
	if !strings.Contains(shown["the log"], "run failed") || !strings.Contains(shown["the log"], "run succeeded") {
		t.Error("the faults had no effect: the test shows nothing")
	}
}

// shown stops the daemon and returns whatever it shows and keeps: its pages, its log
// and the files of its database.
func (s *site) shown() map[string]string {
	s.t.Helper()
	shown := map[string]string{"history": s.history()}
	for _, path := range []string{"/", "/metrics", "/api/v1/runs", "/api/v1/environments", "/api/v1/fires", "/api/v1/accounts", "/api/v1/openapi.json"} {
		shown[path] = s.get(path)
	}
	s.stop()
	shown["the log"] = s.log.String()
	files, err := filepath.Glob(filepath.Join(s.dir, "curfew.db*"))
	if err != nil || s.db == "" && len(files) < 2 {
		s.t.Fatalf("database files = %v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		shown[file] = string(b)
	}
	return shown
}

// showsNone fails the test for each place that shows a secret.
func showsNone(t *testing.T, places map[string]string, secrets []string) {
	t.Helper()
	for _, leak := range lcssim.Leaks(places, secrets) {
		t.Error(leak)
	}
}
