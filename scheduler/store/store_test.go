package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

var t0 = time.Date(2026, 11, 23, 19, 0, 0, 0, time.UTC)

func newRun(env string, action plan.Action, at time.Time) scheduler.Run {
	return scheduler.Run{
		ID: uuid.Must(uuid.NewV7()).String(), Environment: env, Project: "contoso", Schedule: "office-hours", Action: action,
		Trigger: scheduler.TriggerSchedule, State: scheduler.Queued, FireAt: at, CreatedAt: at,
	}
}

func (b *bench) tick(from, to time.Time, runs ...scheduler.Run) scheduler.TickResult {
	b.t.Helper()
	res, err := b.CommitTick(b.t.Context(), scheduler.Cursor{At: from}, to, runs)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

func (b *bench) run(id string) scheduler.Run {
	b.t.Helper()
	r, err := b.Run(b.t.Context(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

func (b *bench) reserve(r scheduler.Run, at time.Time, accounts ...string) scheduler.Grant {
	b.t.Helper()
	if len(accounts) == 0 {
		accounts = []string{"main"}
	}
	r = b.run(r.ID)
	g, err := b.Reserve(b.t.Context(), scheduler.Reservation{
		Now: at, Kind: lcs.CallKind(r.Action), Accounts: accounts, Project: 1, Environment: r.Environment, Run: &r, Rivals: []scheduler.Rival{{Name: "contoso", ID: 1, Accounts: accounts}},
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return g
}

func (b *bench) settle(c *scheduler.Call, outcome scheduler.Outcome, at time.Time) {
	b.t.Helper()
	c.Done, c.Outcome = at, outcome
	if err := b.Settle(b.t.Context(), *c, nil); err != nil {
		b.t.Fatal(err)
	}
}

func TestTickIsWrittenOnceWhateverIsRepeated(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		if got := b.tick(time.Time{}, t0, r); len(got.Written) != 1 {
			t.Fatalf("first tick wrote %d runs, want 1", len(got.Written))
		}
		if _, err := b.CommitTick(t.Context(), scheduler.Cursor{}, t0, []scheduler.Run{r}); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("the same tick again: %v, want ErrStale", err)
		}
		again := newRun("dev-01", plan.Stop, t0) // another id, the same fire
		if got := b.tick(t0, t0.Add(time.Minute), again); len(got.Written) != 0 {
			t.Errorf("the same fire in a later tick wrote %d runs, want 0", len(got.Written))
		}
		b.reopen()
		if got, err := b.Cursor(t.Context()); err != nil || !got.At.Equal(t0.Add(time.Minute)) {
			t.Errorf("cursor after a restart = %v, %v", got, err)
		}
		if runs, _, err := b.Runs(t.Context(), scheduler.RunFilter{}); err != nil || len(runs) != 1 || runs[0].ID != r.ID {
			t.Errorf("runs = %+v, %v, want the first one only", runs, err)
		}
	})
}

func TestLaterRunSupersedesOlderUnfinishedOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		stop, start := newRun("dev-01", plan.Stop, t0), newRun("dev-01", plan.Start, t0.Add(time.Hour))
		other := newRun("dev-02", plan.Stop, t0)
		b.tick(time.Time{}, t0, stop, other)
		res := b.tick(t0, t0.Add(time.Hour), start)
		if len(res.Superseded) != 1 || res.Superseded[0].ID != stop.ID {
			t.Fatalf("superseded = %+v, want the stop of dev-01", res.Superseded)
		}
		got := b.run(stop.ID)
		if got.State != scheduler.Canceled || got.SupersededBy != start.ID || got.FinishedAt.IsZero() {
			t.Errorf("old run = %+v, want canceled with its successor", got)
		}
		if got := b.run(other.ID); got.State != scheduler.Queued {
			t.Errorf("run of another environment = %s, want queued", got.State)
		}
		got.Generation = 1
		if err := b.SaveRun(t.Context(), got); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("writing a superseded run: %v, want ErrStale", err)
		}
	})
}

func TestRunOlderThanOneAlreadyThereIsBornSuperseded(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		newer, older := newRun("dev-01", plan.Start, t0.Add(time.Hour)), newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, newer)
		b.tick(t0, t0.Add(time.Hour), older)
		if got := b.run(older.ID); got.State != scheduler.Canceled || got.SupersededBy != newer.ID {
			t.Errorf("older run = %s superseded by %q, want canceled by %q", got.State, got.SupersededBy, newer.ID)
		}
		if got := b.run(newer.ID); got.State != scheduler.Queued {
			t.Errorf("newer run = %s, want queued", got.State)
		}
	})
}

func TestQuotaHoldsAcrossRestart(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var runs []scheduler.Run
		for i := range 32 {
			runs = append(runs, newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0))
		}
		b.tick(time.Time{}, t0, runs...)
		for i, r := range runs[:30] {
			g := b.reserve(r, t0)
			if g.Call == nil {
				t.Fatalf("call %d was not granted: %+v", i+1, g)
			}
			b.settle(g.Call, scheduler.OutcomeAccepted, t0.Add(time.Second))
		}
		b.reopen()
		free := t0.Add(time.Second + 30*time.Minute + time.Second)
		if g := b.reserve(runs[30], t0.Add(2*time.Second)); g.Call != nil || !g.At.Equal(free) || g.Reason != scheduler.WaitQuota {
			t.Errorf("call 31 = %+v, want a wait for quota until %v", g, free)
		}
		if g := b.reserve(runs[30], free.Add(-time.Millisecond)); g.Call != nil {
			t.Error("call 31 was granted before the window had passed")
		}
		if g := b.reserve(runs[31], t0.Add(2*time.Second), "main", "second"); g.Call == nil || g.Call.Account != "second" {
			t.Errorf("call with a second account = %+v, want one of second", g)
		}
		if g := b.reserve(runs[30], free); g.Call == nil {
			t.Errorf("call 31 after the window = %+v, want a call", g)
		}
	})
}

func TestEnvironmentTakesOneCallOfAVerbInFiveMinutes(t *testing.T) {
	tests := []struct {
		name    string
		outcome scheduler.Outcome
		wait    time.Duration
	}{
		{"an accepted call counts", scheduler.OutcomeAccepted, 5*time.Minute + time.Second},
		{"a refused call counts, for LCS may count it", scheduler.OutcomeRefused, 5*time.Minute + time.Second},
		{"a call without an answer counts", scheduler.OutcomeAmbiguous, 5*time.Minute + time.Second},
		{"a throttled call does not count", scheduler.OutcomeThrottled, 0},
		{"a call that never left does not count", scheduler.OutcomeUnsent, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				b.tick(time.Time{}, t0, r)
				b.settle(b.reserve(r, t0).Call, tt.outcome, t0)
				now := t0.Add(time.Minute)
				got := b.reserve(r, now)
				if tt.wait == 0 && got.Call == nil {
					t.Errorf("next call = %+v, want it granted", got)
				}
				if want := t0.Add(tt.wait); tt.wait > 0 && (got.Call != nil || !got.At.Equal(want)) {
					t.Errorf("next call = %+v, want a wait until %v", got, want)
				}
			})
		})
	}
}

func TestBetterRankedRunGoesFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		var runs []scheduler.Run
		for i := range 31 {
			r := newRun(fmt.Sprintf("dev-%02d", i), plan.Stop, t0)
			r.Rank = float64(-i) // the last is the dearest
			runs = append(runs, r)
		}
		b.tick(time.Time{}, t0, runs...)
		if g := b.reserve(runs[0], t0); g.Call != nil || !g.At.After(t0) {
			t.Errorf("the cheapest of 31 = %+v, want it to wait for the 30 others", g)
		}
		if g := b.reserve(runs[1], t0); g.Call == nil {
			t.Errorf("the thirtieth of 31 = %+v, want a call", g)
		}
		busy := b.run(runs[30].ID)
		busy.Waiting = scheduler.WaitBusy
		if err := b.SaveRun(t.Context(), busy); err != nil {
			t.Fatal(err)
		}
		if g := b.reserve(runs[0], t0); g.Call == nil {
			t.Errorf("the cheapest while a dearer one is busy = %+v, want a call", g)
		}
	})
}

func TestMetadataIsLimitedPerProject(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		ask := func(project int64, at time.Time) scheduler.Grant {
			t.Helper()
			g, err := b.Reserve(t.Context(), scheduler.Reservation{Now: at, Kind: lcs.CallMetadata, Accounts: []string{"main"}, Project: project})
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		for range 6 {
			b.settle(ask(1, t0).Call, scheduler.OutcomeAccepted, t0)
		}
		if g := ask(1, t0.Add(59*time.Second)); g.Call != nil || !g.At.Equal(t0.Add(61*time.Second)) {
			t.Errorf("seventh call in a minute = %+v, want a wait until the minute has passed", g)
		}
		if g := ask(2, t0); g.Call == nil {
			t.Errorf("call of another project = %+v, want it granted", g)
		}
	})
}

func TestHoldsForbidCalls(t *testing.T) {
	until := t0.Add(time.Hour)
	tests := []struct {
		name, scope string
		reason      scheduler.WaitReason
	}{
		{"an account that cannot sign in", scheduler.AccountHold("main"), scheduler.WaitAccount},
		{"an account that LCS does not accept for the project", scheduler.MemberHold("main", 1), scheduler.WaitAccount},
		{"a throttled environment", scheduler.EnvironmentHold("dev-01", lcs.CallStop), scheduler.WaitThrottle},
		{"a throttled verb of an account", scheduler.VerbHold("main", lcs.CallStop), scheduler.WaitQuota},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, b *bench) {
				r := newRun("dev-01", plan.Stop, t0)
				b.tick(time.Time{}, t0, r)
				if err := b.Hold(t.Context(), scheduler.Hold{Scope: tt.scope, Until: until, Reason: "why"}); err != nil {
					t.Fatal(err)
				}
				if g := b.reserve(r, t0); g.Call != nil || !g.At.Equal(until) || g.Reason != tt.reason {
					t.Errorf("call = %+v, want a wait for %s until %v", g, tt.reason, until)
				}
				if g := b.reserve(r, until); g.Call == nil {
					t.Errorf("call after the hold = %+v, want it granted", g)
				}
			})
		})
	}
}

func TestHoldOfOneProjectLeavesOthersAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		if err := b.Hold(t.Context(), scheduler.Hold{Scope: scheduler.MemberHold("main", 2), Until: t0.Add(time.Hour), Reason: "no member"}); err != nil {
			t.Fatal(err)
		}
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		if g := b.reserve(r, t0); g.Call == nil {
			t.Errorf("call in project 1 while the account is held in project 2 = %+v, want it granted", g)
		}
	})
}

func TestCallsThatADeadProcessLeftBecomeAmbiguousAndItsRunsGetNewTickets(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		if _, _, err := b.Recover(t.Context(), t0); err != nil { // takes the lease, where there is one
			t.Fatal(err)
		}
		b.tick(time.Time{}, t0, r)
		b.abandon(r)
		if got := b.runs(t, scheduler.RunFilter{}); len(got) != 1 || got[0].Generation != 2 {
			t.Fatalf("runs = %+v, want one of generation 2", got)
		}
		last, ok, err := b.LastCall(t.Context(), 1, "dev-01")
		if err != nil || !ok || last.Outcome != scheduler.OutcomeAmbiguous || last.Run != r.ID {
			t.Errorf("last call = %+v, %v, %v; want it ambiguous", last, ok, err)
		}
		got := b.run(r.ID)
		if got.State != scheduler.Running || got.Tries != 1 || len(got.Attempts) != 1 {
			t.Errorf("run = %+v, want it running, with one attempt", got)
		}
		if g := b.reserve(got, t0.Add(2*time.Minute)); g.Call != nil {
			t.Error("a second call was granted right after one of unknown end")
		}
		b.workUntil(scheduler.Ticket{Run: r.ID, Generation: 2})
	})
}

func (b *bench) runs(t *testing.T, f scheduler.RunFilter) []scheduler.Run {
	t.Helper()
	runs, _, err := b.Runs(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return runs
}

// abandon has the run's step reserve a call and then never end, in a process that
// is taken for dead; another one takes over.
func (b *bench) abandon(r scheduler.Run) {
	b.t.Helper()
	dead := b.Store
	ctx, kill := context.WithCancel(context.WithoutCancel(b.t.Context()))
	working := make(chan struct{})
	ended := make(chan error, 1)
	go func() {
		ended <- dead.Work(ctx, func(context.Context, scheduler.Ticket) (time.Duration, error) {
			b.reserve(r, t0) //nolint:contextcheck // of the test, which outlives the step
			close(working)
			<-ctx.Done() // a step that does not come back
			return 0, ctx.Err()
		})
	}()
	<-working
	if !strings.HasPrefix(b.dsn, "postgres://") { // the lock is all that tells; no process can have it twice
		kill()
		<-ended
		b.reopen()
		if _, _, err := b.Recover(b.t.Context(), t0.Add(time.Minute)); err != nil {
			b.t.Fatal(err)
		}
		return
	}
	b.t.Cleanup(func() { kill(); <-ended; _ = dead.Close() })
	b.expire()
	b.open()
	if runs, calls, err := b.Recover(b.t.Context(), t0.Add(time.Minute)); runs != 1 || calls != 1 || err != nil {
		b.t.Fatalf("Recover = %d runs, %d calls, %v; want 1 and 1", runs, calls, err)
	}
}

// expire ends every lease, as silence does.
func (b *bench) expire() { b.exec(`UPDATE replicas SET id = 'gone', seen_at = 0`) }

// workUntil works until each of the tickets was given to a worker.
func (b *bench) workUntil(want ...scheduler.Ticket) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	var got []scheduler.Ticket
	err := b.Work(ctx, func(_ context.Context, ticket scheduler.Ticket) (time.Duration, error) {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, ticket)
		want = slices.DeleteFunc(want, func(t scheduler.Ticket) bool { return t == ticket })
		if len(want) == 0 {
			cancel()
		}
		return 0, nil
	})
	if err != nil || len(want) > 0 {
		b.t.Fatalf("Work = %v; tickets %v never came, only %v", err, want, got)
	}
}

func TestTicketComesAgainAfterAWaitAndAfterAnError(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		r := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, r)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		steps := 0
		err := b.Work(ctx, func(context.Context, scheduler.Ticket) (time.Duration, error) {
			steps++
			if steps == 3 {
				cancel()
			}
			return 20 * time.Millisecond, nil
		})
		if err != nil || steps < 3 {
			t.Errorf("Work = %v after %d steps, want 3 steps", err, steps)
		}
	})
}

// discard does what River does with a job that failed too often.
func (b *bench) discard(run string) {
	b.t.Helper()
	where := `json_extract(args, '$.run') = '` + run + `'`
	if strings.HasPrefix(b.dsn, "postgres://") {
		where = `args->>'run' = '` + run + `'`
	}
	b.exec(`UPDATE river_job SET state = 'discarded', finalized_at = '2026-01-01' WHERE ` + where)
}

func TestRunThatLostItsTicketGetsANewOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		kept, lost := newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0)
		b.tick(time.Time{}, t0, kept, lost)
		if n, err := b.Reissue(t.Context()); n != 0 || err != nil {
			t.Fatalf("Reissue = %d, %v; want nothing to do", n, err)
		}
		b.discard(lost.ID)
		if n, err := b.Reissue(t.Context()); n != 1 || err != nil {
			t.Errorf("Reissue = %d, %v; want one new ticket", n, err)
		}
		b.workUntil(scheduler.Ticket{Run: kept.ID, Generation: 1}, scheduler.Ticket{Run: lost.ID, Generation: 1})
	})
}

func TestSettleWritesTheCallEvenIfTheRunIsStale(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		stop := newRun("dev-01", plan.Stop, t0)
		b.tick(time.Time{}, t0, stop)
		g := b.reserve(stop, t0)
		b.tick(t0, t0.Add(time.Minute), newRun("dev-01", plan.Start, t0.Add(time.Minute)))
		call, run := *g.Call, b.run(stop.ID)
		call.Outcome, call.Done, call.ActivityID = scheduler.OutcomeAccepted, t0.Add(2*time.Minute), "activity"
		if err := b.Settle(t.Context(), call, &run); !errors.Is(err, scheduler.ErrStale) {
			t.Errorf("Settle = %v, want ErrStale", err)
		}
		got := b.run(stop.ID)
		if got.State != scheduler.Canceled || len(got.Attempts) != 1 || got.Attempts[0].OperationActivityID != "activity" {
			t.Errorf("run = %+v, want it canceled, with its accepted attempt", got)
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
			runs, next, err := b.Runs(t.Context(), scheduler.RunFilter{Limit: 2, Cursor: cursor})
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
		filtered, _, err := b.Runs(t.Context(), scheduler.RunFilter{Environment: "dev-00", Since: t0.Add(time.Hour), State: scheduler.Queued})
		if err != nil || len(filtered) != 1 || filtered[0].ID != want[0] {
			t.Errorf("filtered = %+v, %v; want the newest only", filtered, err)
		}
	})
}

func TestRulesKeepTheirInstantUntilTheyChange(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		same, edited := scheduler.Rule{Name: "a", Environment: "dev-01", Fingerprint: "1"}, scheduler.Rule{Name: "b", Environment: "dev-01", Fingerprint: "1"}
		sync := func(now time.Time, rules ...scheduler.Rule) map[scheduler.Rule]time.Time {
			t.Helper()
			since, err := b.SyncRules(t.Context(), now, rules)
			if err != nil {
				t.Fatal(err)
			}
			return since
		}
		sync(t0, same, edited)
		b.reopen()
		edited.Fingerprint = "2"
		later := t0.Add(time.Hour)
		since := sync(later, same, edited)
		if !since[same].Equal(t0) || !since[edited].Equal(later) {
			t.Errorf("since = %v, want the unchanged rule at %v, the edited one at %v", since, t0, later)
		}
		sync(later, same)
		if since := sync(later.Add(time.Hour), same, edited); !since[edited].Equal(later.Add(time.Hour)) {
			t.Errorf("a rule that was away stands since %v, want its return", since[edited])
		}
	})
}

func TestOlderObservationNeverReplacesANewerOne(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		see := func(at time.Time, c lcs.Condition, page int) {
			t.Helper()
			if err := b.Observe(t.Context(), []scheduler.Observation{{Project: 1, ID: "e1", Page: page, At: at, Condition: c}}); err != nil {
				t.Fatal(err)
			}
		}
		see(t0.Add(time.Minute), lcs.Stopped, 3)
		see(t0, lcs.Running, 3)
		see(t0.Add(2*time.Minute), lcs.Stopped, 0) // read by id: its page is still known
		got, err := b.Observation(t.Context(), 1, "e1")
		if err != nil || got.Condition != lcs.Stopped || got.Page != 3 || !got.At.Equal(t0.Add(2*time.Minute)) {
			t.Errorf("observation = %+v, %v", got, err)
		}
	})
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	dir := t.TempDir()
	inUse := filepath.Join(dir, "used.db")
	first, err := store.Open(t.Context(), store.Options{DSN: inUse})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	link, linked := filepath.Join(dir, "link.db"), filepath.Join(t.TempDir(), "folder")
	for from, to := range map[string]string{link: inUse, linked: dir} {
		if err := os.Symlink(to, from); err != nil {
			t.Fatal(err)
		}
	}
	garbage := filepath.Join(dir, "garbage.db")
	writeFile(t, garbage, strings.Repeat("this is no database\n", 400))
	tests := []struct{ name, dsn, want string }{
		{"a second daemon on one file", inUse, "another curfew is using it"},
		{"a second daemon by another name of the file", link, "another curfew is using it"},
		{"a second daemon by another name of the folder", filepath.Join(linked, "used.db"), "another curfew is using it"},
		{"a file that is no database", garbage, "restore it from a back-up"},
		{"a directory", dir, "open database"},
		{"another kind of database", "mysql://localhost/curfew", "mysql:// is not supported"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := store.Open(t.Context(), store.Options{DSN: tt.dsn})
			if err == nil {
				_ = s.Close()
				t.Fatal("Open gave no error")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Open = %q, want it to say %q", err, tt.want)
			}
		})
	}
	if got := readFile(t, garbage); got != strings.Repeat("this is no database\n", 400) {
		t.Error("the file that is no database was changed")
	}
}

func TestPlaceShowsNoPassword(t *testing.T) {
	tests := []struct{ name, dsn, want string }{
		{"a file", "/var/lib/curfew.db", "/var/lib/curfew.db"},
		{"a URL without a password", "postgres://db:5432/curfew", "postgres://db:5432/curfew"},
		{"a password", "postgres://curfew:secret@db/curfew?sslmode=require", "postgres://curfew:REDACTED@db/curfew"},
		{"a password with a question mark", "postgres://curfew:sec?ret@db/curfew?sslmode=require", "postgres://curfew:REDACTED@db/curfew"},
		{"a password with a slash", "postgres://curfew:sec/ret@db/curfew", "postgres://curfew:REDACTED@db/curfew"},
		{"a password with an at sign", "postgres://curfew:sec@ret@db/curfew", "postgres://curfew:REDACTED@db/curfew"},
		{"a password among the parameters", "postgres://db/curfew?user=curfew&password=sec@ret", "postgres://db/curfew"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := store.Place(tt.dsn); got != tt.want {
				t.Errorf("Place(%q) = %q, want %q", tt.dsn, got, tt.want)
			}
		})
	}
}
