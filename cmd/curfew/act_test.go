package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/web/api"
)

func TestCommandsThatChangeSomething(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	if out := s.curfew("stop", "dev-00", "--wait"); !strings.Contains(out, "succeeded") {
		t.Errorf("curfew stop --wait printed %s", out)
	}
	if got := s.sim.State(e2eID(0)); got != lcssim.Stopped {
		t.Errorf("after curfew stop --wait dev-00 is %s, want Stopped", got)
	}
	var made []api.Override
	if err := json.Unmarshal([]byte(s.curfew("keep", "dev-01", "--running", "--for", "2h", "--reason", "a demo", "-o", "json")), &made); err != nil || len(made) != 1 {
		t.Fatalf("curfew keep made %+v, %v", made, err)
	}
	s.until("the override has started dev-01", func() bool { return s.sim.State(e2eID(1)) == lcssim.Finished })
	if out := s.curfew("overrides"); !strings.Contains(out, made[0].ID) || !strings.Contains(out, "active") || !strings.Contains(out, "a demo") {
		t.Errorf("curfew overrides printed %s", out)
	}
	s.kill()
	s.start() // an override outlives the process
	if out := s.curfew("release", made[0].ID); !strings.Contains(out, "released") {
		t.Errorf("curfew release printed %s", out)
	}
	s.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
	var runs []api.Run
	if err := json.Unmarshal([]byte(s.curfew("stop", "dev-01", "-o", "json")), &runs); err != nil || len(runs) != 1 {
		t.Fatalf("curfew stop made %+v, %v", runs, err)
	}
	if out := s.curfew("cancel", runs[0].ID); !strings.Contains(out, "canceled") {
		t.Errorf("curfew cancel printed %s", out)
	}
	s.stop()
}

func TestRefusalOfAnIDNamesItOnce(t *testing.T) {
	t.Parallel()
	titles := map[string]string{http.MethodDelete: api.NoOverride, http.MethodPost: api.NoRun}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "broken") {
			api.WriteProblem(w, http.StatusInternalServerError, "curfew could not answer", "the daemon's log says why")
			return
		}
		api.WriteProblem(w, http.StatusNotFound, titles[r.Method], "GET /api/v1/… lists them")
	}))
	defer server.Close()
	tests := []struct{ args, says string }{
		{"release dev-01", `curfew: no override has the id "dev-01"; curfew overrides lists them`},
		{"cancel nope", `curfew: no run has the id "nope"; curfew history lists them`},
		{"approve nope", `curfew: no run has the id "nope"; curfew history lists them`},
		{"cancel nope broken", `curfew: no run has the id "nope"; curfew history lists them` + "\nbroken: ask the daemon at " + server.URL + ": curfew could not answer: the daemon's log says why"},
	}
	for _, tt := range tests {
		if code, out, errs := command(t, nil, append(strings.Fields(tt.args), "--server", server.URL)...); code != exitFailed || out != "" || errs != tt.says+"\n" {
			t.Errorf("curfew %s exits %d and prints %s%s, want %s", tt.args, code, out, errs, tt.says)
		}
	}
}

func TestLargeStopOfTheBinaryWaitsForAnApproval(t *testing.T) {
	t.Parallel()
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	_, cron := nextMinute(15 * time.Second)
	s := newSite(t, fmt.Sprintf("  - {name: evening, environments: [dev-00, dev-01], stop: %q}\ndefaults: {max_stops_per_fire: 1}\n", cron))
	s.sim.Set(e2eID(1), lcssim.Finished)
	s.start()
	s.logged("it waits for an approval: curfew approve RUN")
	runs := s.runs()
	if n := s.sim.Accepted("", lcssim.Any); n != 0 || len(runs) != 2 || runs[0].State != "queued" {
		t.Errorf("before the approval LCS carried out %d stops and the runs are %+v", n, runs)
	}
	s.curfew("approve", runs[0].ID)
	for _, r := range s.finished(2) {
		if r.State != "succeeded" {
			t.Errorf("after the approval %s is %s", r.Environment, r.State)
		}
	}
	s.stop()
}
