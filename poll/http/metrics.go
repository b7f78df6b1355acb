package http

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// VoteMetrics counts what the vote page does.
type VoteMetrics struct {
	pages, accepted prometheus.Counter
	newVoters       prometheus.Counter
	refused         *prometheus.CounterVec
	queueSeconds    prometheus.Histogram
	registerer      prometheus.Registerer
}

// NewVoteMetrics registers the vote page's metrics; with a nil registerer they count unseen.
func NewVoteMetrics(registerer prometheus.Registerer) *VoteMetrics {
	factory := promauto.With(registerer)
	metrics := &VoteMetrics{
		registerer: registerer,
		pages: factory.NewCounter(prometheus.CounterOpts{
			Name: "poll_vote_pages_total", Help: "Ballots shown, without those that answer a vote.",
		}),
		newVoters: factory.NewCounter(prometheus.CounterOpts{
			Name: "poll_new_voters_total", Help: "Cookies handed to browsers that had none of ours. A load balancer may keep one back.",
		}),
		accepted: factory.NewCounter(prometheus.CounterOpts{
			Name: "poll_votes_accepted_total", Help: "Votes that the queue has and whose voters were told so.",
		}),
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "poll_votes_refused_total", Help: "Votes that were not taken, by reason.",
		}, []string{"reason"}),
		queueSeconds: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "poll_vote_queue_seconds",
			Help:    "Time until the queue had a vote, or until the vote page gave up.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 13), // 0.1 ms to 6 s
		}),
	}
	for n := range noticeCount {
		if _, _, reason := n.sentence(); reason != "" {
			metrics.refused.WithLabelValues(reason) // a rate needs the zero before the first
		}
	}
	return metrics
}

// watchWaiting registers the number of votes that wait for the queue.
func (m *VoteMetrics) watchWaiting(waiting func() float64) {
	promauto.With(m.registerer).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "poll_votes_waiting", Help: "Votes that wait for the queue now.",
	}, waiting)
}

// ResultsMetrics counts what the results page does.
type ResultsMetrics struct {
	viewers  prometheus.Gauge
	refused  *prometheus.CounterVec
	pages    prometheus.Counter
	updates  prometheus.Counter
	failures prometheus.Counter
	votes    *prometheus.GaugeVec
	seconds  prometheus.Histogram
}

// NewResultsMetrics registers the results page's metrics; with a nil registerer they count unseen.
func NewResultsMetrics(registerer prometheus.Registerer) *ResultsMetrics {
	factory := promauto.With(registerer)
	metrics := &ResultsMetrics{
		refused: factory.NewCounterVec(prometheus.CounterOpts{
			Name: "poll_results_viewers_refused_total", Help: "Viewers who were not connected, by reason: client, all.",
		}, []string{"reason"}),
		viewers: factory.NewGauge(prometheus.GaugeOpts{
			Name: "poll_results_viewers", Help: "Viewers who are connected and get each change.",
		}),
		pages: factory.NewCounter(prometheus.CounterOpts{
			Name: "poll_results_pages_total", Help: "Results pages shown.",
		}),
		updates: factory.NewCounter(prometheus.CounterOpts{
			Name: "poll_results_updates_total", Help: "Changes of the tally that were sent to all viewers.",
		}),
		failures: factory.NewCounter(prometheus.CounterOpts{
			Name: "poll_results_tally_failures_total", Help: "Attempts to read the tally that failed.",
		}),
		seconds: factory.NewHistogram(prometheus.HistogramOpts{
			Name:    "poll_results_tally_seconds",
			Help:    "Time to read the tally from the database, or until the results page gave up.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2.5, 12), // 0.1 ms to 2.4 s
		}),
		votes: factory.NewGaugeVec(prometheus.GaugeOpts{
			Name: "poll_results_votes", Help: "Voters per option, as last read.",
		}, []string{"option"}),
	}
	for _, reason := range []string{refusedClient, refusedAll} {
		metrics.refused.WithLabelValues(reason)
	}
	return metrics
}

// watchAge registers the age of the tally.
func watchAge(registerer prometheus.Registerer, age func() float64) {
	promauto.With(registerer).NewGaugeFunc(prometheus.GaugeOpts{
		Name: "poll_results_tally_age_seconds",
		Help: "Time since the tally was last read from the database; since the start if it never was.",
	}, age)
}
