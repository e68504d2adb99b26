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
	"strings"
	"time"

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

// New makes a client of the daemon at an address such as http://127.0.0.1:8080.
func New(server string, token secret.Secret) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("use server %q: want an address such as http://127.0.0.1:8080", server)
	}
	return &Client{base: strings.TrimRight(server, "/"), token: token, http: &http.Client{Timeout: clientTimeout}}, nil
}

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
		if err := c.get(ctx, "/api/v1/runs?"+values.Encode(), &page); err != nil {
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
	var page api.List[api.Environment]
	err := c.get(ctx, "/api/v1/environments", &page)
	return page.Items, err
}

// Environment returns one environment of the daemon's file.
func (c *Client) Environment(ctx context.Context, name string) (api.Environment, error) {
	var e api.Environment
	err := c.get(ctx, "/api/v1/environments/"+url.PathEscape(name), &e)
	return e, err
}

// File returns what the daemon's schedule file is.
func (c *Client) File(ctx context.Context) (api.File, error) {
	var f api.File
	err := c.get(ctx, "/api/v1/file", &f)
	return f, err
}

// Daemon returns what the process that answers is to the database.
func (c *Client) Daemon(ctx context.Context) (api.Daemon, error) {
	var d api.Daemon
	err := c.get(ctx, "/api/v1/daemon", &d)
	return d, err
}

// Healthy asks whether the daemon lives.
func (c *Client) Healthy(ctx context.Context) error { return c.get(ctx, "/healthz", nil) }

// Run returns one run.
func (c *Client) Run(ctx context.Context, id string) (api.Run, error) {
	var r api.Run
	err := c.get(ctx, "/api/v1/runs/"+url.PathEscape(id), &r)
	return r, err
}

// Act asks for a start or stop of an environment, now.
func (c *Client) Act(ctx context.Context, environment string, action plan.Action) (api.Run, error) {
	var r api.Run
	err := c.send(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(environment)+"/"+string(action), nil, &r)
	return r, err
}

// Cancel ends an unfinished run.
func (c *Client) Cancel(ctx context.Context, id string) (api.Run, error) {
	var r api.Run
	err := c.send(ctx, http.MethodPost, "/api/v1/runs/"+url.PathEscape(id)+"/cancel", nil, &r)
	return r, err
}

// Approve lets the fire of a held run go.
func (c *Client) Approve(ctx context.Context, id string) (api.Run, error) {
	var r api.Run
	err := c.send(ctx, http.MethodPost, "/api/v1/runs/"+url.PathEscape(id)+"/approve", nil, &r)
	return r, err
}

// Overrides returns those that have not ended, or ended in the last day.
func (c *Client) Overrides(ctx context.Context) ([]api.Override, error) {
	var page api.List[api.Override]
	err := c.get(ctx, "/api/v1/overrides", &page)
	return page.Items, err
}

// Accounts returns the accounts of the daemon's file.
func (c *Client) Accounts(ctx context.Context) ([]api.Account, error) {
	var page api.List[api.Account]
	err := c.get(ctx, "/api/v1/accounts", &page)
	return page.Items, err
}

// ReleaseAccount ends the holds of an account.
func (c *Client) ReleaseAccount(ctx context.Context, name string) (api.Account, error) {
	var a api.Account
	err := c.send(ctx, http.MethodPost, "/api/v1/accounts/"+url.PathEscape(name)+"/release", nil, &a)
	return a, err
}

// Receivers returns how deliveries to the receivers of notices go.
func (c *Client) Receivers(ctx context.Context) ([]api.Receiver, error) {
	var page api.List[api.Receiver]
	err := c.get(ctx, "/api/v1/receivers", &page)
	return page.Items, err
}

// Savings returns what was saved since an instant; since the daemon's default when it is
// zero.
func (c *Client) Savings(ctx context.Context, since time.Time) (api.Savings, error) {
	var found api.Savings
	path := "/api/v1/savings"
	if !since.IsZero() {
		path += "?since=" + url.QueryEscape(since.Format(time.RFC3339))
	}
	err := c.get(ctx, path, &found)
	return found, err
}

// Audit returns the changes that people made since an instant, newest first, from as many
// pages as there are.
func (c *Client) Audit(ctx context.Context, since time.Time) ([]api.AuditEntry, error) {
	values := url.Values{}
	if !since.IsZero() {
		values.Set("since", since.Format(time.RFC3339))
	}
	all := []api.AuditEntry{}
	for {
		var page api.List[api.AuditEntry]
		if err := c.get(ctx, "/api/v1/audit?"+values.Encode(), &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextCursor == nil {
			return all, nil
		}
		values.Set("cursor", *page.NextCursor)
	}
}

// Override makes an override.
func (c *Client) Override(ctx context.Context, o api.OverrideRequest) (api.Override, error) {
	var made api.Override
	err := c.send(ctx, http.MethodPost, "/api/v1/overrides", o, &made)
	return made, err
}

// Skip leaves out the next stop of an environment.
func (c *Client) Skip(ctx context.Context, environment string) (api.Override, error) {
	var made api.Override
	err := c.send(ctx, http.MethodPost, "/api/v1/environments/"+url.PathEscape(environment)+"/skip", nil, &made)
	return made, err
}

// Reload has the daemon read its schedule file again.
func (c *Client) Reload(ctx context.Context) (api.Reloaded, error) {
	var changes api.Reloaded
	err := c.send(ctx, http.MethodPost, "/api/v1/reload", nil, &changes)
	return changes, err
}

// Release ends an override.
func (c *Client) Release(ctx context.Context, id string) (api.Override, error) {
	var o api.Override
	err := c.send(ctx, http.MethodDelete, "/api/v1/overrides/"+url.PathEscape(id), nil, &o)
	return o, err
}

func (c *Client) get(ctx context.Context, path string, into any) error {
	return c.send(ctx, http.MethodGet, path, nil, into)
}

// send asks the daemon. body and into may be nil.
func (c *Client) send(ctx context.Context, method, path string, body, into any) error {
	req, err := c.request(ctx, method, path, body)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.base, err)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the daemon at %s: %w; is it running? --server or CURFEW_SERVER names another address", c.base, inmost(err))
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return c.refusal(res.StatusCode, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("read the answer of %s: it is not curfew's; does another program listen there?", c.base)
	}
	return nil
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
