package engine

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/lcs"
	"curfew/scheduler"
	"curfew/scheduler/plan"
)

type metrics struct {
	lastTick   prometheus.Gauge
	tickErrors prometheus.Counter
	lateness   prometheus.Histogram
	worst      prometheus.Gauge
	leadMisses prometheus.Counter
	runs       *prometheus.CounterVec
	calls      *prometheus.CounterVec
	arrival    *prometheus.HistogramVec
	accountUp  *prometheus.GaugeVec
	lapses     *prometheus.GaugeVec
	refreshed  *prometheus.GaugeVec
	quota      *prometheus.GaugeVec

	clockAhead  prometheus.Gauge
	broughtBack prometheus.Counter
	fileOlder   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		lastTick: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "curfew_last_tick_timestamp_seconds", Help: "When the daemon last recorded that every fire so far is written.",
		}),
		tickErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "curfew_tick_errors_total", Help: "Ticks that could not be recorded.",
		}),
		lateness: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "curfew_fire_lateness_seconds", Help: "How long after its fire a run was written.",
			Buckets: []float64{.01, .1, .5, 1, 5, 15, 60, 300, 1800, 7200},
		}),
		worst: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "curfew_fire_lateness_worst_seconds", Help: "The longest time after its fire that a run was written, since the daemon started.",
		}),
		leadMisses: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "curfew_lead_misses_total", Help: "Starts with a lead that were not over when their window began.",
		}),
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "curfew_runs_total", Help: "Runs that entered a state.",
		}, []string{"action", "state"}),
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "curfew_lcs_calls_total", Help: "Calls to LCS by how they ended.",
		}, []string{"kind", "outcome"}),
		arrival: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "curfew_arrival_seconds", Help: "From the accepted call to the proven state.",
			Buckets: []float64{10, 30, 60, 120, 180, 240, 300, 450, 600, 900, 1800, 2700},
		}, []string{"action"}),
		accountUp: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_account_up", Help: "0 when the account could last not sign in, or LCS did not accept it; else 1, also before its first use.",
		}, []string{"account"}),
		lapses: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_account_login_lapses_timestamp_seconds", Help: "When the stored login of a delegated account ends unless it is refreshed before.",
		}, []string{"account"}),
		refreshed: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_account_login_refreshed_timestamp_seconds", Help: "When the stored login of a delegated account was last refreshed: its age.",
		}, []string{"account"}),
		quota: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_lcs_quota_used", Help: "Calls of an account in the last 30 minutes, of which LCS takes 30 of each kind.",
		}, []string{"account", "kind"}),
		clockAhead: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "curfew_clock_ahead_seconds", Help: "How far the clock of this process is ahead of the database's; beyond 5 s it leaves the fires to other replicas. On SQLite, a step of the clock that is not followed yet.",
		}),
		broughtBack: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "curfew_clock_corrections_total", Help: "Times that the last tick was in the future and was set to now: a clock was wrong.",
		}),
		fileOlder: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "curfew_config_outdated", Help: "1 while another replica makes the fires of a newer schedule file than this one has, else 0.",
		}),
	}
	for _, c := range []prometheus.Collector{m.lastTick, m.tickErrors, m.lateness, m.worst, m.leadMisses, m.runs, m.calls, m.arrival, m.accountUp, m.lapses, m.refreshed, m.quota, m.clockAhead, m.broughtBack, m.fileOlder} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	m.create()
	return m, nil
}

// create has every series whose labels are known exist from the start: increase() of
// Prometheus does not see the first step of one that appears with it.
func (m *metrics) create() {
	for _, action := range []plan.Action{plan.Start, plan.Stop} {
		m.arrival.WithLabelValues(string(action))
		for _, state := range scheduler.States() {
			m.runs.WithLabelValues(string(action), string(state))
		}
	}
	for _, kind := range []scheduler.CallKind{lcs.CallStart, lcs.CallStop, lcs.CallMetadata} {
		for _, outcome := range scheduler.Outcomes() {
			m.calls.WithLabelValues(string(kind), string(outcome))
		}
	}
}

// took counts how long LCS took over a run, and returns it: zero without a call.
func (m *metrics) took(run scheduler.Run) time.Duration {
	if run.AcceptedAt.IsZero() {
		return 0
	}
	took := run.FinishedAt.Sub(run.AcceptedAt)
	m.arrival.WithLabelValues(string(run.Action)).Observe(took.Seconds())
	return took
}
