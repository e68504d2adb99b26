package config

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
)

// TestFaults holds the text of problems, with their excerpts, against an archive of
// pairs of files. With -update it writes the archive again.
func TestFaults(t *testing.T) {
	const file = "testdata/faults.txtar"
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		in, out := archive.Files[i], &archive.Files[i+1]
		_, diags := Parse(in.Name, in.Data, ".", Options{})
		var b strings.Builder
		for _, d := range diags {
			b.WriteString(d.Text() + "\n")
		}
		got := b.String()
		if strings.Contains(got, "hunter2") {
			t.Errorf("%s: a secret is repeated:\n%s", in.Name, got)
		}
		if *update {
			out.Data = []byte(got)
		}
		if got != string(out.Data) {
			t.Errorf("%s:\n%swant:\n%s", in.Name, got, out.Data)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
