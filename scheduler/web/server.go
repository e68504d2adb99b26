// Package web serves the HTTP interface: health, metrics, the API and the pages, each to
// those who may have it.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"

	"curfew/lcs/secret"
	"curfew/scheduler/web/api"
)

const (
	headerTimeout  = 5 * time.Second
	requestTimeout = 30 * time.Second
	idleTimeout    = 2 * time.Minute
	stopTimeout    = 5 * time.Second
	maxHeader      = 64 << 10
)

// Options are what a Server is made of.
type Options struct {
	API      *api.API
	Ready    func(ctx context.Context) error // why the daemon cannot work, nil when it can
	Gatherer prometheus.Gatherer
	Logger   *zap.Logger
	// Token returns the current token: changes need it, and off loopback reading
	// too. Empty, or nil: there is none.
	Token func() secret.Secret
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
	for _, r := range s.opts.API.Routes() {
		guard := read
		if r.Method != http.MethodGet {
			guard = change
		}
		handler := guard(r.Handler)
		if r.Path != api.EventsPath { // events go out at once, whatever their size
			handler = compressed(handler)
		}
		mux.Handle(r.Method+" "+r.Path, handler)
	}
	mux.Handle("POST /-/reload", change(s.opts.API.Reload()))
	mux.Handle("/api/", read(s.opts.API.NotFound()))
	for pattern, page := range s.opts.Pages {
		mux.Handle(pattern, compressed(read(page)))
	}
	return secured(mux)
}

// secured sets the headers that every answer has.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
		next.ServeHTTP(w, r)
	})
}

func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	if err := s.opts.Ready(r.Context()); err != nil {
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
