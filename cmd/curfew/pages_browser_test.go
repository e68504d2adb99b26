package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"curfew/internal/longtest"
	"curfew/lcs/secret"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// axePath is where `make browser` puts the accessibility checker.
const axePath = "../../bin/npm/node_modules/axe-core/axe.min.js"

// A chromium is a real Chromium with one tab. It notes what a page must not do.
type chromium struct {
	t        *testing.T
	ctx      context.Context
	base     string
	axe      string
	problems chan string // console errors, exceptions, and requests to other hosts
}

// newChromium starts one. In CI it and the checker must be there.
func newChromium(t *testing.T, base string) *chromium {
	t.Helper()
	axe, err := os.ReadFile(axePath)
	path, lookErr := exec.LookPath("chromium")
	switch {
	case (err != nil || lookErr != nil) && os.Getenv("CI") == "":
		t.Skip("Chromium or axe-core is missing; make browser installs them")
	case err != nil:
		t.Fatal(err)
	case lookErr != nil:
		t.Fatal(lookErr)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // chromedp waits without end for what does not come
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.Headless, chromedp.DisableGPU,
		chromedp.UserDataDir(t.TempDir()), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &chromium{t: t, ctx: ctx, base: base, axe: string(axe), problems: make(chan string, 100)}
	b.do(chromedp.Navigate("about:blank"))
	if err := chromedp.Listen(ctx, b.heard); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *chromium) heard(event any) {
	switch e := event.(type) {
	case *cdpruntime.EventExceptionThrown:
		b.note("exception: " + e.ExceptionDetails.Text)
	case *cdpruntime.EventConsoleAPICalled:
		if e.Type == cdpruntime.ConsoleAPICalledTypeError {
			b.note(fmt.Sprintf("console error: %v", e.Args))
		}
	case *cdplog.EventEntryAdded: // what breaks the content security policy, say; pages that are not found are wanted
		if e.Entry.Level == cdplog.EntryLevelError && e.Entry.Source != cdplog.EntrySourceNetwork {
			b.note("browser: " + e.Entry.Text)
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Scheme+"://"+u.Host != b.base {
			b.note("request to another host: " + e.Request.URL)
		}
	}
}

func (b *chromium) note(problem string) {
	select {
	case b.problems <- problem:
	default:
	}
}

func (b *chromium) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// show opens a page at a width, light or dark.
func (b *chromium) show(path string, width int64, scheme string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(width, 900), chromedp.Navigate(b.base+path))
}

// check reports what the page does that it must not, and what axe-core finds.
func (b *chromium) check(what string) {
	b.t.Helper()
	for {
		select {
		case problem := <-b.problems:
			b.t.Errorf("%s: %s", what, problem)
			continue
		default:
		}
		break
	}
	wide, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
	if err != nil || wide > 0 {
		b.t.Errorf("%s: the page is %d pixels wider than the window, %v", what, wide, err)
	}
	b.do(chromedp.Evaluate[chromedp.Void](b.axe + ";1"))
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`axe.run().then(r => JSON.stringify(r.violations.map(v => v.id + ": " + v.help + ": " + v.nodes.map(n => n.html.slice(0, 120)).join(" | "))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	var violations []string
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.t.Fatal(err)
	}
	for _, v := range violations {
		b.t.Errorf("%s: axe-core: %s", what, v)
	}
}

// text returns what the page says.
func (b *chromium) text() string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.body.innerText`))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// keep writes a screenshot, where CURFEW_SCREENSHOTS names a folder for them.
func (b *chromium) keep(name string) {
	b.t.Helper()
	dir := os.Getenv("CURFEW_SCREENSHOTS")
	if dir == "" {
		return
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// startDemo runs the built demo and returns its address.
func startDemo(t *testing.T) string {
	t.Helper()
	base, _ := startDemoProcess(t)
	return base
}

func startDemoProcess(t *testing.T) (string, *os.Process) {
	t.Helper()
	path, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "demo", "--listen", "127.0.0.1:0", "--log-format", "json")
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	})
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		var line struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &line) == nil && line.Msg == "curfew started" {
			go func() { _, _ = io.Copy(io.Discard, log) }()
			untilSeen(t, "http://"+line.Listen)
			return "http://" + line.Listen, cmd.Process
		}
	}
	t.Fatal("the demo did not start")
	return "", nil
}

// untilSeen waits until the daemon has read the state of every environment.
func untilSeen(t *testing.T, base string) {
	t.Helper()
	remote, err := client.New(base, secret.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	poll := time.NewTicker(50 * time.Millisecond)
	defer poll.Stop()
	for {
		all, err := remote.Environments(t.Context())
		if err == nil && !slices.ContainsFunc(all, func(e api.Environment) bool { return e.ObservedAt == nil }) {
			return
		}
		select {
		case <-t.Context().Done():
			t.Fatal("the demo did not read the state of its environments")
		case <-poll.C:
		}
	}
}

func TestPagesInABrowser(t *testing.T) {
	longtest.Only(t)
	b := newChromium(t, startDemo(t))
	tests := []struct {
		name, path string
		says       []string
	}{
		{"tonight", "/", []string{"This is a demo", "Tonight and the week", "contoso-test", "not as wanted", "The last run failed", "fabrikam-sandbox", "74.40 EUR a day", "Europe/Copenhagen"}},
		{"tonight-filtered", "/?tag=test&state=failed", []string{"contoso-test", "1 of 19 environments"}},
		{"tonight-empty", "/?name=nobody-*", []string{"No environment is like that"}},
		{"environment", "/environments/contoso-test", []string{"window mon-fri 08:00-17:00", "not as wanted", "stop", "failed", "Last runs"}},
		{"runs", "/runs?state=failed", []string{"contoso-test", "did not arrive within 45m"}},
		{"savings", "/savings", []string{"saved against always-on", "contoso-test", "By tag"}},
		{"health", "/health", []string{"The daemon is ready", "demo", "static"}},
		{"not-found", "/environments/nobody", []string{"There is no environment nobody"}},
		{"misspelt", "/?stat=failed", []string{"This address cannot be read", "stat: want one of"}},
	}
	for _, tt := range tests {
		for _, scheme := range []string{"light", "dark"} {
			for _, width := range []int64{360, 1280} {
				what := fmt.Sprintf("%s-%s-%d", tt.name, scheme, width)
				b.show(tt.path, width, scheme)
				text := b.text()
				for _, want := range tt.says {
					if !strings.Contains(text, want) {
						b.t.Errorf("%s does not say %q:\n%s", what, want, text)
					}
				}
				b.check(what)
				b.keep(what)
			}
		}
	}
}

// The zone of the browser changes nothing: a page shows that of the schedule file.
func TestPagesShowTheZoneOfTheFile(t *testing.T) {
	longtest.Only(t)
	b := newChromium(t, startDemo(t))
	var said [2]string
	for i, zone := range []string{"America/Los_Angeles", "Asia/Tokyo"} {
		if _, err := chromedp.Call(b.ctx, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone}); err != nil {
			t.Fatal(err)
		}
		b.show("/environments/contoso-dev-01", 1280, "light")
		week, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("main table")][0].innerText`))
		if err != nil {
			t.Fatal(err)
		}
		said[i] = week
	}
	if said[0] != said[1] || !strings.Contains(said[0], "07:00") {
		t.Errorf("the week is\n%s\nand in another zone\n%s", said[0], said[1])
	}
}

// Each page can be used by keyboard: Tab reaches every link and control, and it can be
// seen where it is.
func TestPagesByKeyboard(t *testing.T) {
	longtest.Only(t)
	b := newChromium(t, startDemo(t))
	b.show("/", 1280, "light")
	count, err := chromedp.Run(b.ctx, chromedp.Evaluate[int](`document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']").length`))
	if err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	for range count {
		b.do(chromedp.KeyEvent("\t"))
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => {
			const e = document.activeElement, all = [...document.querySelectorAll("*")];
			return getComputedStyle(e).outlineStyle === "none" ? "unseen " + e.outerHTML : String(all.indexOf(e));
		})()`))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(at, "unseen") {
			t.Errorf("the focus cannot be seen: %s", at)
		}
		reached[at] = true
	}
	if len(reached) != count {
		t.Errorf("Tab reaches %d links and controls, want %d", len(reached), count)
	}
}

// A pasted file is checked and compared, and changes nothing.
func TestPlanPageChecksAPastedFile(t *testing.T) {
	longtest.Only(t)
	b := newChromium(t, startDemo(t))
	paste := func(text string) string {
		b.show("/plan", 1280, "light")
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		b.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("textarea").value = `+string(quoted)), chromedp.Click(chromedp.CSS("form[action='/plan'] button")), chromedp.WaitReady(chromedp.CSS("h2, p.sum")))
		b.check("pasted")
		return b.text()
	}
	if said := paste("version: 1\ntimezone: Europe/Copenhagn\n"); !strings.Contains(said, "line 2, column 11") || !strings.Contains(said, "Europe/Copenhagen") {
		t.Errorf("a file with a mistake: the page says\n%s", said)
	}
	demoFile, err := os.ReadFile("../../scheduler/daemon/demo/demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	said := paste(strings.ReplaceAll(strings.ReplaceAll(string(demoFile), "ENDPOINT", "http://127.0.0.1:1"), "mon-fri 08:00-17:00", "mon-fri 08:00-18:00"))
	if !regexp.MustCompile(`contoso-test[^\n]*(\n[^\n]+)*?\n?\t[1-9]\d*\t[1-9]\d*\t\+[2-5]\.\d\t\+\d+\.\d\d`).MatchString(said) {
		t.Errorf("an hour more on each working day: the page says\n%s", said)
	}
}
