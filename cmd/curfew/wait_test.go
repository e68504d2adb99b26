package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"curfew/lcs/lcssim"
	"curfew/scheduler/web/api"
)

func TestProgressOfARun(t *testing.T) {
	fire := time.Date(2026, 11, 27, 18, 0, 0, 0, time.UTC)
	end, message := fire.Add(13*time.Minute), "LCS shows Stopping\n(Stopping)"
	waits := api.Run{ID: "1", Environment: "dev-01", Action: "stop", State: "verifying", FireAt: fire, Message: &message}
	done := api.Run{ID: "2", Environment: "dev-02", Action: "stop", State: "succeeded", FireAt: fire, FinishedAt: &end, Message: &message}
	failed := done
	failed.State = "failed"
	p := &waiting{runs: []api.Run{done, waits, waits}, usual: map[string]time.Duration{"1": 12 * time.Minute}}
	now := fire.Add(2*time.Minute + 300*time.Millisecond)
	for _, tt := range []struct{ name, got, want string }{
		{"one that goes on says how long it usually takes", p.describe(waits, now), "stop dev-01: verifying for 2m (usually 12m): LCS shows Stopping (Stopping)"},
		{"one that succeeded says how long it took", p.describe(done, now), "stop dev-02: succeeded after 13m"},
		{"one that failed says why", p.describe(failed, now), "stop dev-02: failed after 13m: LCS shows Stopping (Stopping)"},
		{"the live line fits the terminal", p.liveLine(now), "stop dev-01: verifying for 2m (usually 12m): LCS shows Stopping (Stopping); 1 …"},
		{"nothing to wait for has no live line", (&waiting{runs: []api.Run{done}}).liveLine(now), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", tt.name, tt.got, tt.want)
		}
	}
	var out bytes.Buffer
	p.w, p.shown = &out, map[string]string{}
	p.show(now)
	p.show(now.Add(time.Minute))
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("not on a terminal, two runs without a change make %d lines, want one each:\n%s", n, &out)
	}
}

// The log of this daemon is at debug level, and is read as well.
func TestInterruptedWaitSaysThatTheRunGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
	s.start()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	said := &lockedBuffer{}
	var out bytes.Buffer
	given := map[string]string{"CURFEW_SERVER": "http://" + s.listen, "CURFEW_API_TOKEN": e2eAPI}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, env{strings.NewReader(""), &out, said, func(name string) string { return given[name] }}, []string{"stop", "dev-00", "--wait"})
	}()
	s.until("the wait has begun", func() bool { return strings.Contains(said.String(), "stop dev-00: ") })
	interrupt()
	if code := <-ended; code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	id := s.runs()[0].ID
	if !strings.Contains(said.String(), "the run goes on") || !strings.Contains(said.String(), "curfew cancel "+id) {
		t.Errorf("said %q, want how to see and cancel the run", said)
	}
	if state := s.runs()[0].State; state == "canceled" || state == "failed" {
		t.Errorf("the run is %s, want it to go on", state)
	}
	for _, want := range []string{`"msg":"decision"`, `"msg":"LCS request"`, `"path":"/environmentinfo/v1/detail/project/1234567/","status":200,"duration":"`} {
		s.logged(want)
	}
	s.kill()
	showsNone(t, map[string]string{"the log": s.log.String()}, []string{e2eToken, e2eAPI})
}
