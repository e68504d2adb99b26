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

// previewDays is over how many days a pasted file is compared with the active one.
const previewDays = 28

// pastedName stands for the pasted file.
const pastedName = "pasted"

// preview checks a pasted file and compares it with the active one. Files that it names,
// such as calendars, are read where the active one has them.
func (r *reloader) preview(ctx context.Context, text string) (pages.Preview, error) {
	active, _, _ := r.current()
	found := pages.Preview{Days: previewDays}
	now := time.Now()
	cfg, diags := config.Parse(pastedName, []byte(text), filepath.Dir(active.cfg.Path), config.Options{Now: now})
	for _, d := range diags {
		problem := pages.Problem{Line: d.Line, Column: d.Column, Warning: d.Severity != config.Error, Message: d.Message}
		if d.File != pastedName { // what another file holds is for nobody who can paste its name
			problem = pages.Problem{Line: 1, Column: 1, Warning: problem.Warning, Message: "a calendar file that it names cannot be used as it is; curfew validate on the server says why"}
		}
		found.Problems = append(found.Problems, problem)
	}
	if diags.HasErrors() || ctx.Err() != nil {
		return found, ctx.Err()
	}
	p, err := plan.Compile(cfg.Spec)
	if err != nil {
		return found, err
	}
	to := now.AddDate(0, 0, previewDays)
	for range p.All(now, to) {
		found.Fires++
	}
	d := review.Compare(Reviewed(active.cfg, active.plan), Reviewed(cfg, p), now, to)
	for _, c := range d.Changes {
		found.Changes = append(found.Changes, pages.Change{
			Environment: c.Environment, Gained: len(c.Gained), Lost: len(c.Lost), Hours: c.New.Hours - c.Old.Hours, Money: c.New.Cost - c.Old.Cost, Notes: c.Notes,
		})
	}
	return found, nil
}
