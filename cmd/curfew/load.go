package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

// load reads the schedule file and compiles it. Errors go to stderr, all of them.
func load(path string, opts config.Options, stderr io.Writer) (*config.Config, *plan.Plan, config.Diagnostics, error) {
	cfg, diags := config.Load(path, opts)
	if diags.HasErrors() {
		errs := diags.Errors()
		for _, d := range errs {
			_, _ = fmt.Fprintln(stderr, d.Text())
		}
		return nil, nil, diags, coded{fmt.Errorf("%s: %s; nothing was started or stopped", path, count(len(errs), "error")), exitInvalid}
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		return nil, nil, diags, coded{fmt.Errorf("%s: %w", path, err), exitInvalid}
	}
	return cfg, p, diags, nil
}

// loadQuietly is load for commands whose output is about the plan: warnings of
// the file go to stderr too.
func loadQuietly(path string, stderr io.Writer) (*config.Config, *plan.Plan, error) {
	cfg, p, diags, err := load(path, config.Options{Now: time.Now()}, stderr)
	if err != nil {
		return nil, nil, err
	}
	for _, d := range diags.Warnings() {
		_, _ = fmt.Fprintln(stderr, d.Text())
	}
	return cfg, p, nil
}

// zoneOf is the zone in which days of the command line start.
func zoneOf(cfg *config.Config) *time.Location {
	if cfg.Location != nil {
		return cfg.Location
	}
	return time.UTC
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// listed writes words as "a, b or c".
func listed[T ~string](words []T) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}
