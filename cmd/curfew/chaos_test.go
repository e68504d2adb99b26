package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"

	"curfew/internal/freeport"
	"curfew/internal/longtest"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/store/pgtest"
	"curfew/scheduler/web/api"
)

// A storm is how long and how hard replicas are treated.
type storm struct {
	environments int
	lasts        time.Duration // in each half of it are minutes, at which fires come
	kill         time.Duration // between two kills
	restarts     int           // of the database
	seed         uint64
}

// stormOf is short by default; CURFEW_CHAOS=full is what `make chaos` runs.
func stormOf() storm {
	if os.Getenv("CURFEW_CHAOS") == "full" {
		return storm{environments: 300, lasts: 10 * time.Minute, kill: 5 * time.Second, restarts: 2, seed: 20261124}
	}
	return storm{environments: 120, lasts: 150 * time.Second, kill: 5 * time.Second, restarts: 1, seed: 20261124}
}

// clocks are by how much those of the replicas are ahead. Only the right ones make fires.
var clocks = []time.Duration{0, 90 * time.Second, 0, -400 * time.Second}

const (
	replicas   = 4
	slowFile   = 20 * time.Second // that the replicas but the first get a new schedule file later
	inProject  = 10
	roundTrip  = 10 // minutes in which each environment is stopped and started once
	pgLatency  = 15 // ms, each way
	lcsLatency = 40
)

// A fleet is replicas of the built binary on one PostgreSQL and one simulated LCS,
// with unreliable ways to both.
type fleet struct {
	t      *testing.T
	storm  storm
	rand   *rand.Rand
	sim    *lcssim.Sim
	pg     *pgtest.Server
	toxics *toxiproxy.ApiServer
	ports  []int // of the processes
	toLCS  *toxiproxy.Proxy
	toPG   *toxiproxy.Proxy
	config string // of the first replica; the others have their own
	dsn    string
	each   []*replica
	files  [2]string       // the schedule file, and the newer one
	ahead  []time.Duration // of the replicas' clocks
}

type replica struct {
	cmd  *exec.Cmd
	log  *os.File
	addr string
	done chan struct{} // closed when it has ended
}

// TestReplicasLoseAndDoubleNothing kills random replicas, of which two have wrong clocks,
// restarts the database and disturbs the network, and changes the schedule file, of one
// replica before the others. Then it checks whether each fire had its run, each run its one
// accepted call, none was early, and LCS never had to throttle.
func TestReplicasLoseAndDoubleNothing(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
	if _, err := wrongBinary(); err != nil {
		t.Fatal(err)
	}
	f := newFleet(t, stormOf())
	for i := range f.each {
		f.start(i)
	}
	f.ready(30 * time.Second)
	counted := time.Now() // fires before this may have come before the schedules were known
	half := counted.Add(f.storm.lasts / 2)
	kills := f.rage(half, f.storm.restarts/2)
	f.change(0)
	kills += f.rage(half.Add(slowFile), 0)
	for i := range f.each[1:] {
		f.change(i + 1)
	}
	kills += f.rage(half.Add(slowFile+f.storm.lasts/2), f.storm.restarts-f.storm.restarts/2)
	f.calm()
	until := time.Now()
	runs := f.settled(patience)
	f.judge(runs, []stretch{{f.files[0], counted, half}, {f.files[1], half.Add(slowFile), until}})
	t.Logf("seed %d: %d environments, %v, %d kills, %d database restarts: %d runs, %d operations of LCS, 429: %d",
		f.storm.seed, f.storm.environments, f.storm.lasts, kills, f.storm.restarts, len(runs), f.sim.Accepted("", lcssim.Any), f.sim.Throttled())
}

func newFleet(t *testing.T, s storm) *fleet {
	t.Helper()
	f := newStorm(t, s, replicas)
	f.ahead = clocks
	pg, database := newPostgres(t)
	f.pg = pg
	f.toPG = f.proxy("postgres", pg.Addr())
	f.dsn = pg.URL(database, f.toPG.Listen)
	f.toxic(f.toPG, "latency", "slow", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, pgLatency, pgLatency/2))
	return f
}

// newStorm has the simulated LCS, the unreliable way to it, and the schedule file of n
// processes that have no database yet.
func newStorm(t *testing.T, s storm, n int) *fleet {
	t.Helper()
	f := &fleet{t: t, storm: s, rand: rand.New(rand.NewPCG(s.seed, 0)), each: make([]*replica, n), ahead: make([]time.Duration, n)}
	for range n {
		port, err := freeport.Pick(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		f.ports = append(f.ports, port)
	}
	f.toxics = toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	var tokens []string
	for i := range s.environments / inProject {
		tokens = append(tokens, fmt.Sprintf("%s-%d", e2eToken, i))
	}
	f.sim = lcssim.New(lcssim.Options{StartTime: 5 * time.Second, StopTime: 5 * time.Second, Tokens: tokens, Keep: 1_000_000})
	server := httptest.NewServer(f.sim.Handler())
	t.Cleanup(server.Close)
	f.toLCS = f.proxy("lcs", strings.TrimPrefix(server.URL, "http://"))
	f.writeFiles(tokens)
	f.toxic(f.toLCS, "latency", "slow", fmt.Sprintf(`{"latency":%d,"jitter":%d}`, lcsLatency, lcsLatency))
	t.Cleanup(func() {
		for i := range f.each {
			f.kill(i)
		}
	})
	return f
}

func (f *fleet) proxy(name, upstream string) *toxiproxy.Proxy {
	f.t.Helper()
	p := toxiproxy.NewProxy(f.toxics, name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(p.Stop)
	return p
}

func (f *fleet) toxic(p *toxiproxy.Proxy, kind, name, attributes string) {
	f.t.Helper()
	_, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"type":%q,"name":%q,"stream":"downstream","toxicity":1,"attributes":%s}`, kind, name, attributes)))
	if err != nil {
		f.t.Fatal(err)
	}
}

// writeFiles has a tenth of the environments stopped, and another started, at each
// minute; in the newer file, every other tenth at another one. Each project has an account
// of its own: 300 environments are more than one may call.
func (f *fleet) writeFiles(tokens []string) {
	f.t.Helper()
	dir := f.t.TempDir()
	var b strings.Builder
	b.WriteString("version: 1\ntimezone: UTC\naccounts:\n")
	for i, token := range tokens {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("token-%d", i)), []byte(token), 0o600); err != nil {
			f.t.Fatal(err)
		}
		fmt.Fprintf(&b, "  - {name: a%d, mode: static, token: {file: token-%d}}\n", i, i)
	}
	b.WriteString("projects:\n")
	for i := range tokens {
		fmt.Fprintf(&b, "  - {name: p%d, id: %d, account: a%d, endpoint: \"http://%s\"}\n", i, e2eProject+i, i, f.toLCS.Listen)
	}
	b.WriteString("environments:\n")
	for i := range f.storm.environments {
		project := i / inProject
		f.sim.AddEnvironment(int64(e2eProject+project), lcssim.Environment{ID: e2eID(i), Name: fmt.Sprintf("LCS %d", i)})
		fmt.Fprintf(&b, "  - {name: dev-%03d, project: p%d, id: %s, tags: [g%d]}\n", i, project, e2eID(i), i%roundTrip)
	}
	b.WriteString("schedules:\n")
	for i := range f.files {
		text := b.String()
		for g := range roundTrip {
			stop := (g + i*(g%2)) % roundTrip
			start := (stop + roundTrip/2) % roundTrip
			text += fmt.Sprintf("  - {name: group-%d, environments: [\"tag:g%d\"], stop: \"%d-59/%d * * * *\", start: \"%d-59/%d * * * *\"}\n", g, g, stop, roundTrip, start, roundTrip)
		}
		f.files[i] = filepath.Join(dir, fmt.Sprintf("file-%d.yaml", i))
		if err := os.WriteFile(f.files[i], []byte(text), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	f.config = f.configOf(0)
	for i := range f.each {
		f.copy(f.files[0], i)
	}
}

func (f *fleet) configOf(i int) string {
	return filepath.Join(filepath.Dir(f.files[0]), fmt.Sprintf("schedules-%d.yaml", i))
}

// change gives a replica the newer schedule file.
func (f *fleet) change(i int) { f.copy(f.files[1], i) }

// copy replaces the schedule file of a replica.
func (f *fleet) copy(file string, i int) {
	f.t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(f.configOf(i)+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(f.configOf(i)+".new", f.configOf(i))
	}
	if err != nil {
		f.t.Fatal(err)
	}
}

// start runs a replica; it may die at any moment.
func (f *fleet) start(i int) {
	f.t.Helper()
	path, err := wrongBinary()
	if err != nil {
		f.t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(f.config), fmt.Sprintf("replica-%d.log", i)), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		f.t.Fatal(err)
	}
	r := &replica{log: log, addr: fmt.Sprintf("127.0.0.1:%d", f.ports[i])}
	r.cmd = exec.Command(path, "--config", f.configOf(i), "serve", "--listen", r.addr, "--database", f.dsn, "--log-format", "json")
	r.cmd.Stderr = log
	r.cmd.Env = append(os.Environ(), clockAhead(f.ahead[i], 0, always))
	if err := r.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	r.done = make(chan struct{})
	go func() {
		_ = r.cmd.Wait()
		close(r.done)
	}()
	f.each[i] = r
}

func (f *fleet) kill(i int) {
	if r := f.each[i]; r != nil {
		_ = r.cmd.Process.Kill()
		<-r.done
		_ = r.log.Close()
	}
}

// ready waits until each replica is ready, or says that its clock is wrong.
func (f *fleet) ready(within time.Duration) {
	f.t.Helper()
	for i := range f.each {
		f.eventually(within, fmt.Sprintf("replica %d is ready", i), func() bool { return f.isReady(i) })
	}
}

func (f *fleet) isReady(i int) bool {
	res, err := http.Get("http://" + f.each[i].addr + "/readyz")
	if err != nil {
		return false
	}
	defer res.Body.Close()
	said, err := io.ReadAll(res.Body)
	return err == nil && (res.StatusCode == http.StatusOK || f.ahead[i] != 0 && strings.Contains(string(said), scheduler.UnreadyClock))
}

func (f *fleet) eventually(within time.Duration, what string, is func() bool) {
	f.t.Helper()
	check := time.NewTicker(200 * time.Millisecond)
	defer check.Stop()
	for end := time.Now().Add(within); !is(); <-check.C {
		if time.Now().After(end) {
			f.t.Fatalf("not within %v: %s\n%s", within, what, f.tail())
		}
	}
}

// tail is the end of each replica's log.
func (f *fleet) tail() string {
	var b strings.Builder
	for i := range f.each {
		text, err := os.ReadFile(filepath.Join(filepath.Dir(f.config), fmt.Sprintf("replica-%d.log", i)))
		fmt.Fprintf(&b, "replica %d: %v\n%s\n", i, err, text[max(0, len(text)-2000):])
	}
	return b.String()
}

// rage kills a random replica again and again, restarts the database so often, and resets
// connections, until an instant; it returns how often it killed.
func (f *fleet) rage(until time.Time, most int) int {
	f.t.Helper()
	began := time.Now()
	kill := time.NewTicker(f.storm.kill)
	defer kill.Stop()
	reset := time.NewTicker(7 * time.Second)
	defer reset.Stop()
	kills, restarts := 0, 0
	for time.Now().Before(until) {
		select {
		case <-kill.C:
			i := f.rand.IntN(replicas)
			f.kill(i)
			f.start(i)
			kills++
		case <-reset.C:
			p := []*toxiproxy.Proxy{f.toLCS, f.toPG}[f.rand.IntN(2)]
			f.toxic(p, "reset_peer", "reset", `{"timeout":0}`)
			time.Sleep(300 * time.Millisecond)
			if err := p.Toxics.RemoveToxic(f.t.Context(), "reset"); err != nil {
				f.t.Fatal(err)
			}
		}
		if due := time.Duration(restarts+1) * until.Sub(began) / time.Duration(most+1); restarts < most && time.Since(began) > due {
			restarts++
			if err := f.pg.Down(f.t.Context()); err != nil {
				f.t.Fatal(err)
			}
			time.Sleep(3 * time.Second)
			if err := f.pg.Up(f.t.Context()); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	return kills
}

// calm ends the storm; every replica runs. One that was starting when the database went
// down ends by itself, maybe only now, and is started again as a service manager would.
func (f *fleet) calm() {
	f.t.Helper()
	for i := range f.each {
		f.eventually(time.Minute, fmt.Sprintf("replica %d is ready", i), func() bool {
			select {
			case <-f.each[i].done:
				f.kill(i)
				f.start(i)
			default:
			}
			return f.isReady(i)
		})
	}
}

// settled waits until every run of the storm is at its end; fires go on meanwhile.
func (f *fleet) settled(within time.Duration) []api.Run {
	f.t.Helper()
	end := time.Now()
	var all []api.Run
	f.eventually(within, "every run is at its end", func() bool {
		all = f.runs()
		return len(all) > 0 && !slices.ContainsFunc(all, func(r api.Run) bool { return r.FinishedAt == nil && r.FireAt.Before(end) })
	})
	return all
}

func (f *fleet) runs() []api.Run {
	var all []api.Run
	cursor := ""
	for {
		res, err := http.Get("http://" + f.each[0].addr + "/api/v1/runs?limit=1000" + cursor)
		if err != nil {
			return nil
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		var page api.List[api.Run]
		if err != nil || json.Unmarshal(body, &page) != nil {
			return nil
		}
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			return all
		}
		cursor = "&cursor=" + *page.NextCursor
	}
}

// A stretch is a time in which a schedule file was the newest one.
type stretch struct {
	file     string
	from, to time.Time
}

// judge holds the runs against what the plan says and what LCS saw.
func (f *fleet) judge(runs []api.Run, of []stretch) {
	f.t.Helper()
	byFire := map[string][]api.Run{}
	for _, r := range runs {
		byFire[fireKey(r.FireAt, r.Environment, r.Action)] = append(byFire[fireKey(r.FireAt, r.Environment, r.Action)], r)
	}
	operations := map[string][]lcssim.Request{} // accepted, by environment, in their order
	for _, r := range f.sim.Requests() {
		if r.Accepted {
			operations[r.Environment] = append(operations[r.Environment], r)
		}
		if r.Status == http.StatusTooManyRequests {
			f.t.Errorf("LCS answered 429 at %s to a %s call of project %d, environment %q", r.At.Format(time.StampMilli), r.Verb, r.Project, r.Environment)
		}
	}
	lost, doubled, failed, elsewhere, early := 0, 0, 0, 0, 0
	var fires []api.Fire
	for _, one := range of {
		fires = append(fires, f.plan(one)...)
	}
	for _, fire := range fires {
		found := byFire[fireKey(fire.At, fire.Environment, fire.Action)]
		if len(found) != 1 {
			lost++
			f.t.Errorf("the fire of %s has %d runs: %s of %s", fire.At.Format(time.TimeOnly), len(found), fire.Action, fire.Environment)
			continue
		}
		r := found[0]
		if r.State != "succeeded" && (r.State != "canceled" || r.SupersededBy == nil) {
			failed++
			f.t.Errorf("the %s of %s at %s is %s: %s", r.Action, r.Environment, r.FireAt.Format(time.TimeOnly), r.State, text(r.Message))
		}
		var n int
		fmt.Sscanf(r.Environment, "dev-%d", &n)
		calls, last := callsOf(operations[strings.ReplaceAll(e2eID(n), "-", "")], r)
		if calls > 1 {
			doubled++
			f.t.Errorf("the %s of %s at %s was accepted %d times", r.Action, r.Environment, r.FireAt.Format(time.TimeOnly), calls)
		}
		if before := earlyCalls(operations[strings.ReplaceAll(e2eID(n), "-", "")], r, runs); before > 0 {
			early++
			f.t.Errorf("the %s of %s at %s was called before its time", r.Action, r.Environment, r.FireAt.Format(time.TimeOnly))
		}
		if r.State == "succeeded" && last != r.Action {
			elsewhere++
			f.t.Errorf("the %s of %s at %s succeeded, and LCS's last operation on it is a %s", r.Action, r.Environment, r.FireAt.Format(time.TimeOnly), last)
		}
	}
	stale := f.stale(runs, of[len(of)-1])
	f.t.Logf("%d fires: lost %d, doubled %d, early %d, failed %d, succeeded in another state %d, of the older file after the newer %d", len(fires), lost, doubled, early, failed, elsewhere, stale)
}

// stale counts the runs of fires that the newer file does not have any more.
func (f *fleet) stale(runs []api.Run, newer stretch) (n int) {
	f.t.Helper()
	planned := map[string]bool{}
	for _, fire := range f.plan(newer) {
		planned[fireKey(fire.At, fire.Environment, fire.Action)] = true
	}
	for _, r := range runs {
		if r.FireAt.After(newer.from) && r.FireAt.Before(newer.to) && !planned[fireKey(r.FireAt, r.Environment, r.Action)] {
			n++
			f.t.Errorf("the %s of %s at %s is of the older schedule file", r.Action, r.Environment, r.FireAt.Format(time.TimeOnly))
		}
	}
	return n
}

// earlyCalls counts the accepted operations of a run's action in the minutes before its fire
// that are not of a fire just before: the older file may have had one.
func earlyCalls(operations []lcssim.Request, r api.Run, runs []api.Run) (n int) {
	const near = 2 * time.Minute
	for _, o := range operations {
		early := string(o.Verb) == r.Action && o.At.Before(r.FireAt) && o.At.After(r.FireAt.Add(-near))
		if early && !slices.ContainsFunc(runs, func(other api.Run) bool {
			since := o.At.Sub(other.FireAt)
			return other.Environment == r.Environment && other.Action == r.Action && since >= 0 && since < near
		}) {
			n++
		}
	}
	return n
}

// callsOf counts the accepted operations that can be of a run, and returns the last
// one on its environment up to its end: each environment was started at first.
func callsOf(operations []lcssim.Request, r api.Run) (calls int, last string) {
	last = "start"
	for _, o := range operations {
		if string(o.Verb) == r.Action && !o.At.Before(r.FireAt) && o.At.Before(r.FireAt.Add(roundTrip*time.Minute)) {
			calls++
		}
		if r.FinishedAt != nil && o.At.Before(*r.FinishedAt) {
			last = string(o.Verb)
		}
	}
	return calls, last
}

func fireKey(at time.Time, environment, action string) string {
	return fmt.Sprint(at.Unix(), environment, action)
}

// plan is what `curfew plan` says of a stretch.
func (f *fleet) plan(s stretch) []api.Fire {
	f.t.Helper()
	path, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	out, err := exec.Command(path, "--config", s.file, "plan", "--from", s.from.Format(time.RFC3339), "--to", s.to.Format(time.RFC3339), "-o", "json").Output()
	if err != nil {
		f.t.Fatal(err)
	}
	var fires []api.Fire
	if err := json.Unmarshal(out, &fires); err != nil || len(fires) == 0 {
		f.t.Fatalf("plan = %d fires, %v", len(fires), err)
	}
	return fires
}
