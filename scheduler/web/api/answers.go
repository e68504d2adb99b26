package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/answer"
)

// MaxPage is the most that a page of a listing has.
const MaxPage = 1000

// A badParameter is a query that cannot be answered.
type badParameter struct{ name, want string }

func (e *badParameter) Error() string { return fmt.Sprintf("%s: want %s", e.name, e.want) }

// query reads the parameters, and refuses those that nobody reads and those that
// cannot be read: a misspelt filter must not widen a listing.
func query(r *http.Request, names ...string) (url.Values, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &badParameter{"the query", "name=value pairs, escaped as in a URL"}
	}
	for name, values := range q {
		if !slices.Contains(names, name) {
			return nil, &badParameter{name, "one of the parameters " + cmp.Or(strings.Join(names, ", "), "of this address, which has none")}
		}
		if len(values) > 1 {
			return nil, &badParameter{name, "it once"}
		}
	}
	return q, nil
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
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	var bad *badParameter
	var invalid *scheduler.InvalidError
	var file *BadFile
	var denied *access.Denied
	switch {
	case errors.As(err, &denied):
		WriteProblem(w, http.StatusForbidden, "you may not do this", denied.Message)
	case errors.As(err, &bad):
		WriteProblem(w, http.StatusBadRequest, "a parameter cannot be read", bad.Error())
	case errors.Is(err, scheduler.ErrNoRun):
		WriteProblem(w, http.StatusNotFound, NoRun, "GET /api/v1/runs lists the runs")
	case errors.As(err, &invalid):
		WriteProblem(w, http.StatusBadRequest, Invalid, invalid.Message)
	case errors.As(err, &file):
		WriteProblem(w, http.StatusUnprocessableEntity, "the schedule file was not loaded; the old one stays active", file.Message)
	case errors.Is(err, scheduler.ErrNoEnvironment):
		WriteProblem(w, http.StatusNotFound, NoEnvironment, "the active schedule file does not have "+strings.TrimPrefix(err.Error(), scheduler.ErrNoEnvironment.Error()+": "))
	case errors.Is(err, scheduler.ErrNoAccount):
		WriteProblem(w, http.StatusNotFound, NoAccount, "no project of the active schedule file uses "+strings.TrimPrefix(err.Error(), scheduler.ErrNoAccount.Error()+": "))
	case errors.Is(err, scheduler.ErrNoOverride):
		WriteProblem(w, http.StatusNotFound, NoOverride, "GET /api/v1/overrides lists the overrides")
	case errors.Is(err, scheduler.ErrOver):
		WriteProblem(w, http.StatusConflict, OverrideEnded, "there is nothing to release")
	case errors.Is(err, scheduler.ErrFinished):
		WriteProblem(w, http.StatusConflict, NotWaiting, "GET /api/v1/runs/{id} shows its state")
	case errors.Is(r.Context().Err(), context.DeadlineExceeded):
		w.Header().Set("Retry-After", "5")
		WriteProblem(w, http.StatusServiceUnavailable, "the answer takes too long", "ask for a shorter time, or again when the daemon has less to do")
	case r.Context().Err() != nil: // nobody listens any more
	default:
		a.log.Error("request not answered", zap.String("path", r.URL.Path), zap.Error(err))
		WriteProblem(w, http.StatusInternalServerError, "curfew could not answer", "the daemon's log says why")
	}
}

// reply makes a handler of a function that returns what to answer.
func (a *API) reply(status int, f func(r *http.Request) (any, error)) http.HandlerFunc {
	return a.replyWith(func(r *http.Request) (int, any, error) {
		v, err := f(r)
		return status, v, err
	})
}

// replyWith is reply for a function that chooses the status.
func (a *API) replyWith(f func(r *http.Request) (int, any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, v, err := f(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		status, kind, body := encode(status, "application/json", v)
		answer.Write(w, r, status, kind, body)
	}
}

// items returns a list in the API's form.
func items[F, T any](found []F, form func(F) T) []T {
	out := make([]T, len(found))
	for i, f := range found {
		out[i] = form(f)
	}
	return out
}

func (a *API) runs(r *http.Request) (any, error) {
	f, err := filterOf(r)
	if err != nil {
		return nil, err
	}
	found, next, err := a.opts.Engine.Runs(r.Context(), f)
	if err != nil {
		return nil, err
	}
	return list(items(found, runOf), next), nil
}

func filterOf(r *http.Request) (scheduler.RunFilter, error) {
	q, err := query(r, "environment", "state", "since", "limit", "cursor")
	if err != nil {
		return scheduler.RunFilter{}, err
	}
	f := scheduler.RunFilter{Environment: q.Get("environment"), State: scheduler.State(q.Get("state")), Cursor: q.Get("cursor")}
	if f.Cursor != "" && uuid.Validate(f.Cursor) != nil {
		return f, &badParameter{"cursor", "the next_cursor of the page before"}
	}
	if f.State != "" && !f.State.Valid() {
		return f, &badParameter{"state", fmt.Sprintf("one of %v", scheduler.States())}
	}
	if f.Since, err = instant(q, "since", time.Time{}); err != nil {
		return f, err
	}
	f.Limit, err = limitOf(q, 0)
	return f, err
}

func (a *API) run(r *http.Request) (any, error) {
	found, err := a.findRun(r)
	if err != nil {
		return nil, err
	}
	return runOf(found), nil
}

// findRun returns the run that a request names, by its id or by a short form of it.
func (a *API) findRun(r *http.Request) (scheduler.Run, error) {
	if _, err := query(r); err != nil {
		return scheduler.Run{}, err
	}
	return a.opts.Engine.FindRun(r.Context(), r.PathValue("id"))
}

func (a *API) file(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	if a.opts.File == nil {
		return nil, &scheduler.InvalidError{Message: "there is no schedule file"}
	}
	return a.opts.File(r.Context()), nil
}

// The states of a Daemon.
const (
	StateActive  = "active"
	StateStandby = "standby"
)

// A Daemon is what a process is to the database.
type Daemon struct {
	Version string  `json:"version"`
	State   string  `json:"state"`
	Active  *string `json:"active"`  // the active process, in words, when this one stands by
	Awaited bool    `json:"awaited"` // another process stands by for the database of this one
}

func (a *API) daemon(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	if a.opts.Daemon == nil {
		return Daemon{State: StateActive}, nil
	}
	return a.opts.Daemon(), nil
}

func (a *API) environments(r *http.Request) (any, error) {
	return page(r, a.opts.Engine.Statuses, func(s scheduler.EnvironmentStatus) string { return s.Name }, environmentOf)
}

func (a *API) environment(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	all, err := a.opts.Engine.Statuses(r.Context())
	if err != nil {
		return nil, err
	}
	for _, status := range all {
		if status.Name == r.PathValue("name") {
			return environmentOf(status), nil
		}
	}
	return nil, fmt.Errorf("%w: %q", scheduler.ErrNoEnvironment, r.PathValue("name"))
}

func (a *API) accounts(r *http.Request) (any, error) {
	return page(r, a.opts.Engine.Accounts, func(s scheduler.AccountStatus) string { return s.Name }, accountOf)
}

func (a *API) receivers(r *http.Request) (any, error) {
	find := a.opts.Receivers
	if find == nil {
		find = func(context.Context) ([]scheduler.ReceiverStatus, error) { return nil, nil }
	}
	return page(r, find, func(s scheduler.ReceiverStatus) string { return s.Name }, receiverOf)
}
