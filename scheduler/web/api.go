package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/scheduler"
)

const (
	maxPage     = 1000
	defaultSpan = 7 * 24 * time.Hour
	maxSpan     = 400 * 24 * time.Hour
)

// A badParameter is a query that cannot be answered.
type badParameter struct{ name, want string }

func (e *badParameter) Error() string { return fmt.Sprintf("%s: want %s", e.name, e.want) }

// known refuses parameters that nobody reads: a misspelt filter must not widen a listing.
func known(q url.Values, names ...string) error {
	for name, values := range q {
		if !slices.Contains(names, name) {
			return &badParameter{name, "one of the parameters " + strings.Join(names, ", ")}
		}
		if len(values) > 1 {
			return &badParameter{name, "it once"}
		}
	}
	return nil
}

// ParseInstant reads RFC 3339; an instant without an offset is refused.
func ParseInstant(s string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("read %q: want RFC 3339 with an offset, such as 2026-11-23T19:00:00+01:00", s)
	}
	return t, nil
}

func instant(q url.Values, name string, otherwise time.Time) (time.Time, error) {
	s := q.Get(name)
	if s == "" {
		return otherwise, nil
	}
	t, err := ParseInstant(s)
	if err != nil {
		return t, &badParameter{name, "RFC 3339 with an offset, such as 2026-11-23T19:00:00Z (a plus sign is written %2B)"}
	}
	return t, nil
}

// fail answers an error: the caller's with 400, ours with 500 and a line in the log.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad *badParameter
	switch {
	case errors.As(err, &bad):
		problem(w, http.StatusBadRequest, "a parameter cannot be read", bad.Error())
	case errors.Is(err, scheduler.ErrNoRun):
		problem(w, http.StatusNotFound, "no such run", "GET /api/v1/runs lists the runs")
	case r.Context().Err() != nil: // nobody listens any more
	default:
		s.log.Error("request not answered", zap.String("path", r.URL.Path), zap.Error(err))
		problem(w, http.StatusInternalServerError, "curfew could not answer", "the daemon's log says why")
	}
}

func (s *Server) runs(w http.ResponseWriter, r *http.Request) {
	f, err := filterOf(r.URL.Query())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	found, next, err := s.opts.Engine.Runs(r.Context(), f)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	items := make([]Run, len(found))
	for i, run := range found {
		items[i] = runOf(run)
	}
	answer(w, list(items, next))
}

func filterOf(q url.Values) (scheduler.RunFilter, error) {
	f := scheduler.RunFilter{Environment: q.Get("environment"), State: scheduler.State(q.Get("state")), Cursor: q.Get("cursor")}
	if err := known(q, "environment", "state", "since", "limit", "cursor"); err != nil {
		return f, err
	}
	if f.State != "" && !f.State.Valid() {
		return f, &badParameter{"state", fmt.Sprintf("one of %v", scheduler.States())}
	}
	var err error
	if f.Since, err = instant(q, "since", time.Time{}); err != nil {
		return f, err
	}
	if limit := q.Get("limit"); limit != "" {
		if f.Limit, err = strconv.Atoi(limit); err != nil || f.Limit < 1 || f.Limit > maxPage {
			return f, &badParameter{"limit", fmt.Sprintf("a number from 1 to %d", maxPage)}
		}
	}
	return f, nil
}

func (s *Server) run(w http.ResponseWriter, r *http.Request) {
	found, err := s.opts.Engine.FindRun(r.Context(), r.PathValue("id"))
	if err != nil {
		s.fail(w, r, err)
		return
	}
	answer(w, runOf(found))
}

func (s *Server) environments(w http.ResponseWriter, r *http.Request) {
	if err := known(r.URL.Query()); err != nil {
		s.fail(w, r, err)
		return
	}
	all, err := s.opts.Engine.Statuses(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	items := make([]Environment, len(all))
	for i, status := range all {
		items[i] = environmentOf(status)
	}
	answer(w, list(items, ""))
}

func (s *Server) environment(w http.ResponseWriter, r *http.Request) {
	all, err := s.opts.Engine.Statuses(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	for _, status := range all {
		if status.Name == r.PathValue("name") {
			answer(w, environmentOf(status))
			return
		}
	}
	problem(w, http.StatusNotFound, "no such environment", "the schedule file in force has no environment of this name")
}

func (s *Server) fires(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if err := known(q, "from", "to"); err != nil {
		s.fail(w, r, err)
		return
	}
	from, err := instant(q, "from", time.Now())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	to, err := instant(q, "to", from.Add(defaultSpan))
	if err == nil && (to.Before(from) || to.Sub(from) > maxSpan) {
		err = &badParameter{"to", "an instant after from, 400 days later at most"}
	}
	if err != nil {
		s.fail(w, r, err)
		return
	}
	found := s.opts.Engine.Fires(from, to)
	items := make([]Fire, len(found))
	for i, f := range found {
		items[i] = FireOf(f)
	}
	answer(w, list(items, ""))
}
