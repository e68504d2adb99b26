package access

import (
	"context"
	"time"

	"golang.org/x/sync/semaphore"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// An Engine carries changes out, whoever asks.
type Engine interface {
	Request(ctx context.Context, environment string, action plan.Action, by scheduler.Actor) (scheduler.Run, error)
	Cancel(ctx context.Context, id string, by scheduler.Actor) (scheduler.Run, error)
	Approve(ctx context.Context, id string, by scheduler.Actor) ([]scheduler.Run, error)
	Override(ctx context.Context, o scheduler.Override) (kept scheduler.Override, made bool, err error)
	Overrides(ctx context.Context) ([]scheduler.OverrideStatus, error)
	Skip(ctx context.Context, environment string, by scheduler.Actor) (o scheduler.Override, made bool, err error)
	Release(ctx context.Context, id string, by scheduler.Actor) (scheduler.Override, error)
	ReleaseAccount(ctx context.Context, name string, by scheduler.Actor) (scheduler.AccountStatus, error)
}

// Changes carries out what the identity of a context may do, and nothing else.
type Changes struct {
	engine Engine
	hours  Hours
	// turn is taken from reading a requester's hours until the change that uses them is
	// written: two requests cannot pass together on one remaining budget. It is of this
	// process; replicas do not wait for each other.
	turn *semaphore.Weighted
}

// NewChanges makes the changes of an engine.
func NewChanges(e Engine, h Hours) *Changes {
	return &Changes{engine: e, hours: h, turn: semaphore.NewWeighted(1)}
}

// Request starts or stops an environment by hand.
func (c *Changes) Request(ctx context.Context, environment string, action plan.Action) (scheduler.Run, error) {
	who := From(ctx)
	if err := who.May(RequestOf(action), environment); err != nil {
		return scheduler.Run{}, err
	}
	var run scheduler.Run
	err := c.within(ctx, who, func(book *book) []use {
		return []use{book.start(environment, time.Now())}
	}, func() (err error) {
		run, err = c.engine.Request(ctx, environment, action, who.Actor)
		return err
	})
	return run, err
}

// Override keeps environments running or stopped. Who made it is filled in; made is false
// when an override does so already.
func (c *Changes) Override(ctx context.Context, o scheduler.Override) (kept scheduler.Override, made bool, err error) {
	who := From(ctx)
	if err := who.May(KeepOf(o.Keep), o.Environments...); err != nil {
		return o, false, err
	}
	o.By = who.Actor
	err = c.within(ctx, who, func(*book) []use { return usesOf(o, time.Now()) }, func() (err error) {
		kept, made, err = c.engine.Override(ctx, o)
		return err
	})
	return kept, made, err
}

// Skip leaves out the next stop of an environment; made is false when an override does so
// already.
func (c *Changes) Skip(ctx context.Context, environment string) (o scheduler.Override, made bool, err error) {
	who := From(ctx)
	if err := who.May(Skip, environment); err != nil {
		return o, false, err
	}
	err = c.within(ctx, who, func(b *book) []use { return b.skip(environment, time.Now()) }, func() (err error) {
		o, made, err = c.engine.Skip(ctx, environment, who.Actor)
		return err
	})
	return o, made, err
}

// Release ends an override.
func (c *Changes) Release(ctx context.Context, id string) (scheduler.Override, error) {
	who := From(ctx)
	if who.Role < Requester {
		return scheduler.Override{}, who.May(Release)
	}
	if who.Role == Requester {
		o, err := c.find(ctx, id)
		if err != nil {
			return o, err
		}
		if err := who.MayRelease(o); err != nil {
			return o, err
		}
	}
	return c.engine.Release(ctx, id, who.Actor)
}

func (c *Changes) find(ctx context.Context, id string) (scheduler.Override, error) {
	all, err := c.engine.Overrides(ctx)
	if err != nil {
		return scheduler.Override{}, err
	}
	for _, o := range all {
		if o.ID == id {
			return o.Override, nil
		}
	}
	return scheduler.Override{}, scheduler.ErrNoOverride
}

// Cancel ends an unfinished run.
func (c *Changes) Cancel(ctx context.Context, id string) (scheduler.Run, error) {
	who := From(ctx)
	if err := who.May(Cancel); err != nil {
		return scheduler.Run{}, err
	}
	return c.engine.Cancel(ctx, id, who.Actor)
}

// Approve lets the fire of a held run go.
func (c *Changes) Approve(ctx context.Context, id string) ([]scheduler.Run, error) {
	who := From(ctx)
	if err := who.May(Approve); err != nil {
		return nil, err
	}
	return c.engine.Approve(ctx, id, who.Actor)
}

// ReleaseAccount ends the holds of an account.
func (c *Changes) ReleaseAccount(ctx context.Context, name string) (scheduler.AccountStatus, error) {
	who := From(ctx)
	if err := who.May(ReleaseAccount); err != nil {
		return scheduler.AccountStatus{}, err
	}
	return c.engine.ReleaseAccount(ctx, name, who.Actor)
}
