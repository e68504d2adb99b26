package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestHealthcheckAsksWhereTheDaemonListens(t *testing.T) {
	tests := []struct{ name, bind, listen string }{
		{"on a loopback address", "127.0.0.1:0", "127.0.0.1"},
		{"on the IPv6 loopback", "[::1]:0", "::1"},
		{"on every address", "127.0.0.1:0", "0.0.0.0"},
		{"on every address, IPv6 too", "127.0.0.1:0", "::"},
		{"with a port only", "127.0.0.1:0", ""},
		{"on one address of several", "127.0.0.2:0", "127.0.0.2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := net.Listen("tcp", tt.bind)
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/healthz" {
					w.WriteHeader(http.StatusNotFound)
				}
			}))
			server.Listener = l
			server.Start()
			_, port, err := net.SplitHostPort(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			vars := map[string]string{"CURFEW_LISTEN": net.JoinHostPort(tt.listen, port)}
			if code, _, errs := command(t, vars, "healthcheck"); code != exitDone {
				t.Errorf("a live daemon: exit %d, %s", code, errs)
			}
			server.Close()
			if code, _, _ := command(t, vars, "healthcheck"); code != exitFailed {
				t.Errorf("a dead daemon: exit %d, want %d", code, exitFailed)
			}
		})
	}
}
