package main

import (
	"github.com/spf13/cobra"

	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/review"
)

type diffOptions struct {
	from string
	days int
	each bool
	form *output
}

func newDiff(e env) *cobra.Command {
	o := diffOptions{form: newOutput("table", "json")}
	c := &cobra.Command{
		Use: "diff OLD NEW", Args: cobra.ExactArgs(2),
		Short: "Compares two schedule files by what they do: fires, hours up, money",
		Long: "Compares two schedule files by what they do in the coming days: the fires that NEW gains and loses, and the\n" +
			"hours up and the money in a week. Exit codes: 0 both do the same, 1 they differ, 3 one of them has errors.",
		RunE: func(_ *cobra.Command, files []string) error { return diff(e, files[0], files[1], o) },
	}
	f := c.Flags()
	f.IntVar(&o.days, "days", 28, "how many days are compared")
	f.StringVar(&o.from, "from", "", "first instant: "+instantForms+" (now)")
	f.BoolVar(&o.each, "each", false, "a row for each environment, instead of those with the same change together")
	f.VarP(o.form, "output", "o", "form of the output")
	return c
}

func diff(e env, oldPath, newPath string, o diffOptions) error {
	before, oldPlan, _, oldErr := loadArgument(oldPath, config.Options{}, e.stderr)
	after, newPlan, _, err := loadArgument(newPath, config.Options{}, e.stderr) // all errors of both are reported
	if oldErr != nil {
		err = oldErr
	}
	if err != nil {
		return err
	}
	from, to, err := planOptions{from: o.from, days: o.days}.span(after.Zone())
	if err != nil {
		return err
	}
	from, to = from.In(after.Zone()), to.In(after.Zone())
	d := review.Compare(daemon.Reviewed(before, oldPlan), daemon.Reviewed(after, newPlan), from, to)
	if o.form.value == "json" {
		err = printJSON(e.stdout, differenceOf(d, after.Currency))
	} else {
		err = printDifference(e, d, diffHeading{oldPath + " → " + newPath, after.Currency, o})
	}
	if err == nil && !d.Same() {
		err = coded{errReported, exitFailed}
	}
	return err
}
