package daemon

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

const (
	fleet        = 1000 // environments
	fleetProject = 50   // of a project
)

// fleetFile is a schedule file of 1,000 environments in 20 projects.
func fleetFile() string {
	var b strings.Builder
	b.WriteString("version: 1\ntimezone: Europe/Copenhagen\ncurrency: EUR\naccounts: [{name: a, mode: static, token: {env: T}}]\nprojects:\n")
	for i := range fleet / fleetProject {
		fmt.Fprintf(&b, "- {name: project-%02d, id: %d, account: a, endpoint: \"http://127.0.0.1:1\"}\n", i, i+1)
	}
	b.WriteString("environments:\n")
	for i := range fleet {
		fmt.Fprintf(&b, "- {name: environment-%04d, project: project-%02d, id: 55eb4327-9346-4c7b-82bd-%012d, tags: [group-%d], cost_per_hour: 1.25}\n", i, i/fleetProject, i, i%10)
	}
	b.WriteString("schedules:\n")
	for i := range 10 {
		fmt.Fprintf(&b, "- {name: hours-%d, environments: [\"tag:group-%d\"], uptime: \"mon-fri 0%d:00-1%d:30\"}\n", i, i, i%10, i%10)
	}
	return b.String()
}

// fleetPast writes a week in which every fire was carried out, and the last observations.
func fleetPast(b *testing.B, st *store.Store, l loaded) {
	b.Helper()
	now := time.Now()
	var runs []scheduler.Run
	var spans []scheduler.Span
	project := map[string]int64{}
	for _, p := range l.cfg.Projects {
		project[p.Name] = p.ID
	}
	for _, e := range l.cfg.Environments {
		at, as := now.AddDate(0, 0, -7), lcs.Stopped
		for f := range l.plan.All(at, now.Add(-time.Hour), e.Name) {
			id := uuid.Must(uuid.NewV7())
			for i := range 6 {
				id[i] = byte(f.At.UnixMilli() >> (8 * (5 - i)) & 0xff)
			}
			runs = append(runs, scheduler.Run{
				ID: id.String(), Environment: e.Name, Project: e.Project, Schedule: f.Schedule, Action: f.Action, Trigger: scheduler.TriggerSchedule, State: scheduler.Succeeded, By: scheduler.BySchedule,
				FireAt: f.At, DueAt: f.At, CreatedAt: f.At, StartedAt: f.At, AcceptedAt: f.At.Add(time.Second), FinishedAt: f.At.Add(5 * time.Minute),
				OperationActivityID: uuid.NewString(), Message: "metadata shows it", Tries: 1,
			})
			spans = append(spans, scheduler.Span{Project: project[e.Project], ID: lcs.NormalizeID(e.ID), From: at, Until: f.At, Condition: as})
			at = f.At.Add(5 * time.Minute)
			between, after := lcs.Starting, lcs.Running
			if f.Action == plan.Stop {
				between, after = lcs.Stopping, lcs.Stopped
			}
			spans = append(spans, scheduler.Span{Project: project[e.Project], ID: lcs.NormalizeID(e.ID), From: f.At, Until: at, Condition: between})
			as = after
		}
	}
	if _, err := st.Runs.CommitTick(b.Context(), scheduler.Cursor{}, now, runs, nil); err != nil {
		b.Fatal(err)
	}
	if err := st.Observations.Backfill(b.Context(), spans); err != nil {
		b.Fatal(err)
	}
	for name, id := range project {
		var seen []scheduler.Observation
		for _, e := range l.cfg.Environments {
			if e.Project == name {
				seen = append(seen, scheduler.Observation{Project: id, ID: lcs.NormalizeID(e.ID), Page: 1, At: now, Name: e.Name, Condition: lcs.Running, DeploymentState: "Finished"})
			}
		}
		call, wait, err := st.Observations.ReserveMetadata(b.Context(), now, scheduler.Contender{Name: name, ID: id, Accounts: []string{"a"}})
		if err != nil || call == nil {
			b.Fatal(wait, err)
		}
		call.Outcome, call.Done = scheduler.OutcomeAccepted, now
		if err := st.Observations.Record(b.Context(), *call, seen); err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d environments, %d runs, %d spans", len(l.cfg.Environments), len(runs), len(spans))
}

// BenchmarkFirstPage reports how long the pages of 1,000 environments with a week of
// history take, to the first byte, which is written with the last, and how large they are.
func BenchmarkFirstPage(b *testing.B) {
	dir := b.TempDir()
	path := filepath.Join(dir, "schedules.yaml")
	if err := os.WriteFile(path, []byte(fleetFile()), 0o600); err != nil {
		b.Fatal(err)
	}
	cfg, p, _, err := Load(path, config.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d, err := newDaemon(Options{Path: path, Database: Database{DSN: filepath.Join(dir, "curfew.db")}, Getenv: func(string) string { return "" }, Logger: zap.NewNop(), Version: "test"}, loaded{cfg, p})
	if err != nil {
		b.Fatal(err)
	}
	st, err := store.Open(b.Context(), store.Options{DSN: d.Database.DSN})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	parts, err := d.build(b.Context(), st, nil)
	if err != nil {
		b.Fatal(err)
	}
	fleetPast(b, st, d.loaded)
	h := parts.site.Handler(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80})
	for _, path := range []string{"/", "/?page=20", "/?name=environment-09*&state=running", "/environments/environment-0500", "/runs", "/api/v1/environments", "/api/v1/timeline"} {
		b.Run(strings.NewReplacer("/", "_").Replace(path), func(b *testing.B) {
			var sent, whole int
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "http://localhost"+path, nil)
				r.Header.Set("Accept-Encoding", "gzip")
				w := httptest.NewRecorder()
				h.ServeHTTP(w, r)
				if w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "gzip" {
					b.Fatalf("%s answers %d %v", path, w.Code, w.Header())
				}
				sent = w.Body.Len()
				plain, err := gzip.NewReader(w.Body)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, plain)
				if err != nil {
					b.Fatal(err)
				}
				whole = int(n)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/page")
			b.ReportMetric(float64(sent)/1000, "kB-compressed")
			b.ReportMetric(float64(whole)/1000, "kB")
		})
	}
}
