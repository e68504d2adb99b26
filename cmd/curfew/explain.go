package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

type explanation struct {
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	Wanted      string    `json:"wanted"`
	Because     string    `json:"because"`
	Steps       []string  `json:"steps"`
}

type explainOptions struct{ path, environment, at, server, form string }

func newExplain(e env, path *string) *cobra.Command {
	form := newOutput("text", "json")
	var o explainOptions
	c := &cobra.Command{
		Use: "explain ENVIRONMENT", Short: "Shows what is wanted of an environment, and by which rule", Args: cobra.ExactArgs(1),
		Long: "Shows what is wanted of an environment at an instant, by which rule, step by step, and until when.\n" +
			"A day alone shows the whole day. The overrides of the daemon count, and what was done by hand, where it\n" +
			"can be reached and has the same file.",
	}
	server := serverFlag(c, e)
	c.RunE = func(c *cobra.Command, args []string) error {
		o.path, o.environment, o.server, o.form = *path, config.Normal(args[0]), *server, form.value
		return explain(c.Context(), e, o)
	}
	c.Flags().StringVar(&o.at, "at", "", "at this instant: "+instantForms+" (now)")
	c.Flags().VarP(form, "output", "o", "form of the output")
	return c
}

func explain(ctx context.Context, e env, o explainOptions) error {
	cfg, p, err := loadQuietly(o.path, e.stderr)
	if err != nil {
		return err
	}
	names, err := selectFrom(cfg, []string{o.environment})
	if err != nil {
		return err
	}
	if len(names) > 1 {
		return usage("explain takes one environment, and %s selects %s", o.environment, wording.Environments(names))
	}
	o.environment = names[0]
	at := time.Now().Truncate(time.Second)
	if o.at != "" {
		if at, err = (reference{zone: cfg.Zone(), now: at}).parse("at", o.at); err != nil {
			return err
		}
	}
	found, err := consult(ctx, e, o.server, cfg, o.environment)
	if err != nil {
		return err
	}
	if p, err = found.withOverrides(p, cfg); err != nil {
		return err
	}
	x := outlook{p, o.environment, nil, cfg.Zone()}
	if found.manual != nil {
		m := held(found.manual)
		x.manual = &m
	}
	at = at.In(x.zone)
	_, err = plan.ParseDate(o.at)
	switch {
	case o.form == "json":
		d := x.wanted(at)
		return printJSON(e.stdout, explanation{o.environment, at, string(d.Wanted), d.Because, append([]string{}, d.Steps...)})
	case err == nil:
		return x.printDay(newScreen(e, x.zone), at)
	default:
		return x.print(e.stdout, at)
	}
}

// print shows what is wanted at an instant, step by step.
func (x outlook) print(w io.Writer, at time.Time) error {
	d := x.wanted(at)
	_, err := fmt.Fprintf(w, "%s at %s: %s\nbecause: %s\n", x.environment, at.Format(clock), x.summary(at), d.Because)
	for i, s := range d.Steps {
		if err == nil {
			_, err = fmt.Fprintf(w, "%3d. %s\n", i+1, s)
		}
	}
	return err
}

// summary says what is wanted at an instant, and what comes next: the true end of it, or
// the next fire that asks for the same again.
func (x outlook) summary(at time.Time) string {
	wanted := x.wanted(at).Wanted
	text, opposite := "wanted "+string(wanted), ""
	switch wanted {
	case plan.Running:
		opposite = "stop"
	case plan.Stopped:
		opposite = "start"
	case plan.Unknown:
		text, opposite = "unknown", "start or stop"
	}
	if end, ok := x.change(at); ok {
		return text + ", until " + end.In(x.zone).Format(clock)
	}
	text += fmt.Sprintf("; no %s within a year", opposite)
	for f := range x.plan.All(at.Add(1), at.AddDate(1, 0, 0), x.environment) {
		return text + fmt.Sprintf("; next %s %s", f.Action, f.At.In(x.zone).Format(clock))
	}
	return text
}

// printDay shows what is wanted at the begin of a day, and each change in it.
func (x outlook) printDay(s *screen, begin time.Time) error {
	end := plan.DateOf(begin).AddDays(1).In(x.zone)
	var b strings.Builder
	fmt.Fprintf(&b, "%s on %s, times in %s\n", x.environment, begin.Format("Mon 2006-01-02"), x.zone)
	for _, mark := range x.plan.Marks(x.environment, begin, end) {
		line := mark.Text
		if mark.Calendar != "" {
			line = fmt.Sprintf("day off  %s (calendar %s)", mark.Text, mark.Calendar)
		}
		fmt.Fprintln(&b, line)
	}
	at, last := begin, begin
	for ok := true; ok && at.Before(end); at, ok = x.change(at) {
		d := x.wanted(at)
		start := fmt.Sprintf("%s  %-7s  ", at.In(x.zone).Format("15:04"), d.Wanted)
		var because strings.Builder
		wrap(&because, d.Because, strings.Repeat(" ", len(start)), s.width)
		b.WriteString(start + strings.TrimLeft(because.String(), " "))
		last = at
	}
	fmt.Fprintln(&b, x.summary(last))
	_, err := io.WriteString(s.w, b.String())
	return err
}
