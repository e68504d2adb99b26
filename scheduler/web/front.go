package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"curfew/scheduler"
	"curfew/scheduler/web/api"
)

// A Front answers on one listener for as long as the process lives. What answers is not
// known at first, and changes when a process that stands by becomes the active one.
type Front struct {
	log         *zap.Logger
	connections *connections
	shown       atomic.Pointer[http.Handler]
	reason      atomic.Pointer[string] // why there is nothing to show yet
}

// NewFront makes a Front that answers that the daemon is starting. It has so many connections
// at most, 1024 when zero.
func NewFront(log *zap.Logger, most int) *Front {
	if log == nil {
		log = zap.NewNop()
	}
	f := &Front{log: log.Named("web"), connections: newConnections(most)}
	f.Starting(scheduler.UnreadyStarting)
	return f
}

// Register has a registry show the metrics of the connections.
func (f *Front) Register(reg prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{f.connections.limited, f.connections.number} {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("register metrics: %w", err)
		}
	}
	return nil
}

// Show has a handler answer from now on. Requests under way end where they began.
func (f *Front) Show(h http.Handler) { f.shown.Store(&h) }

// Starting says why nothing else answers yet.
func (f *Front) Starting(reason string) {
	f.reason.Store(&reason)
	if f.shown.Load() == nil {
		f.Show(secured(http.HandlerFunc(f.starting)))
	}
}

func (f *Front) starting(w http.ResponseWriter, r *http.Request) {
	switch reason := *f.reason.Load(); r.URL.Path {
	case "/healthz":
		plain(w, http.StatusOK, "ok")
	case "/readyz":
		plain(w, http.StatusServiceUnavailable, reason)
	default:
		w.Header().Set("Retry-After", "2")
		api.WriteProblem(w, http.StatusServiceUnavailable, scheduler.UnreadyStarting, reason+": try again in a moment")
	}
}

// Serve answers on a listener until ctx ends, then lets requests under way finish.
func (f *Front) Serve(ctx context.Context, l net.Listener) error {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*f.shown.Load()).ServeHTTP(w, r) })
	server := &http.Server{
		Handler: f.connections.bounded(handler), ConnContext: inContext, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, WriteTimeout: requestTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader, ErrorLog: zap.NewStdLog(f.log),
		BaseContext: func(net.Listener) context.Context { return context.WithoutCancel(ctx) },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(&boundedListener{l, f.connections}) }()
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

// Health answers for a process that stands by and cannot read the database; active says which
// process has it, which is for nobody beyond this machine.
func Health(active func() string, addr net.Addr) http.Handler {
	return secured(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch by := ""; r.URL.Path {
		case "/healthz", "/readyz":
			plain(w, http.StatusOK, "standby")
		default:
			if isLoopback(addr) && !passedOn(r) {
				by = active()
			}
			refuseStandby(w, by)
		}
	}))
}

// standbyProblem is why a process that stands by changes nothing; by says which one is active.
func standbyProblem(by string) (title, detail string) {
	detail = "another process uses the database"
	if by != "" {
		detail += " (" + by + ")"
	}
	return "this process stands by", detail + " and this one reads only: send changes to that one; this one takes them once it has taken over"
}

// refuseStandby answers what a process that stands by cannot do.
func refuseStandby(w http.ResponseWriter, by string) {
	w.Header().Set("Retry-After", retryStandby)
	title, detail := standbyProblem(by)
	api.WriteProblem(w, http.StatusServiceUnavailable, title, detail)
}

// standbyUnnamed refuses what somebody unknown asks.
func standbyUnnamed(w http.ResponseWriter, _ *http.Request) { refuseStandby(w, "") }

// retryStandby is in seconds: a process that stands by takes over within them.
const retryStandby = "2"

// changes reports whether a request is a change. POST /plan reads: it checks a pasted file.
func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return false
	}
	return r.URL.Path != "/plan"
}
