package check_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const unit = "../systemd/curfew.service"

// exposure is the most that systemd may find open about the service, of 100.
const exposure = "15"

// need returns a program, and skips the test where it is not and CI does not ask for it.
func need(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return path
}

// verify has systemd read a unit, for a binary that is there.
func verify(t *testing.T, text string) (string, error) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "curfew")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "curfew.service")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "/usr/local/bin/curfew", binary)), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), need(t, "systemd-analyze"), "verify", "--recursive-errors=yes", "--man=no", file).CombinedOutput()
	return string(out), err
}

func TestUnitIsAcceptedBySystemd(t *testing.T) {
	text := read(t, unit)
	if out, err := verify(t, text); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := verify(t, text+"\n[Service]\nProtectHom=yes\n"); err == nil {
		t.Errorf("a misspelt key passes: %s", out)
	}
	out, err := exec.CommandContext(t.Context(), need(t, "systemd-analyze"), "security", "--offline=true", "--no-pager", "--threshold="+exposure, unit).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestCloudInitHasTheUnit holds what a virtual machine gets to the files it is made of.
func TestCloudInitHasTheUnit(t *testing.T) {
	text := read(t, "../vm/cloud-init.yaml")
	var config struct {
		WriteFiles []struct{ Path, Content string } `json:"write_files"`
		Runcmd     [][]string                       `json:"runcmd"`
	}
	if err := yaml.UnmarshalStrict([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(text, "#cloud-config\n") {
		t.Error("cloud-init.yaml does not begin with #cloud-config: it would be ignored")
	}
	want := map[string]string{"/etc/systemd/system/curfew.service": read(t, unit), "/etc/sysusers.d/curfew.conf": read(t, "../systemd/curfew.sysusers")}
	for _, f := range config.WriteFiles {
		if f.Content != want[f.Path] {
			t.Errorf("%s is not what deploy/systemd has", f.Path)
		}
		delete(want, f.Path)
	}
	if len(want) > 0 {
		t.Errorf("cloud-init.yaml does not write %v", want)
	}
	for _, c := range config.Runcmd {
		if c[0] != "bash" {
			continue
		}
		check := exec.CommandContext(t.Context(), need(t, "bash"), "-n", "-c", c[2])
		if out, err := check.CombinedOutput(); err != nil || !strings.Contains(c[2], "sha256sum --check") {
			t.Errorf("the script has mistakes, or checks no checksum: %v\n%s", err, out)
		}
	}
}
