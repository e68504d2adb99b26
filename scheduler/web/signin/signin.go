// Package signin signs people in with OpenID Connect: the authorization code flow with PKCE,
// and sessions that the database keeps. What somebody may do is not its concern: it keeps
// what the provider says of them, and access works out the role for each request.
package signin

import (
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"go.uber.org/zap"

	"curfew/lcs/secret"
	"curfew/scheduler/web/access"
	"curfew/scheduler/web/ratelimit"
)

const (
	sessionIdle = 12 * time.Hour     // without a request
	sessionLife = 7 * 24 * time.Hour // at most
	loginLife   = 10 * time.Minute   // from /login until the provider sends the user back
	seenEvery   = time.Minute        // a session in use is written this often
	callTimeout = 10 * time.Second   // of a call to the provider
	discovered  = 24 * time.Hour     // until the provider's document is read again
	triesAtOnce = 100                // of an address, which behind a proxy is that of everybody; a sign-in takes two
	triesEvery  = time.Second        // then one so often
)

// Settings are what the schedule file says of the provider.
type Settings struct {
	Issuer   string
	ClientID string
	// Secret reads the secret of the application. Nil: PKCE alone.
	Secret func() (secret.Secret, error)
}

// Options are what sign-in is made of.
type Options struct {
	PublicURL *url.URL         // the address that people use, without a path
	Settings  func() *Settings // of the active schedule file, nil when it has no access
	Policy    *access.Policy
	Store     Store
	// ReadOnly says that sessions cannot be written: nobody signs in or out here.
	ReadOnly bool
	// Problem shows a problem: what it is, and what to do next.
	Problem func(w http.ResponseWriter, r *http.Request, status int, what, next string)
	Logger  *zap.Logger
}

// A SignIn signs people in and out, and knows who signed in.
type SignIn struct {
	opts      Options
	log       *zap.Logger
	sessions  *scs.SessionManager
	providers *providers
	tries     *ratelimit.Limiter
	prefix    string // of the names of cookies
}

// New makes the sign-in.
func New(o Options) *SignIn {
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	s := &SignIn{opts: o, log: o.Logger.Named("signin"), providers: newProviders(), tries: ratelimit.New(triesEvery, triesAtOnce)}
	if s.secure() {
		s.prefix = "__Host-" // no other host, and nobody on plain http, can set it
	}
	// Not by scs.New, which starts a goroutine that nobody can wait for.
	s.sessions = &scs.SessionManager{
		Store: adapter{o.Store}, HashTokenInStore: true, Codec: scs.GobCodec{}, Lifetime: sessionLife, IdleTimeout: sessionIdle,
		Cookie: scs.SessionCookie{Name: s.prefix + "curfew_session", Path: "/", HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode, Persist: true},
	}
	return s
}

func (s *SignIn) secure() bool { return s.opts.PublicURL.Scheme == "https" }

// Enabled reports whether the active schedule file says who may sign in.
func (s *SignIn) Enabled() bool { return s.opts.Settings() != nil }

// Routes are the addresses of sign-in, by their patterns. They are open to everybody.
func (s *SignIn) Routes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /login":          s.answer(s.start),
		"GET /login/callback": s.answer(s.finish),
		"POST /logout":        s.answer(s.logout),
	}
}

// A failure is a sign-in that did not work: what happened, and what to do next.
type failure struct {
	status     int
	what, next string
	cause      error // for the log, without secrets
}

func (e *failure) Error() string { return e.what }

// answer makes a handler of a function that may fail.
func (s *SignIn) answer(f func(w http.ResponseWriter, r *http.Request, now *Settings) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		settings := s.opts.Settings()
		if settings == nil {
			s.opts.Problem(w, r, http.StatusNotFound, "Nobody can sign in here", "The schedule file has no access section. The API token works.")
			return
		}
		err := f(w, r, settings)
		var known *failure
		switch {
		case err == nil, r.Context().Err() != nil:
		case errors.As(err, &known):
			if known.cause != nil {
				s.log.Warn("sign-in failed", zap.String("reason", known.what), zap.Error(known.cause), zap.String("from", r.RemoteAddr))
			}
			s.opts.Problem(w, r, known.status, known.what, known.next)
		default:
			s.log.Error("sign-in failed", zap.Error(err))
			s.opts.Problem(w, r, http.StatusServiceUnavailable, "Sign-in does not work at the moment", "The database does not answer: try again. The daemon's log says why.")
		}
	}
}
