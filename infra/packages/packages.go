// Package packages installs packages on machines: nodes and the lab's.
package packages

import _ "embed"

// Functions are the shell functions apt_get, await_first_boot and install_package. They need the function outside, which runs a
// command that goes to the internet.
//
//go:embed packages.sh
var Functions string
