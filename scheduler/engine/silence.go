package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

// silentAfter is how long the LCS of a project may not answer before that is reported.
const silentAfter = 2 * time.Minute

// silence knows which projects LCS does not answer for. That it was reported is kept in the
// database: replicas and restarts report it once.
type silence struct {
	store  HoldStore
	record *recorder

	mu    sync.Mutex            // guards since; written by reads of metadata
	since map[int64]silentSince // by project id
}

type silentSince struct {
	at       time.Time // zero: it answers
	message  string
	reported bool
}

// failed notes that LCS did not answer for a project.
func (s *silence) failed(p scheduler.Project, now time.Time, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.since[p.ID]
	if known.at.IsZero() {
		known.at = now
	}
	known.message = message
	s.since[p.ID] = known
}

// report reports each of the projects that LCS has not answered for so long, once.
func (s *silence) report(ctx context.Context, projects []scheduler.Project, now time.Time) error {
	var errs []error
	for _, p := range projects {
		s.mu.Lock()
		known := s.since[p.ID]
		due := !known.at.IsZero() && !known.reported && now.Sub(known.at) >= silentAfter
		if due {
			s.since[p.ID] = silentSince{known.at, known.message, true}
		}
		s.mu.Unlock()
		if !due {
			continue
		}
		e := silentEvent(p, known.at, now, known.message)
		s.record.log.Warn("LCS does not answer", event(e.Kind), zap.String("project", p.Name), zap.Time("since", known.at), zap.String("message", known.message))
		if err := s.store.Hold(ctx, []scheduler.Hold{{Scope: scheduler.SilentMark(p.ID), Until: now, Reason: known.message}}, e); err != nil {
			s.set(p.ID, known) // the next pass reports it
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// answered notes that LCS answered for a project. The first answer of a process also ends
// what an earlier one reported.
func (s *silence) answered(ctx context.Context, p scheduler.Project, now time.Time) error {
	s.mu.Lock()
	known, seen := s.since[p.ID]
	s.since[p.ID] = silentSince{}
	s.mu.Unlock()
	if seen && !known.reported {
		return nil
	}
	err := s.store.Clear(ctx, []string{scheduler.SilentMark(p.ID)}, answersEvent(p, now))
	switch {
	case err != nil:
		s.set(p.ID, silentSince{known.at, known.message, true}) // the next answer reports it
	case known.reported:
		s.record.log.Info("LCS answers again", event(scheduler.EventReachable), zap.String("project", p.Name), zap.Duration("down", now.Sub(known.at).Round(time.Second)))
	}
	return err
}

func (s *silence) set(project int64, to silentSince) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.since[project] = to
}
