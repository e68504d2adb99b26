package api_test

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"curfew/lcs/secret"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// given is a token that a variable has set.
func given(token string) client.Token {
	return client.Token{Secret: secret.New(token), Variable: "CURFEW_API_TOKEN"}
}

func TestClient(t *testing.T) {
	server := httptest.NewServer(handler(onLoopback, "", nil))
	defer server.Close()
	c, err := client.New(server.URL, given(""))
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
	if _, err := client.New("localhost:8080", given("")); err == nil {
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
			c, err := client.New(server.URL, given(tt.sent))
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

func TestRefusalsAreInWordsOfTheCommandLine(t *testing.T) {
	server := httptest.NewServer(handler(onLoopback, known, nil))
	defer server.Close()
	c, err := client.New(server.URL, given(known))
	if err != nil {
		t.Fatal(err)
	}
	const finished = "01a20a66-0000-7000-8000-000000000003"
	run := func(f func(context.Context, string) (api.Run, error), id string) error {
		_, err := f(t.Context(), id)
		return err
	}
	override := func(f func(context.Context, string) (api.Override, error), id string) error {
		_, err := f(t.Context(), id)
		return err
	}
	_, account := c.ReleaseAccount(t.Context(), "other")
	_, started := c.Act(t.Context(), "dev-99", plan.Start)
	_, endless := c.Override(t.Context(), api.OverrideRequest{Environments: []string{"dev-01"}, Keep: "running"})
	tests := []struct {
		name string
		err  error
		says string
	}{
		{"a run that is not there", run(c.Run, "nope"), `no run has the id "nope"; curfew history lists them`},
		{"it is canceled", run(c.Cancel, "nope"), `no run has the id "nope"; curfew history lists them`},
		{"it is approved", run(c.Approve, "nope"), `no run has the id "nope"; curfew history lists them`},
		{"a finished run is canceled", run(c.Cancel, finished), "run " + finished + " is at its end already; curfew history shows it"},
		{"a finished run is approved", run(c.Approve, finished), "run " + finished + " does not wait for an approval; curfew status names those that do"},
		{"an override that is not there", override(c.Release, "nobody"), `no override has the id "nobody"; curfew overrides lists them`},
		{"an override that has ended", override(c.Release, "over"), "override over has ended already; there is nothing to release"},
		{"an account that is not there", account, `no account has the name "other", or no project uses it; curfew accounts lists them`},
		{"an environment that is not there", started, `the active schedule file does not have "dev-99"`},
		{"a request that cannot be carried out", endless, "until: an override must have an end"},
	}
	for _, tt := range tests {
		refused, ok := errors.AsType[*client.Refusal](tt.err)
		if !ok || refused.Error() != tt.says || !refused.Named {
			t.Errorf("%s: %v, want %q", tt.name, tt.err, tt.says)
		}
	}
}

// A daemon of an older version has no address, or another method, for a new command.
func TestRequestThatAnOlderDaemonDoesNotKnow(t *testing.T) {
	for _, p := range []api.Problem{{Title: api.NoAddress, Status: http.StatusNotFound}, {Title: api.NoMethod, Status: http.StatusMethodNotAllowed}} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			api.WriteProblem(w, p.Status, p.Title, "GET /api/v1/openapi.json lists what there is")
		}))
		c, err := client.New(server.URL, given(known))
		if err != nil {
			t.Fatal(err)
		}
		want := "the daemon at " + server.URL + " has another version, which does not know this request; use the command of its version"
		if _, err := c.Skip(t.Context(), "dev-01"); err == nil || err.Error() != want {
			t.Errorf("Skip = %v, want %q", err, want)
		}
		server.Close()
	}
}

// calls are all that a client asks a daemon for.
func calls(ctx context.Context, c *client.Client) map[string]error {
	errs := map[string]error{"Healthy": c.Healthy(ctx)}
	_, errs["Runs"] = c.Runs(ctx, client.RunQuery{})
	_, errs["Run"] = c.Run(ctx, "1")
	_, errs["Environments"] = c.Environments(ctx)
	_, errs["Environment"] = c.Environment(ctx, "dev-01")
	_, errs["File"] = c.File(ctx)
	_, errs["Act"] = c.Act(ctx, "dev-01", plan.Stop)
	_, errs["Cancel"] = c.Cancel(ctx, "1")
	_, errs["Approve"] = c.Approve(ctx, "1")
	_, errs["Overrides"] = c.Overrides(ctx)
	_, errs["Accounts"] = c.Accounts(ctx)
	_, errs["Receivers"] = c.Receivers(ctx)
	_, errs["Savings"] = c.Savings(ctx, time.Time{})
	_, errs["Audit"] = c.Audit(ctx, time.Time{})
	_, errs["Override"] = c.Override(ctx, api.OverrideRequest{})
	_, errs["Skip"] = c.Skip(ctx, "dev-01")
	_, errs["Reload"] = c.Reload(ctx)
	_, errs["Release"] = c.Release(ctx, "1")
	return errs
}

// What another program answers is not a daemon without runs.
func TestAnswerOfAnotherProgramIsAnError(t *testing.T) {
	for _, answer := range []string{`{}`, `null`, `[]`, `{"items":null}`, `{"status":null,"id":null}`, `"ok"`, `<html></html>`, ``} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, answer)
		}))
		c, err := client.New(server.URL, given(known))
		if err != nil {
			t.Fatal(err)
		}
		list := calls(t.Context(), c)
		delete(list, "Healthy") // any answer will do
		for name, err := range list {
			if err == nil || !strings.Contains(err.Error(), "it is not curfew's; does another program listen there?") {
				t.Errorf("%s of %q = %v, want that it is not curfew's", name, answer, err)
			}
		}
		server.Close()
	}
}

func TestRedirectIsNotFollowedWithTheToken(t *testing.T) {
	var elsewhere []string
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"items":[]}`)
	}))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		server := httptest.NewServer(http.RedirectHandler(other.URL+"/login", status))
		c, err := client.New(server.URL, given(known))
		if err != nil {
			t.Fatal(err)
		}
		for name, err := range calls(t.Context(), c) {
			if err == nil || !strings.Contains(err.Error(), "it answers with a redirect to "+other.URL+", which is not followed") {
				t.Errorf("%s of a %d = %v, want the redirect refused", name, status, err)
			}
		}
		server.Close()
	}
	if len(elsewhere) > 0 {
		t.Errorf("requests went on to another server, with Authorization %q", elsewhere)
	}
}

func TestTokenIsSentOverTLSOrLoopbackOnly(t *testing.T) {
	tests := []struct {
		server, token, says string
	}{
		{"http://curfew.contoso.com:8080", known, "the API token is not sent to http://curfew.contoso.com:8080: plain http would show it to the network; want https://"},
		{"http://10.0.0.7:8080", known, "the API token is not sent to"},
		{"http://curfew.contoso.com:8080", "", ""},
		{"https://curfew.contoso.com", known, ""},
		{"http://LOCALHOST:8080", known, ""},
		{"http://[::1]:8080/", known, ""},
		{"http://u:known-password@127.0.0.1:8080", "", "it holds a user or a password"},
		{"http://127.0.0.1:99999", "", "its port is none from 1 to 65535"},
		{"127.0.0.1:8080", "", "--server or CURFEW_SERVER cannot be used"},
	}
	for _, tt := range tests {
		_, err := client.New(tt.server, given(tt.token))
		if (err == nil) != (tt.says == "") || err != nil && (!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "known-password")) {
			t.Errorf("New(%q, %q) = %v, want %q", tt.server, tt.token, err, tt.says)
		}
	}
}

func TestCertificateOfTheDaemonThatIsNotTrusted(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	c, err := client.New(server.URL, given(known))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.File(t.Context()); err == nil || !strings.Contains(err.Error(), "the certificate is not trusted") || strings.Contains(err.Error(), "is it running") || strings.Contains(err.Error(), "x509") {
		t.Errorf("File = %v, want that the certificate is not trusted", err)
	}
}
