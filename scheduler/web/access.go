package web

import (
	"cmp"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"curfew/lcs/remote"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/api"
)

// A SignIn knows who signed in.
type SignIn interface {
	// Enabled reports whether the active schedule file says who may sign in.
	Enabled() bool
	// Identify returns who the session of a request belongs to; ok is false when it has
	// none. It may set a cookie.
	Identify(w http.ResponseWriter, r *http.Request) (who access.Identity, ok bool, err error)
	// Routes are its own, by their patterns. They are open to everybody.
	Routes() map[string]http.HandlerFunc
}

// A kind is what a route is to those who ask for it.
type kind int

const (
	apiRead kind = iota
	apiChange
	page // its form may change something: Changes decides
)

// A gate lets requests through to the routes of a kind.
type gate struct {
	*Server
	kind  kind
	local bool // the listener is on loopback
}

// guard decides who may have a route. It puts the identity into the context of the
// request: of the API token, else of the session, else of whoever reads on the machine
// itself. What an identity may do beyond reading is decided by access.Changes.
func (g gate) guard(next http.HandlerFunc) http.Handler {
	next = validText(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, answered := g.identify(w, r)
		if answered {
			return
		}
		if who == nil {
			g.refuse(w, r)
			return
		}
		r = r.WithContext(access.With(r.Context(), *who))
		if err := who.May(access.Read); err != nil {
			g.problem(w, r, http.StatusForbidden, "you may not see this", err.Error())
			return
		}
		if g.opts.Standby != nil && changes(r) {
			w.Header().Set("Retry-After", retryStandby)
			title, detail := standbyProblem(g.opts.Standby())
			g.problem(w, r, http.StatusServiceUnavailable, title, detail)
			return
		}
		next(w, r)
	})
}

// identify returns who makes a request, nil for somebody unknown. answered reports that the
// request was refused already.
func (g gate) identify(w http.ResponseWriter, r *http.Request) (who *access.Identity, answered bool) {
	said := g.tokens.check(r, time.Now())
	open := g.kind != apiChange && g.local && !passedOn(r) && localName(r.Host)
	switch {
	case said == tokenRight:
		return new(access.Token(r.RemoteAddr)), false
	case said != tokenAbsent && !open:
		g.refuseToken(w, r, said)
		return nil, true
	}
	if g.enabled() {
		found, ok, err := g.opts.SignIn.Identify(w, r)
		if err != nil {
			g.log.Error("session not read", zap.Error(err))
			g.problem(w, r, http.StatusServiceUnavailable, "sessions cannot be read", "the database does not answer: try again; the daemon's log says why")
			return nil, true
		}
		if ok {
			return &found, false
		}
	}
	if open {
		return new(access.Local(r.RemoteAddr)), false
	}
	return nil, false
}

// refuseToken answers a request with a wrong token.
func (g gate) refuseToken(w http.ResponseWriter, r *http.Request, said verdict) {
	if said == tokenWrong {
		g.unauthorized(w, r, "the token is wrong", "the token sent is not the daemon's: set CURFEW_API_TOKEN to the same value on the daemon and where you send it from")
		return
	}
	wait := g.tokens.wrong.Wait(r.RemoteAddr, time.Now())
	w.Header().Set("Retry-After", fmt.Sprint(math.Ceil(wait.Seconds())))
	api.WriteProblem(w, http.StatusTooManyRequests, "too many wrong tokens", "many wrong tokens came from this address: correct CURFEW_API_TOKEN where you send it from, and try again later")
}

// refuse answers a request of somebody unknown: with the way to sign in, or with what has to
// be set.
func (g gate) refuse(w http.ResponseWriter, r *http.Request) {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case g.enabled() && g.kind == page && safe:
		http.Redirect(w, r, "/login?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
	case g.enabled() && g.kind == page:
		g.problem(w, r, http.StatusUnauthorized, "you are not signed in", "nothing was changed: sign in at /login, and do it again")
	case g.enabled():
		g.unauthorized(w, r, "a token or a signed-in user is needed", "send Authorization: Bearer with the value of the daemon's CURFEW_API_TOKEN, or sign in at /login")
	case g.kind != apiChange && g.local && !passedOn(r):
		api.WriteProblem(w, http.StatusMisdirectedRequest, "this address is not curfew's", "ask for http://localhost or http://127.0.0.1, or set CURFEW_API_TOKEN on the daemon and send it")
	case g.kind == page && g.tokens.token != nil:
		g.unauthorized(w, r, "nobody can sign in here yet", "a browser cannot send the API token: add the section access to the schedule file, by which people sign in (docs/access.md), or use the command curfew with CURFEW_API_TOKEN")
	case g.tokens.token != nil:
		g.unauthorized(w, r, "a token is needed", "send Authorization: Bearer with the value of the daemon's CURFEW_API_TOKEN; the daemon's log says when it cannot read that")
	case g.kind == apiChange:
		api.WriteProblem(w, http.StatusForbidden, api.ChangesRefused, "set CURFEW_API_TOKEN or CURFEW_API_TOKEN_FILE on the daemon, and send the token")
	default:
		g.problem(w, r, http.StatusForbidden, "the API is closed", "off loopback, and behind a proxy, curfew serves health and metrics only, unless CURFEW_API_TOKEN or CURFEW_API_TOKEN_FILE is set on the daemon, or the schedule file has access")
	}
}

func (s *Server) enabled() bool { return s.opts.SignIn != nil && s.opts.SignIn.Enabled() }

// problem shows a problem as a page to a browser, and as a document to the others.
func (g gate) problem(w http.ResponseWriter, r *http.Request, status int, title, detail string) {
	if g.kind == page && g.opts.Problem != nil {
		g.opts.Problem(w, r, status, title, detail)
		return
	}
	api.WriteProblem(w, status, title, detail)
}

func (g gate) unauthorized(w http.ResponseWriter, r *http.Request, title, detail string) {
	w.Header().Set("WWW-Authenticate", `Bearer realm="curfew"`)
	g.problem(w, r, http.StatusUnauthorized, title, detail)
}

// passedOn reports whether a proxy passed a request on, so that it may come from anywhere:
// by the headers that RFC 7239 and 9110 name, by those that proxies have of their own, and
// by HTTP/1.0, which hardly anybody but a proxy without any of these speaks.
func passedOn(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return true
	}
	for name := range r.Header {
		switch {
		case strings.HasPrefix(name, "X-Forwarded-"), strings.HasPrefix(name, "X-Original-"):
			return true
		case slices.Contains([]string{"Forwarded", "Via", "X-Real-Ip", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip"}, name):
			return true
		}
	}
	return false
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && remote.IsLoopback(tcp.IP.String())
}

func localName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return remote.IsLoopback(strings.Trim(host, "[]"))
}

// sameSite refuses changes that a page of another site makes a browser ask for, whatever
// credential they carry.
func (s *Server) sameSite(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			if s.foreign(r) {
				api.WriteProblem(w, http.StatusForbidden, "the request comes from another site", "a page of another site asked for this: open curfew itself, at "+cmp.Or(s.opts.PublicURL, "its own address")+", and do it there")
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// foreign reports whether a browser says that a page of another site makes a request.
// Whoever is no browser says nothing.
func (s *Server) foreign(r *http.Request) bool {
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return true
		}
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || !strings.EqualFold(u.Host, r.Host) && !strings.EqualFold(origin, s.opts.PublicURL) {
			return true
		}
	}
	return false
}
