package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/lcs"
	"curfew/scheduler"
)

// holding shows what holds accounts back, and releases it where a person asks for that.
type holding struct {
	accounts *accounts
	worker   *worker
}

// Accounts returns what is known of every account that a project uses.
func (h *holding) Accounts(ctx context.Context) ([]scheduler.AccountStatus, error) {
	return h.accounts.statuses(ctx)
}

// ReleaseAccount ends every hold of an account, so that it is used at once, and returns
// what is known of it then. Whether LCS accepts it is for LCS to say.
func (h *holding) ReleaseAccount(ctx context.Context, name string, by scheduler.Actor) (scheduler.AccountStatus, error) {
	tickets, err := h.accounts.release(ctx, name, by, h.accounts.clock.Now())
	if err != nil {
		return scheduler.AccountStatus{}, err
	}
	h.worker.start(tickets...)
	list, err := h.accounts.statuses(ctx)
	if err != nil {
		return scheduler.AccountStatus{}, err
	}
	for _, s := range list {
		if s.Name == name {
			return s, nil
		}
	}
	return scheduler.AccountStatus{}, noAccount(name)
}

func noAccount(name string) error { return fmt.Errorf("%w: %q", scheduler.ErrNoAccount, name) }

// release ends the holds of an account, and returns the tickets of its projects.
func (a *accounts) release(ctx context.Context, name string, by scheduler.Actor, now time.Time) ([]scheduler.Ticket, error) {
	s := a.current.load()
	all := s.accounts()
	i := slices.IndexFunc(all, func(use accountUse) bool { return use.Name == name })
	if i < 0 {
		return nil, noAccount(name)
	}
	use := all[i]
	if use.Credential != nil { // it has a hold of its own, which outlives that of the ledger
		if err := use.Credential.Retry(ctx); err != nil {
			return nil, err
		}
	}
	holds, err := a.store.Holds(ctx, now)
	if err != nil {
		return nil, err
	}
	held := holdsByScope(holds)
	var what []string
	for _, h := range s.holdsOf(use, held) {
		what = append(what, h.String())
	}
	var scopes []string
	for scope := range holdScopes(s, use) {
		if _, is := held[scope]; is {
			scopes = append(scopes, scope)
		}
	}
	for _, kind := range []scheduler.CallKind{lcs.CallStart, lcs.CallStop} {
		scopes = append(scopes, throttledMark(name, kind))
	}
	var events []scheduler.Event
	if len(what) > 0 {
		events = append(events, releasedEvent(name, what, by, now))
	}
	tickets, err := a.store.Free(ctx, now, scopes, use.projectNames(), events...)
	if err == nil {
		a.record.log.Info("holds of the account released; it is used again", zap.String("account", name), zap.Int("holds", len(what)), zap.String("by", by.String()))
	}
	return tickets, err
}

// releasedEvent is the event of holds that somebody ended.
func releasedEvent(account string, held []string, by scheduler.Actor, at time.Time) scheduler.Event {
	e := newEvent(scheduler.EventAccount, at, by, "holds of account "+account+" released")
	e.Account = account
	e.Change = changeOf(scheduler.ChangeReleaseAccount, "account "+account+" held: "+strings.Join(held, ", "), "account "+account+" released")
	return e
}

func holdsByScope(holds []scheduler.Hold) map[string]scheduler.Hold {
	held := make(map[string]scheduler.Hold, len(holds))
	for _, h := range holds {
		held[h.Scope] = h
	}
	return held
}

// holdScopes returns the scope of each hold that can keep an account from a call, with
// what it is about.
func holdScopes(s *snapshot, use accountUse) map[string]scheduler.HoldStatus {
	scopes := map[string]scheduler.HoldStatus{scheduler.AccountHold(use.Name): {Subject: scheduler.HoldsAccount}}
	for _, kind := range []scheduler.CallKind{lcs.CallStart, lcs.CallStop} {
		scopes[scheduler.VerbHold(use.Name, kind)] = scheduler.HoldStatus{Subject: scheduler.HoldsCalls, Kind: kind}
		for _, p := range use.projects {
			for environment, id := range s.ids[p.Name] {
				scopes[scheduler.EnvironmentHold(id, kind)] = scheduler.HoldStatus{Subject: scheduler.HoldsEnvironment, Project: p.Name, Environment: environment, Kind: kind}
			}
		}
	}
	for _, p := range use.projects {
		scopes[scheduler.MemberHold(use.Name, p.ID)] = scheduler.HoldStatus{Subject: scheduler.HoldsProject, Project: p.Name}
		scopes[scheduler.MetadataHold(p.ID)] = scheduler.HoldStatus{Subject: scheduler.HoldsMetadata, Project: p.Name}
	}
	return scopes
}

// holdsOf returns the holds of an account, the widest first.
func (s *snapshot) holdsOf(use accountUse, held map[string]scheduler.Hold) []scheduler.HoldStatus {
	if len(held) == 0 {
		return nil
	}
	order := []scheduler.HoldSubject{scheduler.HoldsAccount, scheduler.HoldsProject, scheduler.HoldsCalls, scheduler.HoldsMetadata, scheduler.HoldsEnvironment}
	scopes := holdScopes(s, use)
	var list []scheduler.HoldStatus
	for _, scope := range slices.Sorted(maps.Keys(scopes)) {
		if h, is := held[scope]; is {
			one := scopes[scope]
			one.Until, one.Reason = h.Until, h.Reason
			list = append(list, one)
		}
	}
	slices.SortStableFunc(list, func(a, b scheduler.HoldStatus) int {
		return slices.Index(order, a.Subject) - slices.Index(order, b.Subject)
	})
	return list
}

// statuses returns what is known of every account that a project uses, in the order of
// the file.
func (a *accounts) statuses(ctx context.Context) ([]scheduler.AccountStatus, error) {
	holds, err := a.store.Holds(ctx, a.clock.Now())
	if err != nil {
		return nil, err
	}
	list := []scheduler.AccountStatus{}
	now := a.current.load()
	held := holdsByScope(holds)
	for _, use := range now.accounts() {
		s := a.status(use, held)
		s.Holds = now.holdsOf(use, held)
		if use.Credential != nil {
			s.Mode = use.Credential.Mode()
			if login, ok := a.loginOf(ctx, use); ok {
				s.Login = &login
			}
		}
		list = append(list, s)
	}
	return list, nil
}

// status combines what this process has seen of an account and the holds, which may be
// another replica's. Of several reasons to be down, the widest is shown.
func (a *accounts) status(use accountUse, holds map[string]scheduler.Hold) scheduler.AccountStatus {
	s := scheduler.AccountStatus{Name: use.Name, Projects: use.projectNames(), State: scheduler.AccountUnknown}
	a.mu.Lock()
	defer a.mu.Unlock()
	if since := a.up[use.Name]; !since.IsZero() {
		s.State, s.Since = scheduler.AccountUp, since
	}
	for _, scope := range slices.Backward(use.scopes()) { // the whole account's is the first
		seen, down := a.down[scope]
		if down {
			s.State, s.Since, s.Message, s.NextTry = scheduler.AccountDown, seen.since, seen.message, time.Time{}
		}
		if h, held := holds[scope]; held {
			s.State, s.Since, s.Message, s.NextTry = scheduler.AccountDown, seen.since, h.Reason, h.Until
		}
	}
	return s
}
