package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/oauth2-proxy/mockoidc"

	"curfew/internal/longtest"
	"curfew/lcs/lcssim"
)

// endsSoon has windows that end within the hour, whatever time it is.
func endsSoon() string {
	now := time.Now().UTC()
	return fmt.Sprintf("  - {name: office-hours, environments: [dev-00, dev-01], uptime: \"%s-%s\"}\n", now.Add(-8*time.Hour).Format("15:04"), now.Add(time.Hour).Format("15:04"))
}

// signIn signs somebody in with the browser.
func (b *chromium) signIn(o *office, name string) {
	b.t.Helper()
	email := name + "@contoso.com"
	o.provider.QueueUser(&mockoidc.MockUser{Subject: name, Email: email, EmailVerified: true, PreferredUsername: email})
	b.do(chromedp.Navigate(b.base+"/login?next=/"), chromedp.WaitVisible(chromedp.CSS("footer")))
	for len(b.problems) > 0 { // the way to the provider and back leads to another host
		if p := <-b.problems; !strings.Contains(p, o.provider.Addr()) {
			b.t.Error(p)
		}
	}
	if said := b.text(); !strings.Contains(said, email) {
		b.t.Fatalf("after signing in the page says\n%s", said)
	}
}

// press presses the button of a form with a text, and waits for the next page.
func (b *chromium) press(form, button string) string {
	b.t.Helper()
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](fmt.Sprintf(`(() => {
		document.body.dataset.before = "yes";
		const buttons = [...document.querySelectorAll("main form button, header form button")];
		const found = buttons.find(e => e.form.getAttribute("action").includes(%q) && e.innerText.trim() === %q);
		found?.click(); // at once: a page that follows changes may put another button in its place
		return Boolean(found);
	})()`, form, button)))
	if err != nil || !found {
		b.t.Fatalf("no button %q of %s: %v; the page says\n%s", button, form, err, b.text())
	}
	b.do(chromedp.WaitReady(chromedp.CSS("body:not([data-before]) footer")))
	return b.text()
}

// looks checks a page in each width and scheme, and keeps pictures of it.
func (b *chromium) looks(name, path string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{360, 1280} {
			b.show(path, width, scheme)
			what := fmt.Sprintf("%s-%s-%d", name, scheme, width)
			b.check(what)
			b.keep(what)
		}
	}
	b.show(path, 1280, "light")
}

func TestActionsInABrowser(t *testing.T) {
	longtest.Only(t)
	o := newOffice(t, endsSoon())
	b := newChromium(t, o.public)
	b.looks("environment-nobody", "/environments/dev-00")
	b.signIn(o, "anna")
	b.looks("tonight-operator", "/")
	b.looks("environment-operator", "/environments/dev-00")
	for _, tt := range []struct{ form, button, says string }{
		{"/environments/dev-00/keep", "1 h longer", "dev-00 is kept running until"},
		{"/environments/dev-00/release", "Release", "The override of dev-00 is released"},
		{"/environments/dev-00/skip", "Skip", "The stop is left out"},
		{"/environments/dev-00/release", "Release", "The override of dev-00 is released"},
		{"/environments/dev-00/keep", "Keep", "dev-00 is kept running until"},
		{"/environments/dev-00/stop", "Stop", "A stop was asked for"},
		{"/cancel", "Cancel the run", "The run is canceled"},
	} {
		if tt.form != "/cancel" {
			b.show("/environments/dev-00", 1280, "light")
		} else {
			b.do(chromedp.Navigate(b.base + "/environments/dev-00"))
		}
		said := b.press(tt.form, skipText(tt.button, b.text()))
		if !strings.Contains(said, "Done. ") || !strings.Contains(said, tt.says) {
			t.Errorf("%s: the page says\n%s\nwant %q", tt.form, said, tt.says)
		}
		b.check(tt.form)
	}
	b.looks("environment-kept", "/environments/dev-00")

	b.show("/?project=contoso", 1280, "light")
	b.do(chromedp.Click(chromedp.CSS(`input[value="dev-00"]`)), chromedp.Click(chromedp.CSS(`input[value="dev-01"]`)))
	if said := b.press("/selected", "Keep running…"); !strings.Contains(said, "2 environments") || !strings.Contains(said, "dev-01") {
		t.Fatalf("the page that asks first says\n%s", said)
	}
	here, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname + location.search`))
	if err != nil {
		t.Fatal(err)
	}
	b.looks("selected", here)
	said := b.press("/selected", "2 h longer")
	if !strings.Contains(said, "dev-00, dev-01 are kept running until") || !strings.Contains(said, "2 of 2 environments") {
		t.Errorf("after confirming, the page says\n%s", said)
	}

	b.show("/me", 1280, "light")
	if said := b.press("/me/keys", "Make a calendar key"); !strings.Contains(said, "/calendar.ics?key=") {
		t.Errorf("after making a key, the page says\n%s", said)
	}
	b.check("a new key")
	b.looks("me", "/me")
	if said := b.press("/revoke", "Revoke"); !strings.Contains(said, "The calendar key is revoked") {
		t.Errorf("after revoking a key, the page says\n%s", said)
	}
	b.press("/logout", "Sign out")
	b.signIn(o, "rita")
	b.looks("environment-requester", "/environments/dev-00")
	b.looks("me-requester", "/me")
}

func TestHeldFireIsApprovedInABrowser(t *testing.T) {
	longtest.Only(t)
	_, cron := nextMinute(30 * time.Second)
	o := newOffice(t, fmt.Sprintf("  - {name: evening, environments: [dev-00, dev-01], stop: %q}\ndefaults: {max_stops_per_fire: 1}\n", cron))
	o.sim.Set(e2eID(1), lcssim.Finished)
	b := newChromium(t, o.public)
	b.signIn(o, "anna")
	o.logged("it waits for an approval: curfew approve RUN")
	b.looks("tonight-held", "/")
	b.do(chromedp.Click(chromedp.CSS(`section[aria-label="Waiting for an approval"] a`)), chromedp.WaitVisible(chromedp.CSS(`form[action$="/approve"]`)))
	b.check("a run that waits for an approval")
	if said := b.press("/approve", "Approve"); !strings.Contains(said, "Approved: 2 runs go on now") {
		t.Errorf("after the approval the page says\n%s", said)
	}
	for _, r := range o.finished(2) {
		if r.State != "succeeded" {
			t.Errorf("after the approval %s is %s", r.Environment, r.State)
		}
	}
	if b.show("/", 1280, "light"); strings.Contains(b.text(), "for an approval") {
		t.Errorf("after the approval the first page says\n%s", b.text())
	}
}

// skipText is the text of the button to skip, which depends on the time of day.
func skipText(button, page string) string {
	for _, text := range []string{"Skip tonight", "Skip this stop"} {
		if button == "Skip" && strings.Contains(page, text) {
			return text
		}
	}
	return button
}

// An environment is kept running with the keyboard alone, and it is always seen where the
// focus is.
func TestActionByKeyboardAlone(t *testing.T) {
	longtest.Only(t)
	o := newOffice(t, endsSoon())
	b := newChromium(t, o.public)
	b.signIn(o, "anna")
	b.show("/environments/dev-00", 1280, "light")
	for range 100 {
		b.do(chromedp.KeyEvent("\t"))
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(() => {
			const e = document.activeElement;
			return (getComputedStyle(e).outlineStyle === "none" ? "unseen " : "") + e.outerHTML.slice(0, 200) + e.innerText;
		})()`))
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(at, "unseen") {
			t.Errorf("the focus cannot be seen: %s", at)
		}
		if strings.Contains(at, "2 h longer") {
			b.do(chromedp.Evaluate[chromedp.Void](`document.body.dataset.before = "yes"`), chromedp.KeyEvent("\r"), chromedp.WaitReady(chromedp.CSS("body:not([data-before]) footer")))
			if said := b.text(); !strings.Contains(said, "dev-00 is kept running until") {
				t.Errorf("the page says\n%s", said)
			}
			return
		}
	}
	t.Error("Tab does not reach the button")
}

// With the colours of the user's choice, forms can be told apart from the page.
func TestActionsInForcedColours(t *testing.T) {
	longtest.Only(t)
	o := newOffice(t, endsSoon())
	b := newChromium(t, o.public)
	b.signIn(o, "anna")
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/environments/dev-00", "/", "/me"} {
		b.do(chromedp.EmulateViewport(1280, 900), chromedp.Navigate(b.base+path))
		b.check(path)
		b.keep("forced" + strings.ReplaceAll(path, "/", "-"))
	}
}
