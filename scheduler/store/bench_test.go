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
		if _, err := s.Runs.CommitTick(b.Context(), last, at, runsAt(5000, at), nil); err != nil {
			b.Fatal(err)
		}
		last.At = at
	}
}

// request makes requests of the unfinished runs of a pass, all of them ready.
func requests(runs []scheduler.Run) []scheduler.Request {
	list := make([]scheduler.Request, len(runs))
	for i, r := range runs {
		list[i] = scheduler.Request{Run: r, Environment: r.Environment, Ready: true}
	}
	return list
}

// BenchmarkReserveOfAQueue asks for the calls of 5,000 runs while LCS's limits are used
// up: with one account, and with a choice.
func BenchmarkReserveOfAQueue(b *testing.B) {
	for _, accounts := range [][]string{{"main"}, {"main", "second"}} {
		b.Run(fmt.Sprint(len(accounts)), func(b *testing.B) {
			s := newBench(b, filepath.Join(b.TempDir(), "curfew.db"))
			s.tick(time.Time{}, t0, runsAt(5000, t0)...)
			ticket := s.pass("contoso")
			ask := scheduler.Reservation{Ticket: ticket, Now: t0, Kind: lcs.CallStop, Project: scheduler.Contender{Name: "contoso", ID: 1, Accounts: accounts}}
			ask.Requests = requests(s.claim(ticket).Runs)
			if res, err := s.Ledger.Reserve(b.Context(), ask); err != nil || len(res.Calls) != 30*len(accounts) {
				b.Fatalf("Reserve = %d calls, %v", len(res.Calls), err)
			}
			ask.Requests = requests(s.claim(ticket).Runs)[30*len(accounts):]
			for b.Loop() {
				if res, err := s.Ledger.Reserve(b.Context(), ask); err != nil || len(res.Calls) > 0 || len(res.Waits) != len(ask.Requests) {
					b.Fatalf("Reserve = %d calls, %d waits, %v", len(res.Calls), len(res.Waits), err)
				}
			}
		})
	}
}

// BenchmarkFire takes 1,000 environments of 34 projects, each with an account of its
// own, through one fire: the tick, then each project's pass up to its end. It reports
// how long each step took for all of them.
func BenchmarkFire(b *testing.B) {
	for name, dsn := range bothDSNs(b) {
		b.Run(name, func(b *testing.B) {
			s := newBench(b, dsn())
			last, took := time.Time{}, map[string]time.Duration{}
			for i := 0; b.Loop(); i++ {
				at := t0.Add(time.Duration(i) * time.Hour)
				s.fire(at, last, 1000, 34, []string{""}, took)
				last = at
			}
			for step, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(b.N), step+"-ms")
			}
		})
	}
}

// BenchmarkPassOf150 takes one project of 150 environments and 5 accounts through a
// fire.
func BenchmarkPassOf150(b *testing.B) {
	for name, dsn := range bothDSNs(b) {
		b.Run(name, func(b *testing.B) {
			s := newBench(b, dsn())
			last, took := time.Time{}, map[string]time.Duration{}
			for i := 0; b.Loop(); i++ {
				at := t0.Add(time.Duration(i) * time.Hour)
				s.fire(at, last, 150, 1, []string{"a", "b", "c", "d", "e"}, took)
				last = at
			}
			for step, d := range took {
				b.ReportMetric(float64(d.Microseconds())/1000/float64(b.N), step+"-ms")
			}
		})
	}
}

func bothDSNs(b *testing.B) map[string]func() string {
	return map[string]func() string{
		"sqlite":   func() string { return filepath.Join(b.TempDir(), "curfew.db") },
		"postgres": func() string { return postgresDSN(b) },
	}
}

// fire writes the runs of a fire and takes each project's pass to its end; took gains
// the time of each step.
func (b *bench) fire(at, last time.Time, environments, projects int, accounts []string, took map[string]time.Duration) {
	b.t.Helper()
	ctx := b.t.Context()
	step := func(name string, f func() error) {
		began := time.Now()
		if err := f(); err != nil {
			b.t.Fatal(err)
		}
		took[name] += time.Since(began)
	}
	runs := runsAt(environments, at)
	ids := map[string]string{}
	for i := range runs {
		runs[i].Project = fmt.Sprintf("project-%02d", i%projects)
		ids[runs[i].Environment] = runs[i].Environment
	}
	var res scheduler.Written
	step("tick", func() (err error) {
		res, err = b.Runs.CommitTick(ctx, scheduler.Cursor{At: last}, at, runs, emit)
		return err
	})
	for n, ticket := range res.Tickets {
		own := make([]string, len(accounts))
		for i, a := range accounts {
			own[i] = ticket.Project + a
		}
		var work scheduler.Work
		step("load", func() (err error) {
			work, err = b.Passes.Load(ctx, ticket, int64(n), ids)
			return err
		})
		var reserved scheduler.Reserved
		step("reserve", func() (err error) {
			c := scheduler.Contender{Name: ticket.Project, ID: int64(n), Accounts: own}
			reserved, err = b.Ledger.Reserve(ctx, scheduler.Reservation{
				Ticket: ticket, Now: at, Kind: lcs.CallStop, Project: c, Contenders: []scheduler.Contender{c}, Requests: requests(work.Runs),
			})
			return err
		})
		if len(reserved.Calls) != len(work.Runs) {
			b.t.Fatalf("%d calls of %d runs", len(reserved.Calls), len(work.Runs))
		}
		b.finish(ticket, at, reserved.Calls, step)
	}
}

// finish settles the calls of a pass and ends it.
func (b *bench) finish(ticket scheduler.Ticket, at time.Time, calls []scheduler.ReservedCall, step func(string, func() error)) {
	b.t.Helper()
	ctx := b.t.Context()
	var ends []scheduler.Settlement
	var done []scheduler.Run
	for _, c := range calls {
		c.Call.Done, c.Call.Outcome = at.Add(time.Second), scheduler.OutcomeAccepted
		c.Run.State, c.Run.AcceptedAt = scheduler.Verifying, at.Add(time.Second)
		ends = append(ends, scheduler.Settlement{Call: c.Call, Run: &c.Run})
		r := c.Run
		r.State, r.FinishedAt = scheduler.Succeeded, at.Add(time.Minute)
		done = append(done, r)
	}
	none := func(stale []string, err error) error {
		if len(stale) > 0 {
			b.t.Fatalf("%d runs are stale", len(stale))
		}
		return err
	}
	step("settle", func() error { return none(b.Ledger.Settle(ctx, ends, emit)) })
	step("save", func() error { return none(b.Passes.Save(ctx, ticket, done, emit)) })
	step("end", func() error {
		ended, err := b.Passes.End(ctx, ticket)
		if !ended {
			b.t.Fatalf("the pass over %s did not end", ticket.Project)
		}
		return err
	})
}

// BenchmarkHistoryPage reads a page of 100 runs out of 50,000.
func BenchmarkHistoryPage(b *testing.B) {
	s := benchStore(b)
	last := scheduler.Cursor{}
	for i := range 10 {
		at := t0.Add(time.Duration(i) * time.Minute)
		if _, err := s.Runs.CommitTick(b.Context(), last, at, runsAt(5000, at), nil); err != nil {
			b.Fatal(err)
		}
		last.At = at
	}
	for b.Loop() {
		if _, _, err := s.Runs.List(b.Context(), scheduler.RunFilter{Limit: 100}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStartTimes reads the last 20 of 100 starts of each of 1,000
// environments, as the tick does before a fire that starts them all.
func BenchmarkStartTimes(b *testing.B) {
	for name, dsn := range bothDSNs(b) {
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
				took, err := s.Runs.StartTimes(b.Context(), names, 20)
				if err != nil || len(took) != 1000 || len(took["dev-0007"]) != 20 {
					b.Fatalf("StartTimes returns %d environments, %v; want 1,000", len(took), err)
				}
			}
		})
	}
}
