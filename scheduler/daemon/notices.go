package daemon

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/lcs/secret"
	"curfew/scheduler"
	"curfew/scheduler/config"
	"curfew/scheduler/notify"
	"curfew/scheduler/plan"
	"curfew/scheduler/report"
	"curfew/scheduler/store"
)

// NoticesOf is what a schedule file says of notices, in notify's words.
func NoticesOf(cfg *config.Config, getenv func(string) string) notify.File {
	f := notify.File{Zone: cfg.Zone()}
	projects, accounts := map[string]string{}, map[string][]string{}
	for _, e := range cfg.Environments {
		projects[e.Name] = e.Project
	}
	for _, p := range cfg.Projects {
		accounts[p.Name] = p.Accounts
	}
	for _, r := range cfg.Notify {
		to := notify.Receiver{Name: r.Name, URL: secret.Source{File: r.URL.File, Env: r.URL.Env, Getenv: getenv}, SummaryAt: r.SummaryAt}
		for _, kind := range r.On {
			to.On = append(to.On, scheduler.EventKind(kind))
		}
		if r.Environments != nil {
			to.Environments, to.Projects, to.Accounts = map[string]bool{}, map[string]bool{}, map[string]bool{}
		}
		for _, name := range r.Environments {
			to.Environments[name], to.Projects[projects[name]] = true, true
			for _, account := range accounts[projects[name]] {
				to.Accounts[account] = true
			}
		}
		f.Receivers = append(f.Receivers, to)
	}
	return f
}

// notices are what delivers them, and their links; nil without a public address, and in a
// process that stands by.
type notices struct {
	deliverer *notify.Deliverer
	links     *notify.Links
}

func (d *daemon) notices(ctx context.Context, p parts, reg prometheus.Registerer) (notices, error) {
	public, st := d.access.address(), p.past.store
	o := notify.Options{
		Store: st.Deliveries, Now: st.Clock.Now, Logger: d.Logger, Registerer: reg, File: NoticesOf(d.cfg, d.Getenv), PublicURL: public,
		Summarize: summaries{p.past, public}.of,
	}
	if public != "" && p.standby == nil {
		var err error
		if o.Links, err = notify.NewLinks(ctx, linkStore{st.Links, st.Deliveries}, p.engine, public); err != nil {
			return notices{}, err
		}
	}
	deliverer, err := notify.New(o)
	return notices{deliverer, o.Links}, err
}

// linkStore is where links are kept, and what they are about.
type linkStore struct {
	*store.Links
	*store.Deliveries
}

// summaries reports what happened on a day.
type summaries struct {
	reports
	public string
}

// of is the summary of the day that ends at an instant, of what a receiver wants to hear of.
func (s summaries) of(ctx context.Context, r notify.Receiver, at time.Time) (notify.Message, error) {
	zone, currency := s.Place()
	day := notify.Day{Zone: zone, Currency: currency, From: plan.Resolve(plan.DateOf(at.In(zone)).AddDays(-1), r.SummaryAt, zone), Until: at, Public: s.public}
	wants := func(name string) bool { return r.Environments == nil || r.Environments[name] }
	for cursor := ""; ; {
		runs, next, err := s.engine.Runs(ctx, scheduler.RunFilter{Since: day.From, Limit: runsAtOnce, Cursor: cursor})
		if err != nil {
			return notify.Message{}, err
		}
		for _, run := range runs {
			if wants(run.Environment) && run.FireAt.Before(at) {
				day.Add(run)
			}
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	err := s.savingsUntil(ctx, day.From, at, func(e report.Environment, sums report.Sums) error {
		if wants(e.Name) {
			day.Savings.Add(sums)
		}
		return nil
	})
	if err != nil {
		return notify.Message{}, err
	}
	for fire := range s.engine.Fires(at, plan.Resolve(plan.DateOf(at.In(zone)).AddDays(1), r.SummaryAt, zone)) {
		if wants(fire.Environment) {
			day.Coming(fire)
		}
	}
	return day.Message(), nil
}

const runsAtOnce = 1000
