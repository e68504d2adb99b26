package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"curfew/internal/wording"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/web/client"
)

// completeWithin is how long a shell waits for names. What is not there by then is left out.
const completeWithin = 250 * time.Millisecond

// A completer finds what the shell completes: in the daemon, or in the schedule file when
// the daemon does not answer. It reports no errors: they would stand in the command line.
type completer struct{ env env }

// A wordsFunc finds words with what describes them.
type wordsFunc func(ctx context.Context, c *cobra.Command) []cobra.Completion

// addCompletion has the shell complete the arguments and flags that name something.
func addCompletion(root *cobra.Command, e env) {
	x := completer{e}
	arguments := map[string]wordsFunc{
		"start": x.selectors, "stop": x.selectors, "keep": x.selectors, "skip": x.selectors, "explain": x.environments,
		"login": x.accounts, "accounts check": x.accounts, "notify test": x.receivers, "release": x.overrides, "cancel": x.runs(""), "approve": x.runs(scheduler.Queued),
	}
	flags := map[string]wordsFunc{
		"plan environment": x.selectors, "history environment": x.selectors, "environments project": x.projects, "history state": states,
		"serve log-level": fixed("debug", "info", "warn", "error"), "serve log-format": fixed("json", "console"),
	}
	eachCommand(root, func(c *cobra.Command) {
		path := shortPath(c)
		if find := arguments[path]; find != nil {
			many := strings.Contains(c.Use, "…")
			c.ValidArgsFunction = x.within(func(ctx context.Context, c *cobra.Command, given []string) []cobra.Completion {
				if len(given) > 0 && !many {
					return nil
				}
				return without(find(ctx, c), given)
			})
		}
		for name, find := range flags {
			if command, flag, _ := strings.Cut(name, " "); command == path && c.Flag(flag) != nil {
				_ = c.RegisterFlagCompletionFunc(flag, x.within(func(ctx context.Context, c *cobra.Command, _ []string) []cobra.Completion { return find(ctx, c) }))
			}
		}
		if o := c.Flags().Lookup("output"); o != nil {
			_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(strings.Split(o.Value.Type(), "|"), cobra.ShellCompDirectiveNoFileComp))
		}
	})
}

// within ends a search in time.
func (x completer) within(find func(context.Context, *cobra.Command, []string) []cobra.Completion) cobra.CompletionFunc {
	return func(c *cobra.Command, given []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		parent := c.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, completeWithin)
		defer cancel()
		found := make(chan []cobra.Completion, 1)
		go func() { found <- find(ctx, c, given) }() // the process ends soon: reading a large file is not waited for
		select {
		case list := <-found:
			return list, cobra.ShellCompDirectiveNoFileComp
		case <-ctx.Done():
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
	}
}

// without leaves out what stands in the command line already.
func without(list []cobra.Completion, given []string) []cobra.Completion {
	taken := map[string]bool{}
	for _, word := range given {
		taken[word] = true
	}
	var left []cobra.Completion
	for _, c := range list {
		if word, _, _ := strings.Cut(c, "\t"); !taken[word] {
			left = append(left, c)
		}
	}
	return left
}

func fixed(list ...string) wordsFunc {
	return func(context.Context, *cobra.Command) []cobra.Completion { return list }
}

func states(context.Context, *cobra.Command) []cobra.Completion {
	var list []cobra.Completion
	for _, s := range scheduler.States() {
		list = append(list, string(s))
	}
	return list
}

// client is nil for a command line whose daemon cannot be asked.
func (x completer) client(c *cobra.Command) *client.Client {
	server := c.Flag("server")
	if server == nil {
		return nil
	}
	remote, err := newClient(x.env, server.Value.String())
	if err != nil {
		return nil
	}
	return remote
}

func (x completer) file(c *cobra.Command) *config.Config {
	cfg, _ := config.Load(c.Flag("config").Value.String(), config.Options{})
	return cfg
}

// known returns the environments of the daemon's file, or of the file at hand.
func (x completer) known(ctx context.Context, c *cobra.Command) []config.Environment {
	var list []config.Environment
	if remote := x.client(c); remote != nil {
		found, err := remote.Environments(ctx)
		for _, e := range found {
			list = append(list, config.Environment{Name: e.Name, Project: e.Project, Tags: e.Tags})
		}
		if err == nil {
			return list
		}
	}
	if cfg := x.file(c); cfg != nil {
		list = cfg.Environments
	}
	return list
}

func (x completer) environments(ctx context.Context, c *cobra.Command) []cobra.Completion {
	list, _ := x.namesAndTags(ctx, c)
	return list
}

// selectors are the environments and their tags.
func (x completer) selectors(ctx context.Context, c *cobra.Command) []cobra.Completion {
	list, tags := x.namesAndTags(ctx, c)
	return append(list, tags...)
}

func (x completer) namesAndTags(ctx context.Context, c *cobra.Command) (list, tags []cobra.Completion) {
	seen := map[string]bool{}
	for _, e := range x.known(ctx, c) {
		list = append(list, cobra.CompletionWithDesc(e.Name, e.Project))
		for _, tag := range e.Tags {
			if !seen[tag] {
				seen[tag] = true
				tags = append(tags, "tag:"+tag)
			}
		}
	}
	return list, tags
}

func (x completer) accounts(_ context.Context, c *cobra.Command) []cobra.Completion {
	var list []cobra.Completion
	if cfg := x.file(c); cfg != nil {
		for _, a := range cfg.Accounts {
			list = append(list, cobra.CompletionWithDesc(a.Name, a.Mode))
		}
	}
	return list
}

func (x completer) projects(_ context.Context, c *cobra.Command) []cobra.Completion {
	var list []cobra.Completion
	if cfg := x.file(c); cfg != nil {
		for _, p := range cfg.Projects {
			list = append(list, cobra.CompletionWithDesc(p.Name, p.Region))
		}
	}
	return list
}

func (x completer) receivers(_ context.Context, c *cobra.Command) []cobra.Completion {
	var list []cobra.Completion
	if cfg := x.file(c); cfg != nil {
		for _, r := range cfg.Notify {
			list = append(list, r.Name)
		}
	}
	return list
}

func (x completer) overrides(ctx context.Context, c *cobra.Command) []cobra.Completion {
	var list []cobra.Completion
	if remote := x.client(c); remote != nil {
		found, _ := remote.Overrides(ctx)
		for _, o := range found {
			if o.State == "active" || o.State == "pending" {
				list = append(list, cobra.CompletionWithDesc(o.ID, "keep "+o.Keep+": "+wording.Environments(o.Environments)))
			}
		}
	}
	return list
}

// runs are those that have not ended; only those of one state when it is given.
func (x completer) runs(state scheduler.State) wordsFunc {
	return func(ctx context.Context, c *cobra.Command) []cobra.Completion {
		remote := x.client(c)
		if remote == nil {
			return nil
		}
		const recent = 200
		var list []cobra.Completion
		found, _ := remote.Runs(ctx, client.RunQuery{State: string(state), Max: recent})
		for _, r := range found {
			if !scheduler.State(r.State).Finished() {
				list = append(list, cobra.CompletionWithDesc(r.ID, r.Action+" "+r.Environment+", "+r.State))
			}
		}
		return list
	}
}
