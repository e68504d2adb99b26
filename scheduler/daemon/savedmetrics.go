package daemon

import (
	"context"
	"fmt"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"curfew/scheduler"
)

// A savedMetrics shows the savings of all months: what the database has, so that a restart
// and replicas show the same.
type savedMetrics struct {
	hours, money *prometheus.Desc

	mu       sync.Mutex // guards what follows; written each hour
	sums     scheduler.Savings
	currency string
}

func newSavedMetrics(reg prometheus.Registerer) (*savedMetrics, error) {
	m := &savedMetrics{
		hours: prometheus.NewDesc("curfew_hours_off_total", "Hours for which LCS showed environments stopped, counted each hour.", nil, nil),
		money: prometheus.NewDesc("curfew_saved_total", "Money saved against environments that are always on, counted each hour.", []string{"currency"}, nil),
	}
	if err := reg.Register(m); err != nil {
		return nil, fmt.Errorf("register metrics: %w", err)
	}
	return m, nil
}

// Describe names the metrics.
func (m *savedMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- m.hours
	to <- m.money
}

// Collect shows what was last counted.
func (m *savedMetrics) Collect(to chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	to <- prometheus.MustNewConstMetric(m.hours, prometheus.CounterValue, m.sums.HoursOff)
	to <- prometheus.MustNewConstMetric(m.money, prometheus.CounterValue, m.sums.Saved, m.currency)
}

// count reads the sums of all months.
func (m *savedMetrics) count(ctx context.Context, r reports) error {
	const first, last = "0000-01", "9999-12"
	months, err := r.store.Months.Sums(ctx, first, last)
	if err != nil {
		return err
	}
	var sums scheduler.Savings
	for _, s := range months {
		sums.Add(s.Savings)
	}
	_, currency := r.Place()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sums, m.currency = sums, currency
	return nil
}
