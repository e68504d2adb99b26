package api_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"curfew/lcs/secret"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/client"
)

func TestClient(t *testing.T) {
	server := httptest.NewServer(handler(onLoopback, "", nil))
	defer server.Close()
	c, err := client.New(server.URL, secret.New(""))
	if err != nil {
		t.Fatal(err)
	}
	runs, err := c.Runs(t.Context(), client.RunQuery{Max: 2})
	if err != nil || len(runs) != 2 || runs[0].ID != "01a20a66-0000-7000-8000-000000000003" {
		t.Errorf("Runs = %+v, %v; want the newest two", runs, err)
	}
	if _, err := c.Runs(t.Context(), client.RunQuery{State: "done"}); err == nil || !strings.Contains(err.Error(), "state: want one of") {
		t.Errorf("Runs with a bad state = %v, want the problem's words", err)
	}
	if list, err := c.Environments(t.Context()); err != nil || len(list) != 1 || list[0].Name != "dev-01" {
		t.Errorf("Environments = %+v, %v", list, err)
	}
	server.Close()
	if _, err := c.Environments(t.Context()); err == nil || !strings.Contains(err.Error(), "is it running? --server or CURFEW_SERVER") {
		t.Errorf("without a daemon: %v, want a hint", err)
	}
	if _, err := client.New("localhost:8080", secret.New("")); err == nil {
		t.Error("a server without a scheme was taken")
	}
}

func TestRefusedTokensSayWhatToSet(t *testing.T) {
	tests := []struct {
		name, daemons, sent, says string
		changes                   bool
	}{
		{"none is sent", known, "", "wants a token: set CURFEW_API_TOKEN here to the value that it has on the daemon", false},
		{"another is sent", known, "unknown", "refuses the token: CURFEW_API_TOKEN has another value here than on the daemon", false},
		{"the daemon has none, for a change", "", known, "takes no changes, since it has no token: set CURFEW_API_TOKEN to the same value on the daemon and here", true},
		{"the daemon has none, off loopback", "", known, "the API is closed", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(handler(onAnAddress, tt.daemons, nil))
			defer server.Close()
			c, err := client.New(server.URL, secret.New(tt.sent))
			if err != nil {
				t.Fatal(err)
			}
			if tt.changes {
				_, err = c.Act(t.Context(), "dev-01", plan.Stop)
			} else {
				_, err = c.File(t.Context())
			}
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("with %q to a daemon with %q: %v, want %q", tt.sent, tt.daemons, err, tt.says)
			}
		})
	}
}
