package notify

import (
	"context"
	"net/http"
	"sync"
	"time"

	goteamsnotify "github.com/atc0005/go-teams-notify/v2"
)

// teamsEvery is the time between two messages to one workflow: Teams takes four a second.
const teamsEvery = 300 * time.Millisecond

// teams is a workflow of Microsoft Teams.
type teams struct {
	url    string
	client *http.Client
	pace   *pace
}

func (t teams) send(ctx context.Context, m Message) error {
	card, err := m.card()
	if err != nil {
		return err
	}
	if err := t.pace.wait(ctx, teamsEvery); err != nil {
		return err
	}
	// open has checked the host, against more clouds than the library knows.
	client := goteamsnotify.NewTeamsClient().SetHTTPClient(t.client).SetUserAgent("curfew").SkipWebhookURLValidationOnSend(true)
	return client.SendWithContext(ctx, t.url, card)
}

// A pace keeps messages to one address apart.
type pace struct {
	mu   sync.Mutex // guards next
	next time.Time
}

func (c *channels) pace(raw string) *pace {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.paces[raw]
	if p == nil {
		p = &pace{}
		c.paces[raw] = p
	}
	return p
}

// wait waits for its turn.
func (p *pace) wait(ctx context.Context, every time.Duration) error {
	p.mu.Lock()
	now := time.Now()
	at := now
	if p.next.After(at) {
		at = p.next
	}
	p.next = at.Add(every)
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(at.Sub(now)):
		return nil
	}
}
