// Package install installs the engine that the walk-through's cluster needs, on nodes and on the lab's machines.
package install

import _ "embed"

// EngineVersion is the last Docker Engine that can keep its state in Consul. Release 23.0 removed --cluster-store.
const EngineVersion = "20.10.24"

// Functions are the shell functions fail, apt_get, engine_fits, install_engine and have_engine. They need the variables
// ENGINE_VERSION and NODE_NAME.
//
//go:embed install-engine.sh
var Functions string
