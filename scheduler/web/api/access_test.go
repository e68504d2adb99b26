package api_test

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
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

func TestTokenNeedsItsScheme(t *testing.T) {
	req := httptest.NewRequest("GET", "http://10.0.0.7:8080/api/v1/runs", nil)
	req.Header.Set("Authorization", known)
	w := httptest.NewRecorder()
	handler(onAnAddress, known, nil).ServeHTTP(w, req)
	if w.Code != http.StatusUnauthorized {
		t.Errorf("a token without Bearer = %d, want 401", w.Code)
	}
}
