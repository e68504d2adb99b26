package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-ical"
	"github.com/spf13/cobra"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/web"
)

const maxPlanDays = 3660

type planOptions struct {
	from, to     string
	days         int
	environments []string
	form         *output
}

func newPlan(e env, path *string) *cobra.Command {
	o := planOptions{form: newOutput("table", "json", "ics")}
	c := &cobra.Command{
		Use: "plan", Short: "Lists the coming fires",
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("to") && c.Flags().Changed("days") {
				return usage("--to and --days exclude each other")
			}
			return printPlan(e, *path, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.from, "from", "", "first instant, inclusive: a day, or RFC 3339 with an offset (now)")
	f.StringVar(&o.to, "to", "", "last instant, exclusive")
	f.IntVar(&o.days, "days", 7, "how many days, when --to is not given")
	f.StringArrayVar(&o.environments, "environment", nil, "only this `NAME`; may be repeated")
	f.VarP(o.form, "output", "o", "form of the output")
	return c
}

func printPlan(e env, path string, o planOptions) error {
	cfg, p, err := loadQuietly(path, e.stderr)
	if err != nil {
		return err
	}
	if err := checkNames(cfg, o.environments); err != nil {
		return err
	}
	from, to, err := o.span(zoneOf(cfg))
	if err != nil {
		return err
	}
	fires := p.Fires(from, to, o.environments...)
	warnQuota(e, cfg, fires, append(p.Fires(from.Add(-config.Lookback), from), p.Fires(from, to)...))
	switch o.form.value {
	case "json":
		rows := make([]web.Fire, len(fires))
		for i, f := range fires {
			rows[i] = web.FireOf(f)
		}
		return printJSON(e.stdout, rows)
	case "ics":
		return printCalendar(e, fires, time.Now())
	default:
		return printFires(e, p, fires)
	}
}

func (o planOptions) span(zone *time.Location) (from, to time.Time, err error) {
	from = time.Now()
	if o.from != "" {
		if from, err = parseInstant("from", o.from, zone); err != nil {
			return from, to, err
		}
	}
	if o.to != "" {
		to, err = parseInstant("to", o.to, zone)
	} else {
		if o.days < 1 || o.days > maxPlanDays {
			return from, to, usage("--days: want a number from 1 to %d", maxPlanDays)
		}
		day := plan.DateOf(from.In(zone))
		to = from.Add(day.AddDays(o.days).In(zone).Sub(day.In(zone))) // days of 23 or 25 hours count as days
	}
	if err == nil && to.Before(from) {
		err = usage("--to: want an instant after --from")
	}
	return from, to, err
}

func printFires(e env, p *plan.Plan, fires []plan.Fire) error {
	rows := make([][]string, len(fires))
	for i, f := range fires {
		reason := f.Reason
		if note, ok := p.ZoneChange(f); ok {
			reason += " (" + note + ")"
		}
		rows[i] = []string{f.At.Format(clock), string(f.Action), f.Environment, f.Schedule, reason}
	}
	return printTable(e.stdout, "AT ACTION ENVIRONMENT SCHEDULE REASON", rows)
}

// warnQuota says of each fire that LCS's limits do not let be done at once how long
// it takes, all environments' fires and those shortly before considered.
func warnQuota(e env, cfg *config.Config, fires, all []plan.Fire) {
	type asked struct {
		at      int64
		action  plan.Action
		project string
	}
	project, listed := map[string]string{}, map[asked]bool{}
	for _, env := range cfg.Environments {
		project[env.Name] = env.Project
	}
	for _, f := range fires {
		listed[asked{f.At.Unix(), f.Action, project[f.Environment]}] = true
	}
	for _, f := range cfg.Forecasts(all) {
		if slices.ContainsFunc(f.Projects, func(name string) bool { return listed[asked{f.At.Unix(), f.Action, name}] }) {
			_, _ = fmt.Fprintf(e.stderr, "%s: LCS's limits allow no %s at once with %s: the last call goes at %s; with %d accounts all would go at once\n",
				f.At.Format(clock), count(f.Calls, string(f.Action)), f.With(), f.Last.In(f.At.Location()).Format(clock), f.Needed)
		}
	}
}

// printCalendar writes fires as iCalendar events of no length.
func printCalendar(e env, fires []plan.Fire, now time.Time) error {
	cal := ical.NewCalendar()
	cal.Props.SetText(ical.PropVersion, "2.0")
	cal.Props.SetText(ical.PropProductID, "-//curfew//plan//EN")
	for _, f := range fires {
		event := ical.NewEvent()
		event.Props.SetText(ical.PropUID, fmt.Sprintf("%d-%s-%s@curfew", f.At.Unix(), f.Environment, f.Action))
		event.Props.SetDateTime(ical.PropDateTimeStamp, now.UTC())
		event.Props.SetDateTime(ical.PropDateTimeStart, f.At.UTC())
		event.Props.SetText(ical.PropSummary, fmt.Sprintf("%s %s", f.Action, f.Environment))
		event.Props.SetText(ical.PropDescription, fmt.Sprintf("%s: %s", f.Schedule, f.Reason))
		cal.Children = append(cal.Children, event.Component)
	}
	if len(fires) == 0 { // the format wants a component; an empty plan has none to give
		_, err := fmt.Fprint(e.stdout, "BEGIN:VCALENDAR\r\nPRODID:-//curfew//plan//EN\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n")
		return err
	}
	if err := ical.NewEncoder(e.stdout).Encode(cal); err != nil {
		return fmt.Errorf("print the calendar: %w", err)
	}
	return nil
}
