#!/usr/bin/env bash
# Says which engines have the swarm mode that the stack is tested with. It stands in front of install-engine.sh.
# shellcheck disable=SC2034  # install-engine.sh uses the variables

oldest_engine=25
ENGINE_SYSTEM="Ubuntu 24.04"
ENGINE_NEED="Docker Engine $oldest_engine or newer"
ENGINE_LACK="an older swarm mode than that of release $oldest_engine"

# engine_fits succeeds if there is an engine that is new enough.
engine_fits() {
	local version
	version=$(dockerd --version 2>/dev/null) || return 1
	version=${version#Docker version }
	version=${version%%.*}
	[[ $version =~ ^[0-9]+$ ]] && [ "$version" -ge "$oldest_engine" ]
}

# engine_is_ours succeeds if the installed engine may be replaced: a newer one of the same packages reads its data.
engine_is_ours() { dpkg -s docker-ce >/dev/null 2>&1; }
