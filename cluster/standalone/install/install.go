// Package install installs the engine that the walk-through's cluster needs, on nodes and on the lab's machines.
package install

import (
	_ "embed"

	"swarm-scale/infra/packages"
)

// EngineVersion is the last Docker Engine that can keep its state in Consul. Release 23.0 removed --cluster-store.
const EngineVersion = "20.10.24"

//go:embed install-engine.sh
var script string

// Functions are the shell functions fail, engine_fits, install_engine and have_engine, and those of packages. They need the variables
// ENGINE_VERSION and NODE_NAME, and the function outside, which runs a command that goes to the internet.
var Functions = packages.Functions + script
