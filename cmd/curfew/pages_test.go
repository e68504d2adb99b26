package main

import (
	"strings"
	"testing"
)

// Where the schedule file has no zone for all of it, instants without their own are in UTC.
func TestTimelineOfAFileWithoutAZoneIsInUTC(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	text := s.file("  - {name: office-hours, environments: [dev-00, dev-01], timezone: Europe/Copenhagen, uptime: \"mon-fri 07:00-19:00\"}\n")
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
