package report

import (
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// Usual returns the median of how long runs of each action took, from the call that LCS
// accepted to the observation that proved it. Runs that needed no call do not count.
func Usual(runs []scheduler.Run) map[plan.Action]time.Duration {
	took := map[plan.Action][]time.Duration{}
	for _, r := range runs {
		if r.State == scheduler.Succeeded && !r.AcceptedAt.IsZero() {
			took[r.Action] = append(took[r.Action], r.FinishedAt.Sub(r.AcceptedAt))
		}
	}
	usual := make(map[plan.Action]time.Duration, len(took))
	for action, list := range took {
		slices.Sort(list)
		usual[action] = list[len(list)/2]
	}
	return usual
}
