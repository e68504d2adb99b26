package main

import (
	"bufio"
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

const (
	maxPlanDays   = 3660
	maxQuotaNotes = 100 // beyond them the reader has understood
	maxClockNotes = 100
	maxForecasts  = 5000 // of fires that cannot be done at once, listed or not: each takes time
)

type planOptions struct {
	from, to, server string
	days             int
	environments     []string
	each             bool
	form             *output
}

func newPlan(e env, path *string) *cobra.Command {
	o := planOptions{form: newOutput("table", "json", "ics")}
	c := &cobra.Command{
		Use: "plan", Short: "Lists the coming fires",
		Long: "Lists the coming fires, with the overrides of the daemon where it can be reached and has the same file.",
	}
	server := serverFlag(c, e)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if c.Flags().Changed("to") && c.Flags().Changed("days") {
			return usage("--to and --days exclude each other")
		}
		o.server = *server
		return printPlan(c.Context(), e, *path, o)
	}
	f := c.Flags()
	f.BoolVar(&o.each, "each", false, "a line for each environment, not for each fire")
	f.StringVar(&o.from, "from", "", "first instant, inclusive: "+instantForms+" (now)")
	f.StringVar(&o.to, "to", "", "last instant, exclusive, in the same forms; HH:MM is the next one after --from")
	f.IntVar(&o.days, "days", 7, "how many days, when --to is not given")
	f.StringArrayVar(&o.environments, "environment", nil, "only these: a `NAME`, a glob or tag:NAME; may be repeated")
	f.VarP(o.form, "output", "o", "form of the output")
	return c
}

// printPlan prints fires as they are worked out: a year of thousands of environments
// has millions of them.
func printPlan(ctx context.Context, e env, path string, o planOptions) error {
	cfg, p, err := loadQuietly(path, e.stderr)
	if err != nil {
		return err
	}
	names, err := selectFrom(cfg, o.environments)
	if err != nil {
		return err
	}
	from, to, err := o.span(cfg.Zone())
	if err != nil {
		return err
	}
	found, err := consult(ctx, e, o.server, cfg, "")
	if err != nil {
		return err
	}
	if p, err = found.withOverrides(p, cfg); err != nil {
		return err
	}
	l := listing{p, from, to, names}
	l.warnQuota(e, cfg)
	w := bufio.NewWriterSize(e.stdout, 64<<10)
	switch o.form.value {
	case "json":
		l.noteClocks(e)
		err = l.writeJSON(w)
	case "ics":
		l.noteClocks(e)
		err = l.writeCalendar(w, time.Now())
	default:
		err = l.writeTable(w, newScreen(e, cfg.Zone()), newGrouping(cfg, o.each))
	}
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (o planOptions) span(zone *time.Location) (from, to time.Time, err error) {
	r := reference{zone: zone, now: time.Now()}
	from = r.now
	if o.from != "" {
		if from, err = r.parse("from", o.from); err != nil {
			return from, to, err
		}
		r.now = from
	}
	if o.to != "" {
		to, err = r.parse("to", o.to)
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

// A listing is the part of a plan that is printed.
type listing struct {
	plan         *plan.Plan
	from, to     time.Time
	environments []string
}

func (l listing) fires() iter.Seq[plan.Fire] { return l.plan.All(l.from, l.to, l.environments...) }

// warnQuota reports, for each fire of the listing that LCS's limits do not let be done
// at once, how long it takes, all environments' fires and those shortly before
// considered.
func (l listing) warnQuota(e env, cfg *config.Config) {
	notes, forecasts := 0, 0
	for f := range cfg.Forecasts(l.plan.Batches(l.from.Add(-config.Lookback), l.to)) {
		if f.At.Before(l.from) {
			continue
		}
		if forecasts++; forecasts > maxForecasts {
			_, _ = fmt.Fprintf(e.stderr, "fires from %s on are not held against LCS's limits: there are too many; a later --from examines them\n", f.At.Format(clock))
			return
		}
		if len(l.environments) > 0 && !slices.ContainsFunc(l.environments, f.Includes) {
			continue
		}
		if notes++; notes > maxQuotaNotes {
			_, _ = fmt.Fprintf(e.stderr, "more than %d fires cannot be done at once; the others are not named here, and validate names the worst\n", maxQuotaNotes)
			return
		}
		_, _ = fmt.Fprintf(e.stderr, "%s: LCS's limits allow no %s at once with %s: the last call goes at %s; with %d accounts all would go at once\n",
			f.At.Format(clock), wording.Count(f.Calls, string(f.Action)), f.With(), f.Last.In(f.At.Location()).Format(clock), f.Needed)
	}
}

// noteClocks reports the fires that a change of the clocks moves, where their form has no
// room for it.
func (l listing) noteClocks(e env) {
	notes := 0
	for f := range l.grouped() {
		if !plan.ChangesNear(f.At) {
			continue
		}
		text, ok := l.plan.ZoneChange(f)
		if !ok {
			continue
		}
		if notes++; notes > maxClockNotes {
			_, _ = fmt.Fprintf(e.stderr, "more than %d fires fall on a change of the clocks; the others are not named here\n", maxClockNotes)
			return
		}
		_, _ = fmt.Fprintf(e.stderr, "%s: %s of %s: %s\n", f.At.Format(clock), f.Action, f.Schedule, text)
	}
}
