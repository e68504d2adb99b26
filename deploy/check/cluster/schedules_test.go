package cluster_test

import (
	"net/url"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestEditedConfigMapIsLoadedByTheRunningDaemon edits the schedule file as the documentation
// says, through Helm, the API server and the files of a kubelet, to the daemon.
func TestEditedConfigMapIsLoadedByTheRunningDaemon(t *testing.T) {
	d := newDaemon(t)
	first := d.file()
	d.has("night", nil)

	d.edit(d.text("renamed"))
	d.sync()
	d.until("the edited file is active", func() bool { return d.file().Digest != first.Digest })
	second := d.file()
	d.has("renamed", nil)

	d.edit(strings.Replace(d.text("bad"), "timezone: UTC", "timezone: Mars", 1))
	d.sync()
	d.until("the bad file is refused", func() bool { return d.file().Refused != nil })
	d.has("renamed", []string{"unknown time zone"})
	if status := strings.Join(strings.Fields(d.status()), " "); !strings.Contains(status, "unknown time zone") {
		t.Errorf("curfew status does not say that the file is refused:\n%s", status)
	}

	d.helm("rollback", "curfew")
	d.sync()
	d.until("the file of before is well", func() bool { return d.file().Refused == nil })
	if now := d.file(); now.Digest != second.Digest {
		t.Errorf("the digest is %s, want that of the file before the bad one, %s", now.Digest, second.Digest)
	}
	d.has("renamed", nil)
	if n := len(d.generations()); n != 1 {
		t.Errorf("there are %d sets of pods, want that of the start", n)
	}
}

// TestHelmTestProvesThatTheDaemonAnswers has Helm make the pod of its test, and does what a kubelet would with it.
func TestHelmTestProvesThatTheDaemonAnswers(t *testing.T) {
	d := newDaemon(t)
	for _, code := range []int{0, 1} {
		if code == 1 { // the daemon is gone
			if err := d.cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = d.cmd.Wait()
		}
		ended := make(chan error, 1)
		go func() {
			_, _, err := d.tryHelm("test", "curfew")
			ended <- err
		}()
		if got := d.runTestPod(); got != code {
			t.Errorf("the pod of helm test ends with %d, want %d", got, code)
		}
		if err := <-ended; (err == nil) != (code == 0) {
			t.Errorf("helm test: %v, and its pod ends with %d", err, code)
		}
	}
}

// runTestPod runs what the pod of Helm's test does, and returns its exit code.
func (d *daemon) runTestPod() int {
	d.t.Helper()
	pods := d.typed.CoreV1().Pods(d.namespace)
	var pod *corev1.Pod
	d.until("Helm makes the pod of its test", func() bool {
		var err error
		if pod, err = pods.Get(d.t.Context(), "curfew-test", metav1.GetOptions{}); err != nil && !errors.IsNotFound(err) {
			d.t.Fatal(err)
		}
		return err == nil && pod.Status.Phase == corev1.PodPending
	})
	args := slices.Clone(pod.Spec.Containers[0].Args)
	last := len(args) - 1
	service, err := url.Parse(args[last])
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := d.typed.CoreV1().Services(d.namespace).Get(d.t.Context(), service.Hostname(), metav1.GetOptions{})
	if err != nil || service.Port() != strconv.Itoa(int(s.Spec.Ports[0].Port)) {
		d.t.Fatalf("the test asks %s, which is no service: %v", service, err)
	}
	args[last] = "http://" + d.listen
	cmd := exec.CommandContext(d.t.Context(), plane.bin("curfew"), args...)
	cmd.Env = []string{}
	out, _ := cmd.CombinedOutput()
	code := cmd.ProcessState.ExitCode()
	d.t.Logf("%s: %d %s", strings.Join(args, " "), code, out)
	pod.Status.Phase = corev1.PodSucceeded
	if code != 0 {
		pod.Status.Phase = corev1.PodFailed
	}
	if _, err := pods.UpdateStatus(d.t.Context(), pod, metav1.UpdateOptions{}); err != nil {
		d.t.Fatal(err)
	}
	return code
}
