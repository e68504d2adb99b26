package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"curfew/internal/longtest"
)

func TestFilesThatAreNoScheduleFile(t *testing.T) {
	t.Parallel()
	size := longtest.Or(500_000, 5_000_000)
	tests := []struct {
		name    string
		content []byte
		says    string
	}{
		{"an empty file", nil, "the file is empty"},
		{"megabytes of comments", bytes.Repeat([]byte("# nothing\n"), size/10), ""},
		{"megabytes of one line", bytes.Repeat([]byte("a"), size), ""},
		{"megabytes of brackets", bytes.Repeat([]byte("["), size), ""},
		{"a binary file", []byte("\x7fELF\x02\x01\x01\x00\x00\x00"), "not a text file"},
		{"another version", []byte("version: 7\n"), "version 7 is not known; want 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "schedules.yaml")
			if err := os.WriteFile(file, tt.content, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"validate", "serve", "plan"} {
				code, out, errs := command(t, nil, "--config", file, name)
				if code != exitInvalid || !strings.Contains(out+errs, tt.says) || !strings.Contains(out+errs, "schedules.yaml") {
					t.Errorf("curfew %s exited %d and said %.300q, want %d and %q", name, code, out+errs, exitInvalid, tt.says)
				}
				if len(out+errs) > 100_000 {
					t.Errorf("curfew %s said %d bytes", name, len(out+errs))
				}
			}
		})
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "schedules.yaml")
	if err := os.WriteFile(file, []byte("version: 1\n"), 0o000); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "--config", file, "validate")
	if os.Getuid() == 0 { // root reads everything: become nobody, who must reach the binary and the folder
		for p := dir; p != filepath.Dir(p); p = filepath.Dir(p) {
			if info, err := os.Stat(p); err == nil && info.Mode().Perm()&0o055 != 0o055 {
				if err := os.Chmod(p, info.Mode().Perm()|0o055); err != nil {
					t.Fatal(err)
				}
			}
		}
		open := filepath.Join(dir, "curfew")
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(open, b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd = exec.Command("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", open, "--config", file, "validate")
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitInvalid || !strings.Contains(string(out), "permission denied") {
		t.Errorf("curfew validate of an unreadable file = %v, %s; want exit %d and the reason", err, out, exitInvalid)
	}
}
