package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/lcs/lcssim"
)

const (
	project  = 1234567
	devID    = "55eb4327-9346-4c7b-82bd-000000000000"
	lcsToken = "known-token-0123456789"
)

// A daemon is the built binary, run as the pod says: its arguments, its environment, its volumes.
type daemon struct {
	*kubelet
	cmd    *exec.Cmd
	lcs    string // the address of the simulated LCS
	log    string // the file
	listen string
}

var listening = regexp.MustCompile(`"listen":"([^"]+)"`)

func (d *daemon) start() {
	d.t.Helper()
	d.log = filepath.Join(d.dir, "log")
	log, err := os.Create(d.log)
	if err != nil {
		d.t.Fatal(err)
	}
	container := d.pod.Spec.Containers[0]
	d.cmd = exec.Command(plane.bin("curfew"), container.Args...)
	d.cmd.Env = []string{"TMPDIR=" + d.here("/tmp/x")}
	for _, e := range container.Env {
		if e.Name == "CURFEW_LISTEN" { // a port that is free here
			e.Value = "127.0.0.1:0"
		}
		d.cmd.Env = append(d.cmd.Env, e.Name+"="+d.here(e.Value))
	}
	d.cmd.Stderr, d.cmd.SysProcAttr = log, endsWithTest()
	runtime.LockOSThread() // until the test ends
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.cmd.Process.Kill(); _ = d.cmd.Wait(); _ = log.Close() })
	d.until("the daemon listens", func() bool {
		m := listening.FindStringSubmatch(read(d.t, d.log))
		if m != nil {
			d.listen = m[1]
		}
		return m != nil
	})
}

// get reads an answer of the API.
func (d *daemon) get(path string, into any) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, "http://"+d.listen+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(read(d.t, d.here("/run/secrets/curfew/api-token"))))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		d.t.Fatalf("%v\n%s", err, read(d.t, d.log))
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		d.t.Fatalf("%s: %s, %v\n%s", path, res.Status, err, b)
	}
	if err := json.Unmarshal(b, into); err != nil {
		d.t.Fatalf("%v\n%s", err, b)
	}
}

// A scheduleFile is the file that the daemon has, as the API describes it.
type scheduleFile struct {
	Digest  string `json:"digest"`
	Refused *struct {
		Problems []string `json:"problems"`
	} `json:"refused"`
}

func (d *daemon) file() (f scheduleFile) {
	d.t.Helper()
	d.get("/api/v1/file", &f)
	return f
}

// schedules returns the schedules that the coming fires are of.
func (d *daemon) schedules() []string {
	d.t.Helper()
	var fires struct {
		Items []struct {
			Schedule string `json:"schedule"`
		} `json:"items"`
	}
	d.get("/api/v1/fires", &fires)
	var names []string
	for _, f := range fires.Items {
		names = append(names, f.Schedule)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// status is what curfew status prints.
func (d *daemon) status() string {
	d.t.Helper()
	cmd := exec.CommandContext(d.t.Context(), plane.bin("curfew"), "status")
	cmd.Env = []string{"CURFEW_SERVER=http://" + d.listen, "CURFEW_API_TOKEN_FILE=" + d.here("/run/secrets/curfew/api-token")}
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("curfew status: %v\n%s", err, out)
	}
	return string(out)
}

// has checks which schedule is active, and what is wrong with the file as it is now.
func (d *daemon) has(schedule string, problems []string) {
	d.t.Helper()
	if got := d.schedules(); !slices.Equal(got, []string{schedule}) {
		d.t.Errorf("the fires are of %q, want %q", got, schedule)
	}
	f := d.file()
	if (f.Refused != nil) != (problems != nil) {
		d.t.Fatalf("the file is refused: %+v, want %q", f.Refused, problems)
	}
	for _, p := range problems {
		if !slices.ContainsFunc(f.Refused.Problems, func(is string) bool { return strings.Contains(is, p) && strings.Contains(is, "schedules.yaml:") }) {
			d.t.Errorf("the file is refused for %q, want %q", f.Refused.Problems, p)
		}
	}
}

// newDaemon installs the chart with SQLite and a simulated LCS, and runs what its pod says.
func newDaemon(t *testing.T) *daemon {
	t.Helper()
	r := newRelease(t)
	sim := lcssim.New(lcssim.Options{Tokens: []string{lcsToken}})
	sim.AddEnvironment(project, lcssim.Environment{ID: devID, Name: "LCS 0", State: lcssim.Finished})
	lcs := httptest.NewServer(sim.Handler())
	t.Cleanup(lcs.Close)
	d := &daemon{kubelet: &kubelet{release: r, volumes: t.TempDir()}, lcs: lcs.URL}
	r.helm("install", "curfew", r.chart, "--values", kinds[0].values(), "--set-file", "schedules="+write(t, filepath.Join(r.dir, "first.yaml"), d.text("night")))
	d.mount(r.makesPods(1)[0])
	d.start()
	return d
}

// text is a schedule file with one schedule, of which no fire comes while a test lasts.
func (d *daemon) text(schedule string) string {
	far := time.Now().UTC().Add(12 * time.Hour)
	return fmt.Sprintf(`version: 1
timezone: UTC
accounts: [{name: main, mode: static, token: {file: %s/secrets/lcs-token}}]
projects: [{name: contoso, id: %d, account: main, endpoint: %q}]
environments: [{name: dev-00, project: contoso, id: %s}]
schedules: [{name: %s, environments: [dev-00], stop: "%d %d * * *"}]
`, d.volumes, project, d.lcs, devID, schedule, far.Minute(), far.Hour())
}
