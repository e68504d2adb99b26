package scheduler_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

const knownPassword = "known-password-0123456789"

func TestPasswordAccountShowsNoSecretOverARunWithFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entra := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"svc@contoso.com": knownPassword}, Lifetime: 10 * time.Minute})
		for _, f := range []lcssim.EntraFailure{lcssim.Unavailable, {Status: 200, Body: `{"access_token":"known-access-token","refresh_token":"known-refresh-token","expires_in":{}}`}} {
			f.Times = 1
			entra.Fail(f)
		}
		w := newWorld(t, 3, lcssim.Options{Entra: entra})
		w.credential = passwordCredential(t, entra)
		for i := range 3 {
			w.sim.Set(envID(i), lcssim.Finished)
		}
		w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00")}
		for _, k := range []lcssim.FaultKind{lcssim.Unauthorized, lcssim.NotJSON, lcssim.Error500HTML, lcssim.Refuse, lcssim.Throttle, lcssim.Truncated} {
			w.sim.Inject(lcssim.Fault{Kind: k, Verb: lcssim.Stop, Times: 1, Message: "no", RetryAfter: "30"})
		}
		until("2000-01-03 18:58:00")
		w.start()
		until("2000-01-03 19:05:00")
		tokens := entra.Tokens()
		entra.Revoke() // LCS then answers 401 until a fresh token is asked for
		until("2000-01-03 20:00:00")
		for _, r := range w.runs() {
			if r.State != scheduler.Succeeded {
				t.Errorf("%s is %s (%s), want succeeded", r.Environment, r.State, r.Message)
			}
		}
		shown := map[string]string{"the runs": fmt.Sprintf("%+v", w.runs()), "the log": fmt.Sprintf("%+v", w.logs.All())}
		w.stop()
		files, err := filepath.Glob(w.dsn + "*")
		if err != nil || len(files) == 0 {
			t.Fatalf("database files = %v, %v", files, err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			shown[file] = string(b)
		}
		secrets := append(append(tokens, entra.Tokens()...), knownPassword, "known-access-token", "known-refresh-token")
		if len(tokens) == 0 {
			t.Error("no token was issued: the test shows nothing")
		}
		for _, leak := range lcssim.Leaks(shown, secrets) {
			t.Error(leak)
		}
	})
}

// passwordCredential signs in at a simulated Entra, in memory.
func passwordCredential(t *testing.T, entra *lcssim.Entra) func(string) azcore.TokenCredential {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(knownPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(account string) azcore.TokenCredential {
		cred, err := auth.New(auth.Options{
			Account: account, Mode: "password", Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555", Username: "svc@contoso.com",
			Password: auth.Source{File: file}, Authority: "https://login.invalid/", Transport: entra,
		})
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
}

func TestBadPasswordWaitsForAPersonAndGoesOnByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		entra := lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"svc@contoso.com": knownPassword}})
		entra.Fail(lcssim.BadPassword)
		w := newWorld(t, 1, lcssim.Options{Entra: entra})
		w.credential = passwordCredential(t, entra)
		w.sim.Set(envID(0), lcssim.Finished)
		w.schedule.Uptime = []plan.Window{window(t, "mon 00:00-19:00")}
		until("2000-01-03 18:58:00")
		w.start()
		until("2000-01-03 19:20:00")
		if n := entra.Asked(); n != 1 {
			t.Errorf("the bad password was tried %d times in 22 minutes, want once", n)
		}
		if r := w.only(); r.State != scheduler.Queued || r.Waiting != scheduler.WaitAccount {
			t.Errorf("run = %s waiting for %q, want queued and waiting for the account", r.State, r.Waiting)
		}
		entra.Recover()
		until("2000-01-03 19:45:00")
		if r := w.only(); r.State != scheduler.Succeeded {
			t.Errorf("run = %s (%s), want succeeded half an hour after the failure", r.State, r.Message)
		}
		w.stop()
	})
}
