package pages

import (
	"context"
	"errors"
	"net"
	"net/http"

	"go.uber.org/zap"

	"curfew/internal/wording"
	"curfew/scheduler"
)

// Links are the links of notices. They need no sign-in: whoever has one may follow it.
type Links interface {
	// Link returns what a link would do, and changes nothing. scheduler.ErrNoLink,
	// scheduler.ErrLinkUsed, scheduler.ErrLinkVoid.
	Link(ctx context.Context, token string) (scheduler.LinkUse, error)
	// Follow does it, once, and returns the overrides that do so. from is the network address
	// of who asks. Errors as of Link.
	Follow(ctx context.Context, token, from string) ([]scheduler.Override, error)
}

// A LinkPage asks whether to follow a link, or says what it did.
type LinkPage struct {
	Name  string // what it does, for the button
	Stops []LinkStop
	Token string
	Made  []LinkMade // once it was followed
}

// A LinkMade is what keeps one environment.
type LinkMade struct {
	ID, Environment, Reason string
	Until                   Moment
}

// A LinkStop is a stop that a link is about.
type LinkStop struct {
	Environment string
	At          Moment
}

var linkNames = map[scheduler.LinkChoice]string{
	scheduler.LinkKeep1: "Keep running 1 hour longer", scheduler.LinkKeep2: "Keep running 2 hours longer",
}

// linkForm asks whether to follow a link. It is open to everybody and changes nothing, since
// mail scanners follow links too.
func (p *Pages) linkForm(w http.ResponseWriter, r *http.Request) {
	c, token := p.clock(), r.PathValue("token")
	u, err := p.opts.Links.Link(r.Context(), token)
	if err != nil {
		p.linkProblem(w, r, c, err)
		return
	}
	page := &LinkPage{Name: linkNames[u.Choice], Token: token}
	if u.Choice == scheduler.LinkSkip {
		page.Name = wording.SkipStop(u.Stops[0].At.In(c.zone))
	}
	for _, s := range u.Stops {
		page.Stops = append(page.Stops, LinkStop{s.Environment, c.moment(s.At)})
	}
	p.writeLink(w, r, http.StatusOK, c, "link", page.Name+"?", page)
}

// linkFollowed follows a link, once.
func (p *Pages) linkFollowed(w http.ResponseWriter, r *http.Request) {
	c := p.clock()
	made, err := p.opts.Links.Follow(r.Context(), r.PathValue("token"), address(r))
	if err != nil {
		p.linkProblem(w, r, c, err)
		return
	}
	page := &LinkPage{}
	for _, o := range made {
		for _, name := range o.Environments {
			page.Made = append(page.Made, LinkMade{o.ID, name, o.Reason, c.moment(o.Until)})
		}
	}
	p.writeLink(w, r, http.StatusOK, c, "link", "Done", page)
}

// linkProblem says why a link does nothing.
func (p *Pages) linkProblem(w http.ResponseWriter, r *http.Request, c *clock, err error) {
	status, what, next := http.StatusInternalServerError, "curfew could not answer", "The daemon's log says why."
	var invalid *scheduler.InvalidError
	switch {
	case errors.Is(err, scheduler.ErrNoLink):
		status, what, next = http.StatusNotFound, "There is no such link", "It may have been cut off: copy it whole."
	case errors.Is(err, scheduler.ErrLinkUsed):
		status, what, next = http.StatusConflict, "This link was used already", "Each link works once; the others of the message still do."
	case errors.Is(err, scheduler.ErrLinkVoid):
		status, what, next = http.StatusGone, "This link has nothing to do any more", "Its stop is over, was moved, or does not come."
	case errors.As(err, &invalid):
		status, what, next = http.StatusConflict, "This link cannot be followed", invalid.Message
	case r.Context().Err() != nil:
		return // nobody waits for it any more
	default:
		p.log.Error("link not followed", zap.Error(err))
	}
	p.writeLink(w, r, status, c, "problem", what, problem{what, next})
}

func (p *Pages) writeLink(w http.ResponseWriter, r *http.Request, status int, c *clock, name, title string, body any) {
	// A browser must say with the form where it comes from, which "no-referrer" forbids; the
	// token still goes to no other site.
	w.Header().Set("Referrer-Policy", "same-origin")
	f := p.frame(r, c, name, title, body)
	f.Page = "link"
	p.write(w, r, status, name, f)
}

// address is the network address of who asks.
func address(r *http.Request) string {
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return host
	}
	return r.RemoteAddr
}
