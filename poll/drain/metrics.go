package drain

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what a worker does, per queue.
type Metrics struct {
	read, stored, changed, unreadable, failures *prometheus.CounterVec
	backlog, lag, deadLetters                   *prometheus.GaugeVec
	saveSeconds, acknowledgeSeconds             prometheus.Histogram
}

// NewMetrics registers the worker's metrics; with a nil registerer they count unseen.
func NewMetrics(registerer prometheus.Registerer) *Metrics {
	factory := promauto.With(registerer)
	counter := func(name, help string) *prometheus.CounterVec {
		return factory.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, []string{"queue"})
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return factory.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"queue"})
	}
	return &Metrics{
		read: counter("poll_worker_entries_read_total",
			"Entries taken from the queue; one that is taken again after a failure counts again."),
		stored: counter("poll_worker_votes_stored_total",
			"Votes that the database has committed; one that is stored again after a failure counts again."),
		changed: counter("poll_worker_voters_changed_total",
			"Voters who are new in the database or whose choice or time was replaced by a later vote."),
		unreadable: counter("poll_worker_entries_unreadable_total",
			"Entries that could not be read as votes, or not all of them, and were set aside."),
		failures: counter("poll_worker_failures_total",
			"Failures of the queue or the database that made the worker pause."),
		backlog: gauge("poll_worker_backlog_entries",
			"Entries in the queue that no database is known to have, each with the votes that came in together, measured every 5 s."),
		deadLetters: gauge("poll_worker_dead_letters",
			"Entries that could not be read as votes and wait in Redis for a person, measured every 5 s."),
		lag: gauge("poll_worker_lag_seconds",
			"How long the oldest vote of the latest batch had waited from queue to commit; 0 when the queue is empty."),
		acknowledgeSeconds: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "poll_worker_acknowledge_seconds",
			Help:    "Time to take one stored batch out of its queue.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 13),
		}),
		saveSeconds: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "poll_worker_save_seconds",
			Help:    "Time to store one batch, commit included.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2.5, 12),
		}),
	}
}

// expect makes the counters of a queue begin at zero: a rate needs the zero before the first.
func (m *Metrics) expect(queue string) {
	for _, counter := range []*prometheus.CounterVec{m.read, m.stored, m.changed, m.unreadable, m.failures} {
		counter.WithLabelValues(queue)
	}
}
