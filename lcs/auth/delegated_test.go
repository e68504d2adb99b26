package auth_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
)

const person = "svc@contoso.com"

// A desk is a place where a person signs in, and a daemon's credential next to it.
type desk struct {
	t      *testing.T
	entra  *lcssim.Entra
	logins auth.Logins
	dir    string
	log    *observer.ObservedLogs
	core   *zap.Logger
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	core, log := observer.New(zap.DebugLevel)
	dir := filepath.Join(t.TempDir(), "tokens")
	return &desk{t: t, entra: newEntra(), logins: auth.LoginFiles{Dir: dir}, dir: dir, log: log, core: zap.New(core)}
}

// credential is one as a process of its own would have it.
func (d *desk) credential() *auth.Credential {
	d.t.Helper()
	c, err := auth.New(auth.Options{
		Account: "main", Mode: auth.ModeDelegated, Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555",
		Logins: d.logins, Scope: scope.Scopes[0], Authority: "https://login.invalid/", Transport: d.entra, Logger: d.core,
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return c
}

// signIn has a user enter the device code.
func (d *desk) signIn(c *auth.Credential, user string) (auth.Login, error) {
	return c.SignIn(d.t.Context(), auth.SignIn{Scope: scope.Scopes[0], Show: func(string) { d.entra.EnterCode(user) }})
}

func (d *desk) mustSignIn(c *auth.Credential) auth.Login {
	d.t.Helper()
	login, err := d.signIn(c, person)
	if err != nil {
		d.t.Fatal(err)
	}
	return login
}

// works reports whether the credential returns a token that is valid.
func (d *desk) works(c *auth.Credential) error {
	token, err := c.GetToken(d.t.Context(), scope)
	if err == nil && !slices.Contains(d.entra.Tokens(), token.Token) {
		d.t.Errorf("GetToken gave %q, which Entra did not issue", token.Token)
	}
	return err
}

func TestLoginElsewhereIsUsedAtOnceAndTokensAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		daemon := d.credential()
		err := d.works(daemon)
		var failed *auth.Error
		if !errors.As(err, &failed) || failed.Kind != auth.NeedsPerson || !strings.Contains(err.Error(), "run: curfew login main") {
			t.Fatalf("before a login: %v, want one that names the command", err)
		}
		before, err := daemon.Revision(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		login := d.mustSignIn(d.credential())
		if login.User != person || !login.SignedInAt.Equal(time.Now()) {
			t.Errorf("login = %+v", login)
		}
		if after, err := daemon.Revision(t.Context()); err != nil || after == before {
			t.Errorf("the revision after a login elsewhere is %q, %v; want another than %q", after, err, before)
		}
		asked := d.entra.Asked()
		for range 5 {
			if err := d.works(daemon); err != nil {
				t.Fatalf("after a login elsewhere: %v", err)
			}
		}
		if d.entra.Asked() != asked {
			t.Errorf("the host was asked %d times for a token that was kept", d.entra.Asked()-asked)
		}
		if got, ok, err := daemon.Login(t.Context()); err != nil || !ok || got.User != person {
			t.Errorf("Login = %+v, %v, %v", got, ok, err)
		}
	})
}

func TestLoginIsRenewedAndLastsByBeingUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		daemon := d.credential()
		d.mustSignIn(daemon)
		for range 4 { // 4 times 60 days are more than 90
			time.Sleep(60 * 24 * time.Hour)
			if err := daemon.Renew(t.Context()); err != nil {
				t.Fatal(err)
			}
			login, _, err := d.credential().Login(t.Context())
			if err != nil || !login.RefreshedAt.Equal(time.Now()) || time.Until(login.LapsesAt()) != 90*24*time.Hour {
				t.Fatalf("after a renewal another process sees %+v, %v", login, err)
			}
		}
	})
}

func TestRevokedLoginIsTriedOnceUntilAPersonSignsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		daemon := d.credential()
		d.mustSignIn(daemon)
		d.entra.Revoke()
		forced := policy.TokenRequestOptions{Scopes: scope.Scopes, Claims: "{}"}
		_, err := daemon.GetToken(t.Context(), forced)
		var failed *auth.Error
		if !errors.As(err, &failed) || failed.Kind != auth.NeedsPerson || failed.Code != "invalid_grant" || failed.Number == "" {
			t.Fatalf("after a revocation: %#v", err)
		}
		asked := d.entra.Asked()
		time.Sleep(29 * time.Minute)
		if _, err := daemon.GetToken(t.Context(), forced); err == nil || d.entra.Asked() != asked {
			t.Errorf("within the hold: %v, asked %d times more", err, d.entra.Asked()-asked)
		}
		d.mustSignIn(d.credential())
		if err := d.works(daemon); err != nil {
			t.Errorf("after another login: %v", err)
		}
	})
}

func TestOneLoginServesSeveralEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		daemon := d.credential()
		d.mustSignIn(daemon)
		tokens := map[string]bool{}
		for range 2 {
			for _, endpoint := range []string{"https://lcsapi.lcs.dynamics.com//.default", "https://lcsapi.eu.lcs.dynamics.com//.default"} {
				token, err := daemon.GetToken(t.Context(), policy.TokenRequestOptions{Scopes: []string{endpoint}})
				if err != nil {
					t.Fatal(err)
				}
				tokens[token.Token] = true
			}
		}
		if len(tokens) != 2 {
			t.Errorf("two endpoints have %d tokens, want one each", len(tokens))
		}
	})
}

func TestSignInThatIsNoUseKeepsNothing(t *testing.T) {
	tests := []struct {
		name string
		mode string
		want string // the user whom the file names
		fail lcssim.EntraFailure
		says string
	}{
		{"another user than the file's", auth.ModeDelegated, "other@contoso.com", lcssim.EntraFailure{}, "the schedule file wants other@contoso.com"},
		{"a password account takes no login", auth.ModePassword, "", lcssim.EntraFailure{}, "mode password takes no login"},
		{"no consent", auth.ModeDelegated, "", lcssim.NoConsent, "AADSTS65001"},
		{"an app that is not public", auth.ModeDelegated, "", lcssim.NotPublic, "public client flows"},
		{"a host that is down", auth.ModeDelegated, "", lcssim.Unavailable, "temporarily_unavailable"},
		{"an undecodable answer with tokens in it", auth.ModeDelegated, "", lcssim.EntraFailure{Status: 200, Body: `{"access_token":"known-access","refresh_token":"known-refresh","expires_in":{}}`}, "sign in account main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				if tt.fail.Status != 0 {
					d.entra.Fail(tt.fail)
				}
				c, err := auth.New(auth.Options{
					Account: "main", Mode: tt.mode, Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555", Username: tt.want,
					Logins: d.logins, Authority: "https://login.invalid/", Transport: d.entra,
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = d.signIn(c, person)
				if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "known-") {
					t.Errorf("SignIn = %v, want one that says %q", err, tt.says)
				}
				if data, _, err := d.logins.Load(t.Context(), "main"); err != nil || data != nil {
					t.Errorf("kept %d bytes, %v", len(data), err)
				}
			})
		})
	}
}

func TestNobodyEntersTheCode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		began := time.Now()
		_, err := d.credential().SignIn(t.Context(), auth.SignIn{Scope: scope.Scopes[0], Show: func(string) {}})
		if err == nil || !strings.Contains(err.Error(), "nobody signed in within 15 minutes") || time.Since(began) > 16*time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// A store that fails, or in which somebody else is faster.
type awkward struct {
	auth.Logins
	fails  bool
	before func()
}

func (a *awkward) Save(ctx context.Context, account string, data []byte, basedOn *string) (string, error) {
	if a.fails {
		return "", errors.New("disk full")
	}
	if f := a.before; f != nil {
		a.before = nil
		f()
	}
	return a.Logins.Save(ctx, account, data, basedOn)
}

func TestRenewedLoginThatCannotBeWrittenIsUsedAndWrittenLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		store := &awkward{Logins: d.logins}
		d.logins = store
		daemon := d.credential()
		d.mustSignIn(daemon)
		time.Sleep(30 * 24 * time.Hour)
		store.fails = true
		if err := d.works(daemon); err != nil {
			t.Errorf("with a store that fails: %v", err)
		}
		if n := d.log.FilterMessageSnippet("could not be kept").Len(); n != 1 {
			t.Errorf("the log says it %d times, want once", n)
		}
		store.fails = false
		if err := d.works(daemon); err != nil {
			t.Fatal(err)
		}
		if login, _, err := d.credential().Login(t.Context()); err != nil || !login.RefreshedAt.Equal(time.Now()) {
			t.Errorf("the store has a login of %v, %v; want the renewed one", login.RefreshedAt, err)
		}
	})
}

func TestPersonsLoginStandsAgainstARenewalUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		store := &awkward{Logins: d.logins}
		d.logins = store
		daemon, console := d.credential(), d.credential()
		d.mustSignIn(daemon)
		time.Sleep(24 * time.Hour)
		store.before = func() {
			if _, err := d.signIn(console, "other@contoso.com"); err != nil {
				t.Error(err)
			}
		}
		if err := daemon.Renew(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*auth.Credential{daemon, d.credential()} {
			if login, ok, err := c.Login(t.Context()); err != nil || !ok || login.User != "other@contoso.com" {
				t.Errorf("the login is %+v, %v; want the person's", login, err)
			}
		}
		if err := d.works(daemon); err != nil {
			t.Error(err)
		}
	})
}

func TestDamagedLoginIsToldOfAndMendedByAnother(t *testing.T) {
	for name, text := range map[string]string{"cut off": `{"version":1,"us`, "of another version": `{"version":7}`, "without tokens": `{"version":1,"cache":{}}`} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t)
				if err := os.MkdirAll(d.dir, 0o700); err != nil {
					t.Fatal(err)
				}
				write(t, filepath.Join(d.dir, "main.json"), text)
				daemon := d.credential()
				if err := d.works(daemon); err == nil || !strings.Contains(err.Error(), "curfew login main") {
					t.Errorf("GetToken = %v, want one that names the command", err)
				}
				d.mustSignIn(d.credential())
				if err := d.works(daemon); err != nil {
					t.Errorf("after a login: %v", err)
				}
			})
		})
	}
}
