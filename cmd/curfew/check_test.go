package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"curfew/lcs"
	"curfew/lcs/lcssim"
)

func TestCheckSaysWhatAnAccountLacks(t *testing.T) {
	tests := []struct {
		name  string
		world func(h *hosts)
		says  string // in the project's message
		code  int
	}{
		{"nothing", func(*hosts) {}, "metadata is read", exitDone},
		{"the role", func(h *hosts) { h.sim.Inject(lcssim.Fault{Kind: lcssim.Forbidden, User: hostsUser}) }, "make it project owner or environment administrator", exitFailed},
		{"the invitation", func(h *hosts) { h.sim.Inject(lcssim.Fault{Kind: lcssim.Unauthorized, User: hostsUser}) }, "accepted the project's invitation and opened the project once", exitFailed},
		{"LCS refuses", func(h *hosts) {
			h.sim.Inject(lcssim.Fault{Kind: lcssim.Refuse, User: hostsUser, Message: "not for you"})
		}, "not for you", exitFailed},
		{"the region", func(h *hosts) { h.home = "lcsapi.ch.lcs.dynamics.com" }, "the project lives in region ch, not in eu", exitFailed},
		{"the password", func(h *hosts) { h.entra.SetPassword(hostsUser, "new") }, "AADSTS50126 (wrong user name or password)", exitFailed},
		{"MFA", func(h *hosts) { h.entra.RequireMFA(hostsUser) }, "use mode delegated", exitFailed},
		{"consent", func(h *hosts) { h.entra.Fail(lcssim.NoConsent) }, "the app has no consent", exitFailed},
		{"the app", func(h *hosts) { h.entra.Fail(lcssim.NotPublic) }, "does not allow public client flows", exitFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHosts(t, lcssim.EntraOptions{})
			tt.world(h)
			s := h.site(passwordAccount(), "eu", "")
			out, errs, code := s.run("accounts", "check", "main", "-o", "json")
			var rows []checked
			if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
				t.Fatalf("printed %q, %q, %v; want one row", out, errs, err)
			}
			r := rows[0]
			if code != tt.code || r.OK != (tt.code == exitDone) || !strings.Contains(r.Message, tt.says) || r.Project != "contoso" || r.Region != "eu" {
				t.Errorf("exited %d with %+v; want %d and %q", code, r, tt.code, tt.says)
			}
			showsNone(t, map[string]string{"stdout": out, "stderr": errs}, append(h.entra.Secrets(), hostsPassword))
		})
	}
}

func TestCheckNamesEnvironmentsThatTheFileOrLCSLacks(t *testing.T) {
	manyPages := func(h *hosts) {
		for i := range 2 * lcs.PageSize {
			h.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(100 + i), Infrastructure: "SelfService"})
		}
		h.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(7), Name: "LCS 7"})
	}
	tests := []struct {
		name  string
		world func(h *hosts)
		entry string // of the file
		count int
		says  string
		code  int
	}{
		{"LCS lists another id", func(*hosts) {}, e2eID(7), 2, "metadata is read, but LCS does not list dev-07: correct their ids, or remove them from the file; curfew environments --yaml prints what LCS lists", exitFailed},
		{"the file lacks one", func(h *hosts) { h.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(8), Name: "LCS 8"}) }, e2eID(1), 3, "metadata is read, but the schedule file does not have LCS 8: curfew environments --yaml prints the entries to paste into the file", exitDone},
		{"Microsoft manages one", func(h *hosts) {
			h.sim.AddEnvironment(e2eProject, lcssim.Environment{ID: e2eID(7), Infrastructure: "MicrosoftManaged"})
		}, e2eID(7), 3, "metadata is read, but LCS starts and stops customer-managed environments only, not dev-07: remove them from the file", exitDone},
		{"it is on the third page", manyPages, e2eID(7), 2*lcs.PageSize + 3, "metadata is read", exitDone},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHosts(t, lcssim.EntraOptions{})
			tt.world(h)
			s := h.site(passwordAccount(), "eu", "")
			text := read(t, filepath.Join(s.dir, "schedules.yaml"))
			if tt.entry != e2eID(1) {
				text = strings.Replace(text, "schedules:", fmt.Sprintf("  - {name: dev-07, project: contoso, id: %s}\nschedules:", tt.entry), 1)
			}
			s.write("schedules.yaml", text)
			for _, args := range [][]string{{"accounts", "check", "main"}, {"login", "main", "--check"}} { // the second is the older form
				var rows []checked
				out, errs, code := s.run(append(args, "-o", "json")...)
				if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 {
					t.Fatalf("curfew %v printed %q, %q; want one row", args, out, errs)
				}
				if r := rows[0]; code != tt.code || r.OK != (tt.code == exitDone) || r.Environments != tt.count || r.Message != tt.says {
					t.Errorf("curfew %v exited %d with %+v; want %d, %d environments and %q", args, code, r, tt.code, tt.count, tt.says)
				}
			}
		})
	}
}

func TestCheckSendsATokenNowhereElse(t *testing.T) {
	t.Parallel()
	h := newHosts(t, lcssim.EntraOptions{})
	h.home = "lcsapi.ch.lcs.dynamics.com"
	for _, account := range []string{
		"{name: main, mode: static, token: {file: password}}",
		strings.Replace(passwordAccount(), "mode:", "scope: \"https://"+lcsHostEU+"//.default\", mode:", 1),
	} {
		s := h.site(account, "eu", "")
		if out, errs, code := s.run("accounts", "check", "main"); code != exitFailed || strings.Contains(out, "lives in") {
			t.Errorf("exited %d: %s%s", code, out, errs)
		}
	}
	for _, host := range h.reached() {
		if host != loginHost && host != lcsHostEU {
			t.Errorf("a token was sent to %s, for which it was not made", host)
		}
	}
}

// throttledTries are the first try of a page and those that the LCS client makes by itself.
const throttledTries = 4

func TestListingWaitsForLCSAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t, "  - {name: office-hours, environments: [dev-00, dev-01], uptime: \"mon-fri 07:00-19:00\"}\n")
	file := filepath.Join(s.dir, "schedules.yaml")
	tests := []struct {
		name, after string // as LCS asks
		args        []string
		says        string
		code        int
	}{
		{"a listing", "1", []string{"environments", "--yaml"}, "project contoso: LCS lets 6 pages of metadata be read in a minute; waiting 1s\n", exitDone},
		{"a check", "1", []string{"accounts", "check", "main"}, "waiting 1s\n", exitDone},
		{"a wait that nobody sits through", "3600", []string{"environments"}, "it asks to wait 1h0m0s, longer than any of its limits lasts: curfew waits 30m0s\n", exitFailed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s.sim.ClearFaults()
			s.sim.Inject(lcssim.Fault{Kind: lcssim.Throttle, Verb: lcssim.Metadata, Times: throttledTries, RetryAfter: tt.after})
			code, out, errs := command(t, nil, append([]string{"--config", file}, tt.args...)...)
			if code != tt.code || !strings.HasSuffix(errs, tt.says) {
				t.Errorf("curfew %v exited %d: %s%s; want %d and %q", tt.args, code, out, errs, tt.code, tt.says)
			}
		})
	}
}
