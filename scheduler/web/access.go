package web

import (
	"crypto/subtle"
	"net"
	"net/http"
	"net/url"
	"strings"

	"curfew/scheduler/web/api"
)

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
				api.WriteProblem(w, http.StatusMisdirectedRequest, "this address is not curfew's", "ask for http://localhost or http://127.0.0.1, or set CURFEW_API_TOKEN on the daemon and send it")
			case s.token() == "":
				api.WriteProblem(w, http.StatusForbidden, "the API is closed", "off loopback, curfew serves health and metrics only, unless CURFEW_API_TOKEN or CURFEW_API_TOKEN_FILE is set on the daemon")
			default:
				unauthorized(w, r)
			}
		})
	}
}

// guardChanges decides who may change something: whoever has the token. A browser
// never sends it by itself, so that no page of another site can.
func (s *Server) guardChanges() func(http.HandlerFunc) http.Handler {
	return func(next http.HandlerFunc) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case s.known(r):
				next(w, r)
			case s.token() == "":
				api.WriteProblem(w, http.StatusForbidden, api.ChangesRefused, "set CURFEW_API_TOKEN or CURFEW_API_TOKEN_FILE on the daemon, and send the token")
			default:
				unauthorized(w, r)
			}
		})
	}
}

// sameSite refuses changes that a page of another site asks for.
func (s *Server) sameSite(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && s.foreign(r) {
			api.WriteProblem(w, http.StatusForbidden, api.ChangesRefused, "a page of another site asked for this change; open the address of curfew itself")
			return
		}
		next(w, r)
	})
}

// foreign reports whether a request comes from a page of another site.
func (s *Server) foreign(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return true
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	u, err := url.Parse(origin)
	if err != nil {
		return true
	}
	public, err := url.Parse(s.opts.PublicURL)
	return !strings.EqualFold(u.Host, r.Host) && (err != nil || u.Host == "" || !strings.EqualFold(u.Host, public.Host))
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
		api.WriteProblem(w, http.StatusUnauthorized, "the token is wrong", "the token sent is not the daemon's: set CURFEW_API_TOKEN to the same value on the daemon and where you send it from")
		return
	}
	api.WriteProblem(w, http.StatusUnauthorized, "a token is needed", "send Authorization: Bearer with the value of the daemon's CURFEW_API_TOKEN")
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
