package store_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/store"
)

// toOps addresses every event to one receiver, under the event's kind.
func toOps(wait, again time.Duration) func([]scheduler.Event) []scheduler.Addressed {
	return func(events []scheduler.Event) []scheduler.Addressed {
		var list []scheduler.Addressed
		for _, e := range events {
			list = append(list, scheduler.Addressed{
				Event: e.ID, Receiver: "ops", Topic: string(e.Kind), Wait: wait, Again: again, Fire: scheduler.Fire{Action: e.Action, At: e.FireAt},
			})
		}
		return list
	}
}

func (b *bench) append(events ...scheduler.Event) {
	b.t.Helper()
	if err := b.Events.Append(b.t.Context(), events...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) address(now time.Time, wait, again time.Duration) int {
	b.t.Helper()
	n, err := b.Deliveries.Address(b.t.Context(), now, toOps(wait, again))
	if err != nil {
		b.t.Fatal(err)
	}
	return n
}

// takeDue returns the reasons of the events of the delivery that is due, "" when none is.
func (b *bench) takeDue(now time.Time) (id, reasons string) {
	b.t.Helper()
	d, err := b.Deliveries.Claim(b.t.Context(), "ops", now)
	if err != nil {
		b.t.Fatal(err)
	}
	if d == nil {
		return "", ""
	}
	for _, e := range d.Events {
		reasons += e.Reason
	}
	return d.ID, reasons
}

func (b *bench) deliver(id string, result scheduler.DeliveryResult, message string) {
	b.t.Helper()
	if err := b.Deliveries.Settle(b.t.Context(), id, result, message, t0); err != nil {
		b.t.Fatal(err)
	}
}

func warning(reason string) scheduler.Event {
	return scheduler.Event{Kind: scheduler.EventWarning, At: t0, Reason: reason}
}

func TestEventsOfATopicAreOneDelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"), warning("b"))
		if n := b.address(t0, time.Minute, time.Hour); n != 2 {
			t.Errorf("addressed %d events, want 2", n)
		}
		b.append(warning("c"))
		b.address(t0.Add(30*time.Second), time.Minute, time.Hour)
		if n := b.address(t0, 0, 0); n != 0 {
			t.Errorf("addressed %d events again, want none", n)
		}
		if _, got := b.takeDue(t0.Add(59 * time.Second)); got != "" {
			t.Errorf("claimed %q before it was due", got)
		}
		id, got := b.takeDue(t0.Add(time.Minute))
		if got != "abc" {
			t.Errorf("claimed %q, want all that came before", got)
		}
		b.append(warning("d")) // the message is under way
		b.address(t0.Add(time.Minute), time.Minute, time.Hour)
		b.deliver(id, scheduler.Delivered, "")
		if _, got := b.takeDue(t0.Add(time.Hour)); got != "" {
			t.Errorf("claimed %q, want what comes later to wait for longer", got)
		}
		if _, got := b.takeDue(t0.Add(time.Minute + time.Hour)); got != "d" {
			t.Errorf("claimed %q, want d", got)
		}
	})
}

// An event can be committed after a later one: its id is then smaller than what was read.
func TestEventThatIsCommittedLateIsAddressed(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		early := uuid.Must(uuid.NewV7()).String()
		b.append(warning("later"))
		b.address(t0, 0, 0)
		id, _ := b.takeDue(t0)
		b.deliver(id, scheduler.Delivered, "")
		b.append(warning("early"))
		if err := b.Exec(t.Context(), `UPDATE events SET id = '`+early+`' WHERE reason = 'early'`); err != nil {
			t.Fatal(err)
		}
		b.address(t0, 0, 0)
		if _, got := b.takeDue(t0); got != "early" {
			t.Errorf("claimed %q, want the event with the smaller id", got)
		}
	})
}

func TestEventsOfVersionsBeforeAreNotDelivered(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		err := b.Exec(t.Context(), `INSERT INTO events (id, kind, at, by_name, by_via, environment, run, override, account, reason, next_step) VALUES ('a', 'failed', 1, '', '', '', '', '', '', '', '')`)
		if err != nil {
			t.Fatal(err)
		}
		if n := b.address(t0, 0, 0); n != 0 {
			t.Errorf("addressed %d events, want none of those that no version with notices wrote", n)
		}
	})
}

func TestDeliveryOfAFireIsDueWhenTheFireIsDone(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		one, two := newRun("dev-01", plan.Stop, t0), newRun("dev-02", plan.Stop, t0)
		b.tick(time.Time{}, t0, one, two)
		event := func(r scheduler.Run) scheduler.Event {
			return scheduler.Event{Kind: scheduler.EventSucceeded, At: t0, Run: r.ID, Reason: r.Environment, Action: r.Action, FireAt: t0}
		}
		b.append(event(one))
		b.address(t0, 24*time.Hour, 24*time.Hour)
		cancel := func(r scheduler.Run) {
			if _, err := b.Runs.Cancel(t.Context(), r.ID, t0, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		cancel(one)
		if _, got := b.takeDue(t0.Add(time.Hour)); got != "" {
			t.Errorf("claimed %q while a run of the fire is unfinished", got)
		}
		cancel(two)
		b.append(event(two))
		if _, got := b.takeDue(t0.Add(time.Hour)); got != "" {
			t.Errorf("claimed %q while an event of the fire is not addressed", got)
		}
		b.address(t0, 24*time.Hour, 24*time.Hour)
		if _, got := b.takeDue(t0.Add(-time.Minute)); got != "" {
			t.Errorf("claimed %q before the fire: more starts may be made early for it", got)
		}
		if _, got := b.takeDue(t0); got != "dev-01dev-02" {
			t.Errorf("claimed %q, want both", got)
		}
	})
}

func TestDeliveryIsTakenByOneAtATime(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"))
		b.address(t0, 0, 0)
		id, got := b.takeDue(t0)
		if got != "a" {
			t.Fatalf("claimed %q, want a", got)
		}
		if _, got := b.takeDue(t0); got != "" {
			t.Errorf("claimed %q twice", got)
		}
		b.deliver(id, scheduler.Retried, "down")
		again, got := b.takeDue(t0)
		if again != id || got != "a" {
			t.Errorf("claimed %q after a failed try, want the same again", got)
		}
		b.deliver(id, scheduler.Delivered, "")
		b.deliver(id, scheduler.Retried, "late") // of a process that was taken for dead
		if _, got := b.takeDue(t0.Add(time.Hour)); got != "" {
			t.Errorf("claimed %q after it was delivered", got)
		}
	})
}

func TestDeliveryOfADeadProcessIsTakenAgain(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"))
		b.address(t0, 0, 0)
		id, _ := b.takeDue(t0) // and then it is killed
		b.reopen()
		if again, got := b.takeDue(t0); again != id || got != "a" {
			t.Errorf("claimed %q after a restart, want what was under way", got)
		}
		d, err := b.Deliveries.Delivery(t.Context(), id)
		if err != nil || d == nil || d.Tries != 2 || !d.FirstTry.Equal(t0) {
			t.Errorf("delivery = %+v, %v; want two tries since %v", d, err, t0)
		}
	})
}

func TestDeliveriesWithTheFewestTriesGoFirst(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"))
		b.address(t0, 0, 0)
		id, _ := b.takeDue(t0)
		b.deliver(id, scheduler.Retried, "it does not like this one")
		b.append(warning("b"))
		b.address(t0, 0, 0)
		if _, got := b.takeDue(t0); got != "b" {
			t.Errorf("claimed %q, want the one that was not tried yet", got)
		}
	})
}

func TestBacklogsSayWhatFails(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"))
		b.address(t0, 0, 0)
		id, _ := b.takeDue(t0)
		b.deliver(id, scheduler.Retried, "down")
		b.append(warning("b"))
		b.address(t0, 0, 0)
		want := []scheduler.Backlog{{Receiver: "ops", Pending: 2, Failing: t0, Message: "down"}}
		if got, err := b.Deliveries.Backlogs(t.Context()); err != nil || !slices.Equal(got, want) {
			t.Errorf("backlogs = %+v, %v; want %+v", got, err, want)
		}
		for range 2 {
			id, _ = b.takeDue(t0)
			b.deliver(id, scheduler.GivenUp, "down for an hour")
		}
		if got, err := b.Deliveries.Backlogs(t.Context()); err != nil || len(got) != 0 {
			t.Errorf("backlogs = %+v, %v; want none", got, err)
		}
		if message, since, err := b.Deliveries.LastFailure(t.Context(), "ops"); message != "down for an hour" || !since.Equal(t0) || err != nil {
			t.Errorf("last failure = %q since %v, %v", message, since, err)
		}
	})
}

func TestDroppedDeliverySaysWhyItsLastTryFailed(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"))
		b.address(t0, 0, 0)
		for _, result := range []scheduler.DeliveryResult{scheduler.Retried, scheduler.Dropped} {
			id, _ := b.takeDue(t0)
			b.deliver(id, result, map[scheduler.DeliveryResult]string{scheduler.Retried: "down", scheduler.Dropped: "its stop is over"}[result])
		}
		if message, since, err := b.Deliveries.LastFailure(t.Context(), "ops"); message != "down" || !since.Equal(t0) || err != nil {
			t.Errorf("last failure = %q since %v, %v; want that of the try", message, since, err)
		}
	})
}

func TestStopIsWarnedOfOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		stop := func(env string, at time.Time) scheduler.Event {
			return scheduler.Event{Kind: scheduler.EventStopping, At: t0, Environment: env, FireAt: at}
		}
		for _, tt := range []struct {
			events []scheduler.Event
			want   int
		}{
			{[]scheduler.Event{stop("a", t0), stop("b", t0)}, 2},
			{[]scheduler.Event{stop("a", t0), stop("c", t0)}, 1},
			{[]scheduler.Event{stop("a", t0.Add(time.Hour))}, 1}, // it was moved
			{nil, 0},
		} {
			if n, err := b.Deliveries.Warn(t.Context(), tt.events); n != tt.want || err != nil {
				t.Errorf("Warn = %d, %v; want %d", n, err, tt.want)
			}
		}
		if n := b.count(`SELECT COUNT(*) FROM events`); n != 4 {
			t.Errorf("%d events, want 4", n)
		}
	})
}

func TestSummaryIsWrittenOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for range 2 {
			if err := b.Deliveries.AddOnce(t.Context(), scheduler.Delivery{ID: "summary/ops/1", Receiver: "ops", Topic: "summary", At: t0}); err != nil {
				t.Fatal(err)
			}
		}
		id, _ := b.takeDue(t0)
		b.deliver(id, scheduler.Delivered, "")
		if again, _ := b.takeDue(t0); id == "" || again != "" {
			t.Errorf("claimed %q, then %q; want one", id, again)
		}
	})
}

func TestOldDeliveriesArePruned(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.append(warning("a"))
		b.address(t0, 0, 0)
		id, _ := b.takeDue(t0)
		b.deliver(id, scheduler.Delivered, "")
		for _, tt := range []struct {
			before time.Time
			want   int
		}{{t0.AddDate(0, 0, 7), 1}, {t0.AddDate(0, 0, 8), 0}} {
			if err := b.Prune(t.Context(), tt.before); err != nil {
				t.Fatal(err)
			}
			if n := b.count(`SELECT COUNT(*) FROM delivery_events`); n != tt.want {
				t.Errorf("%d events of deliveries before %v, want %d", n, tt.before, tt.want)
			}
		}
	})
}

func TestLinkIsFollowedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		b.tick(time.Time{}, t0)
		u := scheduler.LinkUse{Delivery: "d", Choice: scheduler.LinkKeep1, Environment: "dev-01"}
		override := func(id string) []scheduler.Override {
			return []scheduler.Override{{ID: id, Environments: []string{"dev-01"}, Keep: plan.Running, From: t0, Until: t0.Add(time.Hour), By: scheduler.Actor{Via: "link:ops"}}}
		}
		made, err := b.Links.Follow(t.Context(), u, t0, override("one"), nil)
		if err != nil || len(made) != 1 || !made[0].From.After(t0) {
			t.Errorf("Follow = %+v, %v; want one that starts after the last tick", made, err)
		}
		if _, err := b.Links.Follow(t.Context(), u, t0, override("two"), nil); !errors.Is(err, scheduler.ErrLinkUsed) {
			t.Errorf("Follow again = %v, want ErrLinkUsed", err)
		}
		other := u
		other.Choice = scheduler.LinkKeep2
		late := override("three")
		late[0].Until = t0
		if _, err := b.Links.Follow(t.Context(), other, t0, late, nil); !errors.Is(err, scheduler.ErrOver) {
			t.Errorf("Follow too late = %v, want ErrOver", err)
		}
		if used, ids, err := b.Links.Followed(t.Context(), other); used || err != nil || !slices.Equal(ids, []string{"one"}) {
			t.Errorf("Followed = %v, %q, %v; want the other's override, and that this one was not", used, ids, err)
		}
		if n := b.count(`SELECT COUNT(*) FROM overrides`); n != 1 {
			t.Errorf("%d overrides, want 1", n)
		}
	})
}

func TestKeyIsMadeOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		for i := range 2 {
			if key, err := b.Links.Key(t.Context(), "links", fmt.Sprint("fresh", i)); key != "fresh0" || err != nil {
				t.Errorf("Key = %q, %v; want the first", key, err)
			}
			b.reopen()
		}
	})
}

// Replicas address, take and warn at the same time, and each thing happens once.
func TestReplicasDeliverOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bench) {
		stores := []*store.Store{b.Store}
		if b.shared() {
			other, err := store.Open(t.Context(), store.Options{DSN: b.dsn})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = other.Close() }()
			for _, s := range []*store.Store{b.Store, other} {
				if _, err := s.Queue.Recover(t.Context(), t0); err != nil { // it lives
					t.Fatal(err)
				}
			}
			b.exec(`UPDATE replicas SET seen_at = seen_at + 3600000000`) // none falls silent while the test lasts
			stores = append(stores, other)
		}
		b.append(warning("a"))
		taken := make(chan *scheduler.Delivery, 20)
		for i := range cap(taken) {
			s := stores[i%len(stores)]
			go func() {
				_, err := s.Deliveries.Address(t.Context(), t0, toOps(0, 0))
				d, cerr := s.Deliveries.Claim(t.Context(), "ops", t0)
				if err = errors.Join(err, cerr); err != nil {
					t.Error(err)
				}
				taken <- d
			}()
		}
		n := 0
		for range cap(taken) {
			if d := <-taken; d != nil {
				n++
			}
		}
		if rows := b.count(`SELECT COUNT(*) FROM deliveries`); n != 1 || rows != 1 {
			t.Errorf("taken %d times of %d deliveries, want once of one", n, rows)
		}
	})
}
