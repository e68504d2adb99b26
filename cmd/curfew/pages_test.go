package main

import (
	"strings"
	"testing"
)

// Where the schedule file has no zone for all of it, instants without their own are in UTC.
func TestTimelineOfAFileWithSeveralZonesIsInUTC(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	text := s.file("  - {name: office-hours, environments: [dev-00], timezone: Europe/Copenhagen, uptime: \"mon-fri 07:00-19:00\"}\n  - {name: elsewhere, environments: [dev-01], timezone: Asia/Tokyo, uptime: \"mon-fri 07:00-19:00\"}\n")
	s.write("schedules.yaml", strings.Replace(text, "timezone: UTC\n", "", 1))
	s.start()
	if got := s.get("/api/v1/timeline"); !strings.Contains(got, `"zone":"UTC"`) || !strings.Contains(got, `"name":"dev-01","wanted":[{`) {
		t.Errorf("the timeline is %s", got)
	}
	if got := s.get("/"); !strings.Contains(got, "All times in UTC") {
		t.Errorf("the first page is %s", got)
	}
	s.stop()
}

func TestHealthPageSaysHowTheDaemonDoes(t *testing.T) {
	t.Parallel()
	s := newSite(t, never())
	s.start()
	s.curfew("stop", "dev-00", "--wait")
	health := s.get("/health")
	for _, want := range []string{
		"Last tick", "schedules.yaml <small>active since", "LCS's quota</h2>", `<th scope="row">main</th><td>stop</td><td class="number">1</td><td class="number">29</td>`,
		`<th scope="row">main</th><td>start</td><td class="number">0</td><td class="number">30</td>`,
	} {
		if !strings.Contains(health, want) {
			t.Errorf("the page of health does not say %q:\n%s", want, health)
		}
	}
	s.write("schedules.yaml", strings.Replace(s.file(never()), "timezone:", "timezoned:", 1))
	s.logged("the schedule file was not loaded")
	if health := s.get("/health"); !strings.Contains(health, "The schedule file was refused") || !strings.Contains(health, "schedules.yaml:2:1: ") {
		t.Errorf("with a bad file, the page of health is\n%s", health)
	}
	if page := s.get("/runs"); !strings.Contains(page, "The schedule file was refused</strong> at ") || strings.Contains(page, "schedules.yaml:2:1: ") {
		t.Errorf("with a bad file, another page is\n%s", page)
	}
	s.write("schedules.yaml", s.file(never()))
	s.until("no page says that the file was refused", func() bool { return !strings.Contains(s.get("/runs"), "refused") })
	s.stop()
}
