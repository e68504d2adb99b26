package main

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"curfew/scheduler/config"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/client"
)

// selectFrom returns the environments of the file that names, globs and tag:NAME select.
func selectFrom(cfg *config.Config, selectors []string) ([]string, error) {
	names, err := config.Select(cfg.Environments, selectors...)
	if err != nil {
		return nil, usage("%s: %w", cfg.Path, err)
	}
	return names, nil
}

// clientFor makes the client of a command that changes environments, and selects them.
func clientFor(ctx context.Context, e env, server string, selectors []string) (*client.Client, []string, error) {
	remote, err := newClient(e, server)
	if err != nil {
		return nil, nil, err
	}
	names, err := selectKnown(ctx, remote, selectors)
	return remote, names, err
}

// selectKnown is selectFrom for the environments of the daemon's file.
func selectKnown(ctx context.Context, remote *client.Client, selectors []string) ([]string, error) {
	known, err := remote.Environments(ctx)
	if err != nil {
		return nil, err
	}
	return selectOf(known, selectors)
}

// selectOf is selectKnown for environments that were asked for already.
func selectOf(known []api.Environment, selectors []string) ([]string, error) {
	list := make([]config.Environment, len(known))
	for i, e := range known {
		list[i] = config.Environment{Name: e.Name, Tags: e.Tags}
	}
	names, err := config.Select(list, selectors...)
	if err != nil {
		return nil, usage("the daemon's schedule file: %w", err)
	}
	return names, nil
}

// plainName reports whether a selector is a name, which a file may have had once.
func plainName(selector string) bool {
	return !config.IsGlob(selector) && !strings.HasPrefix(selector, "tag:")
}

// runsOf returns the runs of the environments that are selected, newest first; those of
// all when there is no selector. A name that the file does not have any more still has
// its history.
func runsOf(ctx context.Context, remote *client.Client, q client.RunQuery, selectors []string) ([]api.Run, error) {
	if len(selectors) == 0 {
		return remote.Runs(ctx, q)
	}
	var names []string
	runs := []api.Run{}
	for _, selector := range selectors {
		selected, err := selectKnown(ctx, remote, []string{selector})
		if err != nil && !plainName(selector) {
			return nil, err
		}
		if err != nil {
			if old, oldErr := remote.Runs(ctx, client.RunQuery{Environment: selector, Max: 1}); oldErr != nil || len(old) == 0 {
				return nil, err
			}
			selected = []string{selector}
		}
		names = append(names, selected...)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		q.Environment = name
		some, err := remote.Runs(ctx, q)
		if err != nil {
			return nil, err
		}
		runs = append(runs, some...)
	}
	slices.SortFunc(runs, func(a, b api.Run) int { return cmp.Compare(b.ID, a.ID) }) // as the daemon sorts them
	if q.Max > 0 && len(runs) > q.Max {
		runs = runs[:q.Max]
	}
	return runs, nil
}
