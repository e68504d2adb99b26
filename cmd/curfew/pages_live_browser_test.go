//go:build unix

package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"curfew/internal/longtest"
	"curfew/lcs/secret"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/client"
)

// evaluate returns the text of an expression, or of what it promises.
func (b *chromium) evaluate(expression string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`Promise.resolve(`+expression+`).then(String)`, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

// until waits for a change of the page that makes a condition true.
func (b *chromium) until(condition string) {
	b.t.Helper()
	b.evaluate(`new Promise((resolve) => {
		const holds = () => { if (` + condition + `) { observer.disconnect(); resolve("") } };
		const observer = new MutationObserver(holds);
		observer.observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
		holds();
	})`)
}

// What changes is shown without a reload, and what the reader does at the page stays.
func TestPagesFollowWhatChanges(t *testing.T) {
	longtest.Only(t)
	const token = "a token of the test, long enough"
	t.Setenv("CURFEW_API_TOKEN", token)
	b := newChromium(t, startDemo(t))
	remote, err := client.New(b.base, client.Token{Secret: secret.New(token), Variable: "CURFEW_API_TOKEN"})
	if err != nil {
		t.Fatal(err)
	}
	// act asks for what takes a while: which that is depends on the day of the week.
	act := func(environment string) string {
		t.Helper()
		action := plan.Start
		if e, err := remote.Environment(t.Context(), environment); err != nil || e.Observed == "running" {
			action = plan.Stop
		}
		run, err := remote.Act(t.Context(), environment, action)
		if err != nil {
			t.Fatal(err)
		}
		return run.ID
	}
	// stays is what must not change while the page follows: it was not loaded again.
	const stays = `[window.loaded, document.activeElement.name, document.activeElement.value, document.activeElement.selectionStart, scrollY, document.querySelector("details")?.open].join(" ")`

	b.show("/?project=contoso", 500, "light")
	b.do(chromedp.Evaluate[chromedp.Void](`window.loaded = "once"; const i = document.querySelector("[name=name]"); i.focus(); i.value = "contoso-d"; i.setSelectionRange(3, 3); scrollTo(0, 60)`))
	before := b.evaluate(stays)
	if !strings.HasPrefix(before, "once name contoso-d 3 60") {
		t.Fatalf("the page is at %q", before)
	}
	first := act("contoso-dev-01")
	b.until(`document.querySelector("a[href='/runs/` + first + `']")`)
	if after := b.evaluate(stays); after != before {
		t.Errorf("after a change the page is at %q, before at %q", after, before)
	}
	b.check("tonight after a change")

	b.show("/environments/contoso-dev-02", 500, "light")
	b.do(chromedp.Evaluate[chromedp.Void](`window.loaded = "once"; document.querySelector("details").open = true; document.querySelector("summary").focus()`))
	before = b.evaluate(stays)
	run := act("contoso-dev-02")
	b.until(`document.querySelector("table.runs a[href='/runs/` + run + `']")`)
	if after := b.evaluate(stays); after != before || !strings.HasSuffix(after, "true") {
		t.Errorf("after a change the page is at %q, before at %q", after, before)
	}
	if focus := b.evaluate(`document.activeElement.tagName`); focus != "SUMMARY" {
		t.Errorf("the focus is at %s, want it where it was", focus)
	}
	b.check("environment after a change")

	b.show("/runs", 1280, "dark")
	run = act("contoso-dev-03")
	b.until(`document.querySelector("a[href='/runs/` + run + `']")`)
	b.check("runs after a change")

	b.show("/runs/"+run, 1280, "light")
	b.until(`document.title.includes("succeeded") && document.querySelector("h1").textContent.includes("succeeded")`)
	b.check("run after its end")
}

// A page that hears nothing any more says since when, and follows again later.
func TestPageSaysThatItIsNotLive(t *testing.T) {
	longtest.Only(t)
	base, demo := startDemoProcess(t)
	b := newChromium(t, base)
	b.show("/", 1280, "light")
	b.until(`document.querySelector("#live")`)
	if said := b.evaluate(`document.querySelector("#live").innerText`); said != "" {
		t.Errorf("a page that is live says %q", said)
	}
	if err := demo.Signal(syscall.SIGSTOP); err != nil { // a connection that is silent, as when a network is cut
		t.Fatal(err)
	}
	b.until(`/^Not live since \d\d:\d\d; reload$/.test(document.querySelector("#live[role=status]").innerText)`)
	b.check("stale")
	if err := demo.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	b.until(`document.querySelector("#live").innerText === ""`)
	b.check("live again")
}

// Without JavaScript a page shows the same.
func TestPagesWorkWithoutJavaScript(t *testing.T) {
	longtest.Only(t)
	b := newChromium(t, startDemo(t))
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.show("/?tag=test", 1280, "light")
	html, err := chromedp.Run(b.ctx, chromedp.OuterHTML(chromedp.CSS("main")))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(html, "contoso-test") {
		t.Errorf("the page is %s", html)
	}
}
