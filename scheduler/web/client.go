package web

import (
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

	"curfew/lcs/auth"
)

const (
	clientTimeout = 30 * time.Second
	maxAnswer     = 64 << 20
)

// A Client asks a daemon's API.
type Client struct {
	base  string
	token auth.Secret
	http  *http.Client
}

// NewClient makes a client of the daemon at an address such as http://127.0.0.1:8080.
func NewClient(server string, token auth.Secret) (*Client, error) {
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

// Runs gives the runs that match, newest first, from as many pages as there are.
func (c *Client) Runs(ctx context.Context, q RunQuery) ([]Run, error) {
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
	runs := []Run{}
	for {
		size := maxPage
		if q.Max > 0 {
			size = min(q.Max-len(runs), maxPage)
		}
		values.Set("limit", strconv.Itoa(size))
		var page List[Run]
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

// Environments gives every environment of the daemon's file.
func (c *Client) Environments(ctx context.Context) ([]Environment, error) {
	var page List[Environment]
	err := c.get(ctx, "/api/v1/environments", &page)
	return page.Items, err
}

// Healthy asks whether the daemon lives.
func (c *Client) Healthy(ctx context.Context) error { return c.get(ctx, "/healthz", nil) }

func (c *Client) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", c.base, err)
	}
	if token := c.token.Reveal(); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("ask the daemon at %s: %w; is it running? --server or CURFEW_SERVER names another address", c.base, inmost(err))
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read the daemon's answer: %w", err)
	}
	if res.StatusCode != http.StatusOK {
		return refusal(c.base, res.StatusCode, body)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the answer of %s: it is not curfew's; does another program listen there?", c.base)
	}
	return nil
}

// inmost drops the wrapping that repeats method and address.
func inmost(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

func refusal(base string, status int, body []byte) error {
	var p Problem
	if json.Unmarshal(body, &p) != nil || p.Title == "" {
		return fmt.Errorf("ask the daemon at %s: it answered %d %s", base, status, http.StatusText(status))
	}
	return fmt.Errorf("ask the daemon at %s: %s: %s", base, p.Title, p.Detail)
}
