package lcs

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"curfew/lcs/remote"
	"curfew/lcs/secret"
)

// A Kind says what an Error means to the caller.
type Kind string

// The kinds of failure. Only Ambiguous leaves open whether a start or stop was
// carried out.
const (
	Refused      Kind = "refused"      // 200 with IsSuccess false
	Throttled    Kind = "throttled"    // 429
	Unauthorized Kind = "unauthorized" // 401, also after a fresh token
	Forbidden    Kind = "forbidden"    // 403
	NotFound     Kind = "not found"    // 404
	Invalid      Kind = "invalid"      // another 3xx or 4xx
	Ambiguous    Kind = "ambiguous"    // 5xx, no answer, or an answer that cannot be read
	NotSent      Kind = "not sent"     // the request never left
	Untrusted    Kind = "untrusted"    // nor did this one: the host's certificate cannot be trusted
)

// An Error is a call that LCS did not carry out, or may not have. It holds no
// token and no header, and at most messageRunes of what LCS wrote.
type Error struct {
	Kind       Kind
	Op         string // start, stop, read metadata, read history
	Method     string
	Path       string // without the host
	Status     int    // 0 without an answer
	Message    string
	Code       string // LcsErrorCode
	ActivityID string
	// RetryAfter is the wait that LCS asked for; HasRetryAfter reports whether it did.
	// A wait beyond LongestWindow is not believed: Asked is what LCS asked for.
	RetryAfter    time.Duration
	HasRetryAfter bool
	Asked         time.Duration

	cause error
}

var advice = map[Kind]string{
	Refused:      "LCS refused it",
	Throttled:    "LCS's limit of calls is reached",
	Unauthorized: "LCS does not accept the account: check its region, that it accepted the project's invitation and opened the project once",
	Forbidden:    "the account lacks the role: make it project owner or environment administrator in LCS",
	NotFound:     "LCS does not know the project or environment: check ids and region",
	Invalid:      "LCS does not understand the request",
	Ambiguous:    "it may or may not have been carried out",
	NotSent:      "the request was not sent",
	Untrusted:    "the request was not sent, and asking again does not help",
}

// Error says what was tried, what came of it and what that means.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.meaning())
	if e.Status != 0 {
		fmt.Fprintf(&b, " (HTTP %d)", e.Status)
	}
	if e.HasRetryAfter {
		fmt.Fprintf(&b, "; it asks to wait %s", e.Asked)
	}
	if e.Asked > e.RetryAfter {
		fmt.Fprintf(&b, ", longer than any of its limits lasts: curfew waits %s", e.RetryAfter)
	}
	switch {
	case e.Message != "":
		fmt.Fprintf(&b, ": %s", e.Message)
	case e.cause != nil:
		fmt.Fprintf(&b, ": %s", clean(inmost(e.cause).Error()))
	}
	return b.String()
}

// meaning is what the kind says of the call: a read that was not answered has done nothing.
func (e *Error) meaning() string {
	if e.Kind == Ambiguous && e.Method == http.MethodGet {
		return "LCS did not answer as it should"
	}
	return advice[e.Kind]
}

// inmost drops the wrapping that repeats the method and the address.
func inmost(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Unwrap returns the cause, such as a credential's error or the end of a context.
func (e *Error) Unwrap() error { return e.cause }

// NonRetriable makes azcore's retry policy leave these answers to the caller.
func (e *Error) NonRetriable() {}

const messageRunes = 500

// clean makes foreign text fit for one line of a log, without credentials in it.
func clean(s string) string {
	s = secret.Redact(s)
	if isClean(s) {
		return s
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) > messageRunes {
		s = string([]rune(s)[:messageRunes]) + "…"
	}
	return s
}

// isClean reports whether clean would leave a text as it is, for the usual ones.
func isClean(s string) bool {
	last := byte(' ')
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' || s[i] == ' ' && last == ' ' {
			return false
		}
		last = s[i]
	}
	return len(s) <= messageRunes && (last != ' ' || s == "")
}

// kindOf reads a status other than 200.
func kindOf(status int) Kind {
	switch {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status == http.StatusUnauthorized:
		return Unauthorized
	case status == http.StatusForbidden:
		return Forbidden
	case status == http.StatusNotFound:
		return NotFound
	case status == http.StatusRequestTimeout, status >= 500, status < 300:
		return Ambiguous
	default:
		return Invalid
	}
}

// centuries bounds what is shown of a Retry-After.
const centuries = 100 * 365 * 24 * time.Hour

// retryAfter reads the header: seconds, or an HTTP date. An absurd value counts as absent.
func retryAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if math.IsNaN(seconds) || seconds < 0 {
			return 0, false
		}
		if seconds >= centuries.Seconds() {
			return centuries, true
		}
		return time.Duration(math.Ceil(seconds)) * time.Second, true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(at.Sub(now), 0), centuries), true
}

// transportError returns the Error of a request without an answer.
func (c *Client) transportError(e *Error, err error, sent bool) error {
	if known, ok := errors.AsType[*Error](err); ok {
		known.Op, known.Method, known.Path = e.Op, e.Method, e.Path
		return known
	}
	e.Kind, e.cause = Ambiguous, err
	if !sent {
		e.Kind = NotSent
	}
	if fault := remote.CertificateFault(err); fault != "" {
		e.Kind, e.Message = Untrusted, fault
	}
	switch {
	case !sent:
	case errors.Is(err, context.DeadlineExceeded):
		e.Message = fmt.Sprintf("no answer within %s", c.timeout)
	case errors.Is(err, context.Canceled):
		e.Message = "curfew stopped before the answer came"
	}
	return e
}
