package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/clock"
	"curfew/scheduler/plan"
)

// gaugesEvery is how often what the gauges show is counted.
const gaugesEvery = 30 * time.Second

// gauges count what is so, for dashboards; what happens is counted where it does.
type gauges struct {
	observations ObservationReader
	calls        CallStore
	manuals      *manuals
	overriding   *overriding
	record       *recorder
	current      *snapshots
	clock        *clock.Clock

	environments *prometheus.GaugeVec
	overrides    *prometheus.GaugeVec
}

func newGauges(reg prometheus.Registerer) (*gauges, error) {
	g := &gauges{
		environments: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_environments", Help: "Environments by what is wanted of them and what LCS last showed.",
		}, []string{"wanted", "observed"}),
		overrides: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_overrides_active", Help: "Overrides that keep environments running or stopped now.",
		}, []string{"keep"}),
	}
	for _, c := range []prometheus.Collector{g.environments, g.overrides} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	g.zero()
	return g, nil
}

// zero has every series exist, from 0.
func (g *gauges) zero() {
	for _, w := range []plan.Wanted{plan.Running, plan.Stopped, plan.Unknown} {
		for _, c := range []lcs.Condition{lcs.Running, lcs.Stopped, lcs.Starting, lcs.Stopping, lcs.Busy, lcs.Unsupported, lcs.Unknown} {
			g.environments.WithLabelValues(string(w), string(c)).Set(0)
		}
	}
	for _, w := range []plan.Wanted{plan.Running, plan.Stopped} {
		g.overrides.WithLabelValues(string(w)).Set(0)
	}
}

// run counts until ctx ends.
func (g *gauges) run(ctx context.Context) error {
	t := time.NewTicker(gaugesEvery)
	defer t.Stop()
	for {
		warn(ctx, g.record.log, "gauges not counted; they show what was before", g.count(ctx, g.clock.Now()))
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
	}
}

func (g *gauges) count(ctx context.Context, now time.Time) error {
	s := g.current.load()
	all, err := g.observations.Observations(ctx)
	if err != nil {
		return err
	}
	manual, err := g.manuals.holding(ctx, now)
	if err != nil {
		return err
	}
	overrides, err := g.overriding.store.Since(ctx, now)
	if err != nil {
		return err
	}
	var accounts []string
	for _, use := range s.accounts() {
		accounts = append(accounts, use.Name)
	}
	used := map[scheduler.CallKind]map[string]int{}
	for _, kind := range []scheduler.CallKind{lcs.CallStart, lcs.CallStop} {
		budgets, err := g.calls.Budgets(ctx, now, kind, accounts)
		if err != nil {
			return err
		}
		used[kind] = map[string]int{}
		for _, b := range budgets {
			used[kind][b.Account] = len(b.Taken)
		}
	}
	g.zero()
	seen := s.observed(all)
	for _, env := range s.Environments {
		wanted, condition := s.plan.Wanted(env.Name, now).Wanted, seen[env.Name].Condition
		if m, ok := manual[env.Name]; ok {
			wanted = m.Wanted()
		}
		if condition == "" {
			condition = lcs.Unknown
		}
		g.environments.WithLabelValues(string(wanted), string(condition)).Inc()
	}
	for _, o := range overrides {
		if stateOf(o, now) == "active" {
			g.overrides.WithLabelValues(string(o.Keep)).Inc()
		}
	}
	for kind, of := range used {
		for _, account := range accounts {
			g.record.metrics.quota.WithLabelValues(account, string(kind)).Set(float64(of[account]))
		}
	}
	return nil
}
