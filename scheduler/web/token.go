package web

import (
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"curfew/lcs/secret"
	"curfew/scheduler/web/ratelimit"
)

// ShortestToken is how many characters an API token has at least.
const ShortestToken = 16

// Of wrong tokens, an address may send some at once and then one now and then.
const (
	wrongAtOnce = 10
	wrongEvery  = 6 * time.Second
)

// tokens checks the API token of requests.
type tokens struct {
	token func() secret.Secret
	log   *zap.Logger
	wrong *ratelimit.Limiter
	count prometheus.Counter
}

// A verdict is what a request says of the API token.
type verdict int

const (
	tokenAbsent verdict = iota
	tokenRight
	tokenWrong
	tokenTooMany // wrong or not: the address has sent too many wrong ones to be checked
)

// check compares the token of a request. A daemon without a token takes no notice of one.
func (t *tokens) check(r *http.Request, now time.Time) verdict {
	token := t.current()
	scheme, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case token == "" || !strings.EqualFold(scheme, "Bearer"):
		return tokenAbsent
	case t.wrong.Wait(r.RemoteAddr, now) > 0:
		t.count.Inc()
		return tokenTooMany
	case subtle.ConstantTimeCompare([]byte(sent), []byte(token)) == 1:
		return tokenRight
	}
	t.wrong.Take(r.RemoteAddr, now)
	t.count.Inc()
	t.log.Warn("a wrong API token was sent", zap.String("from", r.RemoteAddr), zap.String("method", r.Method), zap.String("path", r.URL.Path))
	return tokenWrong
}

// current is the token of the moment, "" when there is none. One that was changed to
// something too short does not count.
func (t *tokens) current() string {
	if t.token == nil {
		return ""
	}
	token := t.token().Reveal()
	if utf8.RuneCountInString(token) < ShortestToken {
		return ""
	}
	return token
}
