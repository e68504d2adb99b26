package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func TestCheckNamesEnvironmentsThatLCSDoesNotList(t *testing.T) {
	t.Parallel()
	h := newHosts(t, lcssim.EntraOptions{})
	s := h.site(passwordAccount(), "eu", "")
	file := filepath.Join(s.dir, "schedules.yaml")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s.write("schedules.yaml", strings.Replace(string(b), "schedules:", fmt.Sprintf("  - {name: dev-07, project: contoso, id: %s}\nschedules:", e2eID(7)), 1))
	want := "PROJECT  ID       REGION  OK  ENVIRONMENTS  MESSAGE\n" +
		"contoso  1234567  eu      no  2             metadata is read, but LCS does not list dev-07: check their ids\n"
	for _, args := range [][]string{{"accounts", "check", "main"}, {"login", "main", "--check"}} { // the second is the older form
		if out, _, code := s.run(args...); code != exitFailed || out != want {
			t.Errorf("curfew %v exited %d and printed\n%s\nwant\n%s", args, code, out, want)
		}
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
