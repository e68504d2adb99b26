package plan_test

import (
	"fmt"
	"testing"
	"time"

	"curfew/scheduler/plan"
)

// fleet is n environments under few distinct rule sets, as a large company has.
func fleet(tb testing.TB, n int) *plan.Plan {
	tb.Helper()
	spec := plan.Spec{}
	uptime := []string{"mon-fri 07:00-19:00", "mon-sat 06:00-22:00", "22:00-06:00", "fri 19:00 - mon 07:00"}
	for i := range uptime {
		spec.Schedules = append(spec.Schedules, plan.Schedule{
			Name: fmt.Sprintf("uptime-%d", i), Location: mustLoad(tb, "Europe/Copenhagen"),
			Uptime: []plan.Window{mustWindow(tb, uptime[i])},
		})
	}
	spec.Schedules = append(spec.Schedules, plan.Schedule{
		Name: "events", Location: mustLoad(tb, "America/New_York"),
		Starts: []plan.Trigger{mustTrigger(tb, "06:30", plan.EveryDay)},
		Stops:  []plan.Trigger{mustTrigger(tb, "0 22 * * *", 0)},
	})
	for i := range n {
		name := fmt.Sprintf("env-%04d", i)
		spec.Environments = append(spec.Environments, name)
		s := &spec.Schedules[i%len(spec.Schedules)]
		s.Environments = append(s.Environments, name)
	}
	return mustCompile(tb, spec)
}

// every is one environment with one start of the cron expression.
func every(tb testing.TB, text string) *plan.Plan {
	tb.Helper()
	return mustCompile(tb, plan.Spec{
		Environments: []string{"env"},
		Schedules: []plan.Schedule{{
			Name: "often", Environments: []string{"env"}, Location: mustLoad(tb, "Europe/Copenhagen"),
			Starts: []plan.Trigger{mustTrigger(tb, text, 0)},
		}},
	})
}

func newYear(year int) time.Time { return time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC) }

func BenchmarkFiresYear(b *testing.B) {
	p := fleet(b, 1)
	for b.Loop() {
		if got := len(p.Fires(newYear(2026), newYear(2027))); got != 522 {
			b.Fatal(got)
		}
	}
}

func BenchmarkFiresYear5000(b *testing.B) {
	p := fleet(b, 5000)
	for b.Loop() {
		if got := len(p.Fires(newYear(2026), newYear(2027))); got < 1_000_000 {
			b.Fatal(got)
		}
	}
}

func BenchmarkFiresYearEveryMinute(b *testing.B) {
	p := every(b, "* * * * *")
	for b.Loop() {
		if got := len(p.Fires(newYear(2026), newYear(2027))); got != 365*24*60 {
			b.Fatal(got)
		}
	}
}

// BenchmarkTick is what the daemon asks for each time it wakes.
func BenchmarkTick(b *testing.B) {
	p := fleet(b, 5000)
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC) // 07:00 in Copenhagen, a Monday
	for b.Loop() {
		if got := len(p.Fires(at, at.Add(time.Minute))); got == 0 {
			b.Fatal(got)
		}
	}
}

func BenchmarkWanted(b *testing.B) {
	p := fleet(b, 5000)
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	for _, name := range []string{"env-0000", "env-0004"} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if p.Wanted(name, at).Wanted == plan.Unknown {
					b.Fatal("unknown")
				}
			}
		})
	}
}

func BenchmarkCompile5000(b *testing.B) {
	p := fleet(b, 5000)
	for b.Loop() {
		if _, err := p.WithExceptions(nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"0 22 * * *", "* * * * *", "0 0 29 2 *"} {
		b.Run(text, func(b *testing.B) {
			entry := every(b, text).Entries()[0]
			for b.Loop() {
				if entry.Schedule.Next(newYear(2026)).IsZero() {
					b.Fatal("no next")
				}
			}
		})
	}
}
