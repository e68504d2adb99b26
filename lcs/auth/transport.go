package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"

	"curfew/lcs/remote"
)

const (
	maxAnswer        = 1 << 20 // of the sign-in host: a token is some kilobytes
	longestHostHold  = 30 * time.Minute
	headerRetryAfter = "Retry-After"
)

// A recordingTransport sends a library's requests to the sign-in host, and records
// how the host last failed. The libraries' own errors are of no use: they are of many
// types, some have no cause, and their text can hold tokens.
type recordingTransport struct {
	next policy.Transporter
	last *Error // nil while nothing failed; one request at a time
}

func newRecordingTransport(next policy.Transporter) *recordingTransport {
	if next == nil {
		next = &http.Client{Transport: http.DefaultTransport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	}
	return &recordingTransport{next: next}
}

// forget begins a new attempt.
func (t *recordingTransport) forget() { t.last = nil }

// failure is why the attempt failed.
func (t *recordingTransport) failure() *Error {
	if t.last == nil {
		return &Error{Kind: Transient, Message: "the sign-in host's answer cannot be read"}
	}
	return t.last
}

// Do sends a request; an answer is read whole, within bounds.
func (t *recordingTransport) Do(req *http.Request) (*http.Response, error) {
	resp, err := t.next.Do(req)
	if err != nil {
		t.last = unanswered(req.URL.Hostname(), err)
		return nil, err //nolint:wrapcheck // the library checks it
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	_ = resp.Body.Close()
	if err == nil && len(body) > maxAnswer {
		err = errors.New("the answer is too long")
	}
	if err != nil {
		t.last = &Error{Kind: Transient, Message: "the answer of the sign-in host " + req.URL.Hostname() + " broke off"}
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	t.last = nil
	switch {
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		t.last = failureOf(req, resp, body)
	case strings.Contains(strings.ToLower(req.URL.Path), "/userrealm/"):
		t.last = realmOf(body)
	}
	return resp, nil
}

// unanswered is the failure of a host that sent no answer.
func unanswered(host string, err error) *Error {
	if fault := remote.CertificateFault(err); fault != "" {
		return &Error{Kind: Configuration, Message: "the sign-in host " + host + ": " + fault, todo: "-"}
	}
	return &Error{Kind: Transient, Message: "no answer from the sign-in host " + host}
}

// CloseIdleConnections is what MSAL wants of an HTTP client.
func (t *recordingTransport) CloseIdleConnections() {
	if c, ok := t.next.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// realmOf returns the failure of a user whom nobody signs in with a password: a
// guest, a personal account or a domain that is not of this cloud. MSAL sends no
// further request then.
func realmOf(body []byte) *Error {
	var realm struct {
		Kind string `json:"account_type"`
	}
	if json.Unmarshal(body, &realm) == nil && realm.Kind != "Managed" && realm.Kind != "Federated" {
		return &Error{Kind: NeedsPerson, Message: "Entra has no such user with a password: a guest, a personal account or another tenant's"}
	}
	return nil
}

// failureOf classifies an answer without repeating its text.
func failureOf(req *http.Request, resp *http.Response, body []byte) *Error {
	e := &Error{Message: "the sign-in host answered " + strconv.Itoa(resp.StatusCode)}
	// A federated user's password goes to a server of the user's domain, which says in
	// SOAP what it thinks of it. Trying again locks the user there.
	if strings.Contains(req.Header.Get("Content-Type"), "soap") && resp.StatusCode <= http.StatusInternalServerError {
		e.Kind, e.Message = NeedsPerson, fmt.Sprintf("%s, the sign-in server of the user's domain, refused (%d)", req.URL.Hostname(), resp.StatusCode)
		return e
	}
	var o struct {
		Code        string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(body, &o) == nil && plainCode.MatchString(o.Code) {
		e.Code, e.Message = o.Code, "Entra answered "+o.Code
		if e.Number = aadsts.FindString(o.Description); e.Number != "" {
			e.Message += " " + e.Number
		}
	}
	if seconds, err := strconv.Atoi(resp.Header.Get(headerRetryAfter)); err == nil && seconds > 0 {
		e.retryAfter = min(time.Duration(seconds)*time.Second, longestHostHold)
	}
	e.Kind = kindOf(resp.StatusCode, e.Code)
	return e
}
