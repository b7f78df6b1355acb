// Command web-vote-app serves the vote page and puts the votes into the queue in its Redis.
//
//	web-vote-app               serve
//	web-vote-app healthcheck   exit 0 if the program that runs on this machine is healthy; for a container's HEALTHCHECK
//
// It is set up by environment variables; see settings.go.
package main

import "swarm-scale/poll/service"

const program = "web-vote-app"

func main() {
	service.Program[settings]{
		Name:      program,
		Does:      "serve the vote page",
		Read:      readSettings,
		Container: settings.container,
		Serve:     serve,
		Health:    service.Page{Variable: "LISTEN_ADDRESS", Standard: defaultListen, Path: "/healthz"},
	}.Main()
}
