// Package access says who may do what over HTTP: roles, the rules of the schedule file's
// access section, and the hours of requesters. It knows neither HTTP nor the database.
//
// Whoever answers a request finds who made it in the request's context:
//
//	who := access.From(r.Context())            // nobody, when nothing put an identity there
//	who.May(access.Start, "dev-01") == nil     // whether to show a button; a *Denied says why not
//	who.Actor                                  // for the audit: name, way and address
//
// Changes go through Changes, which asks the same question again, adds the hours of
// requesters, and hands the change to the engine with who made it; no handler calls the
// engine's changing methods itself:
//
//	run, err := changes.Request(ctx, "dev-01", plan.Start)
//	o, made, err := changes.Override(ctx, scheduler.Override{…})   // By is filled in
//	o, made, err := changes.Skip(ctx, "dev-01")
//	o, err := changes.Release(ctx, id)
//	run, err := changes.Cancel(ctx, id)
//	runs, err := changes.Approve(ctx, id)
//	account, err := changes.ReleaseAccount(ctx, "main")
//	budgets, err := changes.Budgets(ctx)                      // what is left of a requester's hours
//
// Each returns a *Denied when the identity may not do it. A link of a notice is an identity
// as well: access.With(ctx, access.Identity{Actor: …, Role: access.Operator}) around the one
// change that the link stands for.
package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// A Role is what somebody may do; each may do what the ones before it may.
type Role int

// The roles.
const (
	Nobody    Role = iota
	Viewer         // reads
	Requester      // starts, keeps running and skips stops of the environments granted, for so many hours a week
	Operator       // everything
)

// String returns the role as the schedule file writes it.
func (r Role) String() string {
	switch r {
	case Viewer:
		return "viewer"
	case Requester:
		return "requester"
	case Operator:
		return "operator"
	default:
		return "nobody"
	}
}

// ViaUser is the way of an actor who signed in.
const ViaUser = "user"

// An Identity is who makes a request and what the schedule file lets them do. The zero
// value is nobody.
type Identity struct {
	Actor  scheduler.Actor
	Role   Role
	Grants []Grant // of a requester; none for the others
	Claims Claims  // of a user who signed in: what the provider says of them
}

// Token returns the identity of whoever has the API token, at an address.
func Token(from string) Identity {
	actor := scheduler.ByToken
	actor.From = from
	return Identity{Actor: actor, Role: Operator}
}

// Local returns the identity of whoever reads on the machine itself, without a token.
func Local(from string) Identity {
	return Identity{Actor: scheduler.Actor{From: from}, Role: Viewer}
}

// SignedIn reports whether the identity is a user who signed in.
func (i Identity) SignedIn() bool { return i.Actor.Via == ViaUser }

type key struct{}

// With returns a context that carries an identity.
func With(ctx context.Context, i Identity) context.Context { return context.WithValue(ctx, key{}, i) }

// From returns the identity that a context carries, nobody when it carries none.
func From(ctx context.Context) Identity {
	i, _ := ctx.Value(key{}).(Identity)
	return i
}

// An Action is what somebody asks to do.
type Action string

// The actions. Those of environments are asked for with their names.
const (
	Read        Action = "read"
	Start       Action = "start"
	Stop        Action = "stop"
	KeepRunning Action = "keep running"
	KeepStopped Action = "keep stopped"
	Skip        Action = "skip the next stop of"
	Release     Action = "release an override of"
	Cancel      Action = "cancel a run"
	Approve     Action = "approve a run"
	Reload      Action = "reload the schedule file"

	ReleaseAccount Action = "release the holds of an account"
)

// RequestOf returns the action of a start or stop by hand.
func RequestOf(a plan.Action) Action {
	if a == plan.Start {
		return Start
	}
	return Stop
}

// KeepOf returns the action of an override.
func KeepOf(w plan.Wanted) Action {
	if w == plan.Running {
		return KeepRunning
	}
	return KeepStopped
}

// A Denied is why an identity may not do something, and what to do about it.
type Denied struct{ Message string }

func (e *Denied) Error() string { return e.Message }

func denied(format string, args ...any) error { return &Denied{fmt.Sprintf(format, args...)} }

// May returns nil when the identity may do the action to the environments, and a *Denied
// otherwise. It counts no hours, and of Release it does not know whose override it is:
// MayRelease does.
func (i Identity) May(do Action, environments ...string) error {
	switch {
	case i.Role == Operator, do == Read && i.Role >= Viewer:
		return nil
	case i.Role == Nobody && !i.SignedIn(), i.Actor.Via == "":
		return denied("sign in, or send the API token, to %s", phrase(do, environments))
	case i.Role == Nobody && i.Claims.NoGroups:
		return denied("%s has no role here, and is in so many groups that the provider sends none: ask whoever keeps the schedule file for an app role in place of a group", i.Actor.Name)
	case i.Role == Nobody:
		return denied("%s has no role here: ask whoever keeps the schedule file to name you, or a role or group of yours, under viewer, requester or operator of its access section", i.Actor.Name)
	case i.Role == Viewer:
		return denied("%s may read only: to %s, ask somebody with the role operator, or for a role in the access section of the schedule file", i.Actor.Name, phrase(do, environments))
	}
	return i.mayRequest(do, environments)
}

// mayRequest is May for a requester.
func (i Identity) mayRequest(do Action, environments []string) error {
	switch do {
	case Read:
		return nil
	case Start, KeepRunning, Skip, Release:
	default:
		return denied("%s may start environments, keep them running and skip their stops: to %s, ask somebody with the role operator", i.Actor.Name, phrase(do, environments))
	}
	for _, name := range environments {
		if i.grant(name) < 0 {
			return denied("%s may not %s %s: want one of %s, or ask somebody with the role operator", i.Actor.Name, do, name, summary(i.Own()))
		}
	}
	return nil
}

// MayRelease is May for releasing this override: a requester may release their own.
func (i Identity) MayRelease(o scheduler.Override) error {
	switch {
	case i.Role < Requester:
		return i.May(Release, o.Environments...)
	case i.Role == Requester && (o.By.Via != i.Actor.Via || o.By.Name != i.Actor.Name):
		return denied("override %s is not yours, but made by %s: ask them, or somebody with the role operator", o.ID, o.By)
	}
	return nil
}

// Own returns the environments that a requester may start, keep running and skip stops of,
// sorted.
func (i Identity) Own() []string {
	var names []string
	for _, g := range i.Grants {
		names = append(names, g.Environments...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// grant returns the index of the grant that an environment belongs to, -1 for none. Of
// several it is the one with the most hours: they do not add up.
func (i Identity) grant(environment string) int {
	best := -1
	for n, g := range i.Grants {
		if slices.Contains(g.Environments, environment) && (best < 0 || g.HoursPerWeek > i.Grants[best].HoursPerWeek) {
			best = n
		}
	}
	return best
}

// phrase is what an action does to environments, in words.
func phrase(do Action, environments []string) string {
	switch do {
	case Read, Cancel, Approve, Reload, ReleaseAccount:
		return string(do)
	case KeepRunning, KeepStopped:
		verb, state, _ := strings.Cut(string(do), " ")
		return verb + " " + summary(environments) + " " + state
	default:
		return string(do) + " " + summary(environments)
	}
}

// summary lists names, the first few of many.
func summary(names []string) string {
	const most = 5
	switch {
	case len(names) == 0:
		return "an environment"
	case len(names) > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
