package engine_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

const clerk = "svc@contoso.com"

// An office is a world whose account signs in at a simulated Entra.
type office struct {
	*world
	entra    *lcssim.Entra
	options  auth.Options
	password string // file
}

// newOffice has one environment, which stops on Monday at 19:00, and an account
// that signs in with a password from a file.
func newOffice(t *testing.T, mode string) *office {
	t.Helper()
	entra := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{clerk: knownPassword}})
	o := &office{world: newWorld(t, 1, lcssim.Options{Entra: entra}), entra: entra, password: filepath.Join(t.TempDir(), "password")}
	o.options = auth.Options{
		Mode: mode, Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555", Username: clerk, Password: secret.Source{File: o.password},
		Scope: "https://lcs.invalid//.default", Logins: auth.LoginFiles{Dir: filepath.Join(t.TempDir(), "tokens")},
		Authority: "https://login.invalid/", Transport: entra,
	}
	o.world.credential = func(account string) azcore.TokenCredential { return o.credential(account) }
	o.setPassword(knownPassword)
	o.sim.Set(envID(0), lcssim.Finished)
	o.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00")}
	return o
}

func (o *office) credential(account string) *auth.Credential {
	o.t.Helper()
	options := o.options
	options.Account = account
	cred, err := auth.New(options)
	if err != nil {
		o.t.Fatal(err)
	}
	return cred
}

func (o *office) setPassword(text string) {
	o.t.Helper()
	if err := os.WriteFile(o.password, []byte(text), 0o600); err != nil {
		o.t.Fatal(err)
	}
}

// signIn is what a person does at another process.
func (o *office) signIn() { o.t.Helper(); o.signInAs("main") }

func (o *office) signInAs(account string) {
	o.t.Helper()
	options := o.options
	options.Account, options.Mode = account, auth.ModeDelegated
	cred, err := auth.New(options)
	if err != nil {
		o.t.Fatal(err)
	}
	_, err = cred.SignIn(o.t.Context(), auth.SignIn{Scope: o.options.Scope, Show: func(string) { o.entra.EnterCode(clerk) }})
	if err != nil {
		o.t.Fatal(err)
	}
}

// account gives what is known of the one account.
func (o *office) account() scheduler.AccountStatus {
	o.t.Helper()
	list, err := o.engine.Accounts(o.t.Context())
	if err != nil || len(list) != 1 {
		o.t.Fatalf("accounts = %+v, %v; want one", list, err)
	}
	return list[0]
}

// gauge reads a metric of the account.
func (o *office) gauge(name string) float64 {
	o.t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	o.t.Fatalf("no metric %s", name)
	return 0
}

func (o *office) isDown(because string) {
	o.t.Helper()
	if r := o.only(); r.State != scheduler.Queued || r.Waiting != scheduler.WaitAccount || !strings.Contains(r.Message, because) {
		o.t.Errorf("run = %s, waits for %q: %s; want it to wait for the account and say %q", r.State, r.Waiting, r.Message, because)
	}
	if a := o.account(); a.State != scheduler.AccountDown || a.NextTry.IsZero() || !strings.Contains(a.Message, because) {
		o.t.Errorf("account = %+v, want it down because of %q", a, because)
	}
	if o.gauge("curfew_account_up") != 0 {
		o.t.Error("curfew_account_up is not 0")
	}
	if down := o.events(scheduler.EventUnreachable); len(down) != 1 || down[0].Account != "main" {
		o.t.Errorf("events = %+v, want one that the account is unreachable", down)
	}
}

func (o *office) recovered() {
	o.t.Helper()
	if r := o.only(); r.State != scheduler.Succeeded {
		o.t.Errorf("run = %s, waits for %q: %s; want succeeded", r.State, r.Waiting, r.Message)
	}
	if a := o.account(); a.State != scheduler.AccountUp || a.Message != "" || !a.NextTry.IsZero() {
		o.t.Errorf("account = %+v, want it up", a)
	}
	if o.gauge("curfew_account_up") != 1 {
		o.t.Error("curfew_account_up is not 1")
	}
	if n := o.logs.FilterMessageSnippet("account recovered").Len(); n != 1 {
		o.t.Errorf("the log says %d times that the account recovered, want once", n)
	}
}

func TestRunWaitsForAnAccountAndGoesOnWhenItsSecretChanges(t *testing.T) {
	tests := []struct {
		name string
		mode string
		away func(o *office)
		says string
		mend func(o *office)
	}{
		{
			"a password that was wrong", auth.ModePassword, func(o *office) { o.setPassword("wrong") }, "wrong user name or password",
			func(o *office) { o.setPassword(knownPassword) },
		},
		{
			"a password that was changed at Entra", auth.ModePassword, func(o *office) { o.entra.SetPassword(clerk, "new") }, "AADSTS50126",
			func(o *office) { o.setPassword("new") },
		},
		{"nobody had signed in", auth.ModeDelegated, func(*office) {}, "nobody has signed in yet; run: curfew login main", (*office).signIn},
		{
			"a login that was revoked", auth.ModeDelegated, func(o *office) { o.signIn(); o.entra.RevokeUser(clerk); time.Sleep(2 * time.Hour) }, "run: curfew login main",
			(*office).signIn,
		},
		{
			"a password's file that was not there", auth.ModePassword, func(o *office) { _ = os.Remove(o.password) }, "no such file",
			func(o *office) { o.setPassword(knownPassword) },
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, tt.mode)
				until("2000-01-03 16:00:00")
				tt.away(o)
				until("2000-01-03 18:58:00")
				o.start()
				until("2000-01-03 19:12:00")
				o.isDown(tt.says)
				tt.mend(o)
				time.Sleep(4 * time.Minute) // a pass of housekeeping, the call, LCS's 150 s
				synctest.Wait()
				o.recovered()
				o.stop()
			})
		})
	}
}

func TestAccountThatStaysAwayFailsTheRunAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModeDelegated)
		until("2000-01-03 18:58:00")
		o.start()
		until("2000-01-03 21:15:00")
		r := o.only()
		if r.State != scheduler.Failed || !strings.Contains(r.Message, "deadline") || !strings.Contains(r.Message, "curfew login main") {
			t.Errorf("run = %s: %s; want failed at the deadline, with what to do", r.State, r.Message)
		}
		o.stop()
	})
}

func TestRestartTriesABadPasswordAgainAfterFiveMinutesAtTheSoonest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		o.setPassword("wrong")
		until("2000-01-03 18:59:50")
		o.start()
		for range 8 { // a crash loop
			time.Sleep(30 * time.Second)
			synctest.Wait()
			o.stop()
			o.start()
		}
		until("2000-01-03 19:04:30")
		if n := o.entra.Asked(); n != 1 {
			t.Errorf("the bad password was tried %d times within five minutes of restarts, want once", n)
		}
		o.setPassword(knownPassword)
		o.stop()
		o.start() // as one does whose password is in a variable
		until("2000-01-03 19:12:00")
		if r := o.only(); r.State != scheduler.Succeeded {
			t.Errorf("run = %s: %s; want succeeded soon after the restart with a good password", r.State, r.Message)
		}
		o.stop()
	})
}

func TestLoginIsRefreshedDailyAndItsEndIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModeDelegated)
		o.long = true
		o.schedule.Uptime = []plan.Window{window(t, "mon 00:00-24:00")}
		o.signIn()
		time.Sleep(76*24*time.Hour - 2*time.Hour) // the daemon was not there
		o.entra.Fail(lcssim.Unavailable)
		o.start()
		warnings := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			n := 0
			for _, e := range o.events(scheduler.EventWarning) {
				if e.NextStep == "curfew login main" && strings.Contains(e.Reason, "lapses") {
					n++
				}
			}
			if n != want {
				t.Errorf("after another %v there were %d warnings that the login lapses, want %d: %+v", after, n, want, o.events())
			}
		}
		warnings(time.Hour, 0)
		warnings(2*time.Hour, 1) // 14 days before its end
		warnings(22*time.Hour, 1)
		warnings(2*time.Hour, 2)
		if left := o.gauge("curfew_account_login_lapses_timestamp_seconds") - float64(time.Now().Unix()); left < 12.8*86400 || left > 13*86400 {
			t.Errorf("the metric says that it lapses in %v days, want a little less than 13", left/86400)
		}
		o.entra.Recover()
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		login := o.account().Login
		if login == nil || time.Since(login.RefreshedAt) > 10*time.Minute {
			t.Errorf("login = %+v, want one that was refreshed when Entra came back", login)
		}
		o.stop()
	})
}

// A bug panics at a request, with the request in its hands.
type bug struct {
	next interface {
		Do(*http.Request) (*http.Response, error)
	}
	times int
}

func (b *bug) Do(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodPost && b.times > 0 {
		b.times--
		panic(req.Header)
	}
	return b.next.Do(req)
}

func TestPanicCostsOneStepAndShowsNoSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		o.transport = &bug{next: o.sim.Transport(), times: 1}
		until("2000-01-03 18:58:00")
		o.start()
		until("2000-01-03 19:20:00")
		if r := o.only(); r.State != scheduler.Succeeded {
			t.Errorf("run = %s: %s; want succeeded after the step that panicked", r.State, r.Message)
		}
		said := o.logs.FilterMessageSnippet("a bug in curfew")
		if said.Len() != 1 {
			t.Errorf("the log tells of %d panics, want one", said.Len())
		}
		for _, e := range o.logs.All() {
			for _, secret := range o.entra.Secrets() {
				if strings.Contains(e.Message, secret) || strings.Contains(render(e.ContextMap()), secret) {
					t.Errorf("the log shows a secret: %s", e.Message)
				}
			}
		}
		o.stop()
	})
}

func render(v any) string { return fmt.Sprintf("%+v", v) }

// everyFailure is all that Entra may answer to an account.
func everyFailure() []lcssim.EntraFailure {
	return []lcssim.EntraFailure{
		lcssim.BadPassword, lcssim.NoSuchUser, lcssim.AccountLocked, lcssim.AccountDisabled, lcssim.PasswordExpired, lcssim.MFARequired, lcssim.MFASetup,
		lcssim.ConditionalAccess, lcssim.NeedsInteraction, lcssim.NoConsent, lcssim.RefreshExpired, lcssim.RefreshRevoked, lcssim.BadGrant,
		lcssim.NotPublic, lcssim.NoSuchApp, lcssim.NoSuchResource, lcssim.InvalidScope, lcssim.InvalidRequest, lcssim.InvalidInstance,
		lcssim.Unavailable, lcssim.SignInThrottled, lcssim.ServerError, lcssim.GatewayPage, lcssim.SignInPage, lcssim.Undecodable, lcssim.Dropped,
	}
}

// TestNoSecretShowsOverARunWithEveryFailure has Entra and LCS fail in each way
// there is before the run succeeds, and looks at everything that somebody may read.
func TestNoSecretShowsOverARunWithEveryFailure(t *testing.T) {
	for _, mode := range []string{auth.ModePassword, auth.ModeDelegated} {
		t.Run(mode, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, mode)
				o.long = true
				core, logs := observer.New(zap.DebugLevel)
				o.log, o.logs = zap.New(core), logs
				o.options.Logger = o.log
				o.setup.Defaults.Deadline = 7 * 24 * time.Hour
				if mode == auth.ModeDelegated {
					o.signIn()
				}
				for _, k := range []lcssim.FaultKind{lcssim.Unauthorized, lcssim.NotJSON, lcssim.Error500HTML, lcssim.Refuse, lcssim.Throttle, lcssim.Truncated} {
					o.sim.Inject(lcssim.Fault{Kind: k, Verb: lcssim.Stop, Times: 1, Message: "no", RetryAfter: "30"})
				}
				until("2000-01-03 18:58:00") // the login's first token has ended
				asked := o.entra.Asked()
				for _, f := range everyFailure() {
					f.Times = 1
					o.entra.Fail(f)
				}
				o.transport = &bug{next: o.sim.Transport(), times: 1}
				o.start()
				until("2000-01-03 19:00:30")
				o.finished(time.Date(2000, 1, 4, 19, 0, 0, 0, time.UTC))
				if r := o.only(); r.State != scheduler.Succeeded {
					t.Errorf("run = %s: %s; want succeeded in the end", r.State, r.Message)
				}
				if n := o.entra.Asked() - asked; n < len(everyFailure()) {
					t.Errorf("Entra was asked %d times, want each failure to be met", n)
				}
				shown := o.everywhere()
				for _, leak := range lcssim.Leaks(shown, append(o.entra.Secrets(), knownPassword)) {
					t.Error(leak)
				}
			})
		})
	}
}

// everywhere stops the engine and gives all that somebody may read of it.
func (o *office) everywhere() map[string]string {
	o.t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	shown := map[string]string{
		"the runs": render(o.runs()), "the accounts": render(o.account()), "the events": render(o.events()), "the metrics": render(families),
	}
	o.stop()
	for _, e := range o.logs.All() {
		shown["the log"] += fmt.Sprintf("%s %+v %s\n", e.Message, e.ContextMap(), e.Stack)
	}
	files, err := filepath.Glob(o.dsn + "*")
	if err != nil || len(files) == 0 {
		o.t.Fatalf("database files = %v, %v", files, err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			o.t.Fatal(err)
		}
		shown[file] = string(b)
	}
	return shown
}

const knownPassword = "known-password-0123456789"

func TestBadPasswordIsTriedOnceInHalfAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		o.entra.Fail(lcssim.BadPassword)
		until("2000-01-03 18:58:00")
		o.start()
		until("2000-01-03 19:20:00")
		if n := o.entra.Asked(); n != 1 {
			t.Errorf("the bad password was tried %d times in 22 minutes, want once", n)
		}
		o.isDown("AADSTS50126")
		o.entra.Recover()
		until("2000-01-03 19:45:00")
		o.recovered()
		o.stop()
	})
}
