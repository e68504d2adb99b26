// Package web serves the HTTP interface: health, metrics, the API and the start
// page. It sees the engine through a small interface.
package web

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	stopTimeout    = 5 * time.Second
	maxHeader      = 64 << 10
)

// An Engine is what the pages and the API show, and what they change.
type Engine interface {
	Shown
	Request(ctx context.Context, environment string, action plan.Action, by scheduler.Actor) (scheduler.Run, error)
	Cancel(ctx context.Context, id string, by scheduler.Actor) (scheduler.Run, error)
	Approve(ctx context.Context, id string, by scheduler.Actor) ([]scheduler.Run, error)
	Override(ctx context.Context, o scheduler.Override) (scheduler.Override, error)
	Skip(ctx context.Context, environment string, by scheduler.Actor) (o scheduler.Override, made bool, err error)
	Release(ctx context.Context, id string, by scheduler.Actor) (scheduler.Override, error)
}

// Shown is the part of an Engine that changes nothing.
type Shown interface {
	Ready(ctx context.Context) error
	Overrides(ctx context.Context) ([]scheduler.OverrideStatus, error)
	Runs(ctx context.Context, f scheduler.RunFilter) ([]scheduler.Run, string, error)
	FindRun(ctx context.Context, id string) (scheduler.Run, error)
	Statuses(ctx context.Context) ([]scheduler.EnvironmentStatus, error)
	Fires(from, to time.Time) iter.Seq[plan.Fire] // sorted by instant and environment
	Accounts(ctx context.Context) ([]scheduler.AccountStatus, error)
}

// Options are what a Server is made of.
type Options struct {
	Engine   Engine
	Reports  Reports
	Gatherer prometheus.Gatherer
	Logger   *zap.Logger
	Version  string
	Demo     bool // every page says that it is a demo
	// Token returns the current token: changes need it, and off loopback reading
	// too. Empty, or nil: there is none.
	Token func() secret.Secret
	// Reload reads the schedule file again, and says what changed; a *scheduler.InvalidError says what is wrong
	// with it. Nil: there is no file to read.
	Reload func(ctx context.Context) (Reloaded, error)
	// File returns what the schedule file is. Nil: there is none.
	File func() File
	// Pages are what browsers show, by their patterns. They change nothing.
	Pages map[string]http.HandlerFunc
}

// A Server answers HTTP requests.
type Server struct {
	opts Options
	log  *zap.Logger
}

// New makes a server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	return &Server{opts: o, log: o.Logger.Named("web")}
}

// Serve answers on a listener until ctx ends, then lets requests under way finish.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler: s.Handler(l.Addr()), ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: zap.NewStdLog(s.log),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve HTTP: %w", err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := server.Shutdown(stop)
	if errors.Is(err, context.DeadlineExceeded) {
		err = server.Close()
	}
	if serr := <-ended; err == nil && !errors.Is(serr, http.ErrServerClosed) {
		err = serr
	}
	if err != nil {
		return fmt.Errorf("stop serving HTTP: %w", err)
	}
	return nil
}

// Handler returns the routes for a listener's address.
func (s *Server) Handler(addr net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", s.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.opts.Gatherer, promhttp.HandlerOpts{}))
	read, change := s.guard(addr), s.guardChanges()
	for _, r := range s.routes() {
		guard := read
		if r.method != http.MethodGet {
			guard = change
		}
		mux.Handle(r.method+" "+r.path, guard(r.handler))
	}
	mux.Handle("POST /-/reload", change(s.reply(http.StatusOK, s.reload)))
	mux.Handle("/api/", read(s.notFound()))
	for pattern, page := range s.opts.Pages {
		mux.Handle(pattern, read(page))
	}
	return secured(mux)
}

type route struct {
	method  string
	path    string
	handler http.HandlerFunc
}

// routes is the API; openapi.json is tested to name exactly these.
func (s *Server) routes() []route {
	return []route{
		{"GET", "/api/v1/environments", s.reply(http.StatusOK, s.environments)},
		{"GET", "/api/v1/environments/{name}", s.reply(http.StatusOK, s.environment)},
		{"POST", "/api/v1/environments/{name}/start", s.reply(http.StatusAccepted, s.act(plan.Start))},
		{"POST", "/api/v1/environments/{name}/stop", s.reply(http.StatusAccepted, s.act(plan.Stop))},
		{"POST", "/api/v1/environments/{name}/skip", s.replyWith(s.skip)},
		{"GET", "/api/v1/runs", s.reply(http.StatusOK, s.runs)},
		{"GET", "/api/v1/runs/{id}", s.reply(http.StatusOK, s.run)},
		{"POST", "/api/v1/runs/{id}/cancel", s.reply(http.StatusOK, s.cancel)},
		{"POST", "/api/v1/runs/{id}/approve", s.reply(http.StatusOK, s.approve)},
		{"GET", "/api/v1/fires", s.reply(http.StatusOK, s.fires)},
		{"GET", "/api/v1/overrides", s.reply(http.StatusOK, s.overrides)},
		{"POST", "/api/v1/overrides", s.reply(http.StatusCreated, s.override)},
		{"DELETE", "/api/v1/overrides/{id}", s.reply(http.StatusOK, s.release)},
		{"GET", "/api/v1/timeline", s.reply(http.StatusOK, s.timeline)},
		{"GET", "/api/v1/savings", s.reply(http.StatusOK, s.savings)},
		{"GET", "/api/v1/audit", s.reply(http.StatusOK, s.audit)},
		{"GET", "/api/v1/accounts", s.reply(http.StatusOK, s.accounts)},
		{"GET", "/api/v1/file", s.reply(http.StatusOK, s.file)},
		{"POST", "/api/v1/reload", s.reply(http.StatusOK, s.reload)},
		{"GET", "/api/v1/openapi.json", s.openAPI},
	}
}

// secured sets the headers that every answer has.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

// guard decides who may read. On loopback everybody on the machine may, if the
// request was meant for this machine: a page of another site that resolves its
// name to 127.0.0.1 is not. Elsewhere a token is needed.
func (s *Server) guard(addr net.Addr) func(http.HandlerFunc) http.Handler {
	local := isLoopback(addr)
	return func(next http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case s.known(r), local && localName(r.Host):
				next(w, r)
			case local:
				problem(w, http.StatusMisdirectedRequest, "this address is not curfew's", "ask for http://localhost or http://127.0.0.1, or set CURFEW_API_TOKEN on the daemon and send it")
			case s.token() == "":
				problem(w, http.StatusForbidden, "the API is closed", "off loopback, curfew serves health and metrics only, unless CURFEW_API_TOKEN or CURFEW_API_TOKEN_FILE is set on the daemon")
			default:
				unauthorized(w, r)
			}
		})
	}
}

const changesRefused = "changes are refused"

// guardChanges decides who may change something: whoever has the token. A browser
// never sends it by itself, so that no page of another site can.
func (s *Server) guardChanges() func(http.HandlerFunc) http.Handler {
	return func(next http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case s.known(r):
				next(w, r)
			case s.token() == "":
				problem(w, http.StatusForbidden, changesRefused, "set CURFEW_API_TOKEN or CURFEW_API_TOKEN_FILE on the daemon, and send the token")
			default:
				unauthorized(w, r)
			}
		})
	}
}

// token is the one of the moment, "" when there is none.
func (s *Server) token() string {
	if s.opts.Token == nil {
		return ""
	}
	return s.opts.Token().Reveal()
}

// known reports whether a request carries the token.
func (s *Server) known(r *http.Request) bool {
	token := s.token()
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && token != "" && subtle.ConstantTimeCompare([]byte(sent), []byte(token)) == 1
}

func unauthorized(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="curfew"`)
	if r.Header.Get("Authorization") != "" {
		problem(w, http.StatusUnauthorized, "the token is wrong", "the token sent is not the daemon's: set CURFEW_API_TOKEN to the same value on the daemon and where you send it from")
		return
	}
	problem(w, http.StatusUnauthorized, "a token is needed", "send Authorization: Bearer with the value of the daemon's CURFEW_API_TOKEN")
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.opts.Engine.Ready(r.Context()); err != nil {
		s.log.Warn("not ready", zap.Error(err))
		plain(w, http.StatusServiceUnavailable, "the database does not answer")
		return
	}
	plain(w, http.StatusOK, "ready")
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n"))
}

// A Problem is an error in the form of RFC 9457.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

func problem(w http.ResponseWriter, status int, title, detail string) {
	write(w, status, "application/problem+json", Problem{Type: "about:blank", Title: title, Status: status, Detail: detail})
}

func write(w http.ResponseWriter, status int, kind string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, kind, body = http.StatusInternalServerError, "text/plain; charset=utf-8", []byte("the answer could not be written")
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// notFound answers what no route does: an address that takes other methods, or none.
func (s *Server) notFound() http.HandlerFunc {
	methods := map[string][]string{}
	for _, r := range s.routes() {
		methods[r.path] = append(methods[r.path], r.method)
	}
	mux := http.NewServeMux()
	for path, allowed := range methods {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			problem(w, http.StatusMethodNotAllowed, "the address does not take this method", "it takes "+strings.Join(allowed, " and "))
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		problem(w, http.StatusNotFound, "no such address", "GET /api/v1/openapi.json lists what there is")
	})
	return mux.ServeHTTP
}
