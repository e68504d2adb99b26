package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"go.uber.org/zap"

	"curfew/lcs/auth"
)

// entra is a stand-in for the sign-in host, in memory.
type entra struct {
	mu     sync.Mutex
	asked  int // token requests
	answer func(form string) (int, string)
}

func (e *entra) Do(req *http.Request) (*http.Response, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	host := "https://" + req.URL.Host
	switch {
	case strings.HasSuffix(req.URL.Path, "/.well-known/openid-configuration"):
		fmt.Fprintf(w, `{"authorization_endpoint":"%[1]s/contoso/oauth2/v2.0/authorize","token_endpoint":"%[1]s/contoso/oauth2/v2.0/token","issuer":"%[1]s/contoso/v2.0"}`, host)
	case strings.Contains(req.URL.Path, "/UserRealm/"):
		fmt.Fprint(w, `{"ver":"1.0","account_type":"Managed","domain_name":"contoso.com","cloud_instance_name":"microsoftonline.com","cloud_audience_urn":"urn:federation:MicrosoftOnline"}`)
	case strings.HasSuffix(req.URL.Path, "/token"):
		e.asked++
		form, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		status, body := e.answer(string(form))
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
	res := w.Result()
	res.Request = req
	return res, nil
}

func granted(string) (int, string) {
	return 200, `{"token_type":"Bearer","scope":"https://lcsapi.lcs.dynamics.com//.default","expires_in":4228,"ext_expires_in":4228,"access_token":"known-access-token"}`
}

func failing(status int, code, description string) func(string) (int, string) {
	b, err := json.Marshal(map[string]string{"error": code, "error_description": description})
	return func(string) (int, string) {
		if err != nil {
			panic(err)
		}
		return status, string(b)
	}
}

const password = "known-password"

func newCredential(t *testing.T, e *entra) (*auth.Credential, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	write(t, file, password+"\n")
	c, err := auth.New(auth.Options{
		Account: "main", Mode: "password", Tenant: "contoso", ClientID: "11111111-2222-3333-4444-555555555555", Username: "svc@contoso.com",
		Password: auth.Source{File: file}, Authority: "https://login.invalid/", Transport: e, Logger: zap.NewNop(),
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

func TestPasswordAccountSignsInAndKeepsItsToken(t *testing.T) {
	e := &entra{answer: granted}
	c, _ := newCredential(t, e)
	for range 3 {
		token, err := c.GetToken(t.Context(), scope)
		if err != nil || token.Token != "known-access-token" {
			t.Fatalf("GetToken = %q, %v", token.Token, err)
		}
	}
	if e.asked != 1 {
		t.Errorf("the sign-in host was asked %d times, want once", e.asked)
	}
	forced := scope
	forced.Claims = "{}"
	if _, err := c.GetToken(t.Context(), forced); err != nil {
		t.Fatal(err)
	}
	if e.asked != 2 {
		t.Errorf("after a forced refresh the host was asked %d times, want twice", e.asked)
	}
}

func TestFailuresAreClassifiedAndHeldOff(t *testing.T) {
	tests := []struct {
		name   string
		answer func(string) (int, string)
		kind   auth.Kind
		hold   time.Duration
		says   string
	}{
		{"a bad password needs a person", failing(400, "invalid_grant", "AADSTS50126: Error validating credentials"), auth.NeedsPerson, 30 * time.Minute, "AADSTS50126"},
		{"MFA needs a person", failing(400, "interaction_required", "AADSTS50076: MFA"), auth.NeedsPerson, 30 * time.Minute, "AADSTS50076"},
		{"a wrong app is configuration", failing(401, "invalid_client", "AADSTS7000218: secret"), auth.Configuration, 30 * time.Minute, "invalid_client"},
		{"a busy host is transient", failing(503, "temporarily_unavailable", ""), auth.Transient, 5 * time.Second, "temporarily_unavailable"},
		{"a page instead of JSON is transient", func(string) (int, string) { return 502, "<html>known-access-token</html>" }, auth.Transient, 5 * time.Second, "502"},
		{"an undecodable 200 is transient and shows nothing", func(string) (int, string) { return 200, `{"access_token":"known-access-token","expires_in":{}}` }, auth.Transient, 5 * time.Second, "sign in account main"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &entra{answer: tt.answer}
				c, _ := newCredential(t, e)
				_, err := c.GetToken(t.Context(), scope)
				var failed *auth.Error
				if !errors.As(err, &failed) || failed.Kind != tt.kind || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("GetToken = %v, want %s and %q", err, tt.kind, tt.says)
				}
				for _, secret := range []string{password, "known-access-token"} {
					if strings.Contains(fmt.Sprintf("%v %+v", err, failed), secret) {
						t.Errorf("the error shows %q: %v", secret, err)
					}
				}
				if got := time.Until(failed.NextTry()); got != tt.hold {
					t.Errorf("held for %v, want %v", got, tt.hold)
				}
				before := e.asked
				for range 10 {
					if _, err := c.GetToken(t.Context(), scope); err == nil {
						t.Error("a held credential gave a token")
					}
				}
				if e.asked != before {
					t.Errorf("a held credential asked the host %d times", e.asked-before)
				}
				time.Sleep(tt.hold)
				e.answer = granted
				if _, err := c.GetToken(t.Context(), scope); err != nil {
					t.Errorf("after the hold: %v", err)
				}
			})
		})
	}
}

func TestNewPasswordEndsTheHold(t *testing.T) {
	e := &entra{answer: failing(400, "invalid_grant", "AADSTS50126")}
	c, file := newCredential(t, e)
	if _, err := c.GetToken(t.Context(), scope); err == nil {
		t.Fatal("a bad password gave a token")
	}
	e.answer = granted
	write(t, file, "another")
	if _, err := c.GetToken(t.Context(), scope); err != nil {
		t.Errorf("after the password changed: %v", err)
	}
}

func TestCanceledCallerIsNotAFailedSignIn(t *testing.T) {
	c, _ := newCredential(t, &entra{answer: granted})
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
	c, err := auth.New(auth.Options{Account: "main", Mode: "static", Token: auth.Source{File: file}})
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

func TestSecretShowsNowhere(t *testing.T) {
	s := auth.NewSecret(password)
	j, err := json.Marshal(map[string]any{"s": s})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %d %v", s, s, s, s, s, s, s, struct{ S auth.Secret }{s}) + string(j)
	if strings.Contains(shown, password) || strings.Contains(shown, fmt.Sprintf("%x", password)) {
		t.Errorf("a secret shows: %s", shown)
	}
	if s.Reveal() != password {
		t.Error("Reveal does not give the secret")
	}
}

func TestModesThatAreNotThereAreRefused(t *testing.T) {
	for _, mode := range []string{"delegated", "", "app"} {
		if _, err := auth.New(auth.Options{Account: "main", Mode: mode}); err == nil {
			t.Errorf("New with mode %q gave no error", mode)
		}
	}
}
