package daemon

import (
	"context"
	"path/filepath"
	"time"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/review"
	"curfew/scheduler/web/pages"
)

const (
	// previewDays is over how many days a pasted file is compared with the active one.
	previewDays = 28
	// mostFires is how many fires of it are compared: 5,000 environments that start and stop
	// twice a working day have 400,000.
	mostFires = 500_000
)

// pastedName stands for the pasted file.
const pastedName = "pasted"

// preview checks a pasted file and compares it with the active one: one file at a time, since
// the engine works on the same machine. Files that it names, such as calendars, are read
// where the active one has them.
func (r *reloader) preview(ctx context.Context, text string) (pages.Preview, error) {
	select {
	case r.previewing <- struct{}{}:
		defer func() { <-r.previewing }()
	case <-ctx.Done():
		return pages.Preview{}, ctx.Err()
	}
	active, _, _ := r.current()
	now := time.Now()
	cfg, diags := config.Parse(pastedName, []byte(text), filepath.Dir(active.cfg.Path), config.Options{Now: now})
	found := pages.Preview{Days: previewDays, Problems: pastedProblems(diags)}
	if diags.HasErrors() || ctx.Err() != nil {
		return found, ctx.Err()
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		return found, err
	}
	to := now.AddDate(0, 0, previewDays)
	for b := range p.Batches(now, to) {
		if found.Fires += len(b.Environments); found.Fires > mostFires {
			found.Most = mostFires
			return found, nil
		}
	}
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	d := review.Compare(Reviewed(active.cfg, active.plan), Reviewed(cfg, p), now, to)
	for _, c := range d.Changes {
		found.Changes = append(found.Changes, pages.Change{
			Environment: c.Environment, Gained: len(c.Gained), Lost: len(c.Lost), Hours: c.New.Hours - c.Old.Hours, Money: c.New.Cost - c.Old.Cost, Notes: c.Notes,
		})
	}
	return found, nil
}

func pastedProblems(diags config.Diagnostics) []pages.Problem {
	problems := make([]pages.Problem, 0, len(diags))
	for _, d := range diags {
		problem := pages.Problem{Line: d.Line, Column: d.Column, Warning: d.Severity != config.Error, Message: d.Message}
		if d.File != pastedName { // what another file holds is for nobody who can paste its name
			problem = pages.Problem{Line: 1, Column: 1, Warning: problem.Warning, Message: "a calendar file that it names cannot be used as it is; curfew validate on the server says why"}
		}
		problems = append(problems, problem)
	}
	return problems
}
