package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"curfew/scheduler"
)

// Holds keeps which calls are forbidden until when.
type Holds struct {
	*database
	tickets *tickets
}

// Hold forbids calls of scopes; an earlier hold of a scope is replaced. The events are
// written only if the first scope had no hold, active or ended, before.
func (s *Holds) Hold(ctx context.Context, holds []scheduler.Hold, events ...scheduler.Event) error {
	if len(holds) == 0 {
		return nil
	}
	err := s.tx(ctx, func(q session) error {
		var before int
		if err := q.row(ctx, `SELECT COUNT(*) FROM holds WHERE scope = ?`, holds[0].Scope).Scan(&before); err != nil {
			return err
		}
		for _, h := range holds {
			_, err := q.exec(ctx, `INSERT INTO holds (scope, until, reason) VALUES (?, ?, ?)
				ON CONFLICT (scope) DO UPDATE SET until = excluded.until, reason = excluded.reason`, h.Scope, micros(h.Until), h.Reason)
			if err != nil {
				return err
			}
		}
		if before > 0 {
			return nil
		}
		return addEvents(ctx, q, events)
	}, lockHolds)
	if err != nil {
		return fmt.Errorf("write the hold of %s: %w", holds[0].Scope, err)
	}
	return nil
}

// Holds returns the holds that last beyond now, sorted by scope.
func (s *Holds) Holds(ctx context.Context, now time.Time) ([]scheduler.Hold, error) {
	known, err := readFacts(ctx, s.read(), heldAt(now))
	if err != nil {
		return nil, err
	}
	list := make([]scheduler.Hold, 0, len(known.holds))
	for _, h := range known.holds {
		list = append(list, h)
	}
	slices.SortFunc(list, func(a, b scheduler.Hold) int { return strings.Compare(a.Scope, b.Scope) })
	return list, nil
}

// Clear removes the holds of scopes, active and ended ones; the events are written
// only if there was one.
func (s *Holds) Clear(ctx context.Context, scopes []string, events ...scheduler.Event) error {
	err := s.tx(ctx, func(q session) error {
		these, names := in(q, scopes)
		removed, err := q.exec(ctx, `DELETE FROM holds WHERE scope`+these, names)
		if err != nil || removed == 0 {
			return err
		}
		return addEvents(ctx, q, events)
	}, lockHolds)
	if err != nil {
		return fmt.Errorf("clear %d holds: %w", len(scopes), err)
	}
	return nil
}

// Free ends holds before their time and issues tickets for those of the projects that
// have work. Where none of the scopes is held any more it does nothing: replicas that
// all call it do it once. The events are written only if a hold ended.
func (s *Holds) Free(ctx context.Context, now time.Time, scopes, projects []string, events ...scheduler.Event) ([]scheduler.Ticket, error) {
	var list []scheduler.Ticket
	err := s.tx(ctx, func(q session) error {
		ended, err := endHolds(ctx, q, now, scopes)
		if err != nil || ended == 0 { // another replica was first, or there was nothing to wait for
			return err
		}
		if err := addEvents(ctx, q, events); err != nil {
			return err
		}
		list, err = s.tickets.wake(ctx, q, projects)
		return err
	}, lockJournal, lockHolds)
	if err != nil {
		return nil, fmt.Errorf("end %d holds: %w", len(scopes), err)
	}
	return list, nil
}

// Shorten lets the holds of these scopes end at an instant that would end later.
func (s *Holds) Shorten(ctx context.Context, latest time.Time, scopes []string) error {
	err := s.tx(ctx, func(q session) error {
		_, err := endHolds(ctx, q, latest, scopes)
		return err
	}, lockHolds)
	if err != nil {
		return fmt.Errorf("shorten %d holds: %w", len(scopes), err)
	}
	return nil
}

// endHolds lets the holds of scopes end at an instant that would end later, and returns
// how many did.
func endHolds(ctx context.Context, q session, at time.Time, scopes []string) (int, error) {
	these, names := in(q, scopes)
	return q.exec(ctx, `UPDATE holds SET until = ? WHERE until > ? AND scope`+these, micros(at), micros(at), names)
}

// unheld returns the accounts that may work for the project; held is the hold that
// ends first of those that may not.
func unheld(project int64, accounts []string, holds map[string]scheduler.Hold) (free []string, held scheduler.Hold) {
	for _, a := range accounts {
		h, ok := holds[scheduler.AccountHold(a)]
		if !ok {
			h, ok = holds[scheduler.MemberHold(a, project)]
		}
		switch {
		case !ok:
			free = append(free, a)
		case held.Until.IsZero() || h.Until.Before(held.Until):
			held = h
		}
	}
	return free, held
}
