package auth_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/internal/longtest"
	"curfew/lcs/auth"
)

// TestMain lets the test binary be a process that writes logins until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CURFEW_TEST_WRITES_LOGINS"); dir != "" {
		writeForever(dir)
		return
	}
	m.Run()
}

// contentOf is a login large enough to take more than one write.
func contentOf(n int) []byte {
	return []byte(fmt.Sprintf("%08d ", n) + strings.Repeat("x", 2_000_000) + fmt.Sprintf(" %08d", n))
}

func writeForever(dir string) {
	files := auth.LoginFiles{Dir: dir}
	for n := 1; ; n++ {
		if _, err := files.Save(context.Background(), "main", contentOf(n), nil); err != nil {
			_, _ = fmt.Fprintln(os.Stdout, err)
			return
		}
		_, _ = fmt.Fprintln(os.Stdout, n)
	}
}

func TestLoginSurvivesAKillInTheMiddleOfAWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tokens")
	files := auth.LoginFiles{Dir: dir}
	leftovers := 0
	for round := range longtest.Or(10, 40) {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "CURFEW_TEST_WRITES_LOGINS="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(5) {
			if !lines.Scan() {
				t.Fatal("the writer ended")
			}
		}
		last := 0
		if _, err := fmt.Sscan(lines.Text(), &last); err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
		if round%2 == 0 {
			<-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond) // any moment
		} else {
			waitForTemporary(t, dir)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() { // what it had written before it died
			_, _ = fmt.Sscan(lines.Text(), &last)
		}
		_ = cmd.Wait()
		leftovers += len(temporary(t, dir))
		data, _, err := files.Load(t.Context(), "main")
		if err != nil {
			t.Fatal(err)
		}
		got, err := strconv.Atoi(string(data[:min(len(data), 8)]))
		if err != nil || !bytes.Equal(data, contentOf(got)) || got < last {
			t.Fatalf("after a kill the login is %d bytes, of write %d; want a whole one, %d or later", len(data), got, last)
		}
	}
	if leftovers == 0 {
		t.Error("no kill was in the middle of a write")
	}
	if _, err := files.Save(t.Context(), "main", contentOf(0), nil); err != nil {
		t.Fatal(err)
	}
	if left := temporary(t, dir); len(left) > 0 {
		t.Errorf("unfinished files stay: %v", left)
	}
}

// waitForTemporary returns as soon as a write has begun, so that a kill falls into it.
func waitForTemporary(t *testing.T, dir string) {
	t.Helper()
	for begun := time.Now(); len(temporary(t, dir)) == 0; {
		if time.Since(begun) > time.Minute {
			t.Fatal("no write began within a minute")
		}
	}
}

// temporary names the files that a killed process left unfinished.
func temporary(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, ".main.json*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestLoginFilesAreTheirOwnersOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has access control lists instead of modes")
	}
	dir := filepath.Join(t.TempDir(), "state", "tokens")
	files := auth.LoginFiles{Dir: dir}
	for range 2 {
		if _, err := files.Save(t.Context(), "main", []byte("secret"), nil); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, "main.json"): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v, %v; want %v", path, info.Mode().Perm(), err, want)
		}
	}
}

func TestOtherAccountsUnfinishedFilesAreLeftAlone(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".main.json", ".main.json.bak", ".main.json12a", ".main2.json123", "main.json.lock", ".main.json77"} {
		write(t, filepath.Join(dir, name), "x")
	}
	if _, err := (auth.LoginFiles{Dir: dir}).Save(t.Context(), "main", []byte("secret"), nil); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if got, want := strings.Join(names, " "), ".main.json .main.json.bak .main.json12a .main2.json123 main.json main.json.lock"; got != want {
		t.Errorf("left are %s, want %s", got, want)
	}
}

func TestOneOfManyRenewalsOfALoginWins(t *testing.T) {
	files := auth.LoginFiles{Dir: t.TempDir()}
	base, err := files.Save(t.Context(), "main", []byte("first"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var won, lost int
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			_, err := files.Save(t.Context(), "main", fmt.Appendf(nil, "renewal %d", i), &base)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won++
			case errors.Is(err, auth.ErrChanged):
				lost++
			default:
				t.Error(err)
			}
		})
	}
	group.Wait()
	if won != 1 || lost != 7 {
		t.Errorf("%d won and %d lost, want 1 and 7", won, lost)
	}
}

func TestLoginThatCannotBeReadOrWrittenNamesItsFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "main.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	files := auth.LoginFiles{Dir: dir}
	if _, _, err := files.Load(t.Context(), "main"); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "main.json")) {
		t.Errorf("Load = %v, want one that names the file", err)
	}
	write(t, filepath.Join(dir, "file"), "")
	if _, err := (auth.LoginFiles{Dir: filepath.Join(dir, "file")}).Save(t.Context(), "main", nil, nil); err == nil || !strings.Contains(err.Error(), "file") {
		t.Errorf("Save = %v, want one that names the directory", err)
	}
}
