// Package check_test holds what is in deploy against what reads it: the chart against Helm, the
// API of Kubernetes and its restricted level, the units against systemd, the compose files
// against Compose, and the templates for Azure against its API. It is a module of its own: these
// are large dependencies.
package check_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the plain manifests and the files of the chart again")

const chartDir = "../helm/curfew"

// A rendered chart: the text of each template that is not empty.
type rendered map[string]string

// render renders the chart as helm template does.
func render(t *testing.T, values map[string]any) (rendered, error) {
	t.Helper()
	files, err := renderAll(t, values)
	out := rendered{}
	for name, text := range files {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			out[name] = strings.TrimSpace(text) + "\n"
		}
	}
	return out, err
}

// renderAll renders every template of the chart, the notes of an installation too.
func renderAll(t *testing.T, values map[string]any) (map[string]string, error) {
	t.Helper()
	chart, err := loader.Load(chartDir)
	if err != nil {
		t.Fatal(err)
	}
	release := common.ReleaseOptions{Name: "curfew", Namespace: "curfew", Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	out := map[string]string{}
	for name, text := range files {
		out[strings.TrimPrefix(name, "curfew/templates/")] = text
	}
	return out, err
}

// An object is one document of a rendered chart.
type object struct {
	Kind     string            `json:"kind"`
	Metadata metav1.ObjectMeta `json:"metadata"`
	text     string
}

func (r rendered) objects(t *testing.T) []object {
	t.Helper()
	var list []object
	for _, name := range slices.Sorted(maps.Keys(r)) {
		for part := range strings.SplitSeq("\n"+r[name], "\n---\n") {
			o := object{text: part}
			if err := yaml.Unmarshal([]byte(part), &o); err != nil {
				t.Fatalf("%s: %v\n%s", name, err, part)
			}
			if o.Kind != "" || strings.Contains(part, ":\n") { // not a comment alone
				list = append(list, o)
			}
		}
	}
	return list
}

func valuesOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var values map[string]any
	if err := yaml.Unmarshal([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// combination is a set of values, and what to call it.
type combination struct {
	name   string
	values map[string]any
}

// combinations are all ways in which the values of the chart choose what is rendered.
func combinations(t *testing.T) []combination {
	t.Helper()
	choices := [][]string{
		{
			"database: {kind: sqlite}",
			"database: {kind: sqlite, sqlite: {existingClaim: mine}}",
			"database: {kind: sqlite, sqlite: {size: 2Gi, storageClass: managed-csi}}",
			"{database: {kind: postgres, postgres: {urlKey: database-url}}, replicas: 3}",
			"database: {kind: postgres, postgres: {url: 'postgres://curfew@db.example.com/curfew', auth: entra}}",
		},
		{"schedules: \"version: 1\\n# {{ not a template }}\\n\"", "schedulesConfigMap: mine"},
		{"", "secrets: {apiToken: api-token, secretKey: secret-key}"},
		{"{networkPolicy: {enabled: false}, podDisruptionBudget: {enabled: false}, serviceAccount: {create: false}}", `
networkPolicy: {from: [{namespaceSelector: {}}], extraEgress: [{ports: [{port: 587, protocol: TCP}]}]}
ingress: {enabled: true, host: curfew.example.com, className: nginx, tlsSecret: tls, annotations: {a: b}}
serviceMonitor: {enabled: true, labels: {release: prometheus}}
prometheusRule: {enabled: true, labels: {release: prometheus}}
dashboard: {enabled: true}
serviceAccount: {annotations: {azure.workload.identity/client-id: an-id}}
imagePullSecrets: [{name: registry}]
publicUrl: https://curfew.example.com
extraEnv: [{name: TEAMS, valueFrom: {secretKeyRef: {name: teams, key: url}}}]
nodeSelector: {kubernetes.io/os: linux}
tolerations: [{key: a, operator: Exists}]
affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: a, operator: Exists}]}]}}}
podAnnotations: {a: b}
podLabels: {a: b}
image: {digest: "sha256:` + strings.Repeat("0", 64) + `"}`},
	}
	list := []combination{{"", map[string]any{}}}
	for n, options := range choices {
		var longer []combination
		for _, c := range list {
			for i, option := range options {
				values := util.CoalesceTables(valuesOf(t, option), maps.Clone(c.values))
				longer = append(longer, combination{strings.TrimPrefix(fmt.Sprintf("%s,%d.%d", c.name, n, i), ","), values})
			}
		}
		list = longer
	}
	for _, c := range list {
		c.values["secrets"] = util.CoalesceTables(map[string]any{"existing": []any{"curfew", "oidc"}}, asTable(c.values["secrets"]))
	}
	return list
}

func asTable(v any) map[string]any {
	table, _ := v.(map[string]any)
	return table
}

func TestEachCombinationIsValidAndRestricted(t *testing.T) {
	check := newValidator(t)
	seen := map[string]bool{}
	list := combinations(t)
	for _, c := range list {
		r, err := render(t, c.values)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		objects := r.objects(t)
		for _, o := range objects {
			seen[o.Kind] = true
			for _, problem := range check.problems(o.text) {
				t.Errorf("%s: %s %s: %s", c.name, o.Kind, o.Metadata.Name, problem)
			}
			for _, problem := range restricted(t, o) {
				t.Errorf("%s: %s %s is not admitted under the restricted level: %s", c.name, o.Kind, o.Metadata.Name, problem)
			}
		}
		consistent(t, c.name, objects)
	}
	want := []string{"ConfigMap", "Deployment", "Ingress", "NetworkPolicy", "PersistentVolumeClaim", "Pod", "PodDisruptionBudget", "PrometheusRule", "Service", "ServiceAccount", "ServiceMonitor"}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, want) || len(list) != 40 {
		t.Errorf("%d combinations render %v, want 40 and %v", len(list), got, want)
	}
}

// podOf returns what a document runs, nil when it runs nothing.
func podOf(t *testing.T, o object) (*metav1.ObjectMeta, *corev1.PodSpec) {
	t.Helper()
	var workload struct {
		Spec struct {
			Template corev1.PodTemplateSpec `json:"template"`
		} `json:"spec"`
	}
	var pod corev1.Pod
	var err error
	switch o.Kind {
	case "Deployment":
		err = yaml.Unmarshal([]byte(o.text), &workload)
		pod.ObjectMeta, pod.Spec = workload.Spec.Template.ObjectMeta, workload.Spec.Template.Spec
	case "Pod":
		err = yaml.UnmarshalStrict([]byte(o.text), &pod)
	default:
		return nil, nil
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s", o.Metadata.Name, err, o.text)
	}
	return &pod.ObjectMeta, &pod.Spec
}

// restricted returns what the restricted level of Kubernetes has against a document.
func restricted(t *testing.T, o object) []string {
	t.Helper()
	meta, spec := podOf(t, o)
	if spec == nil {
		return nil
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range evaluator.EvaluatePod(api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}, meta, spec) {
		if !r.Allowed {
			list = append(list, r.ForbiddenReason+": "+r.ForbiddenDetail)
		}
	}
	for _, c := range spec.Containers {
		if c.SecurityContext == nil || c.SecurityContext.ReadOnlyRootFilesystem == nil || !*c.SecurityContext.ReadOnlyRootFilesystem {
			list = append(list, "the root file system of "+c.Name+" can be written") // the level does not ask for it
		}
	}
	return list
}

// consistent checks what only all documents together can have wrong.
func consistent(t *testing.T, name string, objects []object) {
	t.Helper()
	var daemon *corev1.PodSpec
	var labels map[string]string
	provided := map[string]bool{"mine": true}
	for _, o := range objects {
		if o.Kind == "Deployment" {
			meta, spec := podOf(t, o)
			daemon, labels = spec, meta.Labels
			for key := range meta.Annotations {
				if strings.Contains(key, "checksum") {
					t.Errorf("%s: the pods have the annotation %s: an edited file would restart them", name, key)
				}
			}
		}
		if o.Kind == "Secret" {
			t.Errorf("%s: the chart renders a secret", name)
		}
		if o.Kind == "ConfigMap" || o.Kind == "PersistentVolumeClaim" {
			provided[o.Metadata.Name] = true
		}
	}
	for _, m := range daemon.Containers[0].VolumeMounts {
		if m.SubPath != "" {
			t.Errorf("%s: %s is mounted by subPath, and would never change", name, m.Name)
		}
	}
	for _, v := range daemon.Volumes {
		if v.ConfigMap != nil && !provided[v.ConfigMap.Name] || v.PersistentVolumeClaim != nil && !provided[v.PersistentVolumeClaim.ClaimName] {
			t.Errorf("%s: nothing provides the volume %s", name, v.Name)
		}
	}
	selects(t, name, objects, labels)
}

// selects checks that everything that selects pods selects those of the daemon, and not the test's.
func selects(t *testing.T, name string, objects []object, labels map[string]string) {
	t.Helper()
	for _, o := range objects {
		var s struct {
			Spec struct {
				Selector    any                   `json:"selector"`
				PodSelector *metav1.LabelSelector `json:"podSelector"`
			} `json:"spec"`
		}
		if err := yaml.Unmarshal([]byte(o.text), &s); err != nil {
			t.Fatal(err)
		}
		selector := asTable(s.Spec.Selector)
		if nested := asTable(selector["matchLabels"]); nested != nil {
			selector = nested
		}
		if s.Spec.PodSelector != nil {
			selector = map[string]any{}
			for k, v := range s.Spec.PodSelector.MatchLabels {
				selector[k] = v
			}
		}
		if len(selector) == 0 {
			continue
		}
		if selector["app.kubernetes.io/component"] != "daemon" {
			t.Errorf("%s: %s %s selects other pods too: %v", name, o.Kind, o.Metadata.Name, selector)
		}
		with := labels
		if o.Kind == "ServiceMonitor" { // selects the service
			with = nil
			for _, other := range objects {
				if other.Kind == "Service" {
					with = other.Metadata.Labels
				}
			}
		}
		for k, v := range selector {
			if with[k] != v {
				t.Errorf("%s: %s %s selects %s=%v, which nothing has", name, o.Kind, o.Metadata.Name, k, v)
			}
		}
	}
}

// TestNotesSayHowToReachTheDaemon reads what Helm prints after an installation.
func TestNotesSayHowToReachTheDaemon(t *testing.T) {
	const export = "export CURFEW_API_TOKEN="
	tests := []struct{ name, values, want, not string }{
		{
			"the token of a secret", "secrets: {existing: [curfew], apiToken: api-token}",
			export + "$(kubectl --namespace curfew get secret curfew -o jsonpath='{.data.api-token}' | base64 -d)\n  curfew status\n", "There is no API token",
		},
		{
			"the token of one of two secrets", "secrets: {existing: [curfew, oidc], apiToken: api.token}",
			export + "$(kubectl --namespace curfew get secret curfew oidc -o jsonpath='{.items[*].data.api\\.token}' | base64 -d)\n", "There is no API token",
		},
		{"no token", "{}", "There is no API token", export},
		{"another port", "service: {port: 80}", "port-forward service/curfew 8080:80\n", export},
		{"no public address", "{}", "warnings of stops carry no links", export},
		{"a public address", "publicUrl: https://curfew.example.com", "section\naccess", "carry no links"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			values := valuesOf(t, tt.values)
			values["schedulesConfigMap"] = "mine"
			files, err := renderAll(t, values)
			if err != nil {
				t.Fatal(err)
			}
			if notes := files["NOTES.txt"]; !strings.Contains(notes, tt.want) || strings.Contains(notes, tt.not) {
				t.Errorf("the notes lack %q or have %q:\n%s", tt.want, tt.not, notes)
			}
		})
	}
}

func TestValuesThatCannotBeAreRefused(t *testing.T) {
	tests := []struct{ name, values, want string }{
		{"no schedule file", "", "there is no schedule file"},
		{"two schedule files", "{schedules: a, schedulesConfigMap: b}", "are both set"},
		{"no URL of PostgreSQL", "{schedules: a, database: {kind: postgres}}", "database.postgres.urlKey"},
		{"two URLs of PostgreSQL", "{schedules: a, secrets: {existing: [s]}, database: {kind: postgres, postgres: {url: 'postgres://u@h/d', urlKey: k}}}", "set either"},
		{"a password in the URL", "{schedules: a, database: {kind: postgres, postgres: {url: 'postgres://u:p@h/d'}}}", "/database/postgres/url"},
		{"a key of no secret", "{schedules: a, secrets: {apiToken: k}}", "list those that exist in secrets.existing"},
		{"an unknown key", "{schedules: a, databse: {}}", "databse"},
		{"an unknown kind", "{schedules: a, database: {kind: mysql}}", "/database/kind"},
		{"a port as text", "{schedules: a, service: {port: http}}", "/service/port"},
		{"an affinity that the chart has itself", "{schedules: a, affinity: {podAffinity: {}}}", "podAffinity"},
		{"an ingress without a host", "{schedules: a, ingress: {enabled: true}}", "ingress.host"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := render(t, valuesOf(t, tt.values)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestChartLints(t *testing.T) {
	for _, c := range append(combinations(t), combination{"the default values", map[string]any{}}) {
		for _, m := range lint.RunAll(chartDir, c.values, "curfew").Messages {
			if m.Severity > support.InfoSev {
				t.Errorf("%s: %v", c.name, m)
			}
		}
	}
}

// plainManifests renders what is in deploy/kubernetes.
func plainManifests(t *testing.T, kind string) []byte {
	t.Helper()
	values := valuesOf(t, read(t, "../kubernetes/values-"+kind+".yaml"))
	values["schedules"] = read(t, "../kubernetes/schedules.yaml")
	r, err := render(t, values)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.NewBufferString("# Rendered from deploy/helm/curfew with values-" + kind + ".yaml and schedules.yaml: edit those and run make manifests, or edit a copy of this file.\n")
	for _, name := range slices.Sorted(maps.Keys(r)) {
		if !strings.HasPrefix(name, "tests/") {
			fmt.Fprintf(text, "---\n%s", r[name])
		}
	}
	return []byte(strings.NewReplacer(
		"  namespace: curfew\n", "", "    app.kubernetes.io/managed-by: Helm\n", "", "  annotations:\n    helm.sh/resource-policy: keep # the history stays when the release is uninstalled\n", "",
	).Replace(text.String()))
}

// TestCopiesAreEqual holds what is made of other files to them; -update makes them again.
func TestCopiesAreEqual(t *testing.T) {
	copies := map[string][]byte{
		"../kubernetes/sqlite.yaml":     plainManifests(t, "sqlite"),
		"../kubernetes/postgres.yaml":   plainManifests(t, "postgres"),
		chartDir + "/files/rules.yaml":  []byte(read(t, "../prometheus/rules.yaml")),
		chartDir + "/files/curfew.json": []byte(read(t, "../grafana/curfew.json")),
	}
	for name, want := range copies {
		if *update {
			if err := os.WriteFile(filepath.FromSlash(name), want, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := read(t, name); got != string(want) {
			t.Errorf("%s is not what it is made of; run make manifests", strings.TrimPrefix(name, "../"))
		}
	}
}

func TestPlainManifestsAreValid(t *testing.T) {
	check := newValidator(t)
	for name, least := range map[string]int{"namespace": 1, "sqlite": 6, "postgres": 6, "files": 1, "restore": 1} {
		objects := rendered{name: read(t, "../kubernetes/"+name+".yaml")}.objects(t)
		for _, o := range objects {
			for _, problem := range check.problems(o.text) {
				t.Errorf("%s: %s %s: %s", name, o.Kind, o.Metadata.Name, problem)
			}
			for _, problem := range restricted(t, o) {
				t.Errorf("%s: %s %s is not admitted under the restricted level: %s", name, o.Kind, o.Metadata.Name, problem)
			}
		}
		if len(objects) < least {
			t.Errorf("%s.yaml has %d objects, want %d at least", name, len(objects), least)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.FromSlash(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
