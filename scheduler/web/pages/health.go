package pages

import (
	"errors"
	"net/http"
	"strings"

	"curfew/scheduler"
	"curfew/scheduler/web/access"
)

func isNoRun(err error) bool { return errors.Is(err, scheduler.ErrNoRun) }

// Health is how the daemon does.
type Health struct {
	Ready     bool
	Why       string
	Accounts  []AccountLine
	Overrides []OverrideLine
}

// An AccountLine is one account.
type AccountLine struct {
	Name, Mode, Projects, State, Message string
	Since, NextTry                       Moment
	Login                                string
}

func (p *Pages) health(r *http.Request, c *clock) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	h := &Health{Ready: true}
	if err := p.opts.Engine.Ready(r.Context()); err != nil {
		h.Ready, h.Why = false, err.Error()
	}
	accounts, err := p.opts.Engine.Accounts(r.Context())
	if err != nil {
		return nil, err
	}
	for _, a := range accounts {
		l := AccountLine{
			Name: a.Name, Mode: a.Mode, Projects: strings.Join(a.Projects, ", "), State: string(a.State), Message: a.Message, Since: c.moment(a.Since), NextTry: c.moment(a.NextTry),
		}
		if a.Login != nil {
			l.Login = a.Login.User + ", refreshed " + c.ago(a.Login.RefreshedAt)
		}
		h.Accounts = append(h.Accounts, l)
	}
	overrides, err := p.opts.Engine.Overrides(r.Context())
	if err != nil {
		return nil, err
	}
	for _, o := range overrides {
		if o.State == "active" || o.State == "pending" {
			h.Overrides = append(h.Overrides, p.overrideLine(c, o, access.Identity{}))
		}
	}
	return h, nil
}
