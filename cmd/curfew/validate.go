package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

func newValidate(e env, path *string) *cobra.Command {
	form := newOutput("text", "json")
	var strict bool
	c := &cobra.Command{
		Use: "validate [FILE…]", Short: "Reports every error and warning of schedule files", Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, files []string) error {
			if len(files) > 0 {
				return validate(e, files, form.value, strict)
			}
			err := validate(e, []string{*path}, form.value, strict)
			if err != nil && missing(*path) {
				_, _ = fmt.Fprintf(e.stderr, "curfew: %s is missing%s\n", *path, otherFileHint)
			}
			return err
		},
	}
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.Flags().BoolVar(&strict, "strict", false, "exit 3 on warnings too")
	return c
}

func validate(e env, files []string, form string, strict bool) error {
	all := config.Diagnostics{}
	var summaries []string
	for _, file := range files {
		cfg, diags := config.Load(file, config.Options{Now: time.Now(), Notes: true, Links: linksHere(e)})
		all = append(all, diags...)
		if !diags.HasErrors() {
			summaries = append(summaries, summary(file, cfg))
		}
	}
	if err := printDiagnostics(e, all, summaries, form); err != nil {
		return err
	}
	if all.HasErrors() || strict && len(all.Warnings()) > 0 {
		_, _ = fmt.Fprintf(e.stderr, "curfew: %s, %s\n", wording.Count(len(all.Errors()), "error"), wording.Count(len(all.Warnings()), "warning"))
		return coded{errReported, exitInvalid}
	}
	return nil
}

func printDiagnostics(e env, all config.Diagnostics, summaries []string, form string) error {
	if form == "json" {
		return printJSON(e.stdout, all)
	}
	for _, d := range all {
		if _, err := fmt.Fprintln(e.stdout, d.Text()); err != nil {
			return err
		}
	}
	for _, s := range summaries {
		if _, err := fmt.Fprintln(e.stdout, s); err != nil {
			return err
		}
	}
	return nil
}

func summary(file string, cfg *config.Config) string {
	s := fmt.Sprintf("%s: valid: %s, %s", file, wording.Count(len(cfg.Environments), "environment"), wording.Count(len(cfg.Schedules), "schedule"))
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		return s
	}
	var first plan.Fire
	for _, f := range p.NextFires(time.Now()) {
		if first.At.IsZero() || f.At.Before(first.At) || f.At.Equal(first.At) && f.Schedule < first.Schedule {
			first = f
		}
	}
	if first.At.IsZero() {
		return s + ", no fire within twelve months"
	}
	return s + fmt.Sprintf(", next fire: %s of %s at %s", first.Action, first.Schedule, first.At.Format(clock))
}

// linksHere is what is known here of the daemon's public address.
func linksHere(e env) config.Links {
	if e.getenv("CURFEW_PUBLIC_URL") != "" {
		return config.LinksOn
	}
	return config.LinksUnknown
}
