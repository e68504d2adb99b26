package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/lcs"
	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/plan"
)

// A seen environment is one row of `curfew environments`.
type seen struct {
	Name           string `json:"name"`
	Project        string `json:"project"`
	ID             string `json:"id"`
	State          string `json:"deployment_state"`
	Condition      string `json:"condition"`
	Infrastructure string `json:"infrastructure"`
	Type           string `json:"type"`
}

func newEnvironments(e env, path *string) *cobra.Command {
	form := newOutput("table", "json")
	var projects []string
	var asYAML bool
	c := &cobra.Command{Use: "environments", Short: "Lists what LCS has now, straight from LCS"}
	f := c.Flags()
	place := databaseFlags(c, e)
	f.StringArrayVar(&projects, "project", nil, "only this project `NAME`; may be repeated")
	f.BoolVar(&asYAML, "yaml", false, "print entries to paste into the schedule file")
	f.VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, _, err := load(*path, config.Options{}, e.stderr) // its warnings are for validate and plan
		if err != nil {
			return err
		}
		all, _, closer, err := newCommandClients(c.Context(), e, cfg, place)
		if err != nil {
			return err
		}
		found, err := lookup(c.Context(), e, all, projects)
		if err = errors.Join(err, closer.Close()); err != nil {
			return err
		}
		return printEnvironments(e, found, asYAML, form.value)
	}
	return c
}

// lookup reads the metadata of every project, within LCS's limits.
func lookup(ctx context.Context, e env, all *daemon.Clients, only []string) ([]seen, error) {
	cfg := all.Config
	for _, name := range only {
		if !slices.ContainsFunc(cfg.Projects, func(p config.Project) bool { return p.Name == name }) {
			return nil, usage("no project %q in %s", name, cfg.Path)
		}
	}
	all.Limiter = func() lcs.Limiter { return lcs.NewLimiter() }
	found := []seen{}
	for _, p := range cfg.Projects {
		if len(only) > 0 && !slices.Contains(only, p.Name) {
			continue
		}
		client, _, err := all.Of(p, p.Accounts[0])
		if err != nil {
			return nil, err
		}
		list, err := client.Environments(ctx, p.ID, throttled(e, p))
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", p.Name, err)
		}
		for _, env := range list {
			found = append(found, seen{env.Name, p.Name, env.ID, env.DeploymentState, string(env.Condition()), env.Infrastructure, env.Type})
		}
	}
	return found, nil
}

// longestThrottle is the longest wait for LCS of a command that a person waits for: its limit
// of metadata is one of a minute, which the daemon or another command can have used.
const longestThrottle = 2 * time.Minute

// throttled returns what waits when LCS throttles the metadata of a project, and says so.
func throttled(e env, p config.Project) func(context.Context, time.Duration) bool {
	return func(ctx context.Context, d time.Duration) bool {
		if d > longestThrottle {
			return false
		}
		_, _ = fmt.Fprintf(e.stderr, "project %s: LCS lets 6 pages of metadata be read in a minute; waiting %s\n", p.Name, plan.FormatDuration(d))
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-t.C:
			return true
		}
	}
}

func printEnvironments(e env, found []seen, asYAML bool, form string) error {
	switch {
	case asYAML:
		return printEntries(e, found)
	case form == "json":
		return printJSON(e.stdout, found)
	}
	return printSeen(newScreen(e, time.UTC), found)
}

func printSeen(s *screen, found []seen) error {
	t := table{columns: []column{
		{name: "NAME"},
		{name: "PROJECT", spare: 1},
		{name: "ID"},
		{name: "CONDITION", paint: badWhen(string(lcs.Unsupported))},
		{name: "STATE", spare: 2},
		{name: "TYPE", spare: 3},
		{name: "INFRASTRUCTURE", spare: 4},
	}}
	for _, env := range found {
		t.rows = append(t.rows, row{cells: []string{env.Name, env.Project, env.ID, env.Condition, env.State, env.Type, env.Infrastructure}})
	}
	if _, err := fmt.Fprintf(s.w, "%s: %s\n", wording.Count(len(found), "environment"), totals(found, func(env seen) string { return env.Condition })); err != nil {
		return err
	}
	return t.print(s)
}

var notInNames = regexp.MustCompile(`[^\p{L}\p{M}\p{Nd}._-]+`)

// tagOf returns the tag of an environment of a type of LCS. The sample file selects dev
// and build; the tags of all others name what should not stop before somebody chose so.
func tagOf(kind string) string {
	switch kind = strings.ToLower(kind); kind {
	case "devtestdev":
		return "dev"
	case "devtestbuild", "devtestdevandbuild": // what builds at night is not to stop with the office
		return "build"
	case "sandbox", "onpremsandbox":
		return "sandbox"
	case "production", "onpremproduction", "highavailability":
		return "production"
	case "", "unknown":
		return "untyped"
	default:
		return strings.Trim(notInNames.ReplaceAllString(kind, "-"), "-")
	}
}

// nameOf makes a name of the schedule file of one of LCS. It leaves room for a number.
func nameOf(lcsName string) string {
	name := []rune(notInNames.ReplaceAllString(lcsName, "-"))
	return cmp.Or(strings.Trim(string(name[:min(len(name), longestName)]), "-."), "environment")
}

const longestName = 90

// printEntries prints the environments section of a schedule file. Those that
// LCS does not start and stop are comments.
func printEntries(e env, found []seen) error {
	var b strings.Builder
	b.WriteString("environments:\n")
	used := map[string]bool{}
	for _, s := range found {
		base := nameOf(s.Name)
		name := base
		for n := 2; used[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		used[strings.ToLower(name)] = true
		comment := "  "
		if s.Condition == string(lcs.Unsupported) {
			fmt.Fprintf(&b, "  # LCS starts and stops customer-managed environments only; %s is %s\n", name, notInNames.ReplaceAllString(s.Infrastructure, " "))
			comment = "  # "
		}
		fmt.Fprintf(&b, "%s- {name: %q, project: %q, id: %q, tags: [%s]}\n", comment, name, s.Project, s.ID, tagOf(s.Type))
	}
	_, err := fmt.Fprint(e.stdout, b.String())
	return err
}
