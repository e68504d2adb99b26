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

	"curfew/lcs"
	"curfew/scheduler/config"
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
	place := databaseFlag(c, e)
	f.StringArrayVar(&projects, "project", nil, "only this project `NAME`; may be repeated")
	f.BoolVar(&asYAML, "yaml", false, "print entries to paste into the schedule file")
	f.VarP(form, "output", "o", "form of the output")
	c.RunE = func(c *cobra.Command, _ []string) error {
		cfg, _, err := loadQuietly(*path, e.stderr)
		if err != nil {
			return err
		}
		all, _, closer, err := newCommandClients(c.Context(), e, cfg, place)
		if err != nil {
			return err
		}
		found, err := lookup(c.Context(), all, projects)
		if err = errors.Join(err, closer.Close()); err != nil {
			return err
		}
		return printEnvironments(e, found, asYAML, form.value)
	}
	return c
}

// lookup reads the metadata of every project, within LCS's limits.
func lookup(ctx context.Context, all *clients, only []string) ([]seen, error) {
	cfg := all.cfg
	for _, name := range only {
		if !slices.ContainsFunc(cfg.Projects, func(p config.Project) bool { return p.Name == name }) {
			return nil, usage("no project %q in %s", name, cfg.Path)
		}
	}
	all.limiter = func() lcs.Limiter { return lcs.NewLimiter() }
	found := []seen{}
	for _, p := range cfg.Projects {
		if len(only) > 0 && !slices.Contains(only, p.Name) {
			continue
		}
		client, _, err := all.of(p, p.Accounts[0])
		if err != nil {
			return nil, err
		}
		list, err := client.Environments(ctx, p.ID)
		if err != nil {
			return nil, fmt.Errorf("project %s: %w", p.Name, err)
		}
		for _, env := range list {
			found = append(found, seen{env.Name, p.Name, env.ID, env.DeploymentState, string(env.Condition()), env.Infrastructure, env.Type})
		}
	}
	return found, nil
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
	if _, err := fmt.Fprintf(s.w, "%s: %s\n", count(len(found), "environment"), totals(found, func(env seen) string { return env.Condition })); err != nil {
		return err
	}
	return t.print(s)
}

var notInNames = regexp.MustCompile(`[^\p{L}\p{N}._-]+`)

// printEntries prints the environments section of a schedule file. Those that
// LCS does not start and stop are comments.
func printEntries(e env, found []seen) error {
	var b strings.Builder
	b.WriteString("environments:\n")
	used := map[string]bool{}
	for _, s := range found {
		name := strings.Trim(notInNames.ReplaceAllString(s.Name, "-"), "-")
		if name == "" {
			name = "environment"
		}
		base := name
		for n := 2; used[strings.ToLower(name)]; n++ {
			name = fmt.Sprintf("%s-%d", base, n)
		}
		used[strings.ToLower(name)] = true
		comment := "  "
		if s.Condition == string(lcs.Unsupported) {
			fmt.Fprintf(&b, "  # LCS starts and stops customer-managed environments only; %s is %s\n", name, notInNames.ReplaceAllString(s.Infrastructure, " "))
			comment = "  # "
		}
		fmt.Fprintf(&b, "%s- {name: %q, project: %q, id: %q, tags: [%q]}\n", comment, name, s.Project, s.ID, cmp.Or(strings.ToLower(s.Type), "untyped"))
	}
	_, err := fmt.Fprint(e.stdout, b.String())
	return err
}
