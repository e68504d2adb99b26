// Package web serves the HTTP interface: health, metrics, the API and the pages, each to
// those who may have it.
package web

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
	"golang.org/x/sync/singleflight"

	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/web/api"
	"curfew/scheduler/web/ratelimit"
)

const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	stopTimeout    = 5 * time.Second
	readyTimeout   = 5 * time.Second
	maxHeader      = 64 << 10
)

// Options are what a Server is made of.
type Options struct {
	API   *api.API
	Ready func(ctx context.Context) error // why the daemon cannot work, nil when it can
	// Standby says which process is active while this one stands by, in words. Nil: this one
	// is active.
	Standby  func() string
	Gatherer prometheus.Gatherer
	// Registerer takes the metrics of the server itself. Nil: they are nowhere.
	Registerer prometheus.Registerer
	Logger     *zap.Logger
	// Token reads the current API token. Nil: there is none. While it cannot be read, none is
	// right.
	Token func() (secret.Secret, error)
	// SignIn knows who signed in. Nil: nobody can.
	SignIn SignIn
	// PublicURL is the address that people use, without a slash at its end; "" when it is
	// not known.
	PublicURL string
	// Pages are what browsers show, by their patterns, to whoever may read. What their forms
	// change is decided by access.Changes.
	Pages map[string]http.HandlerFunc
	// Open are routes for everybody: what they serve is nobody's secret, or they check
	// themselves who asks.
	Open map[string]http.HandlerFunc
	// Problem shows a problem in the form of the pages. Nil: problems are documents.
	Problem func(w http.ResponseWriter, r *http.Request, status int, title, detail string)
}

// A Server answers HTTP requests.
type Server struct {
	opts   Options
	log    *zap.Logger
	tokens *tokens
	checks singleflight.Group
}

// New makes a server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	log := o.Logger.Named("web")
	return &Server{opts: o, log: log, tokens: &tokens{
		token: o.Token, log: log, wrong: ratelimit.New(wrongEvery, wrongAtOnce),
		count: promauto.With(o.Registerer).NewCounter(prometheus.CounterOpts{
			Name: "curfew_http_unauthorized_total", Help: "Requests that were refused for a wrong API token.",
		}),
	}}
}

// Handler returns the routes for a listener's address.
func (s *Server) Handler(addr net.Addr) http.Handler {
	mux := http.NewServeMux()
	for pattern, handler := range s.routes(isLoopback(addr)) {
		mux.Handle(pattern, handler)
	}
	return secured(s.sameSite(mux))
}

// Patterns returns all that is served, sorted: a test holds each to who may have it.
func (s *Server) Patterns() []string { return slices.Sorted(maps.Keys(s.routes(false))) }

// routes returns what is served, by pattern, each behind the gate of its kind.
func (s *Server) routes(local bool) map[string]http.Handler {
	read, change, shown := gate{s, apiRead, local}, gate{s, apiChange, local}, gate{s, page, local}
	all := map[string]http.Handler{
		"GET /healthz":   http.HandlerFunc(s.healthy),
		"GET /readyz":    http.HandlerFunc(s.ready),
		"GET /metrics":   promhttp.HandlerFor(s.opts.Gatherer, promhttp.HandlerOpts{}),
		"POST /-/reload": change.guard(s.opts.API.Reload()),
		"/api/":          read.guard(s.opts.API.NotFound()),
	}
	for _, r := range s.opts.API.Routes() {
		g := read
		if r.Method != http.MethodGet {
			g = change
		}
		handler := g.guard(r.Handler)
		if r.Path != api.EventsPath { // events go out at once, whatever their size
			handler = compressed(handler)
		}
		all[r.Method+" "+r.Path] = handler
	}
	for pattern, handler := range s.opts.Pages {
		all[pattern] = compressed(shown.guard(handler))
	}
	for pattern, handler := range s.opts.Open {
		all[pattern] = compressed(validText(handler))
	}
	if s.opts.SignIn != nil {
		for pattern, handler := range s.opts.SignIn.Routes() {
			if s.opts.Standby != nil {
				handler = standbyUnnamed // it keeps sessions
			}
			all[pattern] = validText(handler)
		}
	}
	if s.opts.Standby != nil {
		all["/link/{token}"] = http.HandlerFunc(standbyUnnamed)
	}
	return all
}

func (s *Server) healthy(w http.ResponseWriter, _ *http.Request) {
	if s.opts.Standby != nil {
		plain(w, http.StatusOK, "standby")
		return
	}
	plain(w, http.StatusOK, "ok")
}

// secured sets the headers that every answer has.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer, browsers send the forms of our own pages with Origin: null
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// validText refuses addresses with text that no database keeps, before anything asks for it.
func validText(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if query, err := url.QueryUnescape(r.URL.RawQuery); !scheduler.ValidText(r.URL.Path) || err == nil && !scheduler.ValidText(query) {
			api.WriteProblem(w, http.StatusBadRequest, "the address cannot be read", "want UTF-8 text without NUL in the path and in each parameter")
			return
		}
		next(w, r)
	}
}

// ready answers whether the daemon can work, and if not, why. One check at a time is under
// way: of one that hangs, everybody hears at once.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if s.opts.Standby != nil {
		plain(w, http.StatusOK, "standby")
		return
	}
	ctx := context.WithoutCancel(r.Context()) // whoever asks at the same time shares the answer
	var err error
	select {
	case res := <-s.checks.DoChan("ready", func() (any, error) { return nil, s.opts.Ready(ctx) }):
		err = res.Err
	case <-time.After(readyTimeout):
		err = &scheduler.UnreadyError{Reason: scheduler.UnreadyDatabase, Err: errors.New("the check hangs")}
	case <-r.Context().Done():
		return
	}
	if err == nil {
		plain(w, http.StatusOK, "ready")
		return
	}
	s.log.Warn("not ready", zap.Error(err))
	reason := scheduler.UnreadyDatabase // what other errors say may name a host or a password
	if e, ok := errors.AsType[*scheduler.UnreadyError](err); ok {
		reason = e.Reason
	}
	plain(w, http.StatusServiceUnavailable, reason)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}
