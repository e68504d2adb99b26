package pages

import (
	"slices"
	"time"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A HeldFire is a fire whose runs wait for an approval.
type HeldFire struct {
	Run  string // one of its runs: to approve it approves the fire
	Text string
	At   Moment
}

// heldFires returns the fires that wait for an approval, the first of them first.
func heldFires(c *clock, all []scheduler.EnvironmentStatus) []HeldFire {
	type fire struct { // as an approval finds its runs
		action  plan.Action
		written time.Time
	}
	var fires []fire
	runs := map[fire][]*scheduler.Run{}
	for _, s := range all {
		if s.Run == nil || s.Run.Waiting != scheduler.WaitApproval {
			continue
		}
		f := fire{s.Run.Action, s.Run.CreatedAt.UTC()}
		if runs[f] == nil {
			fires = append(fires, f)
		}
		runs[f] = append(runs[f], s.Run)
	}
	slices.SortStableFunc(fires, func(a, b fire) int { return a.written.Compare(b.written) })
	list := make([]HeldFire, len(fires))
	for i, f := range fires {
		waits := " wait for an approval"
		if len(runs[f]) == 1 {
			waits = " waits for an approval"
		}
		list[i] = HeldFire{runs[f][0].ID, wording.Count(len(runs[f]), string(f.action)) + waits, c.moment(runs[f][0].FireAt)}
	}
	return list
}
