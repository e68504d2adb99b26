package store_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler/identity"
	"curfew/scheduler/store"
)

// TestEachConnectionTakesATokenOfTheIdentity has a server check the token as it checks a
// password: it accepts the newest alone.
func TestEachConnectionTakesATokenOfTheIdentity(t *testing.T) {
	var round atomic.Int64
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(w, `{"access_token": "token-%d", "token_type": "Bearer", "expires_on": "%d"}`, round.Load(), time.Now().Add(time.Minute).Unix())
	}))
	t.Cleanup(endpoint.Close)
	t.Setenv("IDENTITY_ENDPOINT", endpoint.URL)
	t.Setenv("IDENTITY_HEADER", "the-header")
	own, err := identity.New(identity.Options{Getenv: func(string) string { return "" }})
	if err != nil {
		t.Fatal(err)
	}
	p := newTenancy(t)
	rotate := func() { p.exec(fmt.Sprintf(`ALTER ROLE %s PASSWORD 'token-%d'`, p.role, round.Add(1))) }
	rotate()
	s, err := store.Open(t.Context(), store.Options{DSN: p.dsn(p.role, ""), Token: own.DatabaseToken, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for range 2 {
		rotate()
		p.cutOff()
		if err := answers(t.Context(), s); err != nil {
			t.Fatalf("after the token changed: %v", err)
		}
	}
}

func TestTokenGoesToAServerThatProvesItsName(t *testing.T) {
	failed := errors.New("the token is asked for")
	token := func(context.Context) (string, error) { return "", failed }
	const refused = "add ?sslmode=verify-full to the URL"
	tests := []struct{ name, dsn, want string }{
		{"without TLS", "postgres://u@db.invalid/d?sslmode=disable", refused},
		{"with TLS where the server has it", "postgres://u@db.invalid/d", refused},
		{"with TLS and any certificate", "postgres://u@db.invalid/d?sslmode=require", refused},
		{"one of two servers is not this machine", "postgres://u@127.0.0.1,db.invalid/d?sslmode=disable", refused},
		{"with TLS and its name checked", "postgres://u@db.invalid/d?sslmode=verify-full", failed.Error()},
		{"on this machine", "postgres://u@127.0.0.1/d?sslmode=disable", failed.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := store.Open(t.Context(), store.Options{DSN: tt.dsn, Token: token, Logger: zap.NewNop()})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("the error is %v, want %q in it", err, tt.want)
			}
		})
	}
	s, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "curfew.db"), Token: token, Logger: zap.NewNop()})
	if err != nil {
		t.Fatalf("SQLite asks for no token: %v", err)
	}
	_ = s.Close()
}
