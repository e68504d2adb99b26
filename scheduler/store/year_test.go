package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"curfew/internal/longtest"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// TestHistoryOfAYearStaysSmall writes the runs and calls of 1,000 environments
// that are stopped and started on every day, through the store, and checks the
// size of the file: below 1 GB for a year, a month of it by default.
func TestHistoryOfAYearStaysSmall(t *testing.T) {
	days := longtest.Or(4, 10)
	if os.Getenv("CURFEW_CHAOS") == "full" {
		days = 365
	}
	const environments, year = 1000, 365
	path := filepath.Join(t.TempDir(), "curfew.db")
	b := newBench(t, path)
	last := time.Time{}
	for fire := range 2 * days {
		at := t0.Add(time.Duration(fire) * 12 * time.Hour)
		b.finishedDay(environments, at, last, []plan.Action{plan.Stop, plan.Start}[fire%2])
		last = at
	}
	for name, f := range map[string]scheduler.RunFilter{
		"the first page": {}, "of one environment": {Environment: "dev-0500"}, "of a rare state": {State: scheduler.Failed}, "since a week": {Since: last.AddDate(0, 0, -7)},
	} {
		began := time.Now()
		if _, _, err := b.Runs.List(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		t.Logf("history, %s: %v", name, time.Since(began).Round(100*time.Microsecond))
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	size := info.Size() * year / int64(days)
	t.Logf("%d environments, %d days: %d MB; a year: %d MB", environments, days, info.Size()>>20, size>>20)
	if size > 1<<30 {
		t.Errorf("a year takes %d MB, want 1 GB at most", size>>20)
	}
}

// finishedDay writes one fire with its runs, all done, each with its call.
func (b *bench) finishedDay(environments int, at, last time.Time, action plan.Action) {
	b.t.Helper()
	runs := make([]scheduler.Run, environments)
	for i := range runs {
		runs[i] = scheduler.Run{
			ID: uuid.Must(uuid.NewV7()).String(), Environment: fmt.Sprintf("dev-%04d", i), Project: "contoso", Schedule: "office-hours", Action: action,
			Trigger: scheduler.TriggerSchedule, State: scheduler.Succeeded, FireAt: at, CreatedAt: at, StartedAt: at, AcceptedAt: at.Add(time.Second),
			FinishedAt: at.Add(3 * time.Minute), OperationActivityID: uuid.NewString(), Message: "metadata shows Stopped (Stopped)", Tries: 1, Rank: -1.25,
		}
	}
	b.tick(last, at, runs...)
	b.calls(runs)
}

// calls writes the accepted call of each run, as the ledger has it.
func (b *bench) calls(runs []scheduler.Run) {
	b.t.Helper()
	if err := b.AddCalls(b.t.Context(), runs); err != nil {
		b.t.Fatal(err)
	}
}
