package store_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

func TestStartTimesAreThoseOfTheLastVerifiedStarts(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		from := time.Time{}
		for i := range 4 {
			at := t0.Add(time.Duration(i) * time.Hour)
			r := newRun("dev-01", plan.Start, at)
			b.tick(from, at, r)
			from = at
			r = b.run(r.ID)
			r.State, r.FinishedAt = scheduler.Succeeded, at.Add(10*time.Minute)
			if i > 0 { // the first was up already: no call, nothing to learn
				r.AcceptedAt = at.Add(time.Duration(i) * time.Minute)
			}
			if err := b.save(r); err != nil {
				t.Fatal(err)
			}
		}
		got, err := b.Runs.StartTimes(t.Context(), []string{"dev-01", "dev-02"}, 2)
		want := []time.Duration{7 * time.Minute, 8 * time.Minute}
		if err != nil || !slices.Equal(got["dev-01"], want) || got["dev-02"] != nil {
			t.Errorf("StartTimes = %v, %v; want %v of dev-01", got, err, want)
		}
	})
}

func TestRunsSinceAreInTheOrderInWhichTheyWereDue(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		old, missed := newRun("dev-01", plan.Stop, t0.Add(-time.Microsecond)), newRun("dev-01", plan.Stop, t0)
		missed.State, missed.FinishedAt = scheduler.Missed, t0
		early := newRun("dev-01", plan.Start, t0.Add(time.Hour))
		early.DueAt = t0.Add(time.Microsecond)
		b.tick(time.Time{}, t0, old, missed, early, newRun("dev-02", plan.Stop, t0), newRun("dev-03", plan.Stop, t0))
		manual := newRun("dev-01", plan.Stop, t0.Add(time.Minute))
		manual.Schedule = ""
		if _, err := b.Runs.InsertManual(t.Context(), manual, nil); err != nil {
			t.Fatal(err)
		}
		got, err := b.Runs.Since(t.Context(), []string{"dev-01", "dev-02", "dev-04"}, t0)
		if err != nil || len(got) != 2 || len(got["dev-02"]) != 1 {
			t.Fatalf("Since = %+v, %v; want those of dev-01 and dev-02", got, err)
		}
		if runs := got["dev-01"]; len(runs) != 2 || runs[0].ID != early.ID || runs[1].ID != manual.ID {
			t.Errorf("runs of dev-01 = %+v, want the early start, then the stop", runs)
		}
	})
}

func TestRunsArePagedNewestFirstAndFiltered(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var want []string
		from := time.Time{}
		for i := range 5 {
			at := t0.Add(time.Duration(i) * time.Hour)
			r := newRun(fmt.Sprintf("dev-%02d", i%2), plan.Stop, at)
			b.tick(from, at, r)
			want, from = append(want, r.ID), at
		}
		slices.Reverse(want)
		var got []string
		cursor := ""
		for {
			runs, next, err := b.Runs.List(t.Context(), scheduler.RunFilter{Limit: 2, Cursor: cursor})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range runs {
				got = append(got, r.ID)
			}
			if cursor = next; next == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages = %v, want %v", got, want)
		}
		filtered, _, err := b.Runs.List(t.Context(), scheduler.RunFilter{Environment: "dev-00", Since: t0.Add(time.Hour), State: scheduler.Queued})
		if err != nil || len(filtered) != 1 || filtered[0].ID != want[0] {
			t.Errorf("filtered = %+v, %v; want the newest only", filtered, err)
		}
	})
}

func TestSinceSelectsByTheFireEvenOfRunsWrittenBeforeIt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		now := time.Now().UTC().Truncate(time.Microsecond) // ids are made by the clock
		early, late := newRun("dev-01", plan.Start, now.Add(24*time.Hour)), newRun("dev-02", plan.Start, now.Add(-time.Hour))
		b.tick(time.Time{}, now, early, late)
		for _, tt := range []struct {
			since time.Time
			want  string
		}{
			{now.Add(-2 * time.Hour), "dev-02 dev-01"},
			{now, "dev-01"},
			{now.Add(24 * time.Hour), "dev-01"},
			{now.Add(25 * time.Hour), ""},
		} {
			var got []string
			for _, r := range b.runs(t, scheduler.RunFilter{Since: tt.since}) {
				got = append(got, r.Environment)
			}
			slices.Sort(got)
			slices.Reverse(got)
			if strings.Join(got, " ") != tt.want {
				t.Errorf("since %v: %v, want %s", tt.since.Sub(now), got, tt.want)
			}
		}
	})
}

func TestHistoryIsPrunedInBatches(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var old []scheduler.Run
		for i := range 501 {
			r := newRun(fmt.Sprintf("dev-%03d", i), plan.Stop, t0)
			r.State, r.FinishedAt = scheduler.Missed, t0
			old = append(old, r)
		}
		open, recent := newRun("open", plan.Stop, t0), newRun("recent", plan.Stop, t0)
		recent.State, recent.FinishedAt = scheduler.Missed, t0.Add(2*time.Hour)
		b.tick(time.Time{}, t0, append(old, open, recent)...)
		b.settle(b.reserve(open, t0).Call, scheduler.OutcomeAccepted, t0)
		var steps []int
		for {
			n, err := b.PruneHistory(t.Context(), t0.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			steps = append(steps, n)
		}
		if !slices.Equal(steps, []int{500, 1}) {
			t.Errorf("removed %v, want batches of 500 and 1", steps)
		}
		left := b.runs(t, scheduler.RunFilter{})
		if len(left) != 2 || len(b.run(open.ID).Attempts) != 1 {
			t.Errorf("left are %+v, want the unfinished run with its call, and the recent one", left)
		}
	})
}

func TestRunIsFoundByTheBeginOrTheEndOfItsID(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ids := []string{"019ac36b-1000-7000-8000-0000aaaa1111", "019ac36b-1000-7000-8000-0000bbbb1111", "019ac36b-2000-7000-8000-0000cccc2222"}
		var runs []scheduler.Run
		for i, id := range ids {
			r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
			r.ID = id
			runs = append(runs, r)
		}
		b.tick(time.Time{}, t0, runs...)
		tests := []struct{ name, id, want, says string }{
			{"all of it", ids[0], ids[0], ""},
			{"the end", "aaaa1111", ids[0], ""},
			{"the end in capitals", "AAAA1111", ids[0], ""},
			{"the begin", "019ac36b-2", ids[2], ""},
			{"an end of two runs", "1111", "", ids[1] + ", " + ids[0]},
			{"a begin of all", "019ac36b", "", "want more of it"},
			{"too short", "222", "", "no such run"},
			{"the middle", "8000-0000cccc", "", "no such run"},
			{"a pattern", "____", "", "no such run"},
			{"of no run", "dddd3333", "", "no such run"},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				got, err := b.Runs.Run(t.Context(), tt.id)
				if tt.says == "no such run" {
					if !errors.Is(err, scheduler.ErrNoRun) {
						t.Errorf("Run(%q) = %s, %v, want ErrNoRun", tt.id, got.ID, err)
					}
					return
				}
				if got.ID != tt.want || (tt.says == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.says) {
					t.Errorf("Run(%q) = %s, %v, want %s %s", tt.id, got.ID, err, tt.want, tt.says)
				}
			})
		}
	})
}

func TestLastManualRunsAreThoseThatStand(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		write := func(environment string, action plan.Action, after time.Duration, state scheduler.State) scheduler.Run {
			r := newRun(environment, action, t0.Add(after))
			r.Trigger, r.State, r.Schedule = scheduler.TriggerManual, state, ""
			if _, err := b.Runs.InsertManual(t.Context(), r, nil); err != nil {
				t.Fatal(err)
			}
			return r
		}
		b.tick(time.Time{}, t0, newRun("dev-03", plan.Stop, t0))
		write("dev-01", plan.Start, 1, scheduler.Succeeded)
		stop := write("dev-01", plan.Stop, 2, scheduler.Succeeded)
		start := write("dev-02", plan.Start, 3, scheduler.Succeeded)
		write("dev-02", plan.Stop, 4, scheduler.Canceled)
		write("dev-02", plan.Stop, 5, scheduler.Failed)
		got, err := b.Runs.LastManual(t.Context())
		if err != nil || len(got) != 2 || got[0].ID != stop.ID || got[1].ID != start.ID {
			t.Errorf("LastManual = %+v, %v, want %s and %s", got, err, stop.ID, start.ID)
		}
	})
}

func TestLastFailedAreThoseThatNothingCameAfter(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		now, last := time.Now().Truncate(time.Microsecond), time.Time{}
		write := func(environment string, ago time.Duration, states ...scheduler.State) {
			t.Helper()
			for i, state := range states {
				r := newRun(environment, plan.Stop, now.Add(time.Duration(i)*time.Second-ago))
				r.State = state
				if state.Finished() {
					r.FinishedAt = now
				}
				b.tick(last, now, r)
				last = now
			}
		}
		write("fails", time.Hour, scheduler.Succeeded, scheduler.Failed)
		write("missed", time.Hour, scheduler.Failed, scheduler.Missed)
		write("canceled-since", time.Hour, scheduler.Failed, scheduler.Canceled, scheduler.Skipped)
		write("well-again", time.Hour, scheduler.Failed, scheduler.Succeeded)
		write("tries-again", time.Hour, scheduler.Failed, scheduler.Queued)
		write("long-ago", 48*time.Hour, scheduler.Failed)
		write("fine", time.Hour, scheduler.Succeeded)
		found, err := b.Runs.LastFailed(t.Context(), now.Add(-24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range found {
			got = append(got, r.Environment+" "+string(r.State))
		}
		if want := []string{"canceled-since failed", "missed missed", "fails failed"}; !slices.Equal(got, want) {
			t.Errorf("the last that failed are %q, want %q", got, want)
		}
	})
}
