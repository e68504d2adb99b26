package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

func benchStore(b *testing.B) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), store.Options{DSN: filepath.Join(b.TempDir(), "curfew.db")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	return s
}

func runsAt(n int, at time.Time) []scheduler.Run {
	runs := make([]scheduler.Run, n)
	for i := range runs {
		runs[i] = scheduler.Run{
			ID: uuid.Must(uuid.NewV7()).String(), Environment: fmt.Sprintf("dev-%04d", i), Project: "contoso", Schedule: "office-hours", Action: plan.Stop,
			Trigger: scheduler.TriggerSchedule, State: scheduler.Queued, FireAt: at, CreatedAt: at, Rank: float64(-i),
		}
	}
	return runs
}

// BenchmarkTick writes the runs of a fire of 5,000 environments, each of which
// supersedes the run before it, with their tickets, in one transaction.
func BenchmarkTick(b *testing.B) {
	s := benchStore(b)
	last := scheduler.Cursor{}
	for i := 0; b.Loop(); i++ {
		at := t0.Add(time.Duration(i) * time.Minute)
		if _, err := s.CommitTick(b.Context(), last, at, runsAt(5000, at)); err != nil {
			b.Fatal(err)
		}
		last.At = at
	}
}

// BenchmarkReserve asks the ledger for a call while 5,000 runs wait: all others before
// it, or behind it, where it has one account or a choice.
func BenchmarkReserve(b *testing.B) {
	for _, bb := range []struct {
		name     string
		place    int
		accounts []string
	}{
		{"last", 0, []string{"main"}},
		{"last of two accounts", 0, []string{"main", "second"}},
		{"first", 4999, []string{"main"}},
		{"first of two accounts", 4999, []string{"main", "second"}},
	} {
		b.Run(bb.name, func(b *testing.B) { benchReserve(b, bb.place, bb.accounts) })
	}
}

func benchReserve(b *testing.B, place int, accounts []string) {
	s := benchStore(b)
	runs := runsAt(5000, t0)
	if _, err := s.CommitTick(b.Context(), scheduler.Cursor{}, t0, runs); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := s.Run(b.Context(), runs[place].ID)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Reserve(b.Context(), scheduler.Reservation{
			Now: t0, Kind: lcs.CallStop, Accounts: accounts, Project: 1, Environment: r.Environment, Run: &r, Rivals: []scheduler.Rival{{Name: "contoso", ID: 1, Accounts: accounts}}, Peek: true,
		}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHistoryPage reads a page of 100 runs out of 50,000.
func BenchmarkHistoryPage(b *testing.B) {
	s := benchStore(b)
	last := scheduler.Cursor{}
	for i := range 10 {
		at := t0.Add(time.Duration(i) * time.Minute)
		if _, err := s.CommitTick(b.Context(), last, at, runsAt(5000, at)); err != nil {
			b.Fatal(err)
		}
		last.At = at
	}
	for b.Loop() {
		if _, _, err := s.Runs(b.Context(), scheduler.RunFilter{Limit: 100}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStartTimes looks up the last 20 of 100 starts of each of 1,000
// environments, as the tick does before a fire that starts them all.
func BenchmarkStartTimes(b *testing.B) {
	dsns := map[string]func() string{
		"sqlite":   func() string { return filepath.Join(b.TempDir(), "curfew.db") },
		"postgres": func() string { return postgresDSN(b) },
	}
	for name, dsn := range dsns {
		b.Run(name, func(b *testing.B) {
			s := newBench(b, dsn())
			last := time.Time{}
			for fire := range 100 {
				at := t0.Add(time.Duration(fire) * 12 * time.Hour)
				s.finishedDay(1000, at, last, plan.Start)
				last = at
			}
			var names []string
			for i := range 1000 {
				names = append(names, fmt.Sprintf("dev-%04d", i))
			}
			for b.Loop() {
				took, err := s.StartTimes(b.Context(), names, 20)
				if err != nil || len(took) != 1000 || len(took["dev-0007"]) != 20 {
					b.Fatalf("StartTimes gives %d environments, %v; want 1,000", len(took), err)
				}
			}
		})
	}
}
