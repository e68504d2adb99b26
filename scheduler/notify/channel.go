package notify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"curfew/lcs/secret"
)

// A channel sends messages to one receiver. Its errors may hold secrets: redact them.
type channel interface {
	send(ctx context.Context, m Message) error
}

// sendTimeout bounds one try.
const sendTimeout = 20 * time.Second

// A refusal is what is wrong with a receiver's URL, in words that hold nothing of it.
type refusal struct{ message string }

func (e *refusal) Error() string { return e.message }

// open makes the channel of a URL.
func (c *channels) open(raw string) (channel, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return nil, &refusal{"its URL cannot be read; want a Teams workflow URL (https://…), or a shoutrrr URL such as slack://…, smtp://… or generic+https://…"}
	}
	host := strings.ToLower(u.Hostname())
	switch {
	case retired(host):
		return nil, &refusal{"its URL is that of an Office 365 connector, which Microsoft has retired; in Teams, add the workflow \"Send webhook alerts to a channel\" and use its URL"}
	case u.Scheme == "teams":
		return nil, &refusal{"for Teams, give the URL of its workflow as it is, https://…, and not a teams:// URL"}
	case u.Scheme == "http", u.Scheme == "https":
		if !workflow(host) || u.Scheme != "https" {
			return nil, &refusal{"a plain http(s) URL is taken for a Teams workflow only (logic.azure.com, environment.api.powerplatform.com); for any other webhook write generic+https://…?template=json"}
		}
		return teams{url: raw, client: c.client, pace: c.pace(raw)}, nil
	default:
		return newShout(raw, u.Scheme, c.client)
	}
}

// retired reports whether a host is that of the connectors that Microsoft has turned off.
func retired(host string) bool {
	return within(host, "webhook.office.com", "outlook.office.com", "outlook.office365.com")
}

func workflow(host string) bool {
	return within(host, "logic.azure.com", "logic.azure.us", "logic.azure.cn", "environment.api.powerplatform.com", "environment.api.powerplatform.us", "environment.api.gov.powerplatform.microsoft.us")
}

func within(host string, domains ...string) bool {
	for _, d := range domains {
		if host == d || strings.HasSuffix(host, "."+d) {
			return true
		}
	}
	return false
}

// channels makes channels, and knows how fast each URL may be sent to.
type channels struct {
	client *http.Client

	mu    sync.Mutex       // guards paces; written by deliveries
	paces map[string]*pace // by URL
}

func newChannels(transport http.RoundTripper) *channels {
	return &channels{client: &http.Client{Transport: transport, Timeout: sendTimeout, CheckRedirect: refuseRedirect}, paces: map[string]*pace{}}
}

// refuseRedirect keeps a message and the secrets of its URL from going anywhere else.
func refuseRedirect(*http.Request, []*http.Request) error {
	return errors.New("it answers with a redirect, which is not followed")
}

// send brings a message to a receiver, and returns what was wrong without any secret.
func (c *channels) send(ctx context.Context, source secret.Source, m Message) error {
	raw, err := source.Read()
	if err != nil {
		return err // it names the place, and not what is there
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	ch, err := c.open(raw.Reveal())
	if err == nil {
		err = ch.send(ctx, m)
	}
	var known *refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return known
	}
	return errors.New(redact(err, raw.Reveal()))
}

// check reports what is wrong with a receiver's URL, without sending anything.
func (c *channels) check(source secret.Source) error {
	raw, err := source.Read()
	if err != nil {
		return err
	}
	_, err = c.open(raw.Reveal())
	var known *refusal
	if err == nil || errors.As(err, &known) {
		return err
	}
	return fmt.Errorf("its URL is refused: %s", redact(err, raw.Reveal()))
}
