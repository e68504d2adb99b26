package main

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/scheduler/config"
	"curfew/scheduler/plan"
	"curfew/scheduler/review"
	"curfew/scheduler/web"
)

// reloadDays is over how many days the fires of two files are compared on a reload.
const reloadDays = 7

// newReload is the command; the daemon does the work.
func newReload(e env) *cobra.Command {
	form := newOutput("table", "json")
	c := &cobra.Command{
		Use: "reload", Short: "Has the daemon read its schedule file again, and says what changed",
		Long: "Has the daemon read its schedule file again, and says what changed. A file with errors is not loaded: the\n" +
			"daemon goes on with the old one, and the exit code is 3.",
	}
	server := serverFlag(c, e)
	c.Flags().VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		client, err := newClient(e, *server)
		if err != nil {
			return err
		}
		changes, err := client.Reload(c.Context())
		if refused, ok := errors.AsType[*web.Refusal](err); ok && refused.Status == http.StatusUnprocessableEntity {
			return coded{fmt.Errorf("%s\nthe file was not loaded; the daemon goes on with the old one", refused.Detail), exitInvalid}
		}
		switch {
		case err != nil:
			return err
		case form.value == "json":
			return printJSON(e.stdout, changes)
		}
		_, err = fmt.Fprintf(e.stdout, "reloaded: %s\n", changes.Summary)
		return err
	}
	return c
}

// A loaded file, with its plan.
type loaded struct {
	cfg  *config.Config
	plan *plan.Plan
}

// changesOf says what the active file does, and the one before did not.
func changesOf(before, after loaded, now time.Time) web.Reloaded {
	d := review.Compare(reviewed(before.cfg, before.plan), reviewed(after.cfg, after.plan), now, now.AddDate(0, 0, reloadDays))
	out := web.Reloaded{
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

func namesThatDiffer(before, after map[string]string) web.Names {
	n := web.Names{Added: []string{}, Removed: []string{}, Changed: []string{}}
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
func summaryOf(r web.Reloaded) string {
	var parts []string
	add := func(what string, names []string) {
		if len(names) > 0 {
			parts = append(parts, what+" "+nameList(names))
		}
	}
	for _, kind := range []struct {
		what string
		web.Names
	}{{"environments", r.Environments}, {"schedules", r.Schedules}} {
		add(kind.what+" added:", kind.Added)
		add(kind.what+" removed:", kind.Removed)
		add(kind.what+" changed:", kind.Changed)
	}
	if r.Gained+r.Lost > 0 {
		parts = append(parts, fmt.Sprintf("in the next %d days %s gained, %d lost", r.Days, count(r.Gained, "fire"), r.Lost))
	}
	return cmp.Or(strings.Join(parts, "; "), "no environment, schedule or fire differs")
}
