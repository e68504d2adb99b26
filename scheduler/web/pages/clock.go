package pages

import (
	"fmt"
	"time"

	"curfew/scheduler/plan"
)

// A clock is the moment and the zone of one page: those of the schedule file, whatever
// zone the server and the browser are in.
type clock struct {
	now  time.Time
	zone *time.Location
}

func (p *Pages) clock() *clock {
	zone, _ := p.opts.Reports.Place()
	return &clock{now: p.opts.Now().Truncate(time.Second), zone: zone}
}

// A Moment is an instant as a page shows it: in the zone of the file, with UTC for whoever
// points at it.
type Moment struct {
	Text    string // "" when there is none
	UTC     string
	Machine string // RFC 3339
}

func (c *clock) moment(at time.Time) Moment {
	if at.IsZero() {
		return Moment{}
	}
	layout := "Mon 2 Jan 15:04"
	switch local := at.In(c.zone); {
	case plan.DateOf(local) == plan.DateOf(c.now.In(c.zone)):
		layout = "15:04"
	case local.Year() != c.now.In(c.zone).Year():
		layout = "2 Jan 2006 15:04"
	}
	return Moment{at.In(c.zone).Format(layout), at.UTC().Format("2006-01-02 15:04:05 UTC"), at.UTC().Format(time.RFC3339)}
}

// ago says how long ago an instant was, or how long it is until then.
func (c *clock) ago(at time.Time) string {
	switch d := c.now.Sub(at); {
	case at.IsZero():
		return "never"
	case d < 0:
		return "in " + span(-d)
	case d < time.Minute:
		return "just now"
	default:
		return span(d) + " ago"
	}
}

// span writes a duration by its largest two units.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < day:
		if m := int(d.Minutes()) % 60; m > 0 {
			return fmt.Sprintf("%d h %d min", int(d.Hours()), m)
		}
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	if h := int(d.Hours()) % 24; h > 0 {
		return fmt.Sprintf("%d d %d h", int(d/day), h)
	}
	return fmt.Sprintf("%d d", int(d/day))
}
