package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVariablesOfDeployAreRead holds what is in deploy, and the Dockerfile, to the code: a
// misspelt variable is read by nobody, and nobody says so.
func TestVariablesOfDeployAreRead(t *testing.T) {
	var code strings.Builder
	gather := func(root string, take func(path string) bool, to func(path, text string)) {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() && take(path) {
				to(path, read(t, path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	isCode := func(path string) bool { return strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") }
	for _, root := range []string{"cmd", "scheduler"} {
		gather(root, isCode, func(_, text string) { code.WriteString(text) })
	}
	own := map[string]bool{"CURFEW_IMAGE": true, "CURFEW_TEAMS_URL": true} // names that an operator chooses, in examples
	seen := 0
	check := func(path, text string) {
		for _, name := range regexp.MustCompile(`CURFEW_[A-Z_]+`).FindAllString(text, -1) {
			seen++
			if !strings.Contains(code.String(), `"`+strings.TrimSuffix(name, "_FILE")+`"`) && !own[name] {
				t.Errorf("%s sets %s, which curfew does not read", path, name)
			}
		}
	}
	gather("deploy", func(path string) bool { return !strings.HasSuffix(path, ".go") }, check)
	gather("Dockerfile", func(string) bool { return true }, check)
	if seen < 30 {
		t.Errorf("%d variables are set, want 30 at least", seen)
	}
}

func TestScheduleFileOfThePlainManifestsIsValid(t *testing.T) {
	file := filepath.Join("..", "..", "deploy", "kubernetes", "schedules.yaml")
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	if code, out, errs := command(t, nil, "validate", "--strict", file); code != exitDone {
		t.Errorf("curfew validate exited %d: %s%s", code, out, errs)
	}
}
