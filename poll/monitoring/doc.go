// Package monitoring is how the poll is watched: a Prometheus that collects the programs' metrics, and a Grafana dashboard
// that shows them. It has nothing but files for those two, and a test that they fit the programs.
package monitoring
