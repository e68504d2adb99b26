//go:build unix

package files_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"curfew/internal/files"
)

func TestReadTakesRegularFilesAlone(t *testing.T) {
	dir := t.TempDir()
	file, pipe := filepath.Join(dir, "file"), filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, []byte("text"), 0o600), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(pipe, link); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path, text string
		want             error
	}{
		{"a file", file, "text", nil},
		{"nothing", filepath.Join(dir, "absent"), "", fs.ErrNotExist},
		{"a directory", dir, "", files.ErrDirectory},
		{"a pipe that nobody writes to", pipe, "", files.ErrNotRegular},
		{"a link to one", link, "", files.ErrNotRegular},
		{"a device without an end", "/dev/zero", "", files.ErrNotRegular},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := files.Read(tt.path, 10)
			if string(got) != tt.text || !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) {
				t.Errorf("Read = %q, %v; want %q, %v", got, err, tt.text, tt.want)
			}
		})
	}
}

func TestReadIsBounded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(strings.Repeat("x", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := files.Read(file, 10); err != nil || len(got) != 11 {
		t.Errorf("Read = %d bytes, %v; want one more than asked for", len(got), err)
	}
}

func TestPipeOfTheCallerIsRead(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := w.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	name := filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))
	if got, err := files.Read(name, 10); err != nil || string(got) != "text" {
		t.Errorf("Read(%s) = %q, %v; want what was written", name, got, err)
	}
}

func TestFileThatHangsIsLeftAndNotAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		began := time.Now()
		var calls atomic.Int32
		hang := func() error { calls.Add(1); <-answer; return nil }
		if err := files.Do("share/file", hang); !errors.Is(err, files.ErrHangs) || time.Since(began) != files.Limit {
			t.Errorf("Do = %v after %v, want ErrHangs after %v", err, time.Since(began), files.Limit)
		}
		began = time.Now()
		if err := files.Do("share/file", hang); !errors.Is(err, files.ErrHangs) || time.Since(began) != 0 || calls.Load() != 1 {
			t.Errorf("Do again = %v after %v, with %d calls; want ErrHangs at once and no further call", err, time.Since(began), calls.Load())
		}
		if err := files.Do("share/other", func() error { return nil }); err != nil {
			t.Errorf("Do of another file = %v", err)
		}
		close(answer)
		synctest.Wait()
		if err := files.Do("share/file", func() error { return nil }); err != nil {
			t.Errorf("Do once the share answers again = %v", err)
		}
	})
}
