package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/zone"
)

var update = flag.Bool("update", false, "write the golden files again")

var at = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n%s\nwant:\n%s", path, got, want)
	}
}

func ofStop(kind scheduler.EventKind, env, reason, next string) scheduler.Event {
	return scheduler.Event{Kind: kind, At: at, Environment: env, Schedule: "office-hours", Action: plan.Stop, FireAt: at, Run: "01999", Reason: reason, NextStep: next, By: scheduler.BySchedule}
}

func apart(kind scheduler.EventKind, reason, next string) scheduler.Event {
	return scheduler.Event{Kind: kind, At: at, Reason: reason, NextStep: next, By: scheduler.BySchedule}
}

func many(n int, f func(i int) scheduler.Event) []scheduler.Event {
	list := make([]scheduler.Event, n)
	for i := range list {
		list[i] = f(i)
	}
	return list
}

// deliveries are what messages are made of, by the name of their golden file.
func deliveries() map[string][]scheduler.Event {
	account := apart(scheduler.EventUnreachable, "account cannot sign in; its runs wait: the password is wrong", "curfew accounts check main; it is tried again at 2026-11-23T18:30:00Z")
	account.Account = "main"
	project := apart(scheduler.EventUnreachable, "LCS has not answered for project contoso since 2026-11-23T17:58:00Z: LCS answered 503", "runs go on by themselves once it answers")
	project.Project = "contoso"
	back := apart(scheduler.EventReachable, "account recovered; its runs resume", "")
	back.Account = "main"
	override := apart(scheduler.EventOverride, "override made: keep dev-01, dev-02 running until 2026-11-23T21:00:00Z", "")
	override.By = scheduler.Actor{Name: "anna@contoso.com", Via: "page"}
	stopping := func(i int) scheduler.Event {
		e := ofStop(scheduler.EventStopping, fmt.Sprintf("dev-%02d", i), "", "")
		e.Run = ""
		return e
	}
	byOverride := stopping(1)
	byOverride.Schedule = plan.OverridePrefix + "abc"
	return map[string][]scheduler.Event{
		"failed": {ofStop(scheduler.EventFailed, "dev-01", "LCS refused the stop: the environment is being serviced", "if it is still wanted: curfew stop dev-01")},
		"failed-many": append(many(40, func(i int) scheduler.Event {
			env := fmt.Sprintf("dev-%02d", i)
			return ofStop(scheduler.EventFailed, env, "LCS refused the stop of "+env+" (activity 55eb4327-9346-4c7b-82bd-fe8ef15112c6)", "if it is still wanted: curfew stop "+env)
		}), ofStop(scheduler.EventFailed, "test-01", "not there within 45m", "if it is still wanted: curfew stop test-01")),
		"failed-causes": many(30, func(i int) scheduler.Event {
			return ofStop(scheduler.EventFailed, fmt.Sprintf("dev-%02d", i), fmt.Sprintf("cause %d", i), "")
		}),
		"missed":      {ofStop(scheduler.EventMissed, "dev-01", "curfew was not running; 3h0m0s late is more than catch_up, 2h0m0s", "if it is still wanted: curfew stop dev-01")},
		"mixed":       {ofStop(scheduler.EventSucceeded, "dev-01", "metadata shows Stopped", ""), ofStop(scheduler.EventFailed, "dev-02", "LCS answered 404", "if it is still wanted: curfew stop dev-02")},
		"approval":    {ofStop(scheduler.EventApproval, "dev-01", "this fire stops 12 environments at once, more than max_stops_per_fire, 10; waiting for an approval", "let it go: curfew approve 01999")},
		"unreachable": {account},
		"project":     {project},
		"reachable":   {back},
		"throttled":   {ofStop(scheduler.EventThrottled, "dev-01", "LCS answered 429, Too Many Requests: somebody else uses the same account or environment", "see who else starts and stops environments as this account")},
		"drift": many(2, func(i int) scheduler.Event {
			return ofStop(scheduler.EventDrift, fmt.Sprintf("dev-%02d", i), "it runs although it is wanted stopped", "")
		}),
		"config":       {apart(scheduler.EventConfig, "schedules.yaml:3:9: unknown time zone \"Local\"; want an IANA name such as Europe/Berlin", "correct the file; it is loaded again when it changes")},
		"override":     {override},
		"warning":      {ofStop(scheduler.EventWarning, "dev-01", "environment was not up when its window began", "give its schedule a longer lead")},
		"stopping":     {stopping(1)},
		"stopping-all": many(3, stopping),
		"stopping-end": {byOverride},
	}
}

// example is a writer with an address of the pages and links.
func example(t *testing.T) writer {
	t.Helper()
	copenhagen, err := zone.Load("Europe/Copenhagen")
	if err != nil {
		t.Fatal(err)
	}
	l := &Links{base: "https://curfew.example.com/link/", key: []byte("a key for tests")}
	return writer{zone: copenhagen, public: "https://curfew.example.com", links: l.buttons}
}

var exampleID = uuid.MustParse("01934b2f-7c1a-7000-8000-000000000001").String()

func TestMessagesAsText(t *testing.T) {
	w := example(t)
	for name, events := range deliveries() {
		m := w.compose(scheduler.Delivery{ID: exampleID, Receiver: "ops", Events: events})
		golden(t, name+".txt", m.Title+"\n\n"+m.text(mostText)+"\n")
	}
	w.public, w.links = "", nil
	m := w.compose(scheduler.Delivery{ID: exampleID, Events: deliveries()["stopping-all"]})
	golden(t, "stopping-without-links.txt", m.Title+"\n\n"+m.text(mostText)+"\n")
}

func TestMessagesAsCards(t *testing.T) {
	w := example(t)
	for _, name := range []string{"failed-many", "approval", "stopping-all", "unreachable"} {
		card, err := w.compose(scheduler.Delivery{ID: exampleID, Events: deliveries()[name]}).card()
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.MarshalIndent(card, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json", string(b)+"\n")
	}
}

func TestSummary(t *testing.T) {
	w := example(t)
	d := Day{Zone: w.zone, Currency: "EUR", From: at.Add(-24 * time.Hour), Until: at, Public: "https://curfew.example.com/", Savings: report.Sums{HoursOff: 130.5, Saved: 163.125, LostFailed: 2.5, LostOverrides: 5}}
	for i, state := range []scheduler.State{scheduler.Succeeded, scheduler.Succeeded, scheduler.Failed, scheduler.Missed, scheduler.Canceled, scheduler.Running} {
		d.Add(scheduler.Run{Environment: fmt.Sprintf("dev-%02d", i), Schedule: "office-hours", Action: plan.Stop, State: state, Message: "as it was"})
	}
	for i := range 12 {
		d.Coming(plan.Fire{At: at.Add(time.Duration(i/2) * time.Hour), Action: plan.Stop, Environment: fmt.Sprintf("dev-%02d", i)})
	}
	m := d.Message()
	golden(t, "summary.txt", m.Title+"\n\n"+m.text(mostText)+"\n")
}

func TestTextStaysWithinWhatAReceiverTakes(t *testing.T) {
	w := example(t)
	for name, events := range deliveries() {
		m := w.compose(scheduler.Delivery{ID: exampleID, Events: events})
		for _, most := range []int{300, 1000, 1900} {
			if got := m.text(most); len(got) > most && len(m.Parts) > 0 && most > 300 {
				t.Errorf("%s takes %d characters, want %d at most", name, len(got), most)
			}
		}
	}
	m := w.compose(scheduler.Delivery{ID: exampleID, Events: many(100, func(i int) scheduler.Event {
		return ofStop(scheduler.EventStopping, fmt.Sprintf("dev-%03d", i), "", "")
	})})
	if got := m.text(1900); !strings.Contains(got, "All 100 environments") || !strings.Contains(got, "more\n") {
		t.Errorf("a long warning is %q, want the links for all, and how many are left out", got)
	}
}

func TestCardStaysWithinWhatTeamsTakes(t *testing.T) {
	w := example(t)
	for _, n := range []int{1, 40, 60, 1000} {
		card, err := w.compose(scheduler.Delivery{ID: exampleID, Events: many(n, func(i int) scheduler.Event {
			return ofStop(scheduler.EventStopping, fmt.Sprintf("dev-%04d", i), "", "")
		})}).card()
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(card)
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 28<<10 {
			t.Errorf("the card of %d stops takes %d bytes, want 28 kB at most", n, len(b))
		}
		if n == 60 && !bytes.Contains(b, []byte("more")) || !bytes.Contains(b, []byte("Action.OpenUrl")) {
			t.Errorf("the card of %d stops does not say how many are left out, or has no buttons", n)
		}
	}
}

func TestReceiverHearsOfWhatItWants(t *testing.T) {
	all := Receiver{Name: "all", On: []scheduler.EventKind{scheduler.EventFailed, scheduler.EventUnreachable, scheduler.EventOverride, scheduler.EventConfig, scheduler.EventWarning}}
	some := all
	some.Environments, some.Projects, some.Accounts = map[string]bool{"dev-01": true}, map[string]bool{"contoso": true}, map[string]bool{"main": true}
	with := func(e scheduler.Event, f func(*scheduler.Event)) scheduler.Event { f(&e); return e }
	for _, tt := range []struct {
		name      string
		event     scheduler.Event
		all, some bool
	}{
		{"its environment", ofStop(scheduler.EventFailed, "dev-01", "", ""), true, true},
		{"another environment", ofStop(scheduler.EventFailed, "dev-02", "", ""), true, false},
		{"a kind that is not listed", ofStop(scheduler.EventSucceeded, "dev-01", "", ""), false, false},
		{"what was reported can be reached again", with(apart(scheduler.EventReachable, "", ""), func(e *scheduler.Event) { e.Account = "main" }), true, true},
		{"another account", with(apart(scheduler.EventUnreachable, "", ""), func(e *scheduler.Event) { e.Account = "second" }), true, false},
		{"another project", with(apart(scheduler.EventUnreachable, "", ""), func(e *scheduler.Event) { e.Project = "fabrikam" }), true, false},
		{"an override of its and of others", with(apart(scheduler.EventOverride, "", ""), func(e *scheduler.Event) { e.Change.Environments = "dev-02\ndev-01" }), true, true},
		{"an override of others", with(apart(scheduler.EventOverride, "", ""), func(e *scheduler.Event) { e.Change.Environments = "dev-02" }), true, false},
		{"the file", apart(scheduler.EventConfig, "", ""), true, true},
		{"a stop to come is a warning", ofStop(scheduler.EventStopping, "dev-01", "", ""), true, true},
	} {
		if got := all.wants(tt.event); got != tt.all {
			t.Errorf("%s: without environments %v, want %v", tt.name, got, tt.all)
		}
		if got := some.wants(tt.event); got != tt.some {
			t.Errorf("%s: with environments %v, want %v", tt.name, got, tt.some)
		}
	}
}

func TestURLsAreRefusedWithWhatToDo(t *testing.T) {
	c := newChannels(http.DefaultTransport)
	for _, tt := range []struct{ url, says string }{
		{"https://contoso.webhook.office.com/webhookb2/s3cr3t", "Microsoft has retired"},
		{"https://outlook.office.com/webhook/s3cr3t", "Microsoft has retired"},
		{"teams://s3cr3t@tenant/alt/owner?host=contoso.webhook.office.com", "give the URL of its workflow"},
		{"https://example.com/s3cr3t", "generic+https://"},
		{"http://prod-01.westus.logic.azure.com/workflows/s3cr3t", "generic+https://"},
		{"https://prod-01.westus.logic.azure.com.evil.example/workflows/s3cr3t", "generic+https://"},
		{"s3cr3t", "cannot be read"},
		{"nosuch://s3cr3t@host", "nosuch"},
		{"slack://s3cr3t", "slack"},
	} {
		_, err := c.open(tt.url)
		if err == nil {
			t.Errorf("%s was taken", tt.url)
			continue
		}
		said := redact(err, tt.url)
		if known, ok := errors.AsType[*refusal](err); ok {
			said = known.Error()
		}
		if !strings.Contains(said, tt.says) || strings.Contains(said, "s3cr3t") {
			t.Errorf("%s is refused with %q, want %q and no secret", tt.url, said, tt.says)
		}
	}
	for _, url := range []string{
		"https://prod-01.westus.logic.azure.com:443/workflows/abc/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s3cr3t",
		"https://default123.4.environment.api.powerplatform.com:443/powerautomate/automations/direct/workflows/abc/triggers/manual/paths/invoke?sig=s3cr3t",
		"generic+https://example.com/hook?template=json", "generic://example.com/hook", "ntfy://ntfy.sh/topic", "slack://hook:T0AAAAAAA-B0AAAAAAA-aaaaaaaaaaaaaaaaaaaaaaaa@webhook",
		"smtp://user:password@mail.example.com:587/?from=curfew@example.com&to=ops@example.com", "discord://token@123456789", "pushover://shoutrrr:token@user/",
	} {
		if _, err := c.open(url); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

func TestErrorsHoldNoPartOfTheURL(t *testing.T) {
	for _, tt := range []struct{ url, error, want string }{
		{"generic+https://example.com/hook/s3cr3tpath1?template=json&key=t0ps3cret", `Post "https://example.com/hook/s3cr3tpath1?key=t0ps3cret": connection refused`, `Post "https://example.com/REDACTED": connection refused`},
		{"https://prod-01.westus.logic.azure.com/workflows/abcdef123456/invoke?sig=AbC%2BdEf", `error on notification: 401 Unauthorized, "sig AbC+dEf is wrong"`, `error on notification: 401 Unauthorized, "sig REDACTED is wrong"`},
		{"discord://tok3n-value@1234567890", "POST https://discord.com/api/webhooks/1234567890/tok3n-value: 404", "POST https://discord.com/REDACTED 404"},
		{"smtp://user:p%40ssw0rd@mail.example.com:587/?to=ops@example.com", "535 user user p@ssw0rd refused by mail.example.com:587", "535 REDACTED REDACTED REDACTED refused by mail.example.com:587"},
		{"slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccc@webhook", "no team T0AAAAAAA: cccccccccccc", "no team REDACTED: REDACTED"},
		{"generic+https://example.com/hook", "407 by the proxy, which had Proxy-Authorization: Basic dTpwMHh5LXBhc3M=", "407 by the proxy, which had Proxy-Authorization: Basic REDACTED"},
		{"generic+https://example.com/hook", `blocked: {"Authorization":"Bearer 0paque.token"} for https://svc:pw@proxy.example`, `blocked: {"Authorization":"Bearer REDACTED"} for https://proxy.example/REDACTED`},
		{"ntfy://ntfy.sh/my-s3cret-topic", "403 for\nmy-s3cret-topic at https://ntfy.sh", "403 for REDACTED at https://ntfy.sh"},
	} {
		if got := redact(errors.New(tt.error), tt.url); got != tt.want {
			t.Errorf("redact(%q) = %q, want %q", tt.error, got, tt.want)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("generic+https://example.com/hook/", "s3cr3tpath1", "Post \"%s\": refused")
	f.Add("smtp://user:", "p@ss", "no %s")
	f.Fuzz(func(t *testing.T, prefix, secret, message string) {
		raw := prefix + secret
		redact(fmt.Errorf(strings.ReplaceAll(message, "%", "")+" %s", raw), raw) // it does not panic
		if len(raw) < shortestPart || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == 0xfffd }) {
			return
		}
		if got := redact(errors.New("for "+raw), raw); strings.Contains(got, raw) {
			t.Errorf("redact left %q in %q", raw, got)
		}
	})
}
