package app

import (
	_ "embed"

	"swarm-scale/topology"
)

//go:embed scripts/alone.sh
var aloneScript string

// KeepsData returns the roles whose workloads keep votes on volumes: the queues and the database.
func KeepsData() []topology.Role { return []topology.Role{topology.Frontend, topology.Store} }

// alone returns the command that runs a server once no other container uses the folder of its data. The image needs sh and flock, which those
// on Debian and Alpine have.
func alone(folder string, server ...string) []string {
	return append([]string{"sh", "-c", aloneScript, "alone", folder}, server...)
}
