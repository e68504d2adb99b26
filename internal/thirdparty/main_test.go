package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestNoticesAreThoseOfTheBinary(t *testing.T) {
	t.Chdir("../..")
	var now bytes.Buffer
	if err := run(t.Context(), &now); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile("THIRD_PARTY")
	if err != nil {
		t.Fatal(err)
	}
	if now.String() != string(kept) {
		t.Error("THIRD_PARTY is not current; run make third-party")
	}
	for _, name := range []string{"\nmodernc.org/sqlite v", "\ngolang.org/x/sys v", "\nthe standard library of Go\n", "\nhtmx"} {
		if !strings.Contains(now.String(), name) {
			t.Errorf("THIRD_PARTY lacks %q", name)
		}
	}
}
