package signin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"

	"curfew/scheduler/web/access"
)

// A Store keeps sessions by the hash of their token.
type Store interface {
	Session(ctx context.Context, hash string, now time.Time) (data []byte, found bool, err error)
	SaveSession(ctx context.Context, hash string, data []byte, expires time.Time) error
	EndSession(ctx context.Context, hash string) (ended bool, err error)
}

// An adapter is a Store as the session manager wants it.
type adapter struct{ Store }

var _ scs.CtxStore = adapter{}

func (a adapter) FindCtx(ctx context.Context, hash string) ([]byte, bool, error) {
	return a.Session(ctx, hash, time.Now())
}

func (a adapter) CommitCtx(ctx context.Context, hash string, data []byte, expires time.Time) error {
	return a.SaveSession(ctx, hash, data, expires)
}

func (a adapter) DeleteCtx(ctx context.Context, hash string) error {
	_, err := a.EndSession(ctx, hash)
	return err
}

// Find, Commit and Delete are never called, since there are those with a context.

func (a adapter) Find(hash string) ([]byte, bool, error) {
	return a.FindCtx(context.Background(), hash)
}

func (a adapter) Commit(hash string, data []byte, expires time.Time) error {
	return a.CommitCtx(context.Background(), hash, data, expires)
}

func (a adapter) Delete(hash string) error { return a.DeleteCtx(context.Background(), hash) }

// The values of a session.
const (
	keyUser = "user"
	keySeen = "seen"
)

// A user is what a session keeps of who signed in, and where.
type user struct {
	Issuer   string        `json:"issuer"`
	ClientID string        `json:"client_id"`
	Claims   access.Claims `json:"claims"`
}

// Identify returns who the session of a request belongs to, with the role that the active
// schedule file grants them now. ok is false when there is no session, or one of a provider
// that is no longer the file's.
func (s *SignIn) Identify(w http.ResponseWriter, r *http.Request) (who access.Identity, ok bool, err error) {
	settings := s.opts.Settings()
	token := s.token(r)
	if token == "" || settings == nil {
		return who, false, nil
	}
	ctx, err := s.sessions.Load(r.Context(), token)
	if err != nil {
		return who, false, err
	}
	u := s.user(ctx)
	if u.Issuer != settings.Issuer || u.ClientID != settings.ClientID {
		return who, false, nil
	}
	if now := time.Now(); !s.opts.ReadOnly && now.Sub(time.Unix(s.sessions.GetInt64(ctx, keySeen), 0)) >= seenEvery {
		s.sessions.Put(ctx, keySeen, now.Unix())
		if err := s.write(ctx, w); err != nil {
			return who, false, err
		}
	}
	return s.opts.Policy.Identify(u.Claims, r.RemoteAddr), true, nil
}

// token is that of the session of a request, "" when it has none.
func (s *SignIn) token(r *http.Request) string {
	cookie, err := r.Cookie(s.sessions.Cookie.Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// user is who the session of a context belongs to, the zero value for nobody.
func (s *SignIn) user(ctx context.Context) user {
	var u user
	if json.Unmarshal([]byte(s.sessions.GetString(ctx, keyUser)), &u) != nil {
		return user{}
	}
	return u
}

// begin makes a session for a user. Whatever session the browser had ends: a token that
// somebody planted there becomes nobody's.
func (s *SignIn) begin(w http.ResponseWriter, r *http.Request, u user) error {
	kept, err := json.Marshal(u)
	if err != nil {
		return err
	}
	ctx, err := s.sessions.Load(r.Context(), s.token(r))
	if err != nil {
		return err
	}
	if err := s.sessions.RenewToken(ctx); err != nil {
		return err
	}
	s.sessions.Put(ctx, keyUser, string(kept))
	s.sessions.Put(ctx, keySeen, time.Now().Unix())
	return s.write(ctx, w)
}

// write keeps the session of a context, and sends its cookie.
func (s *SignIn) write(ctx context.Context, w http.ResponseWriter) error {
	token, expires, err := s.sessions.Commit(ctx)
	if err != nil {
		return err
	}
	s.cookie(ctx, w, token, expires)
	return nil
}

// cookie sends the cookie of a session, or takes it away with an empty token. No answer of
// the daemon is stored by caches anyway.
func (s *SignIn) cookie(ctx context.Context, w http.ResponseWriter, token string, expires time.Time) {
	control := w.Header().Values("Cache-Control")
	s.sessions.WriteSessionCookie(ctx, w, token, expires)
	w.Header()["Cache-Control"] = control
}

// logout ends the session on the server, so that no copy of the cookie is worth anything.
func (s *SignIn) logout(w http.ResponseWriter, r *http.Request, _ *Settings) error {
	if token := s.token(r); token != "" {
		ctx, err := s.sessions.Load(r.Context(), token)
		if err != nil {
			return err
		}
		if s.sessions.Token(ctx) != "" {
			if err := s.sessions.Destroy(ctx); err != nil {
				return err
			}
		}
		s.cookie(ctx, w, "", time.Time{})
	}
	s.opts.Problem(w, r, http.StatusOK, "You are signed out", "Your session has ended here; the provider may still know you, and sign you in again at /login without asking.")
	return nil
}
