// Package prometheus_test holds the alerts in rules.yaml against what the daemon exposes.
// It is a module of its own: Prometheus is a large dependency.
package prometheus_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/model/textparse"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/util/teststorage"

	"curfew/lcs/lcssim"
)

const (
	project  = 1234567
	lcsToken = "known-token-0123456789"
	apiToken = "known-api-token-987654"
	patience = 2 * time.Minute
)

// A daemon is the built binary on a simulated LCS.
type daemon struct {
	t                *testing.T
	sim              *lcssim.Sim
	dir, bin, listen string
}

func newDaemon(t *testing.T) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: t.TempDir(), sim: lcssim.New(lcssim.Options{StartTime: time.Second, StopTime: time.Second, Tokens: []string{lcsToken}})}
	d.bin = filepath.Join(d.dir, "curfew")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", d.bin, "./cmd/curfew")
	build.Dir = filepath.Join("..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	for i := range 2 {
		d.sim.AddEnvironment(project, lcssim.Environment{ID: id(i), Name: fmt.Sprintf("LCS %d", i), State: lcssim.Stopped})
	}
	server := httptest.NewServer(d.sim.Handler())
	t.Cleanup(server.Close)
	d.write("token", lcsToken)
	d.write("schedules.yaml", fmt.Sprintf(`version: 1
timezone: UTC
accounts: [{name: main, mode: static, token: {file: token}}]
projects: [{name: contoso, id: %d, account: main, endpoint: %q}]
environments: [{name: dev-00, project: contoso, id: %s}, {name: dev-01, project: contoso, id: %s}]
schedules: [{name: yearly, environments: ["dev-*"], stop: "0 0 29 2 *"}]
notify: [{name: ops, url: {env: NOTICES}, on: summary}]
`, project, server.URL, id(0), id(1)))
	d.start()
	return d
}

func id(i int) string { return fmt.Sprintf("55eb4327-9346-4c7b-82bd-%012d", i) }

func (d *daemon) write(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

var listening = regexp.MustCompile(`"listen":"([^"]+)"`)

func (d *daemon) start() {
	d.t.Helper()
	log, err := os.Create(filepath.Join(d.dir, "log"))
	if err != nil {
		d.t.Fatal(err)
	}
	cmd := exec.Command(d.bin, "--config", filepath.Join(d.dir, "schedules.yaml"), "serve", "--listen", "127.0.0.1:0", "--database", filepath.Join(d.dir, "curfew.db"), "--log-format", "json")
	cmd.Env, cmd.Stderr = append(os.Environ(), "CURFEW_API_TOKEN="+apiToken, "NOTICES=logger://"), log
	if err := cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = log.Close() })
	d.until("the daemon listens", func() bool {
		b, err := os.ReadFile(log.Name())
		m := listening.FindSubmatch(b)
		if m != nil {
			d.listen = string(m[1])
		}
		return err == nil && m != nil
	})
	d.until("the daemon ticks", func() bool { return !strings.Contains(d.metrics(), "curfew_last_tick_timestamp_seconds 0\n") })
	d.until("the daemon counts", func() bool { return strings.Contains(d.metrics(), "\ncurfew_lcs_quota_used{") })
}

func (d *daemon) until(what string, is func() bool) {
	d.t.Helper()
	check := time.NewTicker(100 * time.Millisecond)
	defer check.Stop()
	for end := time.Now().Add(patience); !is(); <-check.C {
		if time.Now().After(end) {
			b, _ := os.ReadFile(filepath.Join(d.dir, "log"))
			d.t.Fatalf("not within %v: %s\n%s", patience, what, b)
		}
	}
}

func (d *daemon) metrics() string {
	d.t.Helper()
	res, err := http.Get("http://" + d.listen + "/metrics")
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// shows waits until a line is exposed.
func (d *daemon) shows(line string) {
	d.t.Helper()
	d.until(line, func() bool { return strings.Contains(d.metrics(), "\n"+line+"\n") })
}

// curfew runs a command; LCS or the file may make it fail.
func (d *daemon) curfew(args ...string) {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), d.bin, args...)
	cmd.Env = append(os.Environ(), "CURFEW_API_TOKEN="+apiToken, "CURFEW_SERVER=http://"+d.listen)
	if out, err := cmd.CombinedOutput(); err != nil {
		d.t.Fatalf("curfew %v: %v\n%s", args, err, out)
	}
}

// A scrape is what Prometheus has of one instance at one instant.
type scrape struct {
	at       time.Time
	instance string
	text     string
}

func (d *daemon) scrape() scrape { return scrape{time.Now(), "a", d.metrics()} }

// with returns a later scrape in which a series has another value: what is hard to provoke.
func (s scrape) with(t *testing.T, series string, value float64) scrape {
	t.Helper()
	line := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` .*$`)
	if !line.MatchString(s.text) {
		t.Fatalf("the daemon does not expose %s", series)
	}
	s.at, s.text = s.at.Add(15*time.Second), line.ReplaceAllString(s.text, series+" "+strconv.FormatFloat(value, 'f', -1, 64))
	return s
}

func (s scrape) from(instance string) scrape {
	s.instance = instance
	return s
}

// A prometheus evaluates the rules over some scrapes.
type prometheus struct {
	t     *testing.T
	rules []rulefmt.Rule
}

func newPrometheus(t *testing.T) *prometheus {
	t.Helper()
	groups, errs := rulefmt.ParseFile("rules.yaml", false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return &prometheus{t: t, rules: groups.Groups[0].Rules}
}

// firing returns the alerts that fire at an instant.
func (p *prometheus) firing(at time.Time, scrapes ...scrape) []string {
	p.t.Helper()
	db := teststorage.New(p.t)
	for _, s := range scrapes {
		p.load(db, s)
	}
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: parser.NewParser(parser.Options{})})
	var names []string
	for _, r := range p.rules {
		q, err := engine.NewInstantQuery(p.t.Context(), db, nil, r.Expr, at)
		if err != nil {
			p.t.Fatalf("%s: %v", r.Alert, err)
		}
		res := q.Exec(p.t.Context())
		if v, err := res.Vector(); err != nil {
			p.t.Fatalf("%s: %v", r.Alert, err)
		} else if len(v) > 0 {
			names = append(names, strings.TrimPrefix(r.Alert, "Curfew"))
		}
		q.Close()
	}
	return names
}

func (p *prometheus) load(db *teststorage.TestStorage, s scrape) {
	p.t.Helper()
	text, err := textparse.New([]byte(s.text), "text/plain", nil, textparse.ParserOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	app := db.Appender(context.Background())
	for {
		entry, err := text.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.t.Fatal(err)
		}
		if entry != textparse.EntrySeries {
			continue
		}
		var set labels.Labels
		text.Labels(&set)
		_, _, value := text.Series()
		target := labels.NewBuilder(set).Set("job", "curfew").Set("instance", s.instance).Labels()
		if _, err := app.Append(0, target, s.at.UnixMilli(), value); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := app.Commit(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *prometheus) check(what string, want []string, at time.Time, scrapes ...scrape) {
	p.t.Helper()
	if got := p.firing(at, scrapes...); !slices.Equal(got, want) {
		p.t.Errorf("%s: %q fire, want %q", what, got, want)
	}
}

// TestAlertsFireWhenTheyMust scrapes a daemon to which things happen.
func TestAlertsFireWhenTheyMust(t *testing.T) {
	d, p := newDaemon(t), newPrometheus(t)
	first, second := d.scrape(), d.scrape()
	for second.at.Sub(first.at) < time.Second {
		second = d.scrape()
	}
	p.check("all is well", nil, second.at, first, second)
	p.check("all is well on a new instance", nil, second.at, first, second.from("b"))
	p.check("nothing ticks", []string{"NotTicking"}, second.at.Add(200*time.Second), first, second)
	p.check("the daemon is gone", []string{"NotTicking"}, second.at.Add(time.Hour/2), first, second)
	p.check("one of two replicas is gone", nil, second.at, first.from("b"), second)

	later := second.at.Add(15 * time.Second)
	tests := []struct {
		name   string
		series string
		value  float64
		want   string
	}{
		{"a stop is missed", `curfew_runs_total{action="stop",state="missed"}`, 1, "RunFailed"},
		{"the database refuses a tick", "curfew_tick_errors_total", 1, "DatabaseRefuses"},
		{"a fire is late", "curfew_fire_lateness_seconds_count", 1, "FireLate"},
		{"a lead was too short", "curfew_lead_misses_total", 1, "LeadMissed"},
		{"LCS throttles metadata", `curfew_lcs_calls_total{kind="metadata",outcome="throttled"}`, 1, "Throttled"},
		{"a notice is given up", `curfew_notices_total{receiver="ops",result="given_up"}`, 1, "NoticesFail"},
		{"a notice does not arrive", `curfew_notices_oldest_seconds{receiver="ops"}`, 700, "NoticesFail"},
		{"a notice arrives at the second try", `curfew_notices_total{receiver="ops",result="retried"}`, 1, ""},
		{"the clock is behind", "curfew_clock_ahead_seconds", -6, "ClockWrong"},
		{"the clock is a little ahead", "curfew_clock_ahead_seconds", 4, ""},
		{"a clock was ahead", "curfew_clock_corrections_total", 1, "ClockWrong"},
		{"another replica has a newer file", "curfew_config_outdated", 1, "FileOutdated"},
		{"another process stands by", "curfew_standby_waiting", 1, "StandbyWaits"},
		{"a run succeeds", `curfew_runs_total{action="stop",state="succeeded"}`, 1, ""},
		{"LCS refuses a call", `curfew_lcs_calls_total{kind="stop",outcome="refused"}`, 1, ""},
	}
	for _, tt := range tests {
		var want []string
		if tt.want != "" {
			want = []string{tt.want}
		}
		changed := second.with(t, tt.series, tt.value)
		p.check(tt.name, want, later, first, second, changed)
		p.check(tt.name+", before the first scrape of a new instance", want, later, first, second, changed.from("b"))
	}
	for days, want := range map[float64][]string{13: {"LoginLapses"}, 15: nil} {
		lapses := second
		lapses.text += fmt.Sprintf("curfew_account_login_lapses_timestamp_seconds{account=\"second\"} %f\n", float64(second.at.Unix())+days*86400)
		p.check(fmt.Sprintf("a login lapses in %v days", days), want, second.at, lapses)
	}

	d.sim.Inject(lcssim.Fault{Kind: lcssim.NotFound, Verb: lcssim.Start})
	d.curfew("start", "dev-00")
	d.shows(`curfew_runs_total{action="start",state="failed"} 1`)
	d.sim.ClearFaults()
	failed := d.scrape()
	p.check("a start failed", []string{"RunFailed"}, failed.at, first, second, failed)

	d.write("schedules.yaml", "version: 2\n")
	d.shows("curfew_config_last_reload_successful 0")
	refused := d.scrape()
	p.check("a bad file came, too", []string{"RunFailed", "FileRefused"}, refused.at, first, failed, refused)

	d.write("token", "a-token-that-LCS-does-not-accept")
	d.curfew("start", "dev-01")
	d.shows(`curfew_account_up{account="main"} 0`)
	down := d.scrape()
	p.check("the account is down, too", []string{"RunFailed", "AccountDown", "FileRefused"}, down.at, first, failed, refused, down)
}

// later are the metrics that show only once somebody has signed in to an account.
var later = []string{"curfew_account_login_lapses_timestamp_seconds", "curfew_account_login_refreshed_timestamp_seconds"}

// TestEachMetricOfTheRulesAndTheDashboardExists asks a daemon at its start: a series that
// appears later is one whose first step increase() does not see.
func TestEachMetricOfTheRulesAndTheDashboardExists(t *testing.T) {
	source, err := os.ReadFile("../../scheduler/engine/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	exposed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(newDaemon(t).metrics(), -1) {
		exposed[m[1]] = true
	}
	for _, name := range later {
		exposed[name] = bytes.Contains(source, []byte(`"`+name+`"`))
	}
	dashboard, err := os.ReadFile("../grafana/curfew.json")
	if err != nil {
		t.Fatal(err)
	}
	used := string(dashboard)
	for _, r := range newPrometheus(t).rules {
		used += "\n" + r.Expr
	}
	names := map[string]bool{}
	for _, name := range regexp.MustCompile(`curfew_[a-z_]+`).FindAllString(used, -1) {
		names[strings.TrimSuffix(strings.TrimSuffix(name, "_count"), "_bucket")] = true
	}
	if len(names) < 20 {
		t.Errorf("the rules and the dashboard have the metrics %v, want 20 at least", names)
	}
	for name := range names {
		if !exposed[name] {
			t.Errorf("the daemon does not expose %s", name)
		}
	}
	for name := range exposed {
		if strings.HasPrefix(name, "curfew_") && !names[name] {
			t.Errorf("neither the rules nor the dashboard show %s", name)
		}
	}
}

// TestExpressionsOfTheDashboardAreValid has Prometheus read them, as Grafana fills them in.
func TestExpressionsOfTheDashboardAreValid(t *testing.T) {
	text, err := os.ReadFile("../grafana/curfew.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	filled := strings.NewReplacer("$__rate_interval", "5m", "$__range", "7d", "$job", ".*")
	n := 0
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			n++
			if _, err := parser.NewParser(parser.Options{}).ParseExpr(filled.Replace(target.Expr)); err != nil {
				t.Errorf("%s: %v", p.Title, err)
			}
		}
	}
	if n < 20 {
		t.Errorf("%d expressions, want 20 at least", n)
	}
}

// TestOperatePageShowsTheRules holds the page to the file.
func TestOperatePageShowsTheRules(t *testing.T) {
	page, err := os.ReadFile("../../docs/operate.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range newPrometheus(t).rules {
		if !bytes.Contains(page, []byte("| `"+r.Alert+"` |")) {
			t.Errorf("docs/operate.md does not show the alert %s", r.Alert)
		}
	}
	if got, want := strings.Count(string(page), "| `Curfew"), len(newPrometheus(t).rules); got != want {
		t.Errorf("docs/operate.md shows %d alerts, want %d", got, want)
	}
}
