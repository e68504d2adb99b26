package daemon

import (
	"fmt"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
)

// A FileError says that a schedule file cannot be used.
type FileError struct {
	Errors config.Diagnostics // at their places
	Err    error
}

func (e *FileError) Error() string { return e.Err.Error() }

func (e *FileError) Unwrap() error { return e.Err }

// A SettingError says that a flag or an environment variable cannot be used.
type SettingError struct{ Err error }

func (e *SettingError) Error() string { return e.Err.Error() }

func (e *SettingError) Unwrap() error { return e.Err }

// Load reads a schedule file and compiles it. An error is a *FileError.
func Load(path string, o config.Options) (*config.Config, *plan.Plan, config.Diagnostics, error) {
	cfg, diags := config.Load(path, o)
	if errs := diags.Errors(); len(errs) > 0 {
		return nil, nil, diags, &FileError{errs, fmt.Errorf("%s: %s; nothing was started or stopped", path, wording.Count(len(errs), "error"))}
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		return nil, nil, diags, &FileError{nil, fmt.Errorf("%s: %w", path, err)}
	}
	return cfg, p, diags, nil
}
