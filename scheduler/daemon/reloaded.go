package daemon

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"curfew/internal/wording"
	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/review"
	"curfew/scheduler/web/api"
)

// reloadDays is over how many days the fires of two files are compared on a reload.
const reloadDays = 7

// changesOf says what the active file does, and the one before did not.
func changesOf(before, after loaded, now time.Time) api.Reloaded {
	d := review.Compare(Reviewed(before.cfg, before.plan), Reviewed(after.cfg, after.plan), now, now.AddDate(0, 0, reloadDays))
	out := api.Reloaded{
		Status: "reloaded", Environments: namesThatDiffer(before.environments(), after.environments()),
		Schedules: namesThatDiffer(before.schedules(), after.schedules()), Days: reloadDays, Gained: d.Gained, Lost: d.Lost,
	}
	out.Summary = summaryOf(out)
	return out
}

// environments returns the entry of each environment, as a text that differs when it does.
func (l loaded) environments() map[string]string {
	texts := map[string]string{}
	for _, e := range l.cfg.Environments {
		texts[e.Name] = fmt.Sprintf("%q %q %q %v", e.Project, e.ID, e.Tags, e.CostPerHour)
	}
	return texts
}

// schedules is environments for schedules.
func (l loaded) schedules() map[string]string {
	texts := map[string]string{}
	for _, s := range l.cfg.Schedules {
		texts[s.Name] = fmt.Sprintf("%s %q %v %q %v %v %s", l.plan.Fingerprint(s.Name), s.Environments, s.Enabled, s.Enforce, s.Lead, s.Warn, s.Calendar)
	}
	return texts
}

func namesThatDiffer(before, after map[string]string) api.Names {
	n := api.Names{Added: []string{}, Removed: []string{}, Changed: []string{}}
	for name, text := range after {
		switch old, ok := before[name]; {
		case !ok:
			n.Added = append(n.Added, name)
		case old != text:
			n.Changed = append(n.Changed, name)
		}
	}
	for name := range before {
		if _, ok := after[name]; !ok {
			n.Removed = append(n.Removed, name)
		}
	}
	for _, list := range [][]string{n.Added, n.Removed, n.Changed} {
		slices.Sort(list)
	}
	return n
}

// summaryOf is all that changed, in one line.
func summaryOf(r api.Reloaded) string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+" "+wording.Environments(names))
		}
	}
	for _, kind := range []struct {
		what string
		api.Names
	}{{"environments", r.Environments}, {"schedules", r.Schedules}} {
		add(kind.what+" added:", kind.Added)
		add(kind.what+" removed:", kind.Removed)
		add(kind.what+" changed:", kind.Changed)
	}
	if r.Gained+r.Lost > 0 {
		parts = append(parts, fmt.Sprintf("in the next %d days %s gained, %d lost", r.Days, wording.Count(r.Gained, "fire"), r.Lost))
	}
	return cmp.Or(strings.Join(parts, "; "), "no environment, schedule or fire differs")
}

// Reviewed is a schedule file in review's words.
func Reviewed(cfg *config.Config, p *plan.Plan) review.File {
	targets := map[string]string{}
	for _, project := range cfg.Projects {
		targets[project.Name] = project.Endpoint + " project " + strconv.FormatInt(project.ID, 10)
	}
	f := review.File{Plan: p, Currency: cfg.Currency}
	for _, env := range cfg.Environments {
		f.Environments = append(f.Environments, review.Environment{
			Name: env.Name, Target: targets[env.Project] + " id " + strings.ToLower(env.ID), CostPerHour: env.CostPerHour,
		})
	}
	return f
}
