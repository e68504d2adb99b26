package engine_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest/observer"

	"curfew/lcs/auth"
	"curfew/lcs/lcssim"
	"curfew/scheduler"
)

const askedDay = "asks to wait 24h0m0s, longer than any of its limits lasts: curfew waits 30m0s"

// TestLongRetryAfterIsBelievedForHalfAnHourAndReported has LCS ask for a wait of a day.
func TestLongRetryAfterIsBelievedForHalfAnHourAndReported(t *testing.T) {
	t.Parallel()
	for _, verb := range []lcssim.Verb{lcssim.Stop, lcssim.Metadata} {
		t.Run(string(verb), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 3, lcssim.Options{})
				for i := range 3 {
					w.sim.Set(envID(i), lcssim.Finished)
				}
				w.sim.Inject(lcssim.Fault{Kind: lcssim.Throttle, Verb: verb, Times: 1, RetryAfter: "86400"})
				until("2000-01-03 18:58:00")
				w.start()
				w.finished(monday(19, 40))
				for _, r := range w.runs() {
					if r.State != scheduler.Succeeded {
						t.Errorf("40 minutes after the fire the stop of %s is %s (%s), want succeeded", r.Environment, r.State, r.Message)
					}
				}
				events := w.events(scheduler.EventThrottled)
				if len(events) != 1 || !strings.Contains(events[0].Reason, askedDay) {
					t.Errorf("events = %+v, want one that says %q", events, askedDay)
				}
				said := slices.ContainsFunc(w.logs.All(), func(e observer.LoggedEntry) bool {
					return strings.Contains(fmt.Sprint(e.ContextMap()["message"]), askedDay)
				})
				if !said {
					t.Errorf("no line of the log says %q", askedDay)
				}
				w.stop()
			})
		})
	}
}

// TestReleasedAccountIsUsedAtOnce has a person end what holds an account.
func TestReleasedAccountIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault lcssim.Fault
		holds string // by subject, once the fault has struck
	}{
		{"throttled stops", lcssim.Fault{Kind: lcssim.Throttle, Verb: lcssim.Stop, Times: 1, RetryAfter: "1800"}, "calls  stop, environment dev-00 stop"},
		{"throttled metadata", lcssim.Fault{Kind: lcssim.Throttle, Verb: lcssim.Metadata, Times: 1, RetryAfter: "1800"}, "metadata"},
		{"a project that does not accept it", lcssim.Fault{Kind: lcssim.Unauthorized, Verb: lcssim.Stop, Times: 2}, "project"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1, lcssim.Options{})
				w.sim.Set(envID(0), lcssim.Finished)
				until("2000-01-03 18:58:00")
				w.start()
				until("2000-01-03 18:59:50")
				w.sim.Inject(tt.fault)
				ask := w.ask("stop")
				until("2000-01-03 19:00:10")
				if got := holdsOf(t, w); got != tt.holds {
					t.Errorf("holds = %q, want %q", got, tt.holds)
				}
				if _, err := w.engine.ReleaseAccount(t.Context(), "other", scheduler.ByToken); !errors.Is(err, scheduler.ErrNoAccount) {
					t.Errorf("release of an account that the file does not have = %v, want %v", err, scheduler.ErrNoAccount)
				}
				if _, err := w.engine.ReleaseAccount(t.Context(), "main", scheduler.ByToken); err != nil {
					t.Fatal(err)
				}
				if got := holdsOf(t, w); got != "" {
					t.Errorf("holds after the release = %q, want none", got)
				}
				w.finished(monday(19, 10)) // LCS allows one stop of an environment in five minutes
				for _, r := range w.runs() {
					if r.ID == ask.ID && r.State == scheduler.Canceled {
						continue // the fire of 19:00 has superseded it
					}
					if r.State != scheduler.Succeeded {
						t.Errorf("run = %s (%s), want succeeded minutes after the release", r.State, r.Message)
					}
				}
				changes, err := w.store.Events.Audit(t.Context(), time.Time{}, "", 10)
				if err != nil {
					t.Fatal(err)
				}
				changes = slices.DeleteFunc(changes, func(e scheduler.Event) bool { return e.Change.Action != scheduler.ChangeReleaseAccount })
				if len(changes) != 1 || changes[0].By != scheduler.ByToken || !strings.HasPrefix(changes[0].Change.Before, "account main held: ") {
					t.Errorf("audit = %+v, want the release of the account once, and by whom", changes)
				}
				w.stop()
			})
		})
	}
}

func holdsOf(t *testing.T, w *world) string {
	t.Helper()
	list, err := w.engine.Accounts(t.Context())
	if err != nil || len(list) != 1 {
		t.Fatalf("accounts = %+v, %v", list, err)
	}
	var texts []string
	for _, h := range list[0].Holds {
		texts = append(texts, strings.TrimSpace(string(h.Subject)+" "+h.Environment+" "+string(h.Kind)))
	}
	return strings.Join(texts, ", ")
}

// TestReleasedAccountSignsInAgain has a person release an account whose password was wrong
// on the side of Entra, which curfew would not try for half an hour.
func TestReleasedAccountSignsInAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, auth.ModePassword)
		o.entra.SetPassword(clerk, "changed")
		until("2000-01-03 18:58:00")
		o.start()
		until("2000-01-03 19:02:00")
		if a := o.status(); a.State != scheduler.AccountDown || len(a.Holds) != 1 || a.Holds[0].Subject != scheduler.HoldsAccount {
			t.Errorf("account = %+v, want it down and held", a)
		}
		o.entra.SetPassword(clerk, knownPassword) // the file is as it was
		if _, err := o.engine.ReleaseAccount(t.Context(), "main", scheduler.ByToken); err != nil {
			t.Fatal(err)
		}
		until("2000-01-03 19:06:00")
		o.recovered()
		o.stop()
	})
}
