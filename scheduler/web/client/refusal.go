package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"curfew/scheduler/web/api"
)

// A Refusal is an answer of the daemon that is an error, in words of the command line.
type Refusal struct {
	Status  int
	Detail  string // of the problem, "" when the answer has none
	Named   bool   // the message says by itself which run, override or environment it is about
	title   string // of the problem
	message string
}

func (r *Refusal) Error() string { return r.message }

// refusal says what to do about an answer that is none: on the command line, a token is
// an environment variable, and a request is a command.
func (c *Client) refusal(status int, body []byte) error {
	var p api.Problem
	curfews := json.Unmarshal(body, &p) == nil && p.Title != ""
	r := &Refusal{Status: status, Detail: p.Detail, title: p.Title}
	switch {
	case !curfews:
		r.message = fmt.Sprintf("ask the daemon at %s: it answered %d %s; does another program listen there?", c.base, status, http.StatusText(status))
	case status == http.StatusUnauthorized && c.token.Secret.Reveal() == "":
		r.message = fmt.Sprintf("the daemon at %s wants a token: set CURFEW_API_TOKEN here to the value that it has on the daemon", c.base)
	case status == http.StatusUnauthorized:
		r.message = fmt.Sprintf("the daemon at %s refuses the token: %s has another value here than on the daemon", c.base, c.token.Variable)
	case p.Title == api.ChangesRefused:
		r.message = fmt.Sprintf("the daemon at %s takes no changes, since it has no token: set CURFEW_API_TOKEN to the same value on the daemon and here", c.base)
	case p.Title == api.NoAddress, p.Title == api.NoMethod:
		r.message = fmt.Sprintf("the daemon at %s has another version, which does not know this request; use the command of its version", c.base)
	case p.Title == api.Invalid, p.Title == api.NoEnvironment:
		r.message, r.Named = p.Detail, true
	default:
		r.message = fmt.Sprintf("ask the daemon at %s: %s: %s", c.base, p.Title, p.Detail)
	}
	return r
}

// A wording is what the command line says of a problem with a title.
type wording struct{ title, message string }

func noRun(id string) wording {
	return wording{api.NoRun, fmt.Sprintf("no run has the id %q; curfew history lists them", id)}
}

// reworded words a refusal about something that was named in the request.
func reworded(err error, words ...wording) error {
	r, ok := errors.AsType[*Refusal](err)
	if !ok {
		return err
	}
	for _, w := range words {
		if w.title == r.title {
			r.message, r.Named = w.message, true
		}
	}
	return r
}
