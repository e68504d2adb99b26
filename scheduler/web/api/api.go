// Package api is the daemon's HTTP API: its routes, the forms of its answers and its
// description. It sees the engine through a small interface.
package api

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/semaphore"

	"curfew/scheduler"
	"curfew/scheduler/plan"
)

// Changes are what the API changes, each if the identity of its context may: see
// access.Changes.
type Changes interface {
	Request(ctx context.Context, environment string, action plan.Action) (scheduler.Run, error)
	Cancel(ctx context.Context, id string) (scheduler.Run, error)
	Approve(ctx context.Context, id string) ([]scheduler.Run, error)
	Override(ctx context.Context, o scheduler.Override) (kept scheduler.Override, made bool, err error)
	Skip(ctx context.Context, environment string) (o scheduler.Override, made bool, err error)
	Release(ctx context.Context, id string) (scheduler.Override, error)
	ReleaseAccount(ctx context.Context, name string) (scheduler.AccountStatus, error)
}

// An Engine is what the API shows.
type Engine interface {
	Overrides(ctx context.Context) ([]scheduler.OverrideStatus, error)
	Runs(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error)
	FindRun(ctx context.Context, id string) (scheduler.Run, error)
	Statuses(ctx context.Context) ([]scheduler.EnvironmentStatus, error)
	Fires(from, to time.Time) iter.Seq[plan.Fire] // sorted by instant and environment
	Accounts(ctx context.Context) ([]scheduler.AccountStatus, error)
}

// Options are what the API is made of.
type Options struct {
	Engine  Engine
	Changes Changes
	Reports Reports
	Logger  *zap.Logger
	// Reload reads the schedule file again, and says what changed; a *BadFile says what is
	// wrong with it. Nil: there is no file to read.
	Reload func(ctx context.Context) (Reloaded, error)
	// Receivers returns how deliveries to the receivers of notices go. Nil: there are none.
	Receivers func(ctx context.Context) ([]scheduler.ReceiverStatus, error)
	// File returns what the schedule file is. Nil: there is none.
	File func(context.Context) File
	// Daemon returns what this process is to the database. Nil: the active one.
	Daemon func() Daemon
	// Events sends the changes. Nil: nobody can listen.
	Events *Events
}

// An API answers its routes. Who may use them is decided before.
type API struct {
	opts  Options
	log   *zap.Logger
	turns *semaphore.Weighted // of answers that take long to work out
}

// New makes the API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &API{opts: o, log: o.Logger.Named("api"), turns: semaphore.NewWeighted(atOnce)}
}

// A Route is an address that takes one method.
type Route struct {
	Method  string
	Path    string
	Handler http.HandlerFunc
}

// EventsPath is the address of the only answer that has no end.
const EventsPath = "/api/v1/events"

const (
	atOnce        = 4                // answers that take long to work out, at the same time
	longestAnswer = 25 * time.Second // the server waits 30 s for an answer to be sent
)

// bounded is for answers that take long to work out: a few at a time, each for so long, and
// no longer than somebody waits for it. The engine works on the same machine.
func (a *API) bounded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), longestAnswer)
		defer cancel()
		r = r.WithContext(ctx)
		if err := a.turns.Acquire(ctx, 1); err != nil {
			a.fail(w, r, err)
			return
		}
		defer a.turns.Release(1)
		next(w, r)
	}
}

// Routes is the API; openapi.json is tested to name exactly these.
func (a *API) Routes() []Route {
	return []Route{
		{"GET", "/api/v1/environments", a.reply(http.StatusOK, a.environments)},
		{"GET", "/api/v1/environments/{name}", a.reply(http.StatusOK, a.environment)},
		{"POST", "/api/v1/environments/{name}/start", a.reply(http.StatusAccepted, a.act(plan.Start))},
		{"POST", "/api/v1/environments/{name}/stop", a.reply(http.StatusAccepted, a.act(plan.Stop))},
		{"POST", "/api/v1/environments/{name}/skip", a.replyWith(a.skip)},
		{"GET", "/api/v1/runs", a.reply(http.StatusOK, a.runs)},
		{"GET", "/api/v1/runs/{id}", a.reply(http.StatusOK, a.run)},
		{"POST", "/api/v1/runs/{id}/cancel", a.reply(http.StatusOK, a.cancel)},
		{"POST", "/api/v1/runs/{id}/approve", a.reply(http.StatusOK, a.approve)},
		{"GET", "/api/v1/fires", a.bounded(a.reply(http.StatusOK, a.fires))},
		{"GET", "/api/v1/overrides", a.reply(http.StatusOK, a.overrides)},
		{"POST", "/api/v1/overrides", a.replyWith(a.override)},
		{"DELETE", "/api/v1/overrides/{id}", a.reply(http.StatusOK, a.release)},
		{"GET", "/api/v1/timeline", a.bounded(a.timeline)},
		{"GET", "/api/v1/savings", a.bounded(a.reply(http.StatusOK, a.savings))},
		{"GET", EventsPath, a.events},
		{"GET", "/api/v1/audit", a.reply(http.StatusOK, a.audit)},
		{"GET", "/api/v1/accounts", a.reply(http.StatusOK, a.accounts)},
		{"POST", "/api/v1/accounts/{name}/release", a.reply(http.StatusOK, a.releaseAccount)},
		{"GET", "/api/v1/receivers", a.reply(http.StatusOK, a.receivers)},
		{"GET", "/api/v1/file", a.reply(http.StatusOK, a.file)},
		{"GET", "/api/v1/daemon", a.reply(http.StatusOK, a.daemon)},
		{"POST", "/api/v1/reload", a.reply(http.StatusOK, a.reload)},
		{"GET", "/api/v1/openapi.json", a.openAPI},
	}
}

// Reload answers a reload as other daemons are asked for one.
func (a *API) Reload() http.HandlerFunc { return a.reply(http.StatusOK, a.reload) }

// NotFound answers what no route does: an address that takes other methods, or none.
func (a *API) NotFound() http.HandlerFunc {
	methods := map[string][]string{}
	for _, r := range a.Routes() {
		methods[r.Path] = append(methods[r.Path], r.Method)
	}
	mux := http.NewServeMux()
	for path, allowed := range methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			WriteProblem(w, http.StatusMethodNotAllowed, NoMethod, "it takes "+strings.Join(allowed, " and "))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		WriteProblem(w, http.StatusNotFound, NoAddress, "GET /api/v1/openapi.json lists what there is")
	})
	return mux.ServeHTTP
}

// A Problem is an error in the form of RFC 9457.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Titles of problems that a client words for its own readers.
const (
	ChangesRefused = "changes are refused" // a change to a daemon that has no token
	Invalid        = "the request cannot be carried out"
	NoEnvironment  = "no such environment"
	NoAccount      = "no such account"
	NoRun          = "no such run"
	NotWaiting     = "the run does not wait for that"
	NoOverride     = "no such override"
	OverrideEnded  = "the override has ended"
	NoAddress      = "no such address"
	NoMethod       = "the address does not take this method"
)

// WriteProblem answers with a problem.
func WriteProblem(w http.ResponseWriter, status int, title, detail string) {
	write(w, status, "application/problem+json", Problem{Type: "about:blank", Title: title, Status: status, Detail: detail})
}

func write(w http.ResponseWriter, status int, kind string, v any) {
	status, kind, body := encode(status, kind, v)
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// encode returns an answer as it is sent.
func encode(status int, kind string, v any) (int, string, []byte) {
	body, err := json.Marshal(v)
	if err != nil {
		return http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("the answer could not be written\n")
	}
	return status, kind, append(body, '\n')
}
