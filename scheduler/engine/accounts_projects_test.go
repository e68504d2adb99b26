package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"curfew/internal/longtest"
	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/engine"
)

const otherProject = 7654321

// withSecond adds an account to the office, next to main, of another user and mode.
func (o *office) withSecond(options auth.Options) {
	o.accounts = []string{"main", "second"}
	o.world.credential = func(account string) azcore.TokenCredential {
		if account == "main" {
			return o.credential(account)
		}
		options.Account = account
		c, err := auth.New(options)
		if err != nil {
			o.t.Fatal(err)
		}
		return c
	}
}

// withOtherProject has the account work for a second project too.
func (o *office) withOtherProject() {
	o.t.Helper()
	setup, account := o.setup, o.setup.Projects[0].Accounts[0]
	client, err := lcs.NewClient("https://lcs.invalid", account.Credential.(azcore.TokenCredential), &lcs.ClientOptions{Transport: o.transport})
	if err != nil {
		o.t.Fatal(err)
	}
	account.Client = client
	setup.Projects = append(setup.Projects, scheduler.Project{Name: "other", ID: otherProject, Accounts: []scheduler.Account{account}})
	if err := o.engine.Reload(o.t.Context(), &setup, engine.Reloading{By: scheduler.BySchedule}); err != nil {
		o.t.Fatal(err)
	}
}

func TestFreeAccountTakesOverAtOnceFromOneThatIsDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		second := o.options
		second.Username, second.Password.File = "other@contoso.com", filepath.Join(t.TempDir(), "second")
		if err := os.WriteFile(second.Password.File, []byte("second"), 0o600); err != nil {
			t.Fatal(err)
		}
		o.entra.SetPassword(second.Username, "second")
		o.withSecond(second)
		until("2000-01-03 18:57:30")
		o.start()
		until("2000-01-03 18:59:55")
		o.entra.SetPassword(clerk, "changed")
		o.entra.Revoke() // the tokens that were issued
		until("2000-01-03 19:04:00")
		if r := o.only(); r.State != scheduler.Succeeded || r.AcceptedAt.After(r.FireAt.Add(30*time.Second)) {
			t.Errorf("run = %s, accepted at %s: %s; want the second account to have done it at once", r.State, r.AcceptedAt.Format(time.TimeOnly), r.Message)
		}
		o.stop()
	})
}

func TestCorrectedEntryOfTheFileFreesItsAccount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		o.entra.Fail(lcssim.NoSuchApp)
		until("2000-01-03 18:58:00")
		o.start()
		until("2000-01-03 19:02:00")
		o.isDown("AADSTS700016")
		o.entra.Recover()
		o.options.ClientID = "21111111-2222-3333-4444-555555555555"
		o.reload()
		until("2000-01-03 19:06:00")
		o.recovered()
		o.stop()
	})
}

func TestProjectThatRefusesAnAccountIsReportedOnceAndLeavesTheOtherUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		o.long = true
		o.sim.AddProject(otherProject)
		o.sim.Inject(lcssim.Fault{Kind: lcssim.Unauthorized, Project: otherProject})
		long := longtest.Or(3*time.Hour, 10*time.Hour)
		time.Sleep(time.Until(monday(18, 0).Add(-long)))
		o.start()
		o.withOtherProject()
		time.Sleep(long)
		synctest.Wait()
		if down := o.events(scheduler.EventUnreachable); len(down) != 1 {
			t.Errorf("in %v there were %d events, want one: %+v", long, len(down), down)
		}
		if n := o.logs.FilterMessageSnippet("account recovered").Len(); n != 0 || o.gauge("curfew_account_up") != 0 {
			t.Errorf("the log says %d times that the account recovered, and the metric is %v; want never, and 0", n, o.gauge("curfew_account_up"))
		}
		if a := o.status(); a.State != scheduler.AccountDown || time.Since(a.Since) < long-time.Hour || len(a.Projects) != 2 {
			t.Errorf("account = %+v, want it down since the beginning", a)
		}
		until("2000-01-03 19:05:00")
		if r := o.only(); r.State != scheduler.Succeeded {
			t.Errorf("the run in the other project = %s: %s; want succeeded", r.State, r.Message)
		}
		o.stop()
	})
}

func TestRenewalsOfCurfewItselfFreeNoAccount(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{auth.ModePassword, auth.ModeDelegated} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t, mode)
				if mode == auth.ModeDelegated {
					o.signIn()
				}
				o.long = true
				o.sim.AddProject(otherProject)
				o.sim.Inject(lcssim.Fault{Kind: lcssim.Unauthorized, Project: otherProject})
				o.sim.Inject(lcssim.Fault{Kind: lcssim.Unauthorized, Project: project, From: time.Now().Add(5*time.Minute + 30*time.Second)})
				o.start()
				o.withOtherProject()
				time.Sleep(time.Hour)
				before := o.sim.Count(func(lcssim.Request) bool { return true })
				time.Sleep(2 * time.Hour)
				synctest.Wait()
				if n := o.sim.Count(func(lcssim.Request) bool { return true }) - before; n > 2*2*2*14 { // two projects, two calls each ten minutes or less, for two hours
					t.Errorf("LCS was asked %d times in two hours of 401", n)
				}
				if n := o.logs.FilterMessageSnippet("has changed").Len(); n != 0 {
					t.Errorf("the log says %d times that what the account signs in with has changed, want never", n)
				}
				o.stop()
			})
		})
	}
}

func TestAcceptedRunWhoseAccountGoesDownFailsAtItsVerifyTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		until("2000-01-03 18:58:00")
		o.start()
		until("2000-01-03 19:00:20")
		o.entra.SetPassword(clerk, "changed")
		o.entra.Revoke()
		until("2000-01-03 19:40:00")
		if r := o.only(); r.State != scheduler.Verifying {
			t.Errorf("run = %s: %s; want verifying", r.State, r.Message)
		}
		until("2000-01-03 20:00:00")
		if r := o.only(); r.State != scheduler.Failed || !strings.Contains(r.Message, "could not be seen within 45m") || !strings.Contains(r.Message, "AADSTS50126") {
			t.Errorf("run = %s: %s; want failed, with the reason", r.State, r.Message)
		}
		o.stop()
	})
}

func TestNothingIsShownOfAnAccountThatTheFileNoLongerHas(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		second := o.options
		second.Mode = auth.ModeDelegated
		o.signInAs("second")
		o.withSecond(second)
		o.start()
		time.Sleep(time.Minute)
		synctest.Wait()
		const lapses = `curfew_account_login_lapses_timestamp_seconds`
		if !strings.Contains(o.exposed(), lapses) {
			t.Error("the metrics do not show the login of the second account")
		}
		setup := o.setup
		setup.Projects = []scheduler.Project{{Name: "contoso", ID: project, Accounts: setup.Projects[0].Accounts[:1]}}
		if err := o.engine.Reload(t.Context(), &setup, engine.Reloading{By: scheduler.BySchedule}); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(o.exposed(), `"second"`) || strings.Contains(o.exposed(), lapses) {
			t.Errorf("the metrics show an account that is gone:\n%s", o.exposed())
		}
		o.stop()
	})
}

// exposed is every metric with its labels.
func (o *office) exposed() string {
	o.t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	var b strings.Builder
	for _, f := range families {
		fmt.Fprintln(&b, f)
	}
	return b.String()
}
