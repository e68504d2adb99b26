package notify

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/scheduler"
)

type metrics struct {
	results *prometheus.CounterVec
	pending *prometheus.GaugeVec
	failing *prometheus.GaugeVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "curfew_notices_total", Help: "Tries to deliver a notice, by how they ended.",
		}, []string{"receiver", "result"}),
		pending: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_notices_pending", Help: "Notices that are not delivered yet, also those that wait for the rest of their fire.",
		}, []string{"receiver"}),
		failing: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "curfew_notices_oldest_seconds", Help: "For how long the oldest notice has been tried that does not arrive; 0 when there is none.",
		}, []string{"receiver"}),
	}
	for _, c := range []prometheus.Collector{m.results, m.pending, m.failing} {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("register metrics: %w", err)
		}
	}
	return m, nil
}

// follow has every series of the receivers of a file exist, from 0, and no others.
func (m *metrics) follow(before, after File) {
	for _, r := range before.Receivers {
		if _, ok := after.receiver(r.Name); !ok {
			of := prometheus.Labels{"receiver": r.Name}
			m.results.DeletePartialMatch(of)
			m.pending.DeletePartialMatch(of)
			m.failing.DeletePartialMatch(of)
		}
	}
	for _, r := range after.Receivers {
		for _, result := range scheduler.DeliveryResults() {
			m.results.WithLabelValues(r.Name, string(result))
		}
		m.pending.WithLabelValues(r.Name)
		m.failing.WithLabelValues(r.Name)
	}
}
