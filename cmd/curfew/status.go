package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// oldObservation is how old an observation is that is shown with its time.
const oldObservation = 15 * time.Minute

type statusFilter struct{ tag, project, state string }

func newStatus(e env) *cobra.Command {
	var f statusFilter
	var receivers []api.Receiver
	var daemon api.Daemon
	c := lister[api.Environment]{
		"status", "Shows every environment: what is wanted, what LCS shows, the next fire",
		func(ctx context.Context, c *client.Client) ([]api.Environment, error) {
			all, err := c.Environments(ctx)
			if err == nil {
				err = f.check(all)
			}
			if err != nil {
				return nil, err
			}
			receivers, _ = c.Receivers(ctx) // a daemon of an older version has none
			daemon, _ = c.Daemon(ctx)
			return slices.DeleteFunc(all, func(env api.Environment) bool { return !f.match(env) }), nil
		}, func(s *screen, file api.File, list []api.Environment) error {
			if err := errors.Join(printDaemon(s, daemon), printStatus(s, file, list)); err != nil {
				return err
			}
			return printReceivers(s, receivers)
		},
	}.command(e)
	c.Flags().StringVar(&f.tag, "tag", "", "only environments with this `TAG`")
	c.Flags().StringVar(&f.project, "project", "", "only those of this project `NAME`")
	c.Flags().StringVar(&f.state, "state", "", "only those that LCS shows so: running, stopped, starting, …")
	return c
}

// check refuses what no environment of the daemon's file has: a misspelt filter must not look
// like an empty fleet.
func (f statusFilter) check(all []api.Environment) error {
	if f.state != "" && !slices.Contains(lcs.Conditions(), lcs.Condition(f.state)) {
		return usage("--state: unknown state %q; want one of %s", f.state, wording.Or(lcs.Conditions()))
	}
	var tags []string
	for _, env := range all {
		tags = append(tags, env.Tags...)
	}
	return errors.Join(inFile("tag", f.tag, tags), inFile("project", f.project, projectsOf(all)))
}

func projectsOf(all []api.Environment) []string {
	names := make([]string, len(all))
	for i, env := range all {
		names[i] = env.Project
	}
	return names
}

// inFile refuses the value of a flag that nothing in the daemon's file has.
func inFile(flag, value string, known []string) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	slices.Sort(known)
	return usage("--%s: no environment of the daemon's schedule file has the %s %q; want one of %s", flag, flag, value, wording.Or(slices.Compact(known)))
}

func (f statusFilter) match(env api.Environment) bool {
	return (f.tag == "" || slices.Contains(env.Tags, f.tag)) && (f.project == "" || env.Project == f.project) && (f.state == "" || env.Observed == f.state)
}

func printStatus(s *screen, file api.File, list []api.Environment) error {
	if err := printRefused(s, file); err != nil {
		return err
	}
	if err := printOther(s, file); err != nil {
		return err
	}
	t := table{columns: []column{
		{name: "ENVIRONMENT"},
		{name: "PROJECT", spare: 1},
		{name: "WANTED"},
		{name: "OBSERVED", paint: mismatch},
		{name: "SEEN", sparse: true, spare: 2},
		{name: "RUN", sparse: true},
		{name: "NEXT"},
	}}
	for _, env := range list {
		r := row{cells: []string{env.Name, env.Project, env.Wanted, observed(env), "", "", ""}}
		if env.ObservedAt == nil || s.now.Sub(*env.ObservedAt) > oldObservation {
			r.cells[4] = cmp.Or(ago(env.ObservedAt, s.now), "never")
		}
		if run := env.Run; run != nil {
			r.cells[5] = fmt.Sprintf("%s %s %s", run.Action, stateOf(env), shortID(run.ID))
		}
		if f := env.NextFire; f != nil {
			r.cells[6] = fmt.Sprintf("%-5s %s", f.Action, s.when(&f.At))
		}
		if m := env.Manual; m != nil {
			r.details = append(r.details, held(m).Because(s.zone))
		}
		if env.Note != nil {
			r.details = append(r.details, *env.Note)
		}
		t.rows = append(t.rows, r)
	}
	if err := s.print(statusTotals(list), t); err != nil {
		return err
	}
	return printApprovals(s, list)
}

// printRefused says that the file as it is now is not active.
func printRefused(s *screen, file api.File) error {
	if file.Refused == nil {
		return nil
	}
	n := len(file.Refused.Problems)
	more := ""
	if n > 1 {
		more = fmt.Sprintf(" (and %d more: curfew validate)", n-1)
	}
	text := s.paragraph(fmt.Sprintf("The schedule file was refused on %s; the one loaded on %s stays active:", s.minute(&file.Refused.At), s.minute(&file.ActiveSince))) +
		s.paragraph(cell(file.Refused.Problems[0])+more) + "\n"
	_, err := io.WriteString(s.w, text)
	return err
}

// printOther says that another replica has another file.
func printOther(s *screen, file api.File) error {
	o := file.Other
	if o == nil {
		return nil
	}
	text := "Another replica still has an older schedule file, loaded on %s (digest %.12s); this one has the newest, and makes the fires."
	if o.Newer {
		text = "Another replica has a newer schedule file, loaded on %s (digest %.12s); it makes the fires until this one has that file too."
	}
	_, err := io.WriteString(s.w, s.paragraph(fmt.Sprintf(text, s.minute(&o.LoadedAt), o.Digest))+"\n")
	return err
}

func statusTotals(list []api.Environment) string {
	text := wording.Count(len(list), "environment")
	if len(list) == 0 {
		return text
	}
	text += ": " + totals(list, func(env api.Environment) string { return env.Observed })
	wrong, runs := 0, 0
	for _, env := range list {
		if differs(env) {
			wrong++
		}
		if env.Run != nil {
			runs++
		}
	}
	if wrong > 0 {
		text += fmt.Sprintf("; %d not as wanted (!)", wrong)
	}
	if runs > 0 {
		text += "; " + wording.Count(runs, "unfinished run")
	}
	return text
}

// printApprovals names one run of each fire that waits for an approval: it lets the fire go.
func printApprovals(s *screen, list []api.Environment) error {
	waiting := map[int64][]api.Run{}
	var fires []int64
	for _, env := range list {
		if env.Run == nil || text(env.Waiting) != string(scheduler.WaitApproval) {
			continue
		}
		at := env.Run.FireAt.Unix()
		if waiting[at] == nil {
			fires = append(fires, at)
		}
		waiting[at] = append(waiting[at], *env.Run)
	}
	slices.Sort(fires)
	var b strings.Builder
	for _, at := range fires {
		runs := waiting[at]
		fmt.Fprintf(&b, "held: %s of %s until it is approved: curfew approve %s\n", wording.Count(len(runs), runs[0].Action), s.when(&runs[0].FireAt), shortID(runs[0].ID))
	}
	_, err := io.WriteString(s.w, b.String())
	return err
}

func stateOf(env api.Environment) string {
	if text(env.Waiting) == string(scheduler.WaitApproval) {
		return "held"
	}
	return env.Run.State
}

// observed is what LCS shows, marked where it is not what is wanted.
func observed(env api.Environment) string {
	if differs(env) {
		return env.Observed + " !"
	}
	return env.Observed
}

func mismatch(observed string) colour {
	if strings.HasSuffix(observed, "!") {
		return red
	}
	return noColour
}

// differs reports whether an environment is neither as wanted nor on its way there: an
// unfinished run brings it there, or is held and shown so.
func differs(env api.Environment) bool {
	if env.Run != nil {
		return false
	}
	switch plan.Wanted(env.Wanted) {
	case plan.Running:
		return env.Observed == "stopped" || env.Observed == "stopping"
	case plan.Stopped:
		return env.Observed == "running" || env.Observed == "starting"
	default:
		return false
	}
}

// held returns a start or stop by hand in the scheduler's form.
func held(m *api.Manual) scheduler.Manual {
	out := scheduler.Manual{Action: plan.Action(m.Action), At: m.At}
	if m.Until != nil {
		out.Until = *m.Until
	}
	return out
}

// printDaemon says that two processes use one database.
func printDaemon(s *screen, d api.Daemon) error {
	line := ""
	switch {
	case d.State == api.StateStandby:
		line = "This process stands by: " + cmp.Or(cell(text(d.Active)), "another process") + " is active, and takes the changes. This one takes over when that one ends."
	case d.Awaited:
		line = "Another process stands by for the database. If no upgrade is under way, it was started by mistake."
	default:
		return nil
	}
	_, err := io.WriteString(s.w, s.paragraph(line)+"\n")
	return err
}

// printReceivers names the receivers that take no notices.
func printReceivers(s *screen, receivers []api.Receiver) error {
	for _, r := range receivers {
		if r.FailingSince == nil {
			continue
		}
		line := fmt.Sprintf("notices to %s do not arrive since %s: %s; check with curfew notify test %s", r.Name, s.when(r.FailingSince), cell(text(r.Message)), r.Name)
		if _, err := io.WriteString(s.w, s.paragraph(line)); err != nil {
			return err
		}
	}
	return nil
}
