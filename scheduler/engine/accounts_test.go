package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"curfew/internal/longtest"
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

// status returns what is known of the one account.
func (o *office) status() scheduler.AccountStatus {
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
	if a := o.status(); a.State != scheduler.AccountDown || a.NextTry.IsZero() || !strings.Contains(a.Message, because) {
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
	if a := o.status(); a.State != scheduler.AccountUp || a.Message != "" || !a.NextTry.IsZero() {
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
	t.Parallel()
	tests := []struct {
		name   string
		mode   string
		breaks func(o *office)
		says   string
		repair func(o *office)
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
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, tt.mode)
				until("2000-01-03 16:00:00")
				tt.breaks(o)
				until("2000-01-03 18:58:00")
				o.start()
				until("2000-01-03 19:12:00")
				o.isDown(tt.says)
				tt.repair(o)
				time.Sleep(4 * time.Minute) // a pass of housekeeping, the call, LCS's 150 s
				synctest.Wait()
				o.recovered()
				o.stop()
			})
		})
	}
}

func TestAccountThatStaysDownFailsTheRunAtItsDeadline(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

func TestLoginIsRefreshedDailyAndItsEndIsReported(t *testing.T) {
	longtest.Only(t)
	t.Parallel()
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
		login := o.status().Login
		if login == nil || time.Since(login.RefreshedAt) > 10*time.Minute {
			t.Errorf("login = %+v, want one that was refreshed when Entra came back", login)
		}
		o.stop()
	})
}

const knownPassword = "known-password-0123456789"

func TestBadPasswordIsTriedOnceInHalfAnHour(t *testing.T) {
	t.Parallel()
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
