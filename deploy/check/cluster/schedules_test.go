package cluster_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
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

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/pkg/volume/configmap"
	"k8s.io/kubernetes/pkg/volume/secret"
	"k8s.io/kubernetes/pkg/volume/util"

	"curfew/lcs/lcssim"
)

const (
	project  = 1234567
	devID    = "55eb4327-9346-4c7b-82bd-000000000000"
	lcsToken = "known-token-0123456789"
)

// A kubelet has the volumes of one pod on this machine, written by the kubelet's own code: a
// changed file is in a new folder, and a link to the folder is swapped.
type kubelet struct {
	*release
	pod     corev1.Pod
	volumes string // a folder for each volume
}

func (r *release) mount(pod corev1.Pod, volumes string) *kubelet {
	r.t.Helper()
	k := &kubelet{r, pod, volumes}
	for _, v := range pod.Spec.Volumes {
		if err := os.MkdirAll(filepath.Join(volumes, v.Name), 0o700); err != nil {
			r.t.Fatal(err)
		}
	}
	k.sync()
	return k
}

// sync brings the files to what the server has.
func (k *kubelet) sync() {
	k.t.Helper()
	for _, v := range k.pod.Spec.Volumes {
		files := k.files(v)
		if files == nil {
			continue
		}
		w, err := util.NewAtomicWriter(filepath.Join(k.volumes, v.Name), "test")
		if err == nil {
			err = w.Write(files, nil)
		}
		if err != nil {
			k.t.Fatal(err)
		}
	}
}

// files returns what a volume has, nil for one that is written by the daemon.
func (k *kubelet) files(v corev1.Volume) map[string]util.FileProjection {
	k.t.Helper()
	switch {
	case v.ConfigMap != nil:
		m, err := k.typed.CoreV1().ConfigMaps(k.namespace).Get(k.t.Context(), v.ConfigMap.Name, metav1.GetOptions{})
		if err != nil {
			k.t.Fatal(err)
		}
		files, err := configmap.MakePayload(v.ConfigMap.Items, m, v.ConfigMap.DefaultMode, false)
		if err != nil {
			k.t.Fatal(err)
		}
		return files
	case v.Projected != nil:
		all := map[string]util.FileProjection{}
		for _, source := range v.Projected.Sources {
			s, err := k.typed.CoreV1().Secrets(k.namespace).Get(k.t.Context(), source.Secret.Name, metav1.GetOptions{})
			if err != nil {
				k.t.Fatal(err)
			}
			files, err := secret.MakePayload(source.Secret.Items, s, v.Projected.DefaultMode, false)
			if err != nil {
				k.t.Fatal(err)
			}
			maps.Copy(all, files)
		}
		return all
	}
	return nil
}

// here returns a path of the container as it is on this machine.
func (k *kubelet) here(path string) string {
	for _, m := range k.pod.Spec.Containers[0].VolumeMounts {
		if rest, ok := strings.CutPrefix(path, m.MountPath+"/"); ok {
			return filepath.Join(k.volumes, m.Name, rest)
		}
	}
	return path
}

// A daemon is the built binary, run as the pod says: its arguments, its environment, its volumes.
type daemon struct {
	*kubelet
	cmd    *exec.Cmd
	log    string
	listen string
}

var listening = regexp.MustCompile(`"listen":"([^"]+)"`)

func (k *kubelet) start() *daemon {
	k.t.Helper()
	d := &daemon{kubelet: k, log: filepath.Join(k.dir, "log")}
	log, err := os.Create(d.log)
	if err != nil {
		k.t.Fatal(err)
	}
	container := k.pod.Spec.Containers[0]
	d.cmd = exec.Command(plane.bin("curfew"), container.Args...)
	d.cmd.Env = []string{"TMPDIR=" + k.here("/tmp/x")}
	for _, e := range container.Env {
		if e.Name == "CURFEW_LISTEN" { // a port that is free here
			e.Value = "127.0.0.1:0"
		}
		d.cmd.Env = append(d.cmd.Env, e.Name+"="+k.here(e.Value))
	}
	d.cmd.Stderr, d.cmd.SysProcAttr = log, endsWithTest()
	runtime.LockOSThread() // until the test ends
	if err := d.cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	k.t.Cleanup(func() { _ = d.cmd.Process.Kill(); _ = d.cmd.Wait(); _ = log.Close() })
	d.until("the daemon listens", func() bool {
		m := listening.FindStringSubmatch(read(k.t, d.log))
		if m != nil {
			d.listen = m[1]
		}
		return m != nil
	})
	return d
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
	Digest      string    `json:"digest"`
	ActiveSince time.Time `json:"active_since"`
	Refused     *struct {
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
	var fires []struct {
		Schedule string `json:"schedule"`
	}
	d.get("/api/v1/fires", &fires)
	var names []string
	for _, f := range fires {
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

// TestEditedConfigMapIsLoadedByTheRunningDaemon edits the schedule file as the documentation
// says, through Helm, the API server and the files of a kubelet, to the daemon.
func TestEditedConfigMapIsLoadedByTheRunningDaemon(t *testing.T) {
	r := newRelease(t)
	sim := lcssim.New(lcssim.Options{Tokens: []string{lcsToken}})
	sim.AddEnvironment(project, lcssim.Environment{ID: devID, Name: "LCS 0", State: lcssim.Running})
	lcs := httptest.NewServer(sim.Handler())
	t.Cleanup(lcs.Close)
	volumes := t.TempDir()
	far := time.Now().UTC().Add(12 * time.Hour)
	text := func(schedule string) string { // no fire comes while the test lasts
		return fmt.Sprintf(`version: 1
timezone: UTC
accounts: [{name: main, mode: static, token: {file: %s/secrets/lcs-token}}]
projects: [{name: contoso, id: %d, account: main, endpoint: %q}]
environments: [{name: dev-00, project: contoso, id: %s}]
schedules: [{name: %s, environments: [dev-00], stop: "%d %d * * *"}]
`, volumes, project, lcs.URL, devID, schedule, far.Minute(), far.Hour())
	}
	r.helm("install", "curfew", r.chart, "--values", kinds[0].values(), "--set-file", "schedules="+write(t, filepath.Join(r.dir, "first.yaml"), text("night")))
	node := r.mount(r.makesPods(1)[0], volumes)
	d := node.start()
	first := d.file()
	d.has("night", nil)

	r.edit(text("renamed"))
	node.sync()
	d.until("the edited file is active", func() bool { return d.file().Digest != first.Digest })
	second := d.file()
	if !second.ActiveSince.After(first.ActiveSince) {
		t.Errorf("the file is active since %v, the one before since %v", second.ActiveSince, first.ActiveSince)
	}
	d.has("renamed", nil)

	r.edit(strings.Replace(text("bad"), "timezone: UTC", "timezone: Mars", 1))
	node.sync()
	d.until("the bad file is refused", func() bool { return d.file().Refused != nil })
	d.has("renamed", []string{"unknown time zone"})
	if status := d.status(); !strings.Contains(status, "unknown time zone") {
		t.Errorf("curfew status does not say that the file is refused:\n%s", status)
	}

	r.helm("rollback", "curfew")
	node.sync()
	d.until("the file of before is well", func() bool { return d.file().Refused == nil })
	if now := d.file(); now.Digest != second.Digest {
		t.Errorf("the digest is %s, want that of the file before the bad one, %s", now.Digest, second.Digest)
	}
	d.has("renamed", nil)
	if n := len(r.generations()); n != 1 {
		t.Errorf("there are %d sets of pods, want that of the start", n)
	}
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
