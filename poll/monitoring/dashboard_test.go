package monitoring

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"swarm-scale/poll"
	"swarm-scale/poll/http"
	"swarm-scale/poll/worker"
)

// catalogue is a registry that notes what is registered in it: the names of the metrics with those of their labels.
type catalogue map[string][]string

func (c catalogue) Register(collector prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc)
	go func() {
		defer close(descriptions)
		collector.Describe(descriptions)
	}()
	for description := range descriptions {
		// A description has no other way to tell.
		match := regexp.MustCompile(`fqName: "([^"]*)".*variableLabels: \{([^}]*)\}`).FindStringSubmatch(description.String())
		labels := strings.Split(match[2], ",")
		c[match[1]] = labels
		if _, ok := collector.(prometheus.Histogram); ok {
			delete(c, match[1])
			c[match[1]+"_bucket"] = append(labels, "le")
			c[match[1]+"_sum"], c[match[1]+"_count"] = labels, labels
		}
	}
	return nil
}

func (c catalogue) MustRegister(all ...prometheus.Collector) {
	for _, collector := range all {
		_ = c.Register(collector) // it never fails
	}
}

func (c catalogue) Unregister(prometheus.Collector) bool { return false }

type noQueue struct{}

func (noQueue) Append(context.Context, poll.Vote) error { return nil }
func (noQueue) CheckWritable(context.Context) error     { return nil }
func (noQueue) CheckAccepts(context.Context) error      { return nil }

type noBoard struct{}

func (noBoard) Standing(context.Context) (poll.Standing, error) { return poll.Standing{}, nil }

// allMetrics is what the three programs tell.
func allMetrics(t *testing.T) catalogue {
	t.Helper()
	c := catalogue{}
	c.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ballot, err := poll.NewBallot("Cats", "Dogs")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := http.NewVoteApp(http.VoteOptions{Ballot: ballot, Queue: noQueue{}, Key: make([]byte, http.KeySize),
		Metrics: http.NewVoteMetrics(c)}); err != nil {
		t.Fatal(err)
	}
	if _, err := http.NewResultsApp(http.ResultsOptions{Ballot: ballot, Scoreboard: noBoard{}, Registerer: c}); err != nil {
		t.Fatal(err)
	}
	worker.NewMetrics(c)
	return c
}

// expressions are the queries of the dashboard's panels, by the panels' titles.
func expressions(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("grafana-dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	queries := map[string][]string{}
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			queries[panel.Title] = append(queries[panel.Title], strings.ReplaceAll(target.Expr, "$__rate_interval", "1m"))
		}
	}
	return queries
}

// The dashboard asks only for metrics and labels that the programs have, and for every one of the poll's.
func TestDashboardFitsThePrograms(t *testing.T) {
	metrics := allMetrics(t)
	// Prometheus adds these two.
	added := []string{"job", "instance"}
	shown := map[string]bool{}
	for title, queries := range expressions(t) {
		for _, query := range queries {
			parsed, err := metricsql.Parse(query)
			if err != nil {
				t.Errorf("%s: %s: %v", title, query, err)
				continue
			}
			var names, labels []string
			metricsql.VisitAll(parsed, func(part metricsql.Expr) {
				switch part := part.(type) {
				case *metricsql.MetricExpr:
					for _, filters := range part.LabelFilterss {
						for _, filter := range filters {
							if filter.Label == "__name__" {
								names = append(names, filter.Value)
							} else {
								labels = append(labels, filter.Label)
							}
						}
					}
				case *metricsql.AggrFuncExpr:
					labels = append(labels, part.Modifier.Args...)
				}
			})
			if len(names) == 0 {
				t.Errorf("%s: %s asks for no metric", title, query)
			}
			for _, name := range names {
				has, known := metrics[name]
				if !known {
					t.Errorf("%s: no program has the metric %s", title, name)
				}
				shown[name] = true
				for _, label := range labels {
					if !slices.Contains(has, label) && !slices.Contains(added, label) {
						t.Errorf("%s: %s has no label %s", title, name, label)
					}
				}
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		if strings.HasPrefix(name, "poll_") && !strings.HasSuffix(name, "_sum") && !strings.HasSuffix(name, "_count") && !shown[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}
