package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
)

// load reads the schedule file and compiles it. Errors go to stderr, all of them.
func load(path string, opts config.Options, stderr io.Writer) (*config.Config, *plan.Plan, config.Diagnostics, error) {
	cfg, p, diags, err := daemon.Load(path, opts)
	return cfg, p, diags, printed(err, stderr)
}

// printed prints the errors of a schedule file.
func printed(err error, stderr io.Writer) error {
	bad, ok := errors.AsType[*daemon.FileError](err)
	if !ok {
		return err
	}
	for _, d := range bad.Errors {
		_, _ = fmt.Fprintln(stderr, d.Text())
	}
	return coded{err, exitInvalid}
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
