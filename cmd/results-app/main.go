// Command results-app serves the live results of the poll.
//
//	results-app               serve
//	results-app healthcheck   exit 0 if the program that runs on this machine is healthy; for a container's HEALTHCHECK
//
// It is set up by environment variables; see settings.go.
package main

import "swarm-scale/poll/service"

const program = "results-app"

func main() {
	service.Program[settings]{
		Name:      program,
		Does:      "serve the results",
		Read:      readSettings,
		Container: func(settings) string { return program },
		Serve:     serve,
		Health:    service.Page{Variable: "METRICS_ADDRESS", Standard: defaultMetrics, Path: "/readyz"},
	}.Main()
}
