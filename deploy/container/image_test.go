// Package container_test builds the image and runs it as it is meant to be run: hardened,
// against a simulated LCS.
package container_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"curfew/internal/freeport"
	"curfew/lcs/lcssim"
)

const (
	image    = "curfew:image-test"
	release  = "1.2.3-image-test"
	project  = 1234567
	id       = "55eb4327-9346-4c7b-82bd-fe8ef15112c6"
	lcsToken = "known-token-0123456789"
	apiToken = "known-api-token-987654"
	// most is what a registry stores of the image at most.
	most     = 30 << 20
	patience = 2 * time.Minute
)

// docker runs a command of Docker; the engine is that of CURFEW_DOCKER_HOST.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	var warnings bytes.Buffer
	cmd := dockerCommand(context.Background(), args...)
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("docker %s: %v\n%s%s", strings.Join(args, " "), err, out, warnings.String())
	}
	if args[0] == "logs" {
		out = append(out, warnings.Bytes()...) // the daemon logs to its standard error
	}
	return strings.TrimSpace(string(out))
}

func dockerCommand(ctx context.Context, args ...string) *exec.Cmd {
	program := "docker"
	if _, err := os.Stat("/usr/bin/docker"); err == nil {
		program = "/usr/bin/docker" // Debian's has BuildKit built in
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=1", "DOCKER_HOST="+os.Getenv("CURFEW_DOCKER_HOST"))
	return cmd
}

// build builds the image for an architecture, from the Dockerfile as it is.
func build(t *testing.T, tag, arch string) {
	t.Helper()
	docker(t, "build", "--network=host", "--build-arg", "VERSION="+release, "--build-arg", "REVISION=abc", "--build-arg", "TARGETARCH="+arch, "-t", tag, filepath.Join("..", ".."))
}

// binary copies curfew out of an image.
func binary(t *testing.T, tag string) string {
	t.Helper()
	container := docker(t, "create", tag)
	t.Cleanup(func() { docker(t, "rm", container) })
	file := filepath.Join(t.TempDir(), "curfew")
	docker(t, "cp", container+":/usr/local/bin/curfew", file)
	return file
}

func TestImage(t *testing.T) {
	if os.Getenv("CURFEW_DOCKER_HOST") == "" {
		t.Skip("needs a Docker engine: make image-test runs it")
	}
	build(t, image, runtime.GOARCH)
	t.Run("says what it is", isDescribed)
	t.Run("is small", isSmall)
	t.Run("is static, and the same as a build elsewhere", isReproducible)
	t.Run("is built for the other architecture", isBuiltForBoth)
	t.Run("runs hardened, reads its file again and rotates secrets", runsHardened)
}

func isDescribed(t *testing.T) {
	var list []struct {
		Config struct {
			User, WorkingDir string
			Labels           map[string]string
			Healthcheck      struct{ Test []string }
			Entrypoint, Cmd  []string
		}
	}
	if err := json.Unmarshal([]byte(docker(t, "image", "inspect", image)), &list); err != nil {
		t.Fatal(err)
	}
	c := list[0].Config
	if c.User != "65532:65532" || c.WorkingDir != "/var/lib/curfew" || len(c.Healthcheck.Test) != 3 || fmt.Sprint(c.Entrypoint, c.Cmd) != "[/usr/local/bin/curfew] [serve]" {
		t.Errorf("the image is %+v", c)
	}
	for key, want := range map[string]string{"title": "curfew", "version": release, "revision": "abc"} {
		if got := c.Labels["org.opencontainers.image."+key]; got != want {
			t.Errorf("the label %s is %q, want %q", key, got, want)
		}
	}
}

func isSmall(t *testing.T) {
	save := dockerCommand(t.Context(), "save", image)
	out, err := save.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := save.Start(); err != nil {
		t.Fatal(err)
	}
	var size counter
	z := gzip.NewWriter(&size)
	if _, err := io.Copy(z, out); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := save.Wait(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%.1f MB compressed", float64(size)/1e6)
	if size > most {
		t.Errorf("the image has %d bytes compressed, want %d at most", size, most)
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func isReproducible(t *testing.T) {
	file := binary(t, image)
	inside, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer inside.Close()
	for _, p := range inside.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("the binary is linked to libraries: it has a %v", p.Type)
		}
	}
	here := filepath.Join(t.TempDir(), "curfew")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+release, "-o", here, "./cmd/curfew")
	cmd.Dir, cmd.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if a, b := digest(t, file), digest(t, here); a != b {
		t.Errorf("the binary of the image has the digest %s, and one built here %s", a, b)
	}
}

func digest(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))
}

func isBuiltForBoth(t *testing.T) {
	other, machine := "arm64", elf.EM_AARCH64
	if runtime.GOARCH == other {
		other, machine = "amd64", elf.EM_X86_64
	}
	build(t, image+"-"+other, other)
	f, err := elf.Open(binary(t, image+"-"+other))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Machine != machine {
		t.Errorf("the binary is for %v, want %v", f.Machine, machine)
	}
}

// A running container, and the folders that are mounted into it.
type running struct {
	t                    *testing.T
	name, dir, addr, lcs string
}

// write replaces a file, as editors and Kubernetes do.
func (r *running) write(name, text string) {
	r.t.Helper()
	file := filepath.Join(r.dir, name)
	if err := os.WriteFile(file+".new", []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chown(file+".new", 65532, 65532); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) schedules(name string) {
	r.t.Helper()
	r.write("config/schedules.yaml", fmt.Sprintf(`version: 1
timezone: UTC
accounts: [{name: main, mode: static, token: {file: /run/secrets/lcs-token}}]
projects: [{name: contoso, id: %d, account: main, endpoint: %q}]
environments: [{name: dev-01, project: contoso, id: %s}]
schedules: [{name: %s, environments: [dev-01], stop: "0 0 29 2 *"}]
`, project, r.lcs, id, name))
}

func start(t *testing.T) *running {
	t.Helper()
	sim := lcssim.New(lcssim.Options{StartTime: time.Second, StopTime: time.Second, Tokens: []string{lcsToken}})
	sim.AddEnvironment(project, lcssim.Environment{ID: id, Name: "dev-01", State: lcssim.Stopped})
	server := httptest.NewServer(sim.Handler())
	t.Cleanup(server.Close)
	port, err := freeport.Pick(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := &running{t: t, dir: t.TempDir(), lcs: server.URL, addr: fmt.Sprintf("127.0.0.1:%d", port), name: fmt.Sprintf("curfew-image-test-%d", port)}
	for _, d := range []string{"config", "secrets", "state"} {
		if err := os.Mkdir(filepath.Join(r.dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(r.dir, d), 65532, 65532); err != nil {
			t.Fatal(err)
		}
	}
	for dir := r.dir; dir != os.TempDir() && len(dir) > 1; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o711); err != nil { // the test's folders are for its own user alone
			t.Fatal(err)
		}
	}
	r.schedules("first")
	r.write("secrets/api-token", apiToken)
	r.write("secrets/lcs-token", "a-token-that-LCS-does-not-accept")
	docker(t, "run", "-d", "--name", r.name, "--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
		"--pids-limit=200", "--memory=256m", "--tmpfs", "/tmp:size=64m", "-e", "CURFEW_LISTEN="+r.addr, "-e", "CURFEW_API_TOKEN_FILE=/run/secrets/api-token",
		"-v", r.dir+"/config:/etc/curfew:ro", "-v", r.dir+"/secrets:/run/secrets:ro", "-v", r.dir+"/state:/var/lib/curfew", image)
	t.Cleanup(func() { docker(t, "rm", "-f", r.name) })
	return r
}

// get returns what the daemon serves, "" while it does not.
func (r *running) get(path string) string {
	r.t.Helper()
	res, err := http.Get("http://" + r.addr + path)
	if err != nil {
		return ""
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return ""
	}
	return string(b)
}

func (r *running) until(what string, is func() bool) {
	r.t.Helper()
	check := time.NewTicker(100 * time.Millisecond)
	defer check.Stop()
	for end := time.Now().Add(patience); !is(); <-check.C {
		if time.Now().After(end) {
			r.t.Fatalf("not within %v: %s\n%s", patience, what, docker(r.t, "logs", r.name))
		}
	}
}

func (r *running) shows(path, text string) {
	r.t.Helper()
	r.until(path+" has "+text, func() bool { return strings.Contains(r.get(path), text) })
}

func runsHardened(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to give the files to the container's user")
	}
	r := start(t)
	r.shows("/readyz", "ready")
	docker(t, "exec", r.name, "curfew", "healthcheck")
	status := docker(t, "exec", r.name, "curfew", "version")
	if !strings.Contains(status, release) {
		t.Errorf("the container says %s", status)
	}
	r.schedules("second")
	r.until("the file is read again", func() bool { return strings.Contains(docker(t, "logs", r.name), `"reloaded"`) })

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.addr+"/api/v1/environments/dev-01/start", bytes.NewReader(nil))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+apiToken)
	res, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	r.shows("/metrics", `curfew_account_up{account="main"} 0`)
	r.write("secrets/lcs-token", lcsToken)
	r.shows("/metrics", `curfew_runs_total{action="start",state="succeeded"} 1`)

	if logs := docker(t, "logs", r.name); strings.Contains(logs, lcsToken) || strings.Contains(logs, apiToken) {
		t.Error("a secret is in the log")
	}
	r.until("the engine finds it healthy", func() bool {
		return docker(t, "inspect", "--format", "{{.State.Health.Status}}", r.name) == "healthy"
	})
	docker(t, "stop", r.name)
	if code := docker(t, "inspect", "--format", "{{.State.ExitCode}}", r.name); code != "0" {
		t.Errorf("the container exited %s after a request to stop\n%s", code, docker(t, "logs", r.name))
	}
}
