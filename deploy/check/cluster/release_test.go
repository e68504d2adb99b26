package cluster_test

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

const chartDir = "../../helm/curfew"

// A release is the chart in a namespace of its own.
type release struct {
	*client
	chart string
	dir   string // of values, schedule files and Helm's own files
}

func newRelease(t *testing.T) *release {
	t.Helper()
	r := &release{client: newClient(t), chart: chartDir, dir: t.TempDir()}
	r.secrets(map[string]string{
		"api-token": "known-api-token-9876543210abcdef", "lcs-password": "known-password", "lcs-token": lcsToken,
		"database-url": "postgres://curfew@db.example.com/curfew", "secret-key": "known-secret-key",
	})
	return r
}

// A kind is a kind of database, with the values that the plain manifests have for it.
type kind struct {
	name     string
	replicas int
}

var kinds = []kind{{"sqlite", 1}, {"postgres", 2}}

func (k kind) values() string { return "../../kubernetes/values-" + k.name + ".yaml" }

// tryHelm runs Helm, and returns what it writes to standard error too: the server's warnings are there.
func (r *release) tryHelm(args ...string) (stdout, stderr string, err error) {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), plane.bin("helm"), append(args, "--namespace", r.namespace)...)
	cmd.Env = []string{"HOME=" + r.dir, "KUBECONFIG=" + plane.file("kubeconfig")}
	var out, problems bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	return out.String(), problems.String(), err
}

// helm runs Helm, which must warn of nothing.
func (r *release) helm(args ...string) string {
	r.t.Helper()
	stdout, stderr, err := r.tryHelm(args...)
	if err != nil || stderr != "" {
		r.t.Fatalf("helm %s: %v\n%s%s", strings.Join(args, " "), err, stdout, stderr)
	}
	return stdout
}

func (r *release) install(values string, args ...string) {
	r.t.Helper()
	r.helm(append([]string{"install", "curfew", r.chart, "--values", values, "--set-file", "schedules=../../kubernetes/schedules.yaml"}, args...)...)
}

// upgrade changes some values of the release, as the documentation says.
func (r *release) upgrade(args ...string) {
	r.t.Helper()
	r.helm(append([]string{"upgrade", "curfew", r.chart, "--reuse-values"}, args...)...)
}

// edit upgrades to another schedule file.
func (r *release) edit(text string) {
	r.t.Helper()
	r.upgrade("--set-file", "schedules="+write(r.t, filepath.Join(r.dir, "schedules.yaml"), text))
}

func (r *release) deployment() *appsv1.Deployment {
	r.t.Helper()
	d, err := r.typed.AppsV1().Deployments(r.namespace).Get(r.t.Context(), "curfew", metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return d
}

// configMap returns the schedule file as the server has it.
func (r *release) configMap() *corev1.ConfigMap {
	r.t.Helper()
	m, err := r.typed.CoreV1().ConfigMaps(r.namespace).Get(r.t.Context(), "curfew-schedules", metav1.GetOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	return m
}

// generations returns the names of the sets of pods, one for each pod template.
func (r *release) generations() []string {
	r.t.Helper()
	list, err := r.typed.AppsV1().ReplicaSets(r.namespace).List(r.t.Context(), metav1.ListOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	var names []string
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	return names
}

// A rollout is the daemon's pods as the controllers make and delete them, with a kubelet's part:
// each pod is ready once it is there.
type rollout struct {
	*release
	replicas int
	events   watch.Interface
	pods     map[string]*corev1.Pod
	most     int // pods at a time
}

// follow follows the pods from now on.
func (r *release) follow(k kind) *rollout {
	r.t.Helper()
	events, err := r.typed.CoreV1().Pods(r.namespace).Watch(r.t.Context(), metav1.ListOptions{LabelSelector: daemonLabels})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(events.Stop)
	return &rollout{release: r, replicas: k.replicas, events: events, pods: map[string]*corev1.Pod{}}
}

// to waits until all pods have an image and are ready. Unless these are the first pods, it fails
// when fewer are ready, or there are more, than the strategy of the chart allows.
func (o *rollout) to(image string) {
	o.t.Helper()
	replaces := len(o.pods) > 0
	o.most = 0
	end := time.After(patience)
	for !o.done(image) {
		select {
		case e := <-o.events.ResultChan():
			o.see(e, replaces)
		case <-end:
			o.t.Fatalf("not within %v: all pods have %s: %s", patience, image, o)
		}
	}
}

func (o *rollout) see(e watch.Event, replaces bool) {
	o.t.Helper()
	pod, ok := e.Object.(*corev1.Pod)
	if !ok {
		o.t.Fatalf("the watch of pods: %v", e.Object)
	}
	o.pods[pod.Name] = pod
	if e.Type == watch.Deleted {
		delete(o.pods, pod.Name)
	}
	o.most = max(o.most, len(o.pods))
	if replaces && (o.ready() < o.replicas || len(o.pods) > o.replicas+1) {
		o.t.Fatalf("%d ready pods of %d, want %d at least, of %d at most: %s", o.ready(), len(o.pods), o.replicas, o.replicas+1, o)
	}
	if e.Type != watch.Deleted && !isReady(pod) {
		o.beReady(pod)
	}
}

// beReady reports what a kubelet does once the daemon answers.
func (o *rollout) beReady(pod *corev1.Pod) {
	o.t.Helper()
	pod = pod.DeepCopy()
	pod.Status.Phase = corev1.PodRunning
	pod.Status.Conditions = append(pod.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()})
	if _, err := o.typed.CoreV1().Pods(o.namespace).UpdateStatus(o.t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		o.t.Fatal(err)
	}
}

func isReady(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool { return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue })
}

func (o *rollout) ready() (n int) {
	for _, pod := range o.pods {
		if isReady(pod) {
			n++
		}
	}
	return n
}

func (o *rollout) done(image string) bool {
	for _, pod := range o.pods {
		if pod.Spec.Containers[0].Image != image {
			return false
		}
	}
	return len(o.pods) == o.replicas && o.ready() == o.replicas
}

func (o *rollout) String() string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(o.pods)) {
		list = append(list, fmt.Sprintf("%s of %s, ready %t", name, o.pods[name].Spec.Containers[0].Image, isReady(o.pods[name])))
	}
	return strings.Join(list, "; ")
}

// changedChart returns a copy of the chart with a text of a template changed.
func changedChart(t *testing.T, template, text, by string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "curfew")
	if err := os.CopyFS(dir, os.DirFS(chartDir)); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "templates", template)
	was := read(t, file)
	if !strings.Contains(was, text) {
		t.Fatalf("%s does not have %q", template, text)
	}
	write(t, file, strings.ReplaceAll(was, text, by))
	return dir
}

// write writes a file, and returns its name.
func write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
