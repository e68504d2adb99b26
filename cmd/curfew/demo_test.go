package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"curfew/scheduler/daemon/demo"
)

// A runningDemo is the built demo.
type runningDemo struct {
	cmd  *exec.Cmd
	out  *bufio.Scanner
	said strings.Builder // what was read of standard output
	log  bytes.Buffer    // not to be read before stop
}

func startTryOut(t *testing.T, vars ...string) *runningDemo {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	d := &runningDemo{cmd: exec.Command(path, "demo", "--listen", "127.0.0.1:0", "--log-level", "debug")}
	d.cmd.Env = append([]string{"PATH=" + t.TempDir(), "TMPDIR=" + t.TempDir()}, vars...)
	d.cmd.Stderr = &d.log
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.cmd.Process.Kill() })
	d.out = bufio.NewScanner(out)
	return d
}

// printed reads what the demo prints to try: the variables to set, and the commands.
func (d *runningDemo) printed(t *testing.T) (vars map[string]string, commands []string) {
	t.Helper()
	vars = map[string]string{}
	for d.out.Scan() {
		d.said.WriteString(d.out.Text() + "\n")
		line, indented := strings.CutPrefix(d.out.Text(), "    ")
		if name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "="); ok && strings.HasPrefix(line, "export ") {
			vars[name] = value
		} else if words, ok := strings.CutPrefix(line, "curfew "); ok && indented {
			commands = append(commands, words)
		} else if line == "" && len(commands) > 0 {
			return vars, commands
		}
	}
	t.Fatal("the demo printed nothing to try")
	return nil, nil
}

// stop ends the demo, and returns all that it printed.
func (d *runningDemo) stop(t *testing.T) string {
	t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Wait(); err != nil {
		t.Errorf("the demo ended with %v: %s", err, &d.log)
	}
	return d.said.String() + d.log.String()
}

func TestCommandsThatTheDemoPrintsWork(t *testing.T) {
	t.Parallel()
	d := startTryOut(t)
	vars, commands := d.printed(t)
	info, err := os.Stat(vars["CURFEW_API_TOKEN_FILE"])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the token's file is %v, %v; want it readable by its owner alone", info, err)
	}
	token := read(t, vars["CURFEW_API_TOKEN_FILE"])
	untilSeen(t, vars["CURFEW_SERVER"])
	for _, line := range commands {
		code, out, errs := command(t, vars, wordsOf(line)...)
		if code != exitDone || out == "" || strings.Contains(errs, "not considered") {
			t.Errorf("curfew %s exits %d: %s%s", line, code, out, errs)
		}
	}
	if code, _, errs := command(t, map[string]string{"CURFEW_SERVER": vars["CURFEW_SERVER"]}, "status"); code != exitDone {
		t.Errorf("curfew status without a token exits %d: %s", code, errs)
	}
	if code, _, errs := command(t, map[string]string{"CURFEW_SERVER": vars["CURFEW_SERVER"]}, "stop", "demo-02"); code != exitFailed {
		t.Errorf("curfew stop without a token exits %d: %s, want it refused", code, errs)
	}
	if log := d.stop(t); strings.Contains(log, token) || !strings.Contains(log, "this is a demo") {
		t.Errorf("the log has the token, or does not say that this is a demo:\n%s", log)
	}
	if _, err := os.Stat(filepath.Dir(vars["CURFEW_API_TOKEN_FILE"])); err == nil {
		t.Error("the folder of the demo is still there")
	}
}

// wordsOf splits a command line as a shell does.
func wordsOf(line string) []string {
	var words []string
	for i, part := range strings.FieldsFunc(strings.ReplaceAll(line, "'", `"`), func(r rune) bool { return r == '"' }) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func TestDemoUsesATokenThatIsSet(t *testing.T) {
	t.Parallel()
	d := startTryOut(t, "CURFEW_API_TOKEN=a-token-of-the-test")
	vars, _ := d.printed(t)
	if file := vars["CURFEW_API_TOKEN_FILE"]; file != "" {
		t.Errorf("the demo made a token of its own, in %s", file)
	}
	vars["CURFEW_API_TOKEN"] = "a-token-of-the-test"
	if code, _, errs := command(t, vars, "stop", "demo-02"); code != exitDone {
		t.Errorf("curfew stop with the token exits %d: %s", code, errs)
	}
	if log := d.stop(t); strings.Contains(log, "a-token-of-the-test") {
		t.Errorf("the log has the token:\n%s", log)
	}
}

func TestTryOutSaysWhereTheTokenIs(t *testing.T) {
	a := demo.Access{Server: "http://127.0.0.1:8080", Config: "/d/schedules.yaml"}
	if text := tryOut(a); !strings.Contains(text, "The API token is that of CURFEW_API_TOKEN here; set it there too.") {
		t.Errorf("with a token that is set: %s", text)
	}
	a.TokenFile = "/d/api-token"
	if text := tryOut(a); strings.Contains(text, "set it there too") || !strings.Contains(text, "CURFEW_API_TOKEN_FILE") {
		t.Errorf("with a token of its own: %s", text)
	}
}
