package pages

import (
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestPlaceInTheQueueOfLCSsQuota(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 30, 0, 0, time.UTC)
	waiting := func(id string, action plan.Action, rank float64, until time.Time) scheduler.EnvironmentStatus {
		return scheduler.EnvironmentStatus{Run: &scheduler.Run{ID: id, Action: action, State: scheduler.Queued, Waiting: scheduler.WaitQuota, Rank: rank, NotBefore: until}}
	}
	busy := waiting("busy", plan.Stop, 0, at)
	busy.Run.Waiting = scheduler.WaitApproval
	all := []scheduler.EnvironmentStatus{
		waiting("cheap", plan.Stop, 3, at), waiting("expensive", plan.Stop, 1, at), waiting("later", plan.Stop, 0, at.Add(time.Minute)),
		waiting("start", plan.Start, 9, at), busy,
		{},
	}
	c := &clock{now: at.Add(-time.Hour), zone: time.UTC}
	places := placesInQueue(all)
	for id, want := range map[string]string{
		"expensive": "1st of 3 stops: 19:30, LCS's quota", "cheap": "2nd of 3 stops: 19:30, LCS's quota", "later": "3rd of 3 stops: 19:31, LCS's quota", "start": "1st of 1 start: 19:30, LCS's quota",
	} {
		for _, s := range all {
			if s.Run != nil && s.Run.ID == id {
				if got := runText(c, *s.Run, places[id]); got != want {
					t.Errorf("%s: %q, want %q", id, got, want)
				}
			}
		}
	}
	if got := runText(c, *all[0].Run, ""); got != "stop waits: 19:30, LCS's quota" {
		t.Errorf("without a place: %q", got)
	}
	if _, is := places["busy"]; is {
		t.Error("a run that waits for an approval has a place")
	}
}

func TestOrdinals(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 31: "31st", 102: "102nd", 111: "111th", 113: "113th"} {
		if got := ordinal(n); got != want {
			t.Errorf("ordinal(%d) = %s, want %s", n, got, want)
		}
	}
}
