// Package client asks a daemon's API, as the commands do.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"curfew/lcs/remote"
	"curfew/lcs/secret"
	"curfew/scheduler/plan"
	"curfew/scheduler/web/api"
)

const (
	clientTimeout = 30 * time.Second
	maxAnswer     = 64 << 20
)

// A Client asks a daemon's API.
type Client struct {
	base  string
	token secret.Secret
	http  *http.Client
}

// New makes a client of the daemon at an address such as http://127.0.0.1:8080. A token goes
// over TLS, or to this machine.
func New(server string, token secret.Secret) (*Client, error) {
	u, fault := remote.Server(server)
	if fault != "" {
		return nil, fmt.Errorf("--server or CURFEW_SERVER cannot be used: %s; want an address such as http://127.0.0.1:8080", fault)
	}
	if _, fault := remote.Address(server); fault != "" && token.Reveal() != "" {
		return nil, fmt.Errorf("the API token is not sent to %s: plain http would show it to the network; want https://, or unset CURFEW_API_TOKEN to ask without it", u)
	}
	return &Client{base: u.String(), token: token, http: &http.Client{Timeout: clientTimeout, CheckRedirect: stay}}, nil
}

// stay follows no redirect: the token is for the server that was named.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// A RunQuery selects runs; zero fields select all, Max bounds their number.
type RunQuery struct {
	Environment, State string
	Since              time.Time
	Max                int
}

// Runs returns the runs that match, newest first, from as many pages as there are.
func (c *Client) Runs(ctx context.Context, q RunQuery) ([]api.Run, error) {
	values := url.Values{}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set("environment", q.Environment)
	set("state", q.State)
	if !q.Since.IsZero() {
		set("since", q.Since.Format(time.RFC3339))
	}
	runs := []api.Run{}
	for {
		size := api.MaxPage
		if q.Max > 0 {
			size = min(q.Max-len(runs), api.MaxPage)
		}
		values.Set("limit", strconv.Itoa(size))
		var page api.List[api.Run]
		if err := c.get(ctx, "/api/v1/runs?"+values.Encode(), listed(&page)); err != nil {
			return nil, err
		}
		runs = append(runs, page.Items...)
		if page.NextCursor == nil || q.Max > 0 && len(runs) >= q.Max {
			return runs, nil
		}
		values.Set("cursor", *page.NextCursor)
	}
}

// Environments returns every environment of the daemon's file.
func (c *Client) Environments(ctx context.Context) ([]api.Environment, error) {
	return all[api.Environment](ctx, c, "/api/v1/environments", url.Values{})
}

// Environment returns one environment of the daemon's file.
func (c *Client) Environment(ctx context.Context, name string) (api.Environment, error) {
	var e api.Environment
	err := c.get(ctx, "/api/v1/environments/"+url.PathEscape(name), answered(&e, "name"))
	return e, err
}

// File returns what the daemon's schedule file is.
func (c *Client) File(ctx context.Context) (api.File, error) {
	var f api.File
	err := c.get(ctx, "/api/v1/file", answered(&f, "digest"))
	return f, err
}

// Daemon returns what the process that answers is to the database.
func (c *Client) Daemon(ctx context.Context) (api.Daemon, error) {
	var d api.Daemon
	err := c.get(ctx, "/api/v1/daemon", answered(&d, "state"))
	return d, err
}

// Healthy asks whether the daemon lives.
func (c *Client) Healthy(ctx context.Context) error { return c.get(ctx, "/healthz", form{}) }

// Run returns one run.
func (c *Client) Run(ctx context.Context, id string) (api.Run, error) {
	var r api.Run
	err := c.get(ctx, "/api/v1/runs/"+url.PathEscape(id), answered(&r, "id"))
	return r, err
}

// Act asks for a start or stop of an environment, now.
func (c *Client) Act(ctx context.Context, environment string, action plan.Action) (api.Run, error) {
	var r api.Run
	err := c.send(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(environment)+"/"+string(action), nil, answered(&r, "id"))
	return r, err
}

// Cancel ends an unfinished run.
func (c *Client) Cancel(ctx context.Context, id string) (api.Run, error) {
	var r api.Run
	err := c.send(ctx, http.MethodPost, "/api/v1/runs/"+url.PathEscape(id)+"/cancel", nil, answered(&r, "id"))
	return r, err
}

// Approve lets the fire of a held run go.
func (c *Client) Approve(ctx context.Context, id string) (api.Run, error) {
	var r api.Run
	err := c.send(ctx, http.MethodPost, "/api/v1/runs/"+url.PathEscape(id)+"/approve", nil, answered(&r, "id"))
	return r, err
}

// Overrides returns those that have not ended, or ended in the last day.
func (c *Client) Overrides(ctx context.Context) ([]api.Override, error) {
	return all[api.Override](ctx, c, "/api/v1/overrides", url.Values{})
}

// Accounts returns the accounts of the daemon's file.
func (c *Client) Accounts(ctx context.Context) ([]api.Account, error) {
	return all[api.Account](ctx, c, "/api/v1/accounts", url.Values{})
}

// ReleaseAccount ends the holds of an account.
func (c *Client) ReleaseAccount(ctx context.Context, name string) (api.Account, error) {
	var a api.Account
	err := c.send(ctx, http.MethodPost, "/api/v1/accounts/"+url.PathEscape(name)+"/release", nil, answered(&a, "name"))
	return a, err
}

// Receivers returns how deliveries to the receivers of notices go.
func (c *Client) Receivers(ctx context.Context) ([]api.Receiver, error) {
	return all[api.Receiver](ctx, c, "/api/v1/receivers", url.Values{})
}

// Savings returns what was saved since an instant; since the daemon's default when it is
// zero.
func (c *Client) Savings(ctx context.Context, since time.Time) (api.Savings, error) {
	var found api.Savings
	path := "/api/v1/savings"
	if !since.IsZero() {
		path += "?since=" + url.QueryEscape(since.Format(time.RFC3339))
	}
	err := c.get(ctx, path, answered(&found, "environments"))
	return found, err
}

// Audit returns the changes that people made since an instant, newest first, from as many
// pages as there are.
func (c *Client) Audit(ctx context.Context, since time.Time) ([]api.AuditEntry, error) {
	values := url.Values{}
	if !since.IsZero() {
		values.Set("since", since.Format(time.RFC3339))
	}
	return all[api.AuditEntry](ctx, c, "/api/v1/audit", values)
}

// all returns the items of a listing, from as many pages as there are.
func all[T any](ctx context.Context, c *Client, path string, q url.Values) ([]T, error) {
	list := []T{}
	for {
		var page api.List[T]
		if err := c.get(ctx, path+"?"+q.Encode(), listed(&page)); err != nil {
			return nil, err
		}
		list = append(list, page.Items...)
		if page.NextCursor == nil {
			return list, nil
		}
		q.Set("cursor", *page.NextCursor)
	}
}

// Override makes an override.
func (c *Client) Override(ctx context.Context, o api.OverrideRequest) (api.Override, error) {
	var made api.Override
	err := c.send(ctx, http.MethodPost, "/api/v1/overrides", o, answered(&made, "id"))
	return made, err
}

// Skip leaves out the next stop of an environment.
func (c *Client) Skip(ctx context.Context, environment string) (api.Override, error) {
	var made api.Override
	err := c.send(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(environment)+"/skip", nil, answered(&made, "id"))
	return made, err
}

// Reload has the daemon read its schedule file again.
func (c *Client) Reload(ctx context.Context) (api.Reloaded, error) {
	var changes api.Reloaded
	err := c.send(ctx, http.MethodPost, "/api/v1/reload", nil, answered(&changes, "status"))
	return changes, err
}

// Release ends an override.
func (c *Client) Release(ctx context.Context, id string) (api.Override, error) {
	var o api.Override
	err := c.send(ctx, http.MethodDelete, "/api/v1/overrides/"+url.PathEscape(id), nil, answered(&o, "id"))
	return o, err
}

// A form is what an answer of curfew is: a JSON object that has a key; the zero form is any.
type form struct {
	into any
	key  string
}

func answered(into any, key string) form { return form{into: into, key: key} }

func listed[T any](page *api.List[T]) form { return answered(page, "items") }

// read reports whether an answer is curfew's, and reads it. The answer of another program can
// be JSON as well, and must not look like an empty list.
func (f form) read(answer []byte) bool {
	if f.into == nil {
		return true
	}
	var keys map[string]json.RawMessage
	if json.Unmarshal(answer, &keys) != nil {
		return false
	}
	value, has := keys[f.key]
	return has && string(value) != "null" && json.Unmarshal(answer, f.into) == nil
}

func (c *Client) get(ctx context.Context, path string, want form) error {
	return c.send(ctx, http.MethodGet, path, nil, want)
}

// send asks the daemon. body may be nil.
func (c *Client) send(ctx context.Context, method, path string, body any, want form) error {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.base, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return c.unanswered(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("read the daemon's answer: %w", err)
	case res.StatusCode >= 300 && res.StatusCode <= 399:
		return &Refusal{Status: res.StatusCode, message: fmt.Sprintf("ask the daemon at %s: it answers with a redirect%s, which is not followed, since the token is for %s alone; give --server or CURFEW_SERVER the address of the daemon itself", c.base, target(res), c.base)}
	case res.StatusCode < 200 || res.StatusCode > 299:
		return c.refusal(res.StatusCode, answer)
	case !want.read(answer):
		return fmt.Errorf("read the answer of %s: it is not curfew's; does another program listen there?", c.base)
	}
	return nil
}

// target is where a redirect leads to, "" when it does not say.
func target(res *http.Response) string {
	if to, err := res.Location(); err == nil && to.Host != "" {
		return " to " + secret.Redact(to.Scheme+"://"+to.Host)
	}
	return ""
}

// unanswered says why a request got no answer.
func (c *Client) unanswered(err error) error {
	if fault := remote.CertificateFault(err); fault != "" {
		return fmt.Errorf("ask the daemon at %s: %s", c.base, fault)
	}
	return fmt.Errorf("ask the daemon at %s: %w; is it running? --server or CURFEW_SERVER names another address", c.base, inmost(err))
}

func (c *Client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := c.token.Reveal(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, nil
}

// inmost drops the wrapping that repeats method and address.
func inmost(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// A Refusal is an answer of the daemon that is an error.
type Refusal struct {
	Status  int
	Detail  string // of the problem, "" when the answer has none
	message string
}

func (r *Refusal) Error() string { return r.message }

// refusal says what to do about an answer that is none: on the command line, a token is
// an environment variable.
func (c *Client) refusal(status int, body []byte) error {
	var p api.Problem
	curfews := json.Unmarshal(body, &p) == nil && p.Title != ""
	r := &Refusal{Status: status, Detail: p.Detail}
	switch {
	case curfews && status == http.StatusUnauthorized && c.token.Reveal() == "":
		r.message = fmt.Sprintf("the daemon at %s wants a token: set CURFEW_API_TOKEN here to the value that it has on the daemon", c.base)
	case curfews && status == http.StatusUnauthorized:
		r.message = fmt.Sprintf("the daemon at %s refuses the token: CURFEW_API_TOKEN has another value here than on the daemon", c.base)
	case curfews && p.Title == api.ChangesRefused:
		r.message = fmt.Sprintf("the daemon at %s takes no changes, since it has no token: set CURFEW_API_TOKEN to the same value on the daemon and here", c.base)
	case curfews:
		r.message = fmt.Sprintf("ask the daemon at %s: %s: %s", c.base, p.Title, p.Detail)
	default:
		r.message = fmt.Sprintf("ask the daemon at %s: it answered %d %s; does another program listen there?", c.base, status, http.StatusText(status))
	}
	return r
}
