// Package cluster_test installs what is in deploy into a control plane of Kubernetes: etcd, the
// API server and its controllers, built from source and started on loopback. There is no kubelet;
// the tests do its part where they need one. It is a module of its own: Kubernetes is large.
package cluster_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/cert"

	"curfew/internal/freeport"
)

const (
	patience  = 2 * time.Minute
	pollEvery = 50 * time.Millisecond
)

// A controlPlane is what is started of Kubernetes, and the programs that the tests use.
type controlPlane struct {
	dir      string // of logs, keys and data
	config   *rest.Config
	children []*child
}

// plane is the control plane of all tests.
var plane *controlPlane

func TestMain(m *testing.M) {
	runtime.LockOSThread() // the children end with the thread that starts them
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "curfew-cluster-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	plane = &controlPlane{dir: dir}
	defer plane.stop()
	began := time.Now()
	if err := plane.build(); err != nil {
		return 1, err
	}
	built := time.Now()
	if err := plane.start(); err != nil {
		return 1, err
	}
	fmt.Printf("built in %v, ready in %v\n", built.Sub(began).Round(time.Second), time.Since(built).Round(time.Millisecond))
	code = m.Run()
	if code != 0 {
		fmt.Print(plane.logs())
	}
	return code, nil
}

func (p *controlPlane) bin(name string) string { return filepath.Join(p.dir, "bin", name) }

// usual builds what the tests of other modules build too as they do, whether this test is with cgo or not.
const usual = "CGO_ENABLED="

// build makes the programs. The compiled packages are kept in Go's own cache, which makes it cheap the next time.
func (p *controlPlane) build() error {
	version, err := exec.Command("go", "list", "-m", "-f", "{{.Version}}", "k8s.io/kubernetes").Output()
	if err != nil {
		return fmt.Errorf("the version of Kubernetes: %w", err)
	}
	flags := "-ldflags=-s -w -X k8s.io/component-base/version.gitVersion=" + strings.TrimSpace(string(version)) // Helm asks for it
	for _, b := range []struct{ dir, out, pkg, env string }{
		{".", "kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", ""},
		{".", "kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", ""},
		{".", "etcd", "go.etcd.io/etcd/server/v3", ""},
		{"..", "helm", "helm.sh/helm/v4/cmd/helm", usual},
		{"../../..", "curfew", "./cmd/curfew", usual},
	} {
		cmd := exec.Command("go", "build", flags, "-o", p.bin(b.out), b.pkg)
		cmd.Dir, cmd.Env = filepath.FromSlash(b.dir), append(os.Environ(), b.env)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", b.out, err, out)
		}
	}
	return nil
}

// start starts etcd, the API server and the controllers, and returns when the server is ready.
func (p *controlPlane) start() error {
	var ports [3]int
	for i := range ports {
		var err error
		if ports[i], err = freeport.Pick(context.Background()); err != nil {
			return err
		}
	}
	if err := p.identify(ports[2]); err != nil {
		return err
	}
	store := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	peers := fmt.Sprintf("http://127.0.0.1:%d", ports[1])
	if err := p.run("etcd", "--data-dir", filepath.Join(p.dir, "data"), "--unsafe-no-fsync", "--log-level=warn",
		"--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers); err != nil {
		return err
	}
	if err := p.run("kube-apiserver", "--etcd-servers", store, "--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", ports[2]),
		"--cert-dir", p.dir, "--tls-cert-file", p.file("tls.crt"), "--tls-private-key-file", p.file("tls.key"),
		"--token-auth-file", p.file("tokens.csv"), "--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none",
		"--service-account-issuer=https://kubernetes.default.svc", "--service-account-key-file", p.file("tls.key"), "--service-account-signing-key-file", p.file("tls.key")); err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		return err
	}
	if err := p.await("the API server is ready", func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	}); err != nil {
		return err
	}
	return p.run("kube-controller-manager", "--kubeconfig", p.file("kubeconfig"), "--leader-elect=false", "--secure-port=0")
}

func (p *controlPlane) file(name string) string { return filepath.Join(p.dir, name) }

// identify writes the key of the server, and the token and the configuration of its administrator.
func (p *controlPlane) identify(port int) error {
	certificate, key, err := cert.GenerateSelfSignedCertKey("127.0.0.1", nil, nil)
	if err != nil {
		return err
	}
	token := rand.Text()
	for name, text := range map[string]string{
		"tls.crt": string(certificate), "tls.key": string(key),
		"tokens.csv": token + ",admin,admin,system:masters\n",
	} {
		if err := os.WriteFile(p.file(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	p.config = &rest.Config{Host: fmt.Sprintf("https://127.0.0.1:%d", port), BearerToken: token, TLSClientConfig: rest.TLSClientConfig{CAData: certificate}, QPS: -1}
	access := api.NewConfig()
	access.Clusters["plane"] = &api.Cluster{Server: p.config.Host, CertificateAuthorityData: certificate}
	access.AuthInfos["admin"] = &api.AuthInfo{Token: token}
	access.Contexts["admin"] = &api.Context{Cluster: "plane", AuthInfo: "admin"}
	access.CurrentContext = "admin"
	return clientcmd.WriteToFile(*access, p.file("kubeconfig"))
}

// A child is a program that runs until the tests end.
type child struct {
	name  string
	cmd   *exec.Cmd
	ended chan struct{}
}

func (p *controlPlane) run(name string, args ...string) error {
	log, err := os.Create(p.file(name + ".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	c := &child{name: name, cmd: exec.Command(p.bin(name), args...), ended: make(chan struct{})}
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.SysProcAttr = endsWithTest()
	if err := c.cmd.Start(); err != nil {
		return err
	}
	p.children = append(p.children, c)
	go func() { defer close(c.ended); _ = c.cmd.Wait() }()
	return nil
}

// endsWithTest has a program end when the thread that starts it does, even when the tests are killed.
func endsWithTest() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// stop ends the children, the last one first: the API server takes minutes to end without etcd.
func (p *controlPlane) stop() {
	for i := len(p.children) - 1; i >= 0; i-- {
		_ = p.children[i].cmd.Process.Kill()
		<-p.children[i].ended
	}
}

// await calls a check until it returns no error. It stops with an error when a child has ended.
func (p *controlPlane) await(what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	again := time.NewTicker(pollEvery)
	defer again.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		for _, c := range p.children {
			select {
			case <-c.ended:
				return fmt.Errorf("%s has ended: %v\n%s", c.name, c.cmd.ProcessState, p.logs())
			default:
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %s: %w\n%s", patience, what, err, p.logs())
		case <-again.C:
		}
	}
}

// logs returns the end of what each child has logged.
func (p *controlPlane) logs() string {
	var text strings.Builder
	for _, c := range p.children {
		b, err := os.ReadFile(p.file(c.name + ".log"))
		text.WriteString(fmt.Sprintf("== %s\n%s\n", c.name, cmp.Or(string(b[max(0, len(b)-4000):]), fmt.Sprint(err))))
	}
	return text.String()
}
