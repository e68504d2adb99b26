package check_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What describes the API of Container Apps: Microsoft's own client, and a compiler that checks against it.
var typesOfAzure = []string{"@azure/arm-appcontainers@4.0.0", "typescript@7.0.2"}

type template struct {
	Parameters map[string]any
	Variables  map[string]any
	Resources  []resource
}

type resource struct {
	Type, Name, Scope string
	DependsOn         []string
	Properties        map[string]any
}

func containerApps(t *testing.T) template {
	t.Helper()
	var arm template
	if err := json.Unmarshal([]byte(read(t, "../azure/container-apps.json")), &arm); err != nil {
		t.Fatal(err)
	}
	return arm
}

func (arm template) resource(t *testing.T, kind string) resource {
	t.Helper()
	i := slices.IndexFunc(arm.Resources, func(r resource) bool { return r.Type == kind })
	if i < 0 {
		t.Fatalf("the template has no %s", kind)
	}
	return arm.Resources[i]
}

// TestContainerAppHasTheShapeOfTheAPI compiles what the template sends as what Microsoft's client sends.
func TestContainerAppHasTheShapeOfTheAPI(t *testing.T) {
	dir := t.TempDir()
	install := exec.CommandContext(t.Context(), need(t, "npm"), append([]string{"install", "--silent", "--no-save", "--no-audit", "--no-fund", "--prefix", dir}, typesOfAzure...)...)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	arm := containerApps(t)
	app, share := arm.resource(t, "Microsoft.App/containerApps").Properties, arm.resource(t, "Microsoft.App/managedEnvironments/storages").Properties
	source := "import type {Configuration, Template, ManagedEnvironmentStorage} from \"@azure/arm-appcontainers\";\n" +
		"const configuration: Configuration = " + literal(t, app["configuration"]) + ";\n" +
		"const template: Template = " + literal(t, app["template"]) + ";\n" +
		"const storage: ManagedEnvironmentStorage = {properties: " + literal(t, share) + "};\n"
	compile := func(source string) (string, error) {
		file := filepath.Join(dir, "app.ts")
		if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "node_modules", "typescript", "bin", "tsc"), "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext", "app.ts")
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := compile(source); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := compile(strings.Replace(source, `"minReplicas"`, `"minReplica"`, 1)); err == nil || !strings.Contains(out, "minReplica") {
		t.Errorf("a misspelt key passes: %s", out)
	}
}

// literal writes a value as TypeScript; numbers of ARM are in json().
func literal(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`"\[json\('([0-9.]+)'\)\]"`).ReplaceAllString(string(b), "$1")
}

func TestContainerAppIsWhatTheDocumentationSays(t *testing.T) {
	arm := containerApps(t)
	app := arm.resource(t, "Microsoft.App/containerApps").Properties
	for path, want := range map[string]any{
		"configuration.activeRevisionsMode": "Single",
		"configuration.ingress.targetPort":  8080.0,
		"template.scale.minReplicas":        1.0,
		"template.scale.maxReplicas":        1.0,
	} {
		var got any = app
		for key := range strings.SplitSeq(path, ".") {
			got = asTable(got)[key]
		}
		if got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	storage := asTable(arm.resource(t, "Microsoft.App/managedEnvironments/storages").Properties["azureFile"])
	if storage["accessMode"] != "ReadOnly" {
		t.Errorf("the share of the schedule file is mounted %v", storage["accessMode"])
	}
	authentication := asTable(arm.resource(t, "Microsoft.DBforPostgreSQL/flexibleServers").Properties["authConfig"])
	if authentication["passwordAuth"] != "Disabled" {
		t.Errorf("PostgreSQL takes passwords: %v", authentication)
	}
	for _, s := range asTable(app["configuration"])["secrets"].([]any) {
		if asTable(s)["value"] != nil || asTable(s)["keyVaultUrl"] == nil {
			t.Errorf("the secret %v is not of the key vault", asTable(s)["name"])
		}
	}
}

// TestTemplateRefersToWhatItHas checks parameters, variables and the order of resources.
func TestTemplateRefersToWhatItHas(t *testing.T) {
	arm := containerApps(t)
	text := read(t, "../azure/container-apps.json")
	inner := asTable(arm.resource(t, "Microsoft.Resources/deployments").Properties["parameters"])
	for kind, has := range map[string]map[string]any{"parameters": arm.Parameters, "variables": arm.Variables} {
		for _, m := range regexp.MustCompile(kind+`\('([a-zA-Z]+)'\)`).FindAllStringSubmatch(text, -1) {
			if has[m[1]] == nil && inner[m[1]] == nil {
				t.Errorf("the template uses %s('%s'), which is not there", kind, m[1])
			}
		}
		for name := range has {
			if !strings.Contains(text, fmt.Sprintf("%s('%s')", kind, name)) {
				t.Errorf("the template does not use %s('%s')", kind, name)
			}
		}
	}
	var given struct{ Parameters map[string]any }
	if err := json.Unmarshal([]byte(read(t, "../azure/container-apps.parameters.json")), &given); err != nil {
		t.Fatal(err)
	}
	for name, p := range arm.Parameters {
		if _, ok := given.Parameters[name]; !ok && asTable(p)["defaultValue"] == nil {
			t.Errorf("container-apps.parameters.json lacks %s", name)
		}
		delete(given.Parameters, name)
	}
	if len(given.Parameters) > 0 {
		t.Errorf("container-apps.parameters.json has %v, which the template does not take", given.Parameters)
	}
	for _, r := range arm.Resources {
		if strings.Contains(r.Name, "reference(") || strings.Contains(r.Name, "listKeys(") {
			t.Errorf("the name of a %s is known only when others exist, which Resource Manager refuses", r.Type)
		}
		if fmt.Sprint(r.Properties) != strings.ReplaceAll(fmt.Sprint(r.Properties), "reference(variables('identity')", "") && !slices.Contains(r.DependsOn, "[variables('identity')]") {
			t.Errorf("a %s uses the identity and does not wait for it", r.Type)
		}
	}
}
