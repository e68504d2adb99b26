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

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/internal/longtest"
	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

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
	t.Parallel()
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
			t.Errorf("the log reports %d panics, want one", said.Len())
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
// there is before the run succeeds, and checks everything that somebody may read.
func TestNoSecretShowsOverARunWithEveryFailure(t *testing.T) {
	t.Parallel()
	every := longtest.Or(2, 1) // each failure is in one mode at least
	for i, mode := range []string{auth.ModePassword, auth.ModeDelegated} {
		var failures []lcssim.EntraFailure
		for k, f := range everyFailure() {
			if k%every == i%every {
				failures = append(failures, f)
			}
		}
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
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
				for _, f := range failures {
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
				if n := o.entra.Asked() - asked; n < len(failures) {
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

// everywhere stops the engine and returns all that somebody may read of it.
func (o *office) everywhere() map[string]string {
	o.t.Helper()
	families, err := o.metrics.Gather()
	if err != nil {
		o.t.Fatal(err)
	}
	shown := map[string]string{
		"the runs": render(o.runs()), "the accounts": render(o.status()), "the events": render(o.events()), "the metrics": render(families),
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
