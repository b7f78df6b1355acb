// Package install has the installation of the engine that the walk-through's cluster needs, for nodes and for the lab's
// machines.
package install

import _ "embed"

// EngineVersion is the last Docker Engine that keeps its state in Consul: release 23.0 took --cluster-store out.
const EngineVersion = "20.10.24"

// Functions are shell functions: engine_fits and install_engine. They need the variables ENGINE_VERSION and NODE_NAME.
//
//go:embed install-engine.sh
var Functions string
