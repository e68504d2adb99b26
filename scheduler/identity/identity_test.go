package identity_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"curfew/scheduler/identity"
)

const known = "a-token-that-must-not-be-shown"

// An endpoint is what Azure has on a machine with a managed identity, as App Service and
// Container Apps have it.
type endpoint struct {
	mu       sync.Mutex
	status   int
	lifetime time.Duration
	asked    []string
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{status: http.StatusOK, lifetime: time.Hour}
	s := httptest.NewServer(e)
	t.Cleanup(s.Close)
	t.Setenv("IDENTITY_ENDPOINT", s.URL)
	t.Setenv("IDENTITY_HEADER", "the-header")
	return e
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	q := r.URL.Query()
	e.asked = append(e.asked, q.Get("resource")+" "+q.Get("client_id")+" "+r.Header.Get("X-Identity-Header"))
	w.Header().Set("Content-Type", "application/json")
	if e.status != http.StatusOK {
		w.WriteHeader(e.status)
		_, _ = fmt.Fprintf(w, `{"error": "invalid_request", "error_description": "%s"}`, known)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{
		"access_token": fmt.Sprintf("%s-%d", known, len(e.asked)), "token_type": "Bearer", "resource": q.Get("resource"),
		"expires_on": fmt.Sprint(time.Now().Add(e.lifetime).Unix()),
	})
}

func variables(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

// tokens asks an identity twice.
func tokens(t *testing.T, i *identity.Identity) (first, second string) {
	t.Helper()
	var got [2]string
	for n := range got {
		var err error
		if got[n], err = i.DatabaseToken(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	return got[0], got[1]
}

func TestTokenOfAManagedIdentityIsForDatabasesAndKeptUntilItEnds(t *testing.T) {
	tests := []struct {
		name     string
		client   string // each of its own: tokens are kept for the process
		lifetime time.Duration
		asked    int
	}{
		{"an hour is kept", "11111111-0000-0000-0000-000000000001", time.Hour, 1},
		{"a minute is not", "11111111-0000-0000-0000-000000000002", time.Minute, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := newEndpoint(t)
			e.lifetime = tt.lifetime
			i, err := identity.New(identity.Options{Getenv: variables("AZURE_CLIENT_ID", tt.client)})
			if err != nil {
				t.Fatal(err)
			}
			first, second := tokens(t, i)
			if first != known+"-1" || second != fmt.Sprintf("%s-%d", known, tt.asked) {
				t.Errorf("the tokens are %s and %s, asked for %d times, want %d", first, second, len(e.asked), tt.asked)
			}
			if want := "https://ossrdbms-aad.database.windows.net " + tt.client + " the-header"; e.asked[0] != want {
				t.Errorf("asked for %q, want %q", e.asked[0], want)
			}
		})
	}
}

func TestRefusalOfAManagedIdentityIsExplainedAndNotRepeated(t *testing.T) {
	e := newEndpoint(t)
	e.status = http.StatusBadRequest
	i, err := identity.New(identity.Options{Getenv: variables("AZURE_CLIENT_ID", "11111111-0000-0000-0000-000000000003")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.DatabaseToken(t.Context())
	if err == nil || !strings.Contains(err.Error(), "answers 400; see that the identity is assigned") || strings.Contains(err.Error(), known) {
		t.Errorf("the error is %v", err)
	}
}

// workload is Microsoft Entra ID for one workload identity.
func workload(t *testing.T, answer string, status int) (identity.Options, *string) {
	t.Helper()
	assertion := new(string)
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration") {
			base := "https://" + r.Host + "/a-tenant"
			_, _ = fmt.Fprintf(w, `{"token_endpoint": "%s/oauth2/v2.0/token", "authorization_endpoint": "%s/authorize", "issuer": "%s/v2.0"}`, base, base, base)
			return
		}
		if err := r.ParseForm(); err != nil {
			t.Error(err)
		}
		*assertion = r.PostForm.Get("client_assertion") + " " + r.PostForm.Get("scope")
		w.WriteHeader(status)
		_, _ = fmt.Fprint(w, answer)
	}))
	t.Cleanup(s.Close)
	t.Setenv("AZURE_AUTHORITY_HOST", s.URL)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the-assertion"), 0o600); err != nil {
		t.Fatal(err)
	}
	return identity.Options{
		Getenv:    variables("AZURE_FEDERATED_TOKEN_FILE", file, "AZURE_CLIENT_ID", "a-client", "AZURE_TENANT_ID", "a-tenant"),
		Transport: s.Client(), KnownAuthority: true,
	}, assertion
}

func TestWorkloadIdentityIsUsedWhereThePodHasOne(t *testing.T) {
	o, assertion := workload(t, `{"access_token": "`+known+`", "token_type": "Bearer", "expires_in": 3600}`, http.StatusOK)
	i, err := identity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if first, second := tokens(t, i); first != known || second != known {
		t.Errorf("the tokens are %s and %s", first, second)
	}
	if !strings.HasPrefix(*assertion, "the-assertion https://ossrdbms-aad.database.windows.net/.default") {
		t.Errorf("Entra ID got %q", *assertion)
	}
}

func TestRefusalOfAWorkloadIdentityIsExplainedAndNotRepeated(t *testing.T) {
	o, _ := workload(t, `{"error": "invalid_client", "error_description": "AADSTS700213: `+known+`"}`, http.StatusUnauthorized)
	i, err := identity.New(o)
	if err != nil {
		t.Fatal(err)
	}
	_, err = i.DatabaseToken(t.Context())
	if err == nil || !strings.Contains(err.Error(), "AADSTS700213") || strings.Contains(err.Error(), known) {
		t.Errorf("the error is %v", err)
	}
	if _, err := identity.New(identity.Options{Getenv: variables("AZURE_FEDERATED_TOKEN_FILE", "f")}); err == nil || !strings.Contains(err.Error(), "azure.workload.identity/client-id") {
		t.Errorf("without a client id the error is %v", err)
	}
}
