package api_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs/secret"
	"curfew/scheduler/web"
	"curfew/scheduler/web/api"
)

func TestWhoMayRead(t *testing.T) {
	tests := []struct {
		name   string
		addr   net.Addr
		host   string
		set    string // the daemon's token
		sent   string
		status int
	}{
		{"on loopback everybody of the machine", onLoopback, "localhost:8080", "", "", 200},
		{"on loopback by IPv6", onLoopback, "[::1]:8080", "", "", 200},
		{"on loopback not under another site's name", onLoopback, "evil.example:8080", "", "", 421},
		{"under another name with the token", onLoopback, "curfew.internal", known, known, 200},
		{"off loopback not without a token", onAnAddress, "10.0.0.7:8080", "", "", 403},
		{"off loopback not by a loopback name", onAnAddress, "localhost:8080", "", "", 403},
		{"off loopback with the token", onAnAddress, "10.0.0.7:8080", known, known, 200},
		{"off loopback with a wrong token", onAnAddress, "10.0.0.7:8080", known, "unknown", 401},
		{"off loopback with no token sent", onAnAddress, "10.0.0.7:8080", known, "", 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := handler(tt.addr, tt.set, nil)
			if res := ask(h, "GET", tt.host, "/api/v1/runs", tt.sent); res.StatusCode != tt.status {
				t.Errorf("runs = %d, want %d", res.StatusCode, tt.status)
			}
			for _, path := range []string{"/healthz", "/metrics"} {
				if res := ask(h, "GET", tt.host, path, ""); res.StatusCode != 200 {
					t.Errorf("%s = %d, want 200 for everybody", path, res.StatusCode)
				}
			}
		})
	}
}

// A browser cannot send the token: it gets a page, which says how people sign in.
func TestPageThatNeedsTheTokenSaysHowPeopleSignIn(t *testing.T) {
	h := handler(onAnAddress, known, nil)
	res := ask(h, "GET", "10.0.0.7", "/", "")
	said := body(t, res)
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusUnauthorized || !strings.HasPrefix(kind, "text/html") || !strings.Contains(said, "add the section access to the schedule file") {
		t.Errorf("GET / without the token = %d %s\n%s", res.StatusCode, kind, said)
	}
	if res := ask(h, "GET", "10.0.0.7", "/", known); res.StatusCode != http.StatusOK {
		t.Errorf("GET / with the token = %d", res.StatusCode)
	}
	if res := ask(h, "GET", "10.0.0.7", "/api/v1/runs", ""); res.StatusCode != http.StatusUnauthorized || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("GET /api/v1/runs without the token = %d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
}

func TestTokenNeedsItsScheme(t *testing.T) {
	req := httptest.NewRequest("GET", "http://10.0.0.7:8080/api/v1/runs", nil)
	req.Header.Set("Authorization", known)
	w := httptest.NewRecorder()
	handler(onAnAddress, known, nil).ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("a token without Bearer = %d, want 401", w.Code)
	}
}

// A reverse proxy on the same machine makes everybody's requests come from loopback.
func TestRequestsThatAProxyPassedOnNeedTheToken(t *testing.T) {
	h := served(api.Options{Engine: fixed{}}, withToken).Handler(onLoopback)
	for _, name := range []string{"Forwarded", "Via", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Anything", "X-Real-IP", "X-Original-Forwarded-For", "CF-Connecting-IP", "True-Client-IP"} {
		for _, token := range []string{"", known} {
			want := http.StatusUnauthorized
			if token != "" {
				want = http.StatusOK
			}
			req := httptest.NewRequest("GET", "http://127.0.0.1:8080/api/v1/overrides", nil)
			req.Header.Set(name, "198.51.100.7")
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, req)
			if w.Code != want {
				t.Errorf("with %s and the token %q = %d, want %d", name, token, w.Code, want)
			}
		}
	}
}

// nginx adds no header by itself, and long spoke HTTP/1.0 to what is behind it.
func TestRequestsInHTTP10NeedTheToken(t *testing.T) {
	req := httptest.NewRequest("GET", "http://127.0.0.1:8080/api/v1/overrides", nil)
	req.Proto, req.ProtoMajor, req.ProtoMinor = "HTTP/1.0", 1, 0
	w := httptest.NewRecorder()
	served(api.Options{Engine: fixed{}}, withToken).Handler(onLoopback).ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("HTTP/1.0 without the token = %d, want 401", w.Code)
	}
}

// A token is what its file holds at the moment: one that was taken away opens nothing, and
// one that is back opens at once.
func TestTokenIsAsItsFileIs(t *testing.T) {
	const next = "another token that is known"
	file := filepath.Join(t.TempDir(), "api-token")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	core, logs := observer.New(zap.InfoLevel)
	h := served(api.Options{Engine: fixed{}}, web.Options{Token: secret.Source{File: file}.Read, Logger: zap.New(core)}).Handler(onAnAddress)
	for _, tt := range []struct {
		name   string
		change func()
		right  string // of the two tokens, "" for none
	}{
		{"as it was first", func() { write(known + "\n") }, known},
		{"replaced", func() { write(next) }, next},
		{"deleted", func() { _ = os.Remove(file) }, ""},
		{"back after a moment", func() { write(next) }, next},
		{"empty", func() { write("") }, ""},
		{"too short", func() { write("x") }, ""},
		{"and right again", func() { write(known) }, known},
	} {
		tt.change()
		for _, token := range []string{known, next, "x"} {
			want := http.StatusUnauthorized
			if token == tt.right {
				want = http.StatusOK
			}
			if res := ask(h, "GET", "10.0.0.7:8080", "/api/v1/overrides", token); res.StatusCode != want {
				t.Errorf("%s: with %q = %d, want %d", tt.name, token, res.StatusCode, want)
			}
		}
	}
	const unusable, usable = "the API token cannot be used; no token is accepted until it can", "the API token can be used again"
	if n, m := logs.FilterMessage(unusable).Len(), logs.FilterMessage(usable).Len(); n != 3 || m != 2 {
		t.Errorf("logged %d times that the token cannot be used and %d times that it can, want 3 and 2: %v", n, m, logs.All())
	}
}

// Kubernetes replaces a mounted secret by renaming a link: there is a token at every moment.
func TestSwappedTokenFileRefusesNobody(t *testing.T) {
	dir := t.TempDir()
	for _, version := range []string{"a", "b"} {
		if err := os.MkdirAll(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, version, "api-token"), []byte(known), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("a", filepath.Join(dir, "..data")), os.Symlink(filepath.Join("..data", "api-token"), filepath.Join(dir, "api-token"))); err != nil {
		t.Skip(err) // where links need a privilege
	}
	h := served(api.Options{Engine: fixed{}}, web.Options{Token: secret.Source{File: filepath.Join(dir, "api-token")}.Read}).Handler(onAnAddress)
	swapped := make(chan error, 1)
	go func() {
		for i := range 200 {
			if err := errors.Join(os.Symlink([]string{"a", "b"}[i%2], filepath.Join(dir, "..next")), os.Rename(filepath.Join(dir, "..next"), filepath.Join(dir, "..data"))); err != nil {
				swapped <- err
				return
			}
		}
		swapped <- nil
	}()
	for {
		if res := ask(h, "GET", "10.0.0.7:8080", "/api/v1/overrides", known); res.StatusCode != http.StatusOK {
			t.Fatalf("during a swap = %d, want 200", res.StatusCode)
		}
		select {
		case err := <-swapped:
			if err != nil {
				t.Error(err)
			}
			return
		default:
		}
	}
}

// Somebody who guesses is seen in the log and in the metrics, and gets nowhere fast.
func TestGuessedTokensAreCountedLoggedAndSlowed(t *testing.T) {
	const guesses = 3000
	core, logs := observer.New(zap.WarnLevel)
	reg := prometheus.NewRegistry()
	o := withToken
	o.Logger, o.Registerer = zap.New(core), reg
	h := served(api.Options{Engine: fixed{}}, o).Handler(onAnAddress)
	began := time.Now()
	checked := 0
	for i := range guesses {
		res := ask(h, "POST", "10.0.0.7:8080", "/api/v1/reload", fmt.Sprintf("guess-%010d", i))
		switch res.StatusCode {
		case http.StatusUnauthorized:
			checked++
		case http.StatusTooManyRequests:
			if res.Header.Get("Retry-After") == "" {
				t.Fatal("429 without Retry-After")
			}
		default:
			t.Fatalf("a guess = %d", res.StatusCode)
		}
	}
	if most := 11 + int(time.Since(began)/(6*time.Second)); checked > most {
		t.Errorf("%d of %d guesses in %v were checked, want %d at most", checked, guesses, time.Since(began), most)
	}
	if n := logs.FilterMessage("a wrong API token was sent").Len(); n != checked {
		t.Errorf("%d of %d wrong tokens are logged", n, checked)
	}
	for _, line := range logs.All() {
		if strings.Contains(fmt.Sprint(line.Context), "guess-") {
			t.Errorf("the log shows what was guessed: %v", line.Context)
		}
	}
	want := fmt.Sprintf("# HELP curfew_http_unauthorized_total Requests that were refused for a wrong API token.\n# TYPE curfew_http_unauthorized_total counter\ncurfew_http_unauthorized_total %d\n", guesses)
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "curfew_http_unauthorized_total"); err != nil {
		t.Error(err)
	}
}
