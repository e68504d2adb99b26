package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/web/api"
)

// delegatedAccount is the account line of a schedule file.
func delegatedAccount() string {
	return fmt.Sprintf("{name: main, mode: delegated, tenant: %s, client_id: %s}", hostsTenant, hostsApp)
}

// hostsDelegated is a site whose account people sign in to.
func (h *hosts) delegated(schedules string) *site {
	s := h.site(delegatedAccount(), "eu", schedules)
	s.env = append(s.env, "CURFEW_DATABASE="+filepath.Join(s.dir, "curfew.db"))
	return s
}

// said is what a command printed, and its exit code.
type said struct {
	out, errs string
	code      int
}

// during runs a command of the binary; meanwhile it does what a person does.
func (s *site) during(person func(), args ...string) said {
	s.t.Helper()
	done := make(chan said, 1)
	go func() {
		out, errs, code := s.run(args...)
		done <- said{out, errs, code}
	}()
	person()
	return <-done
}

// entersTheCode waits until the n-th device code has been asked for, and enters it.
func (h *hosts) entersTheCode(s *site, n int) func() {
	return func() {
		s.until("a device code was asked for", func() bool {
			codes := 0
			for _, r := range h.requests(loginHost) {
				if strings.HasSuffix(r.Path, "/devicecode") {
					codes++
				}
			}
			return codes >= n
		})
		h.entra.EnterCode(hostsUser)
	}
}

func (s *site) account() api.Account {
	s.t.Helper()
	list := items[api.Account](s, "accounts")
	if len(list) != 1 {
		s.t.Fatalf("accounts = %+v; want one", list)
	}
	return list[0]
}

func TestBinaryWaitsForALoginByDeviceCodeAndGoesOn(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	h := newHosts(t, lcssim.EntraOptions{Lifetime: time.Hour, MFA: map[string]bool{hostsUser: true}})
	_, cron := nextMinute(15 * time.Second)
	s := h.delegated(fmt.Sprintf("  - {name: evening, environments: [dev-00], stop: %q}\n", cron))
	s.start()
	s.until("the run waits for the account", func() bool {
		return strings.Contains(s.log.String(), `"event":"unreachable"`) && s.metric(`curfew_account_up{account="main"}`) == "0"
	})
	s.until("the account says what to do", func() bool {
		a := s.account()
		return a.State == "down" && strings.Contains(text(a.Message), "nobody has signed in yet; run: curfew login main") && a.Login == nil
	})
	got := s.during(h.entersTheCode(s, 1), "login", "main")
	if got.code != exitDone || !strings.Contains(got.errs, "https://microsoft.com/devicelogin") || !strings.Contains(got.out, "signed in as "+hostsUser) {
		t.Errorf("curfew login = %+v", got)
	}
	if runs := s.finished(1); len(runs) != 1 || runs[0].State != "succeeded" {
		t.Errorf("runs = %+v, want the stop, succeeded", runs)
	}
	s.calledOnce()
	if a := s.account(); a.State != "up" || a.Login == nil || a.Login.User != hostsUser || a.Login.LapsesAt.Sub(a.Login.RefreshedAt) != 90*24*time.Hour {
		t.Errorf("account = %+v, want it up, with its login", a)
	}
	out, _, code := s.run("accounts", "--server", "http://"+s.listen)
	if code != exitDone || !strings.Contains(out, "delegated") || !strings.Contains(out, hostsUser) || !strings.Contains(out, "ago") {
		t.Errorf("curfew accounts exited %d: %s", code, out)
	}
	shown := s.shown()
	shown["curfew login"], shown["curfew accounts"] = got.out+got.errs, out
	for _, name := range h.tokenFiles(s) {
		shown["the name "+name] = name
	}
	h.checkLCS(lcsHostEU)
	h.checkDelegated()
	secrets := append(h.entra.Secrets(), e2eAPI)
	showsNone(t, shown, secrets)
	showsNone(t, h.wire(), secrets)
}

// tokenFiles names what is in the directory of logins, and checks who may read it.
func (h *hosts) tokenFiles(s *site) []string {
	h.t.Helper()
	dir := filepath.Join(s.dir, "tokens")
	entries, err := os.ReadDir(dir)
	if err != nil {
		h.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			h.t.Errorf("%s has mode %v, %v; want its owner's only", e.Name(), info.Mode(), err)
		}
	}
	if !slices.Contains(names, "main.json") {
		h.t.Errorf("the directory of logins holds %v, want main.json", names)
	}
	return names
}

// checkDelegated checks what was asked of Entra by an account that a person signed
// in to.
func (h *hosts) checkDelegated() {
	h.t.Helper()
	grants := map[string]int{}
	for _, r := range h.requests(loginHost) {
		form, err := url.ParseQuery(r.Body)
		if err != nil {
			h.t.Fatal(err)
		}
		if r.Method != http.MethodPost {
			continue
		}
		grants[form.Get("grant_type")]++
		if form.Get("client_id") != hostsApp || form.Get("scope") != "https://"+lcsHostEU+"//.default openid offline_access profile" {
			h.t.Errorf("%s was asked with client_id %q, scope %q", r.Path, form.Get("client_id"), form.Get("scope"))
		}
		for _, name := range []string{"username", "password", "client_secret"} {
			if form.Has(name) {
				h.t.Errorf("%s was sent a %s", r.Path, name)
			}
		}
	}
	if grants["device_code"] == 0 && grants["authorization_code"] == 0 {
		h.t.Errorf("grants asked for = %v, want one that a person takes part in", grants)
	}
	if got := h.reached(); slices.ContainsFunc(got, func(host string) bool { return host != loginHost && host != lcsHostEU }) {
		h.t.Errorf("hosts reached = %v, want %s and %s alone", got, loginHost, lcsHostEU)
	}
}

// withBrowser puts a browser in the way of the program that keeps the address it
// is passed, and returns what a person then does with it.
func (h *hosts) withBrowser(s *site) func() {
	h.t.Helper()
	dir := h.t.TempDir()
	address := filepath.Join(dir, "address")
	script := fmt.Sprintf("#!/bin/sh\nprintf %%s \"$1\" > '%s.new' && mv '%s.new' '%s'\n", address, address, address)
	if err := os.WriteFile(filepath.Join(dir, "xdg-open"), []byte(script), 0o700); err != nil {
		h.t.Fatal(err)
	}
	s.env = append(s.env, "PATH="+dir+":"+os.Getenv("PATH"))
	return func() {
		var target []byte
		s.until("the browser was opened", func() (ok bool) {
			var err error
			target, err = os.ReadFile(address)
			return err == nil
		})
		if err := lcssim.Browse(h.client().Do, string(target)); err != nil {
			h.t.Error(err)
		}
	}
}

func TestBinarySignsInByBrowserWhereDeviceCodesAreBlocked(t *testing.T) {
	t.Parallel()
	h := newHosts(t, lcssim.EntraOptions{})
	h.entra.BlockDeviceCode(true)
	s := h.delegated("")
	blocked := s.during(h.entersTheCode(s, 1), "login", "main")
	if blocked.code != exitFailed || !strings.Contains(blocked.errs, "AADSTS53003") || !strings.Contains(blocked.errs, "--browser") {
		t.Errorf("curfew login = %+v, want one that names --browser", blocked)
	}
	h.entra.SignInAs(hostsUser)
	got := s.during(h.withBrowser(s), "login", "main", "--browser")
	if got.code != exitDone || !strings.Contains(got.out, "signed in as "+hostsUser) || !strings.Contains(got.errs, "https://"+loginHost+"/"+hostsTenant+"/oauth2/v2.0/authorize?") {
		t.Errorf("curfew login --browser = %+v", got)
	}
	out, errs, code := s.run("environments")
	if code != exitDone || !strings.Contains(out, "LCS 0") {
		t.Errorf("curfew environments after it exited %d: %s%s", code, out, errs)
	}
	h.checkDelegated()
	secrets := h.entra.Secrets()
	showsNone(t, map[string]string{"login": got.out + got.errs + blocked.out + blocked.errs, "environments": out + errs}, secrets)
	showsNone(t, h.wire(), secrets)
}

func TestBrowserThatSaysNoKeepsNothing(t *testing.T) {
	t.Parallel()
	h := newHosts(t, lcssim.EntraOptions{})
	h.entra.Fail(lcssim.AccessDenied)
	s := h.delegated("")
	got := s.during(h.withBrowser(s), "login", "main", "--browser")
	if got.code != exitFailed || !strings.Contains(got.errs, "the sign-in page refused") || !strings.Contains(got.errs, "run: curfew login main") {
		t.Errorf("curfew login --browser = %+v", got)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "tokens", "main.json")); err == nil {
		t.Error("something was kept")
	}
}

func TestLoginIsOfAccountsThatTakeOne(t *testing.T) {
	h := newHosts(t, lcssim.EntraOptions{})
	password, people := h.site(passwordAccount(), "eu", ""), h.delegated("")
	tests := []struct {
		name string
		site *site
		args []string
		says string
	}{
		{"a password account signs in by itself", password, []string{"login", "main"}, "signs in by itself (mode password)"},
		{"an account that is not there", people, []string{"login", "mian"}, `no account "mian" in`},
		{"--check asks nobody", people, []string{"login", "main", "--check", "--browser"}, "want --check, or --browser"},
		{"a port is the browser's", people, []string{"login", "main", "--port", "8400"}, "want --check, or --browser"},
		{"one account at a time", people, []string{"login"}, "name one account: curfew login ACCOUNT"},
		{"one account is checked at a time", people, []string{"accounts", "check"}, "name one account: curfew accounts check ACCOUNT"},
		{"accounts has one other command", people, []string{"accounts", "chekc"}, `unknown command "chekc"; did you mean check?`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if out, errs, code := tt.site.run(tt.args...); code != exitUsage || !strings.Contains(errs, tt.says) {
				t.Errorf("exited %d: %s%s; want %d and %q", code, out, errs, exitUsage, tt.says)
			}
		})
	}
	if asked := h.requests(""); len(asked) != 0 {
		t.Errorf("it asked %+v, want nothing", asked)
	}
}

func TestReplicasShareALoginThatIsEncryptedInTheirDatabase(t *testing.T) {
	t.Parallel()
	server, name := newPostgres(t)
	h := newHosts(t, lcssim.EntraOptions{Lifetime: time.Hour})
	s := h.delegated("")
	dsn := server.URL(name, "")
	s.db, s.env = dsn, append(s.env, "CURFEW_DATABASE="+dsn)
	if _, errs, code := s.run("login", "main"); code != exitUsage || !strings.Contains(errs, "CURFEW_SECRET_KEY") || !strings.Contains(errs, "openssl rand -base64 32") {
		t.Errorf("without a key it exited %d: %s", code, errs)
	}
	const key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	s.write("key", key+"\n")
	s.env = append(s.env, "CURFEW_SECRET_KEY_FILE="+filepath.Join(s.dir, "key"))
	if got := s.during(h.entersTheCode(s, 1), "login", "main"); got.code != exitDone {
		t.Fatalf("curfew login = %+v", got)
	}
	s.start()
	s.until("the account is up", func() bool { return s.account().State == "up" })
	if a := s.account(); a.Login == nil || a.Login.User != hostsUser {
		t.Errorf("account = %+v, want its login", a)
	}
	dump, err := server.Dump(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(dump, "logins") {
		t.Error("the dump does not hold the table of logins")
	}
	shown := s.shown()
	shown["the database"] = dump
	showsNone(t, shown, append(h.entra.Secrets(), key, e2eAPI))

	s.write("key", "YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=\n")
	s.start()
	s.until("the account says that the key is another", func() bool {
		return strings.Contains(text(s.account().Message), "CURFEW_SECRET_KEY is not the key that it was sealed with")
	})
	s.write("key", "YWJjZGVmMDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODk=\n"+key+"\n") // the new key first, the old one after it
	s.until("the account is up again", func() bool { return s.account().State == "up" })
	s.stop()
}

func TestHelpShowsNoPasswordOfTheDatabase(t *testing.T) {
	for _, name := range []string{"serve", "login", "environments", "accounts check"} {
		code, out, errs := command(t, map[string]string{"CURFEW_DATABASE": "postgres://curfew:known-password@db/curfew"}, append(strings.Fields(name), "--help")...)
		if code != exitDone || strings.Contains(out+errs, "known-password") || !strings.Contains(out, "--database") {
			t.Errorf("curfew %s --help exited %d: %s%s", name, code, out, errs)
		}
	}
}
