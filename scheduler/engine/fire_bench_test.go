package engine_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
	"curfew/scheduler/store/pgtest"
)

const (
	perProject = 30 // environments, with an account for each project: LCS's quota lets all go at once
	pageSize   = 7
)

// An instantLCS answers each request at once and carries each operation out at once.
type instantLCS struct {
	*httptest.Server
	posts   atomic.Int64
	last    atomic.Int64 // when the last POST came, in nanoseconds
	mu      sync.Mutex
	stopped map[string]bool
}

func newInstantLCS(b *testing.B) *instantLCS {
	l := &instantLCS{stopped: map[string]bool{}}
	l.Server = httptest.NewServer(http.HandlerFunc(l.serve))
	b.Cleanup(l.Close)
	return l
}

func (l *instantLCS) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		l.last.Store(time.Now().UnixNano())
		l.posts.Add(1)
		l.mu.Lock()
		l.stopped[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]] = true
		l.mu.Unlock()
		_, _ = io.WriteString(w, `{"IsSuccess":true,"OperationActivityId":"55eb4327-9346-4c7b-82bd-fe8ef15112c6","ErrorMessage":null,"VersionEOL":"9999-12-31T23:59:59.9999999"}`)
		return
	}
	var project, page int
	_, _ = fmt.Sscanf(r.URL.Path, "/environmentinfo/v1/detail/project/%d/", &project)
	_, _ = fmt.Sscanf(r.URL.Query().Get("page"), "%d", &page)
	var list []map[string]any
	for i := (page - 1) * pageSize; i < min(page*pageSize, perProject); i++ {
		id := benchID(project, i)
		l.mu.Lock()
		stopped := l.stopped[id]
		l.mu.Unlock()
		state, display := "Finished", "Deployed"
		if stopped {
			state, display = "Stopped", "Stopped"
		}
		list = append(list, map[string]any{
			"EnvironmentId": id, "EnvironmentName": id, "ProjectId": project, "EnvironmentInfrastructure": "CustomerManaged", "DeploymentState": state,
			"DeploymentStatusDisplay": display, "CanStart": stopped, "CanStop": !stopped,
		})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"ResultPageCurrent": page, "ResultHasMorePages": page*pageSize < perProject, "Data": list, "IsSuccess": true, "VersionEOL": "9999-12-31T23:59:59.9999999"})
}

func benchID(project, i int) string { return fmt.Sprintf("%08d-9346-4c7b-82bd-%012d", project, i) }

// bare posts what a fire of n environments posts, 32 at a time, and returns how long that takes.
func (l *instantLCS) bare(b *testing.B, n int) time.Duration {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	began := time.Now()
	var g errgroup.Group
	g.SetLimit(32)
	for i := range n {
		g.Go(func() error {
			url := fmt.Sprintf("%s/environment/v1/stop/project/%d/environment/%s", l.URL, 1000+i/perProject, benchID(1000+i/perProject, i%perProject))
			req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader(nil))
			if err != nil {
				return err
			}
			res, err := client.Do(req)
			if err != nil {
				return err
			}
			_, _ = io.Copy(io.Discard, res.Body)
			return res.Body.Close()
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

func (l *instantLCS) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.stopped)
	l.posts.Store(0)
}

// BenchmarkFire stops n environments that are all due at one instant, and reports how long
// after it the last call reaches LCS, what a bare loop needs for the same calls, and the CPU
// time of the process per run until every call is accepted and its answer written.
func BenchmarkFire(b *testing.B) {
	for _, database := range []string{"sqlite", "postgres"} {
		for _, n := range []int{300, 1000, 3000} {
			b.Run(fmt.Sprintf("%s/%d", database, n), func(b *testing.B) {
				lcsim, databases := newInstantLCS(b), newDatabases(b, database)
				for b.Loop() {
					lcsim.bare(b, n)
					bare := lcsim.bare(b, n)
					lcsim.reset()
					last, cpu := fire(b, lcsim, databases(), n)
					b.ReportMetric(last.Seconds(), "s-to-last-call")
					b.ReportMetric(bare.Seconds(), "s-bare")
					b.ReportMetric(last.Seconds()/bare.Seconds(), "x-bare")
					b.ReportMetric(cpu.Seconds()*1000/float64(n), "cpu-ms/run")
				}
			})
		}
	}
}

// newDatabases returns a maker of new databases of one kind.
func newDatabases(b *testing.B, kind string) func() string {
	if kind == "sqlite" {
		return func() string { return filepath.Join(b.TempDir(), "curfew.db") }
	}
	server, err := pgtest.Start(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = server.Stop() })
	return func() string {
		name, err := server.Create(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		return server.URL(name, "")
	}
}

// fire runs one fire on a new database.
func fire(b *testing.B, l *instantLCS, dsn string, n int) (last, cpu time.Duration) {
	s, err := store.Open(b.Context(), store.Options{DSN: dsn})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now().Add(3 * time.Second)
	setup := benchSetup(b, l, n, at)
	observeAll(b, s, setup)
	e, err := engine.New(engine.Options{Stores: storesOf(s), Setup: setup})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	time.Sleep(time.Until(at.Add(-100 * time.Millisecond)))
	before := cpuTime()
	for l.posts.Load() < int64(n) {
		time.Sleep(5 * time.Millisecond)
	}
	last = time.Unix(0, l.last.Load()).Sub(at)
	for {
		queued, err := s.Runs.Unfinished(ctx)
		if err != nil {
			b.Fatal(err)
		}
		if !slices.ContainsFunc(queued, func(r scheduler.Run) bool { return r.State != scheduler.Verifying }) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cpu = cpuTime() - before
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return last, cpu
}

// benchSetup has n environments that are to stop at an instant, perProject to a project.
func benchSetup(b *testing.B, l *instantLCS, n int, at time.Time) *scheduler.Setup {
	setup := &scheduler.Setup{Defaults: scheduler.Defaults{CatchUp: time.Hour, Deadline: time.Hour, VerifyTimeout: time.Hour, Order: "cost"}}
	var names []string
	transport := lcs.NewTransport() // one for all clients, as the daemon has
	b.Cleanup(transport.CloseIdleConnections)
	for i := range n {
		project := fmt.Sprintf("p%d", i/perProject)
		if i%perProject == 0 {
			account := "account-" + project
			client, err := lcs.NewClient(l.URL, token("good-"+account), &lcs.ClientOptions{Transport: transport})
			if err != nil {
				b.Fatal(err)
			}
			setup.Projects = append(setup.Projects, scheduler.Project{Name: project, ID: int64(1000 + i/perProject), Accounts: []scheduler.Account{{Name: account, Client: client}}})
		}
		name := fmt.Sprintf("dev-%05d", i)
		names = append(names, name)
		setup.Environments = append(setup.Environments, scheduler.Environment{Name: name, Project: project, ID: benchID(1000+i/perProject, i%perProject), CostPerHour: 1})
	}
	win, err := plan.ParseWindow("00:00-24:00")
	if err != nil {
		b.Fatal(err)
	}
	p, err := plan.Compile(plan.Spec{
		Environments: names,
		Schedules:    []plan.Schedule{{Name: "always", Location: time.UTC, Environments: names, Uptime: []plan.Window{win}}},
		Exceptions:   []plan.Exception{{Name: "off", Location: time.UTC, Environments: names, From: at, Until: at.Add(time.Hour), Keep: plan.Stopped}},
	})
	if err != nil {
		b.Fatal(err)
	}
	setup.Plan = p
	return setup
}

// observeAll writes that every environment runs, as a scan before the fire does.
func observeAll(b *testing.B, s *store.Store, setup *scheduler.Setup) {
	now := time.Now()
	for p, project := range setup.Projects {
		var seen []scheduler.Observation
		for i, env := range setup.Environments[p*perProject : (p+1)*perProject] {
			seen = append(seen, scheduler.Observation{
				Project: project.ID, ID: lcs.NormalizeID(env.ID), Page: i/pageSize + 1, At: now, Name: env.Name, Condition: lcs.Running, DeploymentState: "Finished", Display: "Deployed",
			})
		}
		if err := s.Observations.Record(b.Context(), scheduler.Call{Done: now, Outcome: scheduler.OutcomeAccepted}, seen); err != nil {
			b.Fatal(err)
		}
	}
}
