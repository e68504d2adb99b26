package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/lcs"
	"curfew/lcs/auth"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/daemon"
	"curfew/scheduler/engine"
)

// newCheck is accounts check; login --check is the same.
func newCheck(e env, path *string) *cobra.Command {
	o := loginOptions{check: true, form: newOutput("table", "json")}
	c := &cobra.Command{
		Use: "check ACCOUNT", Args: usageArgs(cobra.ExactArgs(1)),
		Short: "Reads the metadata of each project of an account, and says what is missing",
		Long: "Reads the metadata of each project of an account, straight from LCS, and says what is missing: the role, the\n" +
			"invitation, an environment in LCS or in the schedule file, or that the project lives in another region. LCS lets\n" +
			"6 pages of a project be read in a minute. It starts and stops nothing, and works without the daemon. It exits 1\n" +
			"when the account cannot work for one of its projects, or LCS does not list an environment of the file.",
	}
	c.Flags().VarP(o.form, "output", "o", "form of the output")
	o.database = databaseFlags(c, e)
	c.RunE = func(c *cobra.Command, args []string) error { return login(c.Context(), e, *path, args[0], o) }
	return c
}

// A checked project is one row of `curfew accounts check`.
type checked struct {
	Project      string `json:"project"`
	ID           int64  `json:"id"`
	Region       string `json:"region"`
	OK           bool   `json:"ok"`
	Environments int    `json:"environments"` // that LCS lists
	Message      string `json:"message"`
}

// check reads each project's metadata, and reports what is missing.
func check(ctx context.Context, e env, all *daemon.Clients, a config.Account, projects []config.Project, form string) error {
	all.Limiter = func() lcs.Limiter { return lcs.NewLimiter() }
	rows := make([]checked, 0, len(projects))
	failed := 0
	for _, p := range projects {
		row, err := checkProject(ctx, e, all, a, p)
		if err != nil {
			return err
		}
		if !row.OK {
			failed++
		}
		rows = append(rows, row)
	}
	if err := printChecked(e, rows, form); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("account %s cannot work for %s", a.Name, wording.Count(failed, "project"))
	}
	return nil
}

func checkProject(ctx context.Context, e env, all *daemon.Clients, a config.Account, p config.Project) (checked, error) {
	row := checked{Project: p.Name, ID: p.ID, Region: regionOf(p)}
	client, _, err := all.Of(p, a.Name)
	if err != nil {
		return row, err
	}
	list, err := client.Environments(ctx, p.ID, throttled(e, p))
	if ctx.Err() != nil {
		return row, context.Cause(ctx)
	}
	if err == nil && len(list) > 0 {
		row.compare(all.Config, list)
		return row, nil
	}
	row.Message = "LCS lists no environment: check the project's id, and that the account is project owner or environment administrator in it"
	if err != nil {
		row.Message = errorText(err)
	}
	if elsewhere := livesIn(ctx, all, a, p, err); elsewhere != "" {
		row.Message = fmt.Sprintf("the project lives in region %s, not in %s: change its region in the schedule file (%s)", elsewhere, row.Region, row.Message)
	}
	return row, nil
}

// errorText leaves out what a failed sign-in has in front of it.
func errorText(err error) string {
	if failed, ok := errors.AsType[*auth.Error](err); ok {
		return failed.ForPerson().Error()
	}
	return err.Error()
}

// compare holds the environments that LCS lists against those of the file.
func (c *checked) compare(cfg *config.Config, list []lcs.Environment) {
	listed := map[string]scheduler.Observation{} // an environment can be on two pages
	for _, env := range list {
		id := lcs.NormalizeID(env.ID)
		listed[id] = scheduler.Observation{ID: id, Name: env.Name, Condition: env.Condition()}
	}
	var file []scheduler.Environment
	for _, env := range cfg.Environments {
		if env.Project == c.Project {
			file = append(file, scheduler.Environment{Name: env.Name, ID: env.ID})
		}
	}
	d := engine.Compare(file, slices.Collect(maps.Values(listed)))
	c.Environments = len(listed)
	c.OK, c.Message = len(d.NotListed) == 0, "metadata is read"
	if !d.Empty() {
		c.Message += ", but " + d.Reason(0) + ": " + d.NextStep()
	}
}

func regionOf(p config.Project) string {
	if at, _ := lcs.Endpoint(p.Region); at != p.Endpoint {
		return p.Endpoint
	}
	return p.Region
}

// maybeElsewhere reports whether a project could be in another region, by how its own
// answered, and whether it may be searched for there. A bad password stays bad; and a
// token that was not made for another region must not be sent to it.
func maybeElsewhere(a config.Account, p config.Project, why error) bool {
	if a.Mode == config.ModeStatic || a.Scope != "" || regionOf(p) != p.Region {
		return false
	}
	if failed, ok := errors.AsType[*auth.Error](why); ok {
		return failed.OneScope()
	}
	answer, ok := errors.AsType[*lcs.Error](why)
	return !ok || answer.Kind == lcs.Unauthorized || answer.Kind == lcs.Forbidden || answer.Kind == lcs.NotFound || answer.Kind == lcs.Refused
}

// livesIn searches for a project in the other regions of its cloud.
func livesIn(ctx context.Context, all *daemon.Clients, a config.Account, p config.Project, why error) string {
	if !maybeElsewhere(a, p, why) {
		return ""
	}
	for _, region := range lcs.Regions() {
		if region == p.Region || lcs.Cloud(region) != lcs.Cloud(p.Region) {
			continue
		}
		other := p
		other.Region, other.Scope = region, ""
		other.Endpoint, _ = lcs.Endpoint(region)
		client, _, err := all.Alone().Of(other, a.Name)
		if err != nil {
			continue
		}
		if page, err := client.EnvironmentsPage(ctx, p.ID, 1); err == nil && len(page.Environments) > 0 {
			return region
		}
	}
	return ""
}

func printChecked(e env, rows []checked, form string) error {
	if form == "json" {
		return printJSON(e.stdout, rows)
	}
	table := make([][]string, len(rows))
	for i, r := range rows {
		ok := "no"
		if r.OK {
			ok = "yes"
		}
		table[i] = []string{r.Project, strconv.FormatInt(r.ID, 10), r.Region, ok, strconv.Itoa(r.Environments), r.Message}
	}
	return printTable(e.stdout, "PROJECT ID REGION OK ENVIRONMENTS MESSAGE", table)
}
