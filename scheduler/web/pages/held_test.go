package pages

import (
	"reflect"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestHeldRunsAreShownByTheFireThatOneApprovalLetsGo(t *testing.T) {
	at := time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)
	run := func(id, schedule string, wait scheduler.WaitReason, written time.Time) scheduler.EnvironmentStatus {
		return scheduler.EnvironmentStatus{Run: &scheduler.Run{ID: id, Schedule: schedule, Action: plan.Stop, State: scheduler.Queued, Waiting: wait, FireAt: written, CreatedAt: written}}
	}
	later := at.Add(30 * time.Minute)
	c := &clock{now: at.Add(time.Hour), zone: time.UTC}
	got := heldFires(c, []scheduler.EnvironmentStatus{
		run("late", "night", scheduler.WaitApproval, later),
		run("a", "evening", scheduler.WaitApproval, at), run("b", "evening-too", scheduler.WaitApproval, at),
		run("goes", "evening", scheduler.WaitQuota, at),
		{},
	})
	want := []HeldFire{{"a", "2 stops wait for an approval", c.moment(at)}, {"late", "1 stop waits for an approval", c.moment(later)}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("held fires = %+v, want %+v", got, want)
	}
}
