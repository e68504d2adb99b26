package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
)

// load reads the schedule file and compiles it. Errors go to stderr, all of them.
func load(path string, opts config.Options, stderr io.Writer) (*config.Config, *plan.Plan, config.Diagnostics, error) {
	cfg, p, diags, err := loadArgument(path, opts, stderr)
	return cfg, p, diags, otherFile(err, path)
}

// loadArgument is load for a file that is an argument, and not the one of --config.
func loadArgument(path string, opts config.Options, stderr io.Writer) (*config.Config, *plan.Plan, config.Diagnostics, error) {
	cfg, p, diags, err := daemon.Load(path, opts)
	return cfg, p, diags, printed(err, stderr)
}

const otherFileHint = "; --config or CURFEW_CONFIG names another file"

// otherFile adds to an error how to name another file, where there is none.
func otherFile(err error, path string) error {
	if _, ok := errors.AsType[*daemon.FileError](err); ok && missing(path) {
		return fmt.Errorf("%w"+otherFileHint, err)
	}
	return err
}

func missing(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
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
