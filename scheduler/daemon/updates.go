package daemon

import (
	"context"
	"slices"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/engine"
	"curfew/scheduler/store"
	"curfew/scheduler/web/api"
)

// updates are those of the database, with the names of environments.
type updates struct {
	engine *engine.Engine
	*store.Updates
}

// Watch begins to compare: its first Read returns what changed since then.
func (u updates) Watch(ctx context.Context) (api.Watch, error) {
	w, err := u.Updates.Watch(ctx)
	if err != nil {
		return nil, err
	}
	return watch{w, u.engine}, nil
}

type watch struct {
	*store.Watch
	engine *engine.Engine
}

// Read returns what changed since it was last called, of environments that the active
// file has.
func (w watch) Read(ctx context.Context, now time.Time) ([]scheduler.Update, error) {
	list, err := w.Watch.Read(ctx, now)
	return slices.DeleteFunc(w.named(list), func(u scheduler.Update) bool { return u.Environment == "" && u.Kind == scheduler.UpdateObservation }), err
}

func (w watch) named(list []scheduler.Update) []scheduler.Update {
	for i, u := range list {
		if u.Kind != scheduler.UpdateObservation {
			continue
		}
		if found, ok := w.engine.EnvironmentOf(u.Project, u.ID); ok {
			list[i].Environment, list[i].ID = found.Name, found.ID
		}
	}
	return list
}
