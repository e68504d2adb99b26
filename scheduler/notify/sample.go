package notify

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
)

// A Tried is what a receiver answered to a message of a test.
type Tried struct {
	Receiver string
	Kind     scheduler.EventKind
	Err      error // without any secret; nil: it took the message
}

// ErrNoReceiver means that the schedule file has no receiver of the name.
var ErrNoReceiver = errors.New("no such receiver")

// A Trial is which messages Test sends.
type Trial struct {
	Receiver string // the name of one; "" for all of the file
	All      bool   // of each kind, and not only of those that a receiver is to be notified of
}

// Test sends a message of each kind of event to receivers of a file, and calls each with
// the result.
func Test(ctx context.Context, f File, t Trial, each func(Tried)) error {
	if t.Receiver != "" {
		r, ok := f.receiver(t.Receiver)
		if !ok {
			return ErrNoReceiver
		}
		f.Receivers = []Receiver{r}
	}
	c := newChannels(http.DefaultTransport)
	for _, r := range f.Receivers {
		for _, s := range samples(f.Zone, time.Now()) {
			if !t.All && !slices.Contains(r.On, s.kind) {
				continue
			}
			err := c.send(ctx, r.URL, s.message)
			each(Tried{r.Name, s.kind, err})
			if err != nil {
				break // the others would fail as well
			}
		}
	}
	return nil
}

type sample struct {
	kind    scheduler.EventKind
	message Message
}

// samples are a message of each kind of event. Nothing in them has happened.
func samples(zone *time.Location, now time.Time) []sample {
	at := now.Truncate(time.Minute)
	of := func(k scheduler.EventKind, reason, next string) scheduler.Event {
		return scheduler.Event{Kind: k, At: at, Environment: "example-01", Schedule: "example", Action: plan.Stop, FireAt: at, Reason: reason, NextStep: next, By: scheduler.BySchedule}
	}
	apart := func(k scheduler.EventKind, reason, next string) scheduler.Event {
		return scheduler.Event{Kind: k, At: at, Reason: reason, NextStep: next, By: scheduler.BySchedule}
	}
	stopping := of(scheduler.EventStopping, "", "")
	stopping.FireAt = at.Add(30 * time.Minute)
	unreachable := apart(scheduler.EventUnreachable, "account cannot sign in; its runs wait", "curfew accounts check example")
	unreachable.Account = "example"
	w := writer{zone: zone, now: now}
	var list []sample
	for _, e := range []scheduler.Event{
		of(scheduler.EventFailed, "LCS refused the stop", "if it is still wanted: curfew stop example-01"),
		of(scheduler.EventMissed, "curfew was not running", "if it is still wanted: curfew stop example-01"),
		stopping,
		unreachable,
		of(scheduler.EventThrottled, "LCS answered 429, Too Many Requests", "see who else starts and stops environments as this account"),
		of(scheduler.EventApproval, "this fire stops more environments than max_stops_per_fire; waiting for an approval", "let it go: curfew approve RUN"),
		of(scheduler.EventDrift, "it runs although it is wanted stopped", ""),
		apart(scheduler.EventConfig, "schedules.yaml:1:1: an example of an error", "correct the file; it is loaded again when it changes"),
		apart(scheduler.EventOverride, "override made: keep example-01 running until "+at.Add(time.Hour).UTC().Format(time.RFC3339), ""),
		of(scheduler.EventSucceeded, "metadata shows it stopped", ""),
	} {
		m := w.compose(scheduler.Delivery{Events: []scheduler.Event{e}})
		list = append(list, sample{listed(e.Kind), m})
	}
	day := Day{Zone: zone, From: at.AddDate(0, 0, -1), Until: at, Savings: report.Sums{}}
	list = append(list, sample{scheduler.EventSummary, day.Message()})
	for i := range list {
		list[i].message.Title = "Test: " + list[i].message.Title
		list[i].message.Footer = "This is a test of curfew; nothing has happened. " + list[i].message.Footer
	}
	return list
}
