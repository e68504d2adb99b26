package web

import (
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"sync"
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
	token func() (secret.Secret, error)
	log   *zap.Logger
	wrong *ratelimit.Limiter
	count prometheus.Counter

	mu    sync.Mutex // guards fault; written by each request with a token
	fault string     // why the token cannot be used, as it was logged last
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

// current is the token of the moment, "" when there is none. One whose file is gone, or that
// was changed to something too short, does not count from that moment on: a token that was
// taken away must not stay valid.
func (t *tokens) current() string {
	if t.token == nil {
		return ""
	}
	token, err := t.token()
	fault := ""
	switch n := utf8.RuneCountInString(token.Reveal()); {
	case err != nil:
		fault = err.Error()
	case n < ShortestToken:
		fault = fmt.Sprintf("it has %d characters; want %d at least", n, ShortestToken)
	}
	t.report(fault)
	if fault != "" {
		return ""
	}
	return token.Reveal()
}

// report logs that the token cannot be used, once, and that it can be again.
func (t *tokens) report(fault string) {
	t.mu.Lock()
	before := t.fault
	t.fault = fault
	t.mu.Unlock()
	switch {
	case fault == before:
	case fault != "":
		t.log.Error("the API token cannot be used; no token is accepted until it can", zap.String("reason", fault))
	default:
		t.log.Info("the API token can be used again")
	}
}
