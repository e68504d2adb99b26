package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"go.uber.org/zap"
	"golang.org/x/oauth2"

	"curfew/lcs/secret"
	"curfew/scheduler/web/access"
)

// A login is a sign-in under way. The browser has its token in a cookie of its own; the
// database has the rest.
type login struct {
	Issuer   string `json:"issuer"`
	ClientID string `json:"client_id"`
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Next     string `json:"next"`
}

// start sends a browser to the provider.
func (s *SignIn) start(w http.ResponseWriter, r *http.Request, now *Settings) error {
	if err := s.limit(w, r); err != nil {
		return err
	}
	next, ok := localPath(r.URL.Query().Get("next"))
	if !ok {
		return &failure{http.StatusBadRequest, "This address cannot be read", "next takes the path of a page of curfew, such as /login?next=/runs.", nil}
	}
	p, err := s.providers.get(r.Context(), now.Issuer)
	if err != nil {
		w.Header().Set("Retry-After", "5")
		return err
	}
	l := login{now.Issuer, now.ClientID, rand.Text(), rand.Text(), oauth2.GenerateVerifier(), next}
	token := rand.Text() + rand.Text()
	kept, err := json.Marshal(l)
	if err != nil {
		return err
	}
	if err := s.opts.Store.SaveSession(r.Context(), hashOf(token), kept, time.Now().Add(loginLife)); err != nil {
		return err
	}
	http.SetCookie(w, s.loginCookie(l.State, token))
	config := s.oauth(p, now, "")
	http.Redirect(w, r, config.AuthCodeURL(l.State, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)), http.StatusFound)
	return nil
}

// limit counts a sign-in of an address.
func (s *SignIn) limit(w http.ResponseWriter, r *http.Request) error {
	if s.tries.Take(r.RemoteAddr, time.Now()) {
		return nil
	}
	w.Header().Set("Retry-After", fmt.Sprint(int(triesEvery.Seconds())))
	return &failure{http.StatusTooManyRequests, "Too many sign-ins", "Many sign-ins came from your address. Wait a minute, and try again.", nil}
}

func (s *SignIn) oauth(p *provider, now *Settings, secret string) *oauth2.Config {
	return &oauth2.Config{
		ClientID: now.ClientID, ClientSecret: secret, Endpoint: p.endpoint, RedirectURL: s.opts.PublicURL.String() + "/login/callback", Scopes: p.scopes,
	}
}

// loginCookie is the cookie of one sign-in under way: several may be, in several tabs. With
// an empty token it is taken away.
func (s *SignIn) loginCookie(state, token string) *http.Cookie {
	c := &http.Cookie{ //nolint:gosec // Secure wherever people come by https: plain http is for loopback addresses alone
		Name: s.prefix + "curfew_login_" + state[:min(8, len(state))], Value: token, Path: "/", HttpOnly: true, Secure: s.secure(), SameSite: http.SameSiteLaxMode, MaxAge: int(loginLife.Seconds()),
	}
	if token == "" {
		c.MaxAge = -1
	}
	return c
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte("login " + token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// finish ends a sign-in: the provider has sent the browser back.
func (s *SignIn) finish(w http.ResponseWriter, r *http.Request, now *Settings) error {
	if err := s.limit(w, r); err != nil {
		return err
	}
	l, err := s.take(w, r, now)
	if err != nil {
		return err
	}
	if err := refused(r); err != nil {
		return err
	}
	claims, err := s.exchange(r.Context(), r.URL.Query().Get("code"), l, now)
	if err != nil {
		return err
	}
	if err := s.begin(w, r, user{l.Issuer, l.ClientID, claims}); err != nil {
		return err
	}
	who := s.opts.Policy.Identify(claims, r.RemoteAddr)
	s.log.Info("signed in", zap.String("user", claims.Name), zap.Stringer("role", who.Role), zap.String("from", r.RemoteAddr))
	if claims.NoGroups {
		s.log.Warn("the provider left the groups out of the token, since the user is in too many; grant by app roles instead, or have the provider send the groups of the application alone", zap.String("user", claims.Name))
	}
	http.Redirect(w, r, l.Next, http.StatusSeeOther)
	return nil
}

// stateForm is that of a state which start has made.
var stateForm = regexp.MustCompile(`^[A-Z2-7]{26}$`)

// take returns the sign-in that a callback ends. It is gone afterwards, whatever comes of it:
// the same callback does nothing a second time.
func (s *SignIn) take(w http.ResponseWriter, r *http.Request, now *Settings) (login, error) {
	var l login
	state := r.URL.Query().Get("state")
	unknown := &failure{
		http.StatusBadRequest, "This sign-in is not known",
		"It was used already, took longer than 10 minutes, or was begun in another browser or at another address than " + s.opts.PublicURL.String() + ". Open " + s.opts.PublicURL.String() + "/login to sign in.", nil,
	}
	if !stateForm.MatchString(state) {
		return l, unknown
	}
	cookie, err := r.Cookie(s.loginCookie(state, "").Name)
	if err != nil {
		return l, unknown
	}
	http.SetCookie(w, s.loginCookie(state, ""))
	hash := hashOf(cookie.Value)
	kept, found, err := s.opts.Store.Session(r.Context(), hash, time.Now())
	if err != nil {
		return l, err
	}
	if !found || json.Unmarshal(kept, &l) != nil || subtle.ConstantTimeCompare([]byte(l.State), []byte(state)) != 1 {
		return l, unknown
	}
	if ended, err := s.opts.Store.EndSession(r.Context(), hash); err != nil || !ended {
		return l, errors.Join(err, unless(ended, unknown))
	}
	if l.Issuer != now.Issuer || l.ClientID != now.ClientID {
		return l, &failure{http.StatusBadRequest, "The sign-in provider has changed", "The schedule file names another one since this sign-in was begun. Open /login to sign in.", nil}
	}
	if from := r.URL.Query().Get("iss"); from != "" && from != l.Issuer {
		return l, &failure{http.StatusBadRequest, "This sign-in comes from another provider", "Open /login to sign in.", errors.New("the callback names another issuer")}
	}
	return l, nil
}

func unless(ok bool, err error) error {
	if ok {
		return nil
	}
	return err
}

// codeForm is that of the short codes that providers give errors.
var codeForm = regexp.MustCompile(`^[a-z_]{1,60}$`)

// refused returns what the provider said when it signed nobody in.
func refused(r *http.Request) error {
	q := r.URL.Query()
	code := q.Get("error")
	switch {
	case code == "" && q.Get("code") != "":
		return nil
	case !codeForm.MatchString(code):
		code = "no code"
	}
	return &failure{http.StatusForbidden, "The provider did not sign you in", strings.TrimSpace("It says " + code + ". " + readable(q.Get("error_description"))), fmt.Errorf("the provider says %s", code)}
}

// readable is a text of a peer for people: one line, and not long.
func readable(text string) string {
	const longest = 300
	text = strings.Join(strings.FieldsFunc(secret.Redact(text), func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	if runes := []rune(text); len(runes) > longest {
		return string(runes[:longest]) + "…"
	}
	return text
}

// exchange trades the code of a callback for the claims of its user.
func (s *SignIn) exchange(ctx context.Context, code string, l login, now *Settings) (access.Claims, error) {
	p, err := s.providers.get(ctx, l.Issuer)
	if err != nil {
		return access.Claims{}, err
	}
	password := ""
	if now.Secret != nil {
		read, err := now.Secret()
		if err != nil {
			return access.Claims{}, &failure{http.StatusServiceUnavailable, "The secret of the application cannot be read", "Whoever runs curfew finds the reason in the daemon's log; see client_secret in the access section of the schedule file.", err}
		}
		password = read.Reveal()
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.providers.client), callTimeout)
	defer cancel()
	got, err := s.oauth(p, now, password).Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return access.Claims{}, exchangeFailed(err)
	}
	raw, _ := got.Extra("id_token").(string)
	id, err := p.Verifier(&oidc.Config{ClientID: l.ClientID}).Verify(ctx, raw)
	var claims access.Claims
	switch {
	case raw == "":
		err = errors.New("the provider sent no ID token")
	case err != nil:
		err = errors.New(tokenFault(err))
	case subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(l.Nonce)) != 1:
		err = errors.New("its nonce is that of another sign-in")
	default:
		claims, err = claimsOf(id, l.ClientID)
	}
	if err != nil {
		return access.Claims{}, &failure{http.StatusForbidden, "The provider's token cannot be accepted", "Open /login to try again. If it stays so, whoever runs curfew finds the reason in the daemon's log.", fmt.Errorf("check the ID token: %w", err)}
	}
	return claims, nil
}

// exchangeFailed says why a code was not traded. What the provider answered is not repeated,
// but for its code of the error.
func exchangeFailed(err error) error {
	next := "Open /login to try again. If it stays so, whoever runs curfew finds the reason in the daemon's log."
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return &failure{http.StatusBadGateway, "The provider does not answer", next, fmt.Errorf("trade the code: %w", plainError(err))}
	}
	code := e.ErrorCode
	if !codeForm.MatchString(code) {
		code = "no code"
	}
	if code == "invalid_client" || code == "unauthorized_client" {
		next = "The provider does not accept curfew as the application: client_id or client_secret is wrong, or the secret has expired. Renew it at the provider, and write it where client_secret of the access section points; no restart is needed."
	}
	status := 0
	if e.Response != nil {
		status = e.Response.StatusCode
	}
	return &failure{http.StatusBadGateway, "The provider refused to finish the sign-in (" + code + ")", next, fmt.Errorf("trade the code: the provider answered %d, %s", status, code)}
}

// tokenFault says what is wrong with an ID token, without anything of it.
func tokenFault(err error) string {
	text := err.Error()
	_, expired := errors.AsType[*oidc.TokenExpiredError](err)
	for _, f := range []struct{ sign, fault string }{
		{"different provider", "it was issued by another provider"},
		{"audience", "it was made for another application"},
		{"signature", "its signature is not the provider's, or the provider's keys cannot be read"},
		{"malformed jwt", "it is not signed in a way that the provider's document names"},
		{"nbf", "it is not valid yet: is this machine's clock right?"},
	} {
		if strings.Contains(text, f.sign) {
			return f.fault
		}
	}
	if expired {
		return "it has expired: is this machine's clock right?"
	}
	return "it cannot be read"
}
