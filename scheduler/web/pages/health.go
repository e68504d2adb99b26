package pages

import (
	"context"
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
	Standby   bool
	Why       string
	Accounts  []AccountLine
	Overrides []OverrideLine
	Receivers []ReceiverLine
	LastTick  string
	Quotas    []QuotaLine
	Holds     []HoldLine
	Replicas  []string
	File      FileLine
}

// A ReceiverLine is one receiver of notices.
type ReceiverLine struct {
	Name    string
	Pending int
	Failing Moment
	Message string
}

// A QuotaLine is the calls of one account in LCS's window of 30 minutes.
type QuotaLine struct {
	Account, Verb string
	Used, Free    int
	Share         int // of the quota that is used, in percent
}

// A HoldLine is something that is not asked of LCS for a while.
type HoldLine struct {
	Scope, Reason string
	Until         Moment
}

// A FileLine is the schedule file.
type FileLine struct {
	Path           string
	Since, Refused Moment
	Problems       []string
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
	h := &Health{Ready: true, Standby: p.opts.Standby != nil}
	if err := p.opts.Engine.Ready(r.Context()); err != nil && !h.Standby {
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
	if p.opts.File != nil {
		f := p.opts.File()
		h.File = FileLine{f.Path, c.moment(f.ActiveSince), c.moment(f.RefusedAt), f.Problems}
	}
	if err := p.upkeep(r.Context(), c, h); err != nil {
		return nil, err
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

// upkeep adds the daemon's own work, and the receivers of notices.
func (p *Pages) upkeep(ctx context.Context, c *clock, h *Health) error {
	if p.opts.Receivers != nil {
		receivers, err := p.opts.Receivers(ctx)
		if err != nil {
			return err
		}
		for _, r := range receivers {
			h.Receivers = append(h.Receivers, ReceiverLine{r.Name, r.Pending, c.moment(r.Failing), r.Message})
		}
	}
	if p.opts.Upkeep == nil {
		return nil
	}
	u, err := p.opts.Upkeep(ctx)
	if err != nil {
		return err
	}
	h.LastTick, h.Replicas = c.ago(u.LastTick), u.Replicas
	for _, q := range u.Quotas {
		l := QuotaLine{Account: q.Account, Verb: string(q.Kind), Used: q.Used, Free: q.Free}
		if all := q.Used + q.Free; all > 0 {
			l.Share = 100 * q.Used / all
		}
		h.Quotas = append(h.Quotas, l)
	}
	for _, hold := range u.Holds {
		h.Holds = append(h.Holds, HoldLine{hold.Scope, hold.Reason, c.moment(hold.Until)})
	}
	return nil
}
