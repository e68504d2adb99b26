package pages

import (
	"context"
	"sync"
	"time"

	"curfew/scheduler"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/access"
)

// pressedAgain is how long the same start or stop by the same person counts as one press of the
// button: a double click sends its form twice.
const pressedAgain = 10 * time.Second

// requests asks for the starts and stops of forms.
type requests struct {
	changes Changes
	engine  Engine
	now     func() time.Time
	mu      sync.Mutex // held while one is asked for: the second click comes while the first is carried out
}

// ask asks for a start or stop, unless the person of the context has just asked for it: made is
// false then, and the run is that one.
func (q *requests) ask(ctx context.Context, environment string, action plan.Action) (run scheduler.Run, made bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, _, err := q.engine.Runs(ctx, scheduler.RunFilter{Environment: environment, Limit: 1})
	if err != nil {
		return scheduler.Run{}, false, err
	}
	if len(list) > 0 && q.repeats(ctx, list[0], action) {
		return list[0], false, nil
	}
	run, err = q.changes.Request(ctx, environment, action)
	return run, err == nil, err
}

// repeats reports whether a request of the person of the context repeats a run.
func (q *requests) repeats(ctx context.Context, last scheduler.Run, action plan.Action) bool {
	by := access.From(ctx).Actor
	return last.Trigger == scheduler.TriggerManual && last.Action == action && !last.State.Finished() &&
		last.By.Name == by.Name && last.By.Via == by.Via && q.now().Sub(last.CreatedAt) < pressedAgain
}
