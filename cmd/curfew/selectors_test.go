package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"curfew/lcs/lcssim"
	"curfew/scheduler/web/api"
)

// refusedBy runs a command that talks to the daemon and must not exit 0.
func (s *site) refusedBy(args ...string) (int, string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	given := map[string]string{"CURFEW_SERVER": "http://" + s.listen, "CURFEW_API_TOKEN": e2eAPI}
	code := run(s.t.Context(), env{strings.NewReader(""), &out, &errs, func(name string) string { return given[name] }}, args)
	if code == exitDone {
		s.t.Errorf("curfew %v exited 0: %s", args, &out)
	}
	return code, errs.String()
}

func TestCommandsTakeGlobsAndTagsOfTheDaemonsFile(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.write("schedules.yaml", strings.Replace(s.file(never()), "name: dev-01,", "name: dev-01, tags: [team-a],", 1))
	s.sim.Inject(lcssim.Fault{Kind: lcssim.ServicingWindow})
	s.start()
	var runs []api.Run
	if err := json.Unmarshal([]byte(s.curfew("stop", "dev-*", "tag:team-a", "-o", "json")), &runs); err != nil || len(runs) != 2 || runs[0].Environment != "dev-00" || runs[1].Environment != "dev-01" {
		t.Errorf("stop dev-* tag:team-a made %+v, %v; want one run each", runs, err)
	}
	var kept []api.Override
	if err := json.Unmarshal([]byte(s.curfew("keep", "tag:team-a", "--running", "--for", "2h", "-o", "json")), &kept); err != nil || len(kept) != 1 || strings.Join(kept[0].Environments, " ") != "dev-01" {
		t.Errorf("keep tag:team-a made %+v, %v", kept, err)
	}
	for _, args := range [][]string{{"stop", "dev-0"}, {"keep", "tag:team-b", "--running", "--for", "1h"}, {"skip", "prod-*"}, {"history", "--environment", "tag:team-b"}, {"history", "--environment", "dev-0"}} {
		if code, said := s.refusedBy(args...); code != exitUsage || !strings.Contains(said, "no environment is selected by") {
			t.Errorf("curfew %v exited %d: %s", args, code, said)
		}
	}
	if n := len(s.runs()); n > 3 { // two stops, and a start for the override
		t.Errorf("%d runs, want none by a selector that matches nothing", n)
	}
	var history []api.Run
	if err := json.Unmarshal([]byte(s.curfew("history", "--environment", "dev-*", "--environment", "dev-00", "--limit", "2", "-o", "json")), &history); err != nil || len(history) != 2 || history[0].ID < history[1].ID {
		t.Errorf("history = %+v, %v; want the two newest runs, newest first", history, err)
	}
	var skipped []api.Override
	for range 2 { // the second changes nothing
		if err := json.Unmarshal([]byte(s.curfew("skip", "*", "-o", "json")), &skipped); err != nil || len(skipped) != 2 {
			t.Fatalf("skip * made %+v, %v; want an override each", skipped, err)
		}
	}
	if list := s.curfew("overrides", "-o", "json"); strings.Count(list, "leaves out the stop of") != 2 {
		t.Errorf("overrides = %s, want one each of two skips", list)
	}
	s.write("schedules.yaml", "version: 1\ntimezone: Mars\n")
	if code, said := s.refusedBy("reload"); code != exitInvalid || !strings.Contains(said, "schedules.yaml:2:11: unknown time zone") {
		t.Errorf("reload of a bad file exited %d: %s", code, said)
	}
	s.write("schedules.yaml", s.file("  - {name: renamed, environments: [dev-00], stop: \"3 4 * * *\"}\n"))
	s.curfew("reload")
	s.logged("environments changed: dev-01; schedules added: renamed; schedules removed: night; in the next 7 days ")
	s.kill()
}
