package notify

import (
	"context"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// summaryLate is how late a summary is still sent, after a restart.
const summaryLate = time.Hour

// summaries writes the delivery of each summary that is due, once over replicas and
// restarts: its id says for which instant it is.
func (d *Deliverer) summaries(ctx context.Context, file File, now time.Time) error {
	for _, r := range file.Receivers {
		if !slices.Contains(r.On, scheduler.EventSummary) {
			continue
		}
		at := lastSummary(r, file.Zone, now)
		d.mu.Lock()
		known := d.state(r.Name).summary.Equal(at)
		d.mu.Unlock()
		if known || now.Sub(at) > summaryLate {
			continue
		}
		id := "summary/" + r.Name + "/" + at.UTC().Format(time.RFC3339)
		if err := d.opts.Store.AddOnce(ctx, scheduler.Delivery{ID: id, Receiver: r.Name, Topic: string(scheduler.EventSummary), At: at}); err != nil {
			return err
		}
		d.mu.Lock()
		d.state(r.Name).summary = at
		d.mu.Unlock()
	}
	return nil
}

// lastSummary is the last instant at which a summary was due.
func lastSummary(r Receiver, zone *time.Location, now time.Time) time.Time {
	today := plan.DateOf(now.In(zone))
	at := plan.Resolve(today, r.SummaryAt, zone)
	if at.After(now) {
		at = plan.Resolve(today.AddDays(-1), r.SummaryAt, zone)
	}
	return at
}
