package notify

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// A shout is a receiver that shoutrrr knows.
type shout struct {
	router *router.ServiceRouter
	most   int // characters that it takes
}

// most is what services take of a text, where that is little.
var most = map[string]int{"pushover": 1000, "telegram": 3800, "ntfy": 3800, "discord": 1900, "twilio": 1500, "signal": 1900, "zulip": 9000, "bark": 3000}

const mostText = 14000

func newShout(raw, scheme string, client *http.Client) (channel, error) {
	o := types.SenderOptions{HTTPClient: client, Timeout: sendTimeout}
	r, err := shoutrrr.NewSenderWithOptions(log.New(io.Discard, "", 0), o, raw)
	if err != nil {
		return nil, err
	}
	service, _, _ := strings.Cut(scheme, "+")
	limit, ok := most[service]
	if !ok {
		limit = mostText
	}
	return shout{r, limit}, nil
}

func (s shout) send(ctx context.Context, m Message) error {
	params := types.Params{}
	params.SetTitle(m.Title)
	ended := make(chan error, 1)
	go func() { ended <- errors.Join(s.router.Send(m.text(s.most), &params)...) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
