package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

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

func newExplain(e env, path *string) *cobra.Command {
	form := newOutput("text", "json")
	var at string
	c := &cobra.Command{
		Use: "explain ENVIRONMENT", Short: "Shows what is wanted of an environment, and by which rule", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			cfg, p, err := loadQuietly(*path, e.stderr)
			if err != nil {
				return err
			}
			return explain(e, cfg, p, explainOptions{args[0], at, form.value})
		},
	}
	c.Flags().StringVar(&at, "at", "", "at this instant: "+instantForms+" (now)")
	c.Flags().VarP(form, "output", "o", "form of the output")
	return c
}

type explainOptions struct{ environment, at, form string }

func explain(e env, cfg *config.Config, p *plan.Plan, o explainOptions) error {
	names, err := selectFrom(cfg, []string{o.environment})
	if err != nil {
		return err
	}
	if len(names) > 1 {
		return usage("explain takes one environment, and %s selects %s", o.environment, nameList(names))
	}
	o.environment = names[0]
	at := time.Now().Truncate(time.Second)
	if o.at != "" {
		if at, err = parseInstant("at", o.at, zoneOf(cfg)); err != nil {
			return err
		}
	}
	at = at.In(zoneOf(cfg))
	d := p.Wanted(o.environment, at)
	x := explanation{o.environment, at, string(d.Wanted), d.Because, d.Steps}
	if x.Steps == nil {
		x.Steps = []string{}
	}
	if o.form == "json" {
		return printJSON(e.stdout, x)
	}
	_, err = fmt.Fprintf(e.stdout, "%s at %s: %s\nbecause: %s\n", x.Environment, at.Format(clock), x.Wanted, x.Because)
	for i, s := range x.Steps {
		if err == nil {
			_, err = fmt.Fprintf(e.stdout, "%3d. %s\n", i+1, s)
		}
	}
	return err
}
