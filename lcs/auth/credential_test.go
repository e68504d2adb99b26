package auth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/lcs/secret"
)

const password = "known-password"

func newCredential(t *testing.T, e *lcssim.Entra) (*auth.Credential, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, password+"\n")
	c, err := auth.New(auth.Options{
		Account: "main", Mode: "password", Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555", Username: "svc@contoso.com",
		Password: secret.Source{File: file}, Authority: "https://login.invalid/", Transport: e, Logger: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, file
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

var scope = policy.TokenRequestOptions{Scopes: []string{"https://lcsapi.lcs.dynamics.com//.default"}}

func newEntra() *lcssim.Entra {
	return lcssim.NewEntra(lcssim.EntraOptions{Users: map[string]string{"svc@contoso.com": password, "other@contoso.com": "another"}})
}

func TestPasswordAccountSignsInAndKeepsItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEntra()
		c, _ := newCredential(t, e)
		for range 3 {
			token, err := c.GetToken(t.Context(), scope)
			if err != nil || !slices.Contains(e.Tokens(), token.Token) {
				t.Fatalf("GetToken = %q, %v", token.Token, err)
			}
		}
		if e.Asked() != 1 {
			t.Errorf("the sign-in host was asked %d times, want once", e.Asked())
		}
		forced := scope
		forced.Claims = "{}"
		if _, err := c.GetToken(t.Context(), forced); err != nil {
			t.Fatal(err)
		}
		if e.Asked() != 2 {
			t.Errorf("after a forced refresh the host was asked %d times, want twice", e.Asked())
		}
		time.Sleep(2 * time.Hour)
		if _, err := c.GetToken(t.Context(), scope); err != nil || e.Asked() != 3 {
			t.Errorf("after the token's end: %v, asked %d times, want a new one", err, e.Asked())
		}
	})
}

func TestFailuresAreClassifiedAndHeldOff(t *testing.T) {
	tests := []struct {
		name   string
		answer lcssim.EntraFailure
		kind   auth.Kind
		hold   time.Duration
		says   string
	}{
		{"a bad password needs a person", lcssim.BadPassword, auth.NeedsPerson, 30 * time.Minute, "AADSTS50126"},
		{"MFA needs a person", lcssim.MFARequired, auth.NeedsPerson, 30 * time.Minute, "AADSTS50076"},
		{"missing consent needs a person", lcssim.NoConsent, auth.NeedsPerson, 30 * time.Minute, "AADSTS65001"},
		{"an app that is not public is configuration", lcssim.NotPublic, auth.Configuration, 30 * time.Minute, "invalid_client AADSTS7000218"},
		{"a busy host is transient", lcssim.Unavailable, auth.Transient, 5 * time.Second, "temporarily_unavailable"},
		{"a page instead of JSON is transient", lcssim.EntraFailure{Status: 502, Body: "<html>known-access</html>"}, auth.Transient, 5 * time.Second, "502"},
		{"an undecodable 200 is transient and shows nothing", lcssim.EntraFailure{Status: 200, Body: `{"access_token":"known-access","expires_in":{}}`}, auth.Transient, 5 * time.Second, "sign in account main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := newEntra()
				e.Fail(tt.answer)
				c, _ := newCredential(t, e)
				_, err := c.GetToken(t.Context(), scope)
				var failed *auth.Error
				if !errors.As(err, &failed) || failed.Kind != tt.kind || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("GetToken = %v, want %s and %q", err, tt.kind, tt.says)
				}
				for _, secret := range []string{password, "known-access"} {
					if strings.Contains(fmt.Sprintf("%v %+v", err, failed), secret) {
						t.Errorf("the error shows %q: %v", secret, err)
					}
				}
				if got := time.Until(failed.NextTry()); got != tt.hold {
					t.Errorf("held for %v, want %v", got, tt.hold)
				}
				before := e.Asked()
				for range 10 {
					if _, err := c.GetToken(t.Context(), scope); err == nil {
						t.Error("a held credential gave a token")
					}
				}
				if e.Asked() != before {
					t.Errorf("a held credential asked the host %d times", e.Asked()-before)
				}
				time.Sleep(tt.hold)
				e.Recover()
				if _, err := c.GetToken(t.Context(), scope); err != nil {
					t.Errorf("after the hold: %v", err)
				}
			})
		})
	}
}

func TestNewPasswordEndsTheHold(t *testing.T) {
	e := newEntra()
	c, file := newCredential(t, e)
	write(t, file, "wrong")
	if _, err := c.GetToken(t.Context(), scope); err == nil {
		t.Fatal("a bad password gave a token")
	}
	write(t, file, password)
	if _, err := c.GetToken(t.Context(), scope); err != nil {
		t.Errorf("after the password changed: %v", err)
	}
}

func TestCanceledCallerIsNotAFailedSignIn(t *testing.T) {
	c, _ := newCredential(t, newEntra())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.GetToken(ctx, scope); !errors.Is(err, context.Canceled) {
		t.Errorf("GetToken = %v, want the context's error", err)
	}
	if _, err := c.GetToken(t.Context(), scope); err != nil {
		t.Errorf("the next caller: %v", err)
	}
}

func TestStaticTokenFollowsItsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, "first\r\n")
	c, err := auth.New(auth.Options{Account: "main", Mode: "static", Token: secret.Source{File: file}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"first", "second"} {
		write(t, file, want)
		if token, err := c.GetToken(t.Context(), scope); err != nil || token.Token != want {
			t.Errorf("GetToken = %q, %v; want %q", token.Token, err, want)
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := c.GetToken(t.Context(), scope); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("without its file: %v, want an error that names it", err)
	}
}

func TestModesThatAreNotThereAreRefused(t *testing.T) {
	for _, mode := range []string{"delegated", "", "app"} {
		if _, err := auth.New(auth.Options{Account: "main", Mode: mode}); err == nil {
			t.Errorf("New with mode %q gave no error", mode)
		}
	}
}
