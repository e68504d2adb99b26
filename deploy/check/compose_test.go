package check_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// compose runs docker-compose config, which needs no engine.
func compose(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"tool", "github.com/docker/compose/v5/cmd"}, append(args, "config")...)...).CombinedOutput()
	return string(out), err
}

func TestComposeFilesAreValid(t *testing.T) {
	const one, both = "../compose/compose.yaml", "../compose/compose.postgres.yaml"
	for _, files := range [][]string{{"-f", one}, {"-f", one, "-f", both}} {
		out, err := compose(t, files...)
		if err != nil {
			t.Fatalf("%v: %v\n%s", files, err, out)
		}
		var project struct {
			Services map[string]struct {
				Read_only   bool
				Cap_drop    []string
				Environment map[string]string
			}
		}
		if err := yaml.Unmarshal([]byte(out), &project); err != nil {
			t.Fatal(err)
		}
		c := project.Services["curfew"]
		if !c.Read_only || strings.Join(c.Cap_drop, "") != "ALL" || c.Environment["CURFEW_API_TOKEN_FILE"] == "" {
			t.Errorf("%v: curfew is not hardened, or lost its settings: %+v", files, c)
		}
	}
	broken := filepath.Join(t.TempDir(), "compose.yaml")
	if err := os.WriteFile(broken, []byte(strings.Replace(read(t, one), "read_only:", "readonly:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := compose(t, "-f", broken); err == nil {
		t.Errorf("a misspelt key passes: %s", out)
	}
}
