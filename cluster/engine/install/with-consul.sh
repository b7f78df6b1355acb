#!/usr/bin/env bash
# Says which engines can keep their state in Consul. It stands in front of install-engine.sh.
# shellcheck disable=SC2034  # install-engine.sh uses the variables

ENGINE_SYSTEM="Ubuntu 22.04"
ENGINE_NEED="an engine with --cluster-store (20.10 or older, from Docker's repository)"
ENGINE_LACK="no --cluster-store with Consul"

# engine_fits succeeds if there is an engine with a Consul client for --cluster-store. Docker's own packages have it before release 23.0.
# Those of some distributions do not.
engine_fits() {
	local binary
	binary=$(command -v dockerd) || return 1
	grep -aqF 'docker/libkv/store/consul' "$binary"
}

# engine_is_ours succeeds if the installed engine may be replaced. A newer one's data is not readable for an older one.
engine_is_ours() { false; }
