package worker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics counts what a worker does, for each queue.
type Metrics struct {
	read, stored, copies, changed, moved, failures *prometheus.CounterVec
	backlog, lag, deadLetters                      *prometheus.GaugeVec
	listFaults                                     prometheus.Gauge
	saveSeconds, acknowledgeSeconds                prometheus.Histogram
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
		copies: counter("poll_worker_votes_copies_total",
			"Votes that were not stored again, because this worker had just stored a copy of them, or a later vote of their voter."),
		changed: counter("poll_worker_voters_changed_total",
			"Voters who are new in the database or whose choice or time was replaced by a later vote."),
		moved: counter("poll_worker_entries_unreadable_total",
			"Entries that could not be read as votes, or not all of them, and became dead letters."),
		failures: counter("poll_worker_failures_total",
			"Failures of the queue or the database that made the worker pause."),
		backlog: gauge("poll_worker_backlog_entries",
			"Entries in the queue that the database is not known to have, each with the votes that came in together, measured every 5 s."),
		deadLetters: gauge("poll_worker_dead_letters",
			"Dead letters in Redis: entries that could not be read as votes and wait for a person, measured every 5 s."),
		listFaults: factory.NewGauge(prometheus.GaugeOpts{
			Name: "poll_worker_queue_list_faults",
			Help: "1 while the list of queues cannot be read or followed, so that the worker keeps the queues it has; 0 otherwise.",
		}),
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

// begin makes the counters of a queue begin at zero: a rate needs the zero before the first.
func (m *Metrics) begin(queue string) {
	for _, counter := range m.counters() {
		counter.WithLabelValues(queue)
	}
}

// end takes the metrics of a queue away: those of a queue that nobody measures any more would stay as they are for ever.
func (m *Metrics) end(queue string) {
	for _, counter := range m.counters() {
		counter.DeleteLabelValues(queue)
	}
	for _, gauge := range []*prometheus.GaugeVec{m.backlog, m.lag, m.deadLetters} {
		gauge.DeleteLabelValues(queue)
	}
}

func (m *Metrics) counters() []*prometheus.CounterVec {
	return []*prometheus.CounterVec{m.read, m.stored, m.copies, m.changed, m.moved, m.failures}
}

// listIsBad says whether the list of queues cannot be followed.
func (m *Metrics) listIsBad(bad bool) {
	m.listFaults.Set(0)
	if bad {
		m.listFaults.Set(1)
	}
}
