package check_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yannh/kubeconform/pkg/validator"
	"sigs.k8s.io/yaml"
)

// The modules whose files describe the API; nothing of them is compiled.
const (
	kubernetes = "k8s.io/kubernetes@v1.36.3"
	operator   = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
)

// A kubeconform checks documents against the API of Kubernetes and the Prometheus Operator.
type kubeconform struct{ validator.Validator }

func newValidator(t *testing.T) kubeconform {
	t.Helper()
	dir := t.TempDir()
	write := func(kind string, schema any) {
		b, err := json.Marshal(schema)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, strings.ToLower(kind)+".json"), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for kind, schema := range kindsOfKubernetes(t) {
		write(kind, schema)
	}
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		write(kind, kindOfOperator(t, kind))
	}
	v, err := validator.New([]string{filepath.Join(dir, "{{ .ResourceKind }}.json")}, validator.Opts{Strict: true})
	if err != nil {
		t.Fatal(err)
	}
	return kubeconform{v}
}

func (k kubeconform) problems(text string) []string {
	var list []string
	for _, r := range k.Validate("", io.NopCloser(strings.NewReader(text))) {
		if r.Status != validator.Valid {
			list = append(list, fmt.Sprintf("%v %v", r.Err, r.ValidationErrors))
		}
	}
	return list
}

// module returns the directory of a module's files.
func module(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", name)
	cmd.Dir = t.TempDir() // outside of a module, so that it adds no requirement
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v\n%s", name, err, out)
	}
	var m struct{ Dir string }
	if err := json.Unmarshal(out, &m); err != nil {
		t.Fatal(err)
	}
	return m.Dir
}

// kindsOfKubernetes makes a strict schema of each kind that the chart renders, of the current version.
func kindsOfKubernetes(t *testing.T) map[string]any {
	t.Helper()
	var swagger struct {
		Definitions map[string]map[string]any `json:"definitions"`
	}
	if err := json.Unmarshal([]byte(read(t, filepath.Join(module(t, kubernetes), "api/openapi-spec/swagger.json"))), &swagger); err != nil {
		t.Fatal(err)
	}
	definitions := swagger.Definitions
	definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = map[string]any{"type": []any{"string", "integer"}}
	for _, d := range definitions {
		closed(d)
	}
	kinds := map[string]any{}
	for kind, group := range map[string]string{
		"Namespace": "core.v1", "Pod": "core.v1", "Service": "core.v1", "ServiceAccount": "core.v1", "ConfigMap": "core.v1", "Secret": "core.v1", "PersistentVolumeClaim": "core.v1",
		"Deployment": "apps.v1", "Ingress": "networking.v1", "NetworkPolicy": "networking.v1", "PodDisruptionBudget": "policy.v1",
	} {
		name := "io.k8s.api." + group + "." + kind
		used := map[string]any{}
		collect(definitions, name, used)
		schema := definitions[name]
		kinds[kind] = map[string]any{
			"type": "object", "properties": schema["properties"], "required": []any{"apiVersion", "kind", "metadata"},
			"additionalProperties": false, "definitions": used,
		}
	}
	return kinds
}

// closed lets an object have only the properties that it names.
func closed(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["additionalProperties"] == nil && v["x-kubernetes-preserve-unknown-fields"] == nil {
			v["additionalProperties"] = false
		}
		for _, inner := range v {
			closed(inner)
		}
	case []any:
		for _, inner := range v {
			closed(inner)
		}
	}
}

// collect adds a definition and those that it refers to.
func collect(definitions map[string]map[string]any, name string, to map[string]any) {
	if _, ok := to[name]; ok {
		return
	}
	to[name] = definitions[name]
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				collect(definitions, strings.TrimPrefix(ref, "#/definitions/"), to)
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(map[string]any(definitions[name]))
}

// kindOfOperator is the schema of a custom resource.
func kindOfOperator(t *testing.T, kind string) any {
	t.Helper()
	var crd struct {
		Spec struct {
			Versions []struct {
				Schema struct {
					OpenAPIV3Schema map[string]any `json:"openAPIV3Schema"`
				} `json:"schema"`
			} `json:"versions"`
		} `json:"spec"`
	}
	file := filepath.Join(module(t, operator), "example/prometheus-operator-crd/monitoring.coreos.com_"+strings.ToLower(kind)+"s.yaml")
	if err := yaml.Unmarshal([]byte(read(t, file)), &crd); err != nil {
		t.Fatal(err)
	}
	schema := crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	if metadata, ok := schema["properties"].(map[string]any)["metadata"].(map[string]any); ok {
		metadata["properties"] = map[string]any{"name": map[string]any{"type": "string"}, "labels": map[string]any{"type": "object"}}
	}
	closed(schema)
	return schema
}

// TestSchemasRefuse shows that they are not passed by everything.
func TestSchemasRefuse(t *testing.T) {
	check := newValidator(t)
	for name, text := range map[string]string{
		"an unknown field":       "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {prots: []}}",
		"a wrong type":           "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: http}]}}",
		"an unknown field below": "{apiVersion: monitoring.coreos.com/v1, kind: ServiceMonitor, metadata: {name: a}, spec: {selector: {}, endpoints: [{prot: http}]}}",
		"a kind without schema":  "{apiVersion: v1, kind: Lamp, metadata: {name: a}}",
	} {
		if len(check.problems(text)) == 0 {
			t.Errorf("%s is accepted", name)
		}
	}
}
