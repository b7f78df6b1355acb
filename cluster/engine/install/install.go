// Package install installs a cluster's engine, on nodes and on the lab's machines.
package install

import (
	_ "embed"

	"swarm-scale/infra/packages"
)

// Kind is a kind of engine that a cluster needs.
type Kind struct {
	// Version is the Docker Engine to install where none fits.
	Version string
	// Functions are the shell functions fail, engine_fits, install_engine and have_engine, and those of packages. They need the
	// variables ENGINE_VERSION and NODE_NAME, and the function outside, which runs a command that goes to the internet.
	Functions string
}

var (
	//go:embed install-engine.sh
	script string
	//go:embed with-consul.sh
	withConsul string
	//go:embed maintained.sh
	maintained string
)

// WithConsul is an engine that can keep its state in Consul. Version is the last one. Release 23.0 removed --cluster-store.
var WithConsul = Kind{Version: "20.10.24", Functions: packages.Functions + withConsul + script}

// Maintained is an engine that gets security fixes, release 25 or newer. Version is of the branch docker-29.x, which is maintained until
// after release 30 (moby, project/BRANCHES-AND-TAGS.md). It was the newest in November 2026.
var Maintained = Kind{Version: "29.9.0", Functions: packages.Functions + maintained + script}
