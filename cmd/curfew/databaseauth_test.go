package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestDaemonSignsInToPostgreSQLWithATokenAndNoPassword runs the built binary next to what
// Container Apps has for identities. After the database was down, the token of before is void.
func TestDaemonSignsInToPostgreSQLWithATokenAndNoPassword(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	server, name := newPostgres(t)
	address, err := url.Parse(server.URL(name, ""))
	if err != nil {
		t.Fatal(err)
	}
	var token atomic.Value
	first, _ := address.User.Password()
	token.Store(first)
	var asked atomic.Value
	identities := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.URL.Query().Get("resource"))
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": %q, "token_type": "Bearer", "expires_on": "%d"}`, token.Load(), time.Now().Add(time.Minute).Unix())
	}))
	t.Cleanup(identities.Close)
	address.User = url.User(address.User.Username())
	s := newSite(t, "  - {name: office-hours, environments: [dev-00, dev-01], uptime: \"mon-fri 07:00-19:00\"}\n")
	s.db = address.String()
	s.more = []string{"--database-auth", "entra"}
	s.env = []string{"IDENTITY_ENDPOINT=" + identities.URL, "IDENTITY_HEADER=the-header"}
	s.start()
	s.ready(http.StatusOK)
	if got := asked.Load(); got != "https://ossrdbms-aad.database.windows.net" {
		t.Errorf("the token is asked for %v", got)
	}
	if err := server.Rotate(t.Context(), "another-token-12345"); err != nil {
		t.Fatal(err)
	}
	token.Store("another-token-12345")
	if err := server.Down(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusServiceUnavailable)
	if err := server.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.ready(http.StatusOK)
	for _, secret := range []string{first, "another-token-12345"} {
		if strings.Contains(s.log.String(), secret) {
			t.Error("the log shows a token")
		}
	}
	s.stop()
}

func TestDatabaseAuthIsCheckedBeforeAnythingIsOpened(t *testing.T) {
	tests := []struct{ name, database, auth, want string }{
		{"an unknown way", "curfew.db", "kerberos", `--database-auth: unknown way "kerberos" to sign in to the database; want password or entra`},
		{"no letters of ours", "curfew.db", "Entra", "want password or entra"},
		{"SQLite has no password", "curfew.db", "entra", "SQLite has no password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, _, errs := command(t, map[string]string{"CURFEW_DATABASE_AUTH": tt.auth}, "--config", filepath.Join("..", "..", "schedules.yaml"), "serve", "--database", filepath.Join(t.TempDir(), tt.database))
			if code != exitUsage || !strings.Contains(errs, tt.want) {
				t.Errorf("curfew serve exited %d: %s", code, errs)
			}
		})
	}
}
