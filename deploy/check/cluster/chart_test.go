package cluster_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// what the server says of pods that the restricted level does not admit.
const violation = "violate"

func TestChartIsAdmittedUnderTheRestrictedLevel(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRelease(t)
			r.install(k.values())
			for _, pod := range r.makesPods(k.replicas) {
				if pod.Spec.Containers[0].Image != "registry.example.com/curfew:1.0.0" {
					t.Errorf("the pod %s has the image %s", pod.Name, pod.Spec.Containers[0].Image)
				}
			}
			r.accepts(objects(t, r.helm("get", "manifest", "curfew")), metav1.DryRunAll)
			r.warnsOfNothing()
		})
	}
}

// TestChartThatIsNotRestrictedIsRefused shows that the server admits no pod of a chart that lacks something.
func TestChartThatIsNotRestrictedIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"it may run as root":         "runAsNonRoot: true\n",
		"it keeps capabilities":      "capabilities: {drop: [ALL]}\n",
		"it may gain privileges":     "allowPrivilegeEscalation: false\n",
		"it has no profile of calls": "seccompProfile: {type: RuntimeDefault}\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRelease(t)
			r.chart = changedChart(t, "_helpers.tpl", text, "")
			if _, stderr, err := r.tryHelm("install", "curfew", r.chart, "--values", kinds[0].values(), "--set-file", "schedules=../../kubernetes/schedules.yaml"); err != nil || !strings.Contains(stderr, violation) {
				t.Errorf("helm install: %v, and warns: %q", err, stderr)
			}
			r.until("the controller says that its pods are refused", func() bool {
				return slices.ContainsFunc(r.deployment().Status.Conditions, func(c appsv1.DeploymentCondition) bool {
					return c.Type == appsv1.DeploymentReplicaFailure && strings.Contains(c.Message, violation)
				})
			})
			if pods := r.pods(); len(pods) > 0 {
				t.Errorf("there are %d pods", len(pods))
			}
			for _, o := range objects(t, r.helm("get", "hooks", "curfew")) {
				if err := r.apply(o, metav1.DryRunAll); err == nil || !strings.Contains(err.Error(), violation) {
					t.Errorf("the pod of helm test is admitted: %v", err)
				}
			}
		})
	}
}

func TestPodOfHelmTestIsAdmitted(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRelease(t)
			r.install(k.values())
			hooks := objects(t, r.helm("get", "hooks", "curfew"))
			if len(hooks) != 1 || hooks[0].GetKind() != "Pod" {
				t.Fatalf("the hooks are %v", hooks)
			}
			if err := r.apply(hooks[0], metav1.DryRunAll); err != nil {
				t.Error(err)
			}
		})
	}
}

// everything turns on what the values leave off.
const everything = `
publicUrl: https://curfew.example.com
ingress: {enabled: true, host: curfew.example.com, className: nginx, tlsSecret: tls, annotations: {a: b}}
networkPolicy: {from: [{namespaceSelector: {matchLabels: {a: b}}}], extraEgress: [{ports: [{port: 587, protocol: TCP}]}]}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
dashboard: {enabled: true}
serviceAccount: {annotations: {azure.workload.identity/client-id: an-id}}
imagePullSecrets: [{name: registry}]
extraEnv: [{name: TEAMS, valueFrom: {secretKeyRef: {name: teams, key: url}}}]
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
podAnnotations: {a: b}
podLabels: {a: b}
`

func TestEachObjectOfTheChartIsAdmitted(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRelease(t)
			for _, kind := range []string{"servicemonitors", "prometheusrules"} {
				r.define(kind)
			}
			r.install(k.values(), "--values", write(t, filepath.Join(r.dir, "everything.yaml"), everything))
			r.makesPods(k.replicas)
			seen := map[string]bool{}
			list := objects(t, r.helm("get", "manifest", "curfew"))
			r.accepts(list, metav1.DryRunAll)
			for _, o := range list {
				seen[o.GetKind()] = true
			}
			for _, kind := range []string{"ConfigMap", "Deployment", "Ingress", "NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor"} {
				if !seen[kind] {
					t.Errorf("the release has no %s", kind)
				}
			}
			r.warnsOfNothing()
		})
	}
}

// define lets the server know a kind of the Prometheus Operator.
func (c *client) define(plural string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "go", "mod", "download", "-json", "github.com/prometheus-operator/prometheus-operator@v0.85.0")
	cmd.Dir = c.t.TempDir() // outside of a module, so that it adds no requirement
	out, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("the Prometheus Operator: %v\n%s", err, out)
	}
	var module struct{ Dir string }
	if err := json.Unmarshal(out, &module); err != nil {
		c.t.Fatal(err)
	}
	for _, o := range objects(c.t, read(c.t, filepath.Join(module.Dir, "example/prometheus-operator-crd/monitoring.coreos.com_"+plural+".yaml"))) {
		if err := c.apply(o); err != nil {
			c.t.Fatal(err)
		}
	}
	c.until("the server knows "+plural, func() bool {
		list, err := c.typed.Discovery().ServerResourcesForGroupVersion("monitoring.coreos.com/v1")
		return err == nil && slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == plural })
	})
}

func TestEditedScheduleFileChangesTheConfigMapAlone(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRelease(t)
			r.install(k.values())
			pods, before, sets := r.makesPods(k.replicas), r.deployment(), r.generations()
			first := r.configMap().Data["schedules.yaml"]
			second := strings.Replace(first, "07:00-19:00", "06:00-20:00", 1)
			r.edit(second)
			if got := r.configMap().Data["schedules.yaml"]; got != second || got == first {
				t.Errorf("the ConfigMap has\n%s\nwant\n%s", got, second)
			}
			r.sameDaemon(before, sets, pods)
			r.helm("rollback", "curfew", "1")
			if got := r.configMap().Data["schedules.yaml"]; got != first {
				t.Errorf("after the rollback the ConfigMap has\n%s\nwant\n%s", got, first)
			}
			r.sameDaemon(before, sets, pods)
		})
	}
}

// sameDaemon checks that nothing has a reason to replace pods.
func (r *release) sameDaemon(before *appsv1.Deployment, sets []string, pods []corev1.Pod) {
	r.t.Helper()
	if now := r.deployment(); now.Generation != before.Generation || !reflect.DeepEqual(now.Spec.Template, before.Spec.Template) {
		r.t.Errorf("the deployment is of generation %d, was %d", now.Generation, before.Generation)
	}
	if now := r.generations(); !slices.Equal(now, sets) {
		r.t.Errorf("the sets of pods are %q, were %q", now, sets)
	}
	same := func(a, b corev1.Pod) bool { return a.UID == b.UID }
	if now := r.pods(); !slices.EqualFunc(now, pods, same) {
		r.t.Errorf("there are %d pods, not the same as before", len(now))
	}
}

// TestNewImageReplacesOnePodAfterTheOther holds an upgrade and a rollback to the strategy: there
// are as many ready pods as before at all times, and one more pod at most. With SQLite the new pod stands by for the old one.
func TestNewImageReplacesOnePodAfterTheOther(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRelease(t)
			r.install(k.values())
			const one, other = "registry.example.com/curfew:1.0.0", "registry.example.com/curfew:1.1.0"
			pods := r.follow(k)
			pods.to(one)
			first := r.generations()
			r.upgrade("--set", "image.tag=1.1.0")
			pods.to(other)
			if pods.most != k.replicas+1 {
				t.Errorf("there were %d pods at a time, want %d", pods.most, k.replicas+1)
			}
			second := r.generations()
			if len(first) != 1 || len(second) != 2 {
				t.Errorf("the sets of pods are %q, then %q", first, second)
			}
			r.helm("rollback", "curfew")
			pods.to(one)
			if got := r.generations(); !slices.Equal(got, second) {
				t.Errorf("after the rollback the sets of pods are %q, want %q", got, second)
			}
			var history []struct{ Status string }
			if err := json.Unmarshal([]byte(r.helm("history", "curfew", "--output", "json")), &history); err != nil || len(history) != 3 || history[2].Status != "deployed" {
				t.Errorf("the history is %v, %v", history, err)
			}
		})
	}
}

// TestNodeCanBeDrained has the server evict a pod, as kubectl drain does.
func TestNodeCanBeDrained(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			r := newRelease(t)
			r.install(k.values())
			r.follow(k).to("registry.example.com/curfew:1.0.0")
			budget := func() *policyv1.PodDisruptionBudget {
				b, err := r.typed.PolicyV1().PodDisruptionBudgets(r.namespace).Get(t.Context(), "curfew", metav1.GetOptions{})
				if err != nil {
					t.Fatal(err)
				}
				return b
			}
			r.until("the budget counts the pods", func() bool { return budget().Status.CurrentHealthy == int32(k.replicas) })
			pods := r.pods()
			for i, pod := range pods {
				err := r.typed.PolicyV1().Evictions(r.namespace).Evict(t.Context(), &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: r.namespace}})
				if (err == nil) != (i == 0) {
					t.Errorf("eviction of pod %d of %d: %v", i+1, len(pods), err)
				}
			}
		})
	}
}

func TestPlainManifestsAreAcceptedStrictly(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			c := newClient(t)
			list := objects(t, read(t, "../../kubernetes/"+k.name+".yaml"))
			c.accepts(append(objects(t, read(t, "../../kubernetes/namespace.yaml")), list...))
			c.makesPods(k.replicas)
			c.warnsOfNothing()
			for _, o := range list {
				if o.GetKind() == "Deployment" {
					refusesMistakes(c, o)
				}
			}
		})
	}
}

// TestPodsOfBackupAndRestoreAreAdmitted holds the pods that the documentation has somebody make.
func TestPodsOfBackupAndRestoreAreAdmitted(t *testing.T) {
	c := newClient(t)
	for _, name := range []string{"files", "restore"} {
		c.accepts(objects(t, read(t, "../../kubernetes/"+name+".yaml")), metav1.DryRunAll)
	}
	c.warnsOfNothing()
}

// refusesMistakes shows that the server does not accept everything.
func refusesMistakes(c *client, deployment *unstructured.Unstructured) {
	c.t.Helper()
	for name, change := range map[string]func(o map[string]any) error{
		"a misspelt key":   func(o map[string]any) error { return unstructured.SetNestedField(o, int64(1), "spec", "replcias") },
		"a number as text": func(o map[string]any) error { return unstructured.SetNestedField(o, "one", "spec", "replicas") },
		"another selector": func(o map[string]any) error {
			return unstructured.SetNestedField(o, "x", "spec", "selector", "matchLabels", "a")
		},
		"a user below zero": func(o map[string]any) error {
			return unstructured.SetNestedField(o, int64(-5), "spec", "template", "spec", "securityContext", "runAsUser")
		},
	} {
		o := deployment.DeepCopy()
		o.SetName("mistaken")
		if err := change(o.Object); err != nil {
			c.t.Fatal(err)
		}
		if err := c.apply(o, metav1.DryRunAll); err == nil {
			c.t.Errorf("%s is accepted", name)
		}
	}
	c.warned()
	o := deployment.DeepCopy()
	unstructured.RemoveNestedField(o.Object, "spec", "template", "spec", "securityContext", "runAsNonRoot")
	if err := c.apply(o, metav1.DryRunAll); err != nil || !strings.Contains(fmt.Sprint(c.warned()), violation) {
		c.t.Errorf("without runAsNonRoot the server does not warn: %v", err)
	}
}
