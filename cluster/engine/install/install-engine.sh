#!/usr/bin/env bash
# Functions that install an engine. Other scripts begin with them, after those of packages.sh and of the engine's kind.
#
# Variables: ENGINE_VERSION  the Docker Engine to install if none fits
#            NODE_NAME       the machine, for messages
#            ENGINE_SYSTEM   a system on which that can be had
#            ENGINE_NEED     what an engine must be that somebody else installs
#            ENGINE_LACK     what an engine has that does not fit
# Functions: outside         runs a command that goes to the internet
#            apt_get
#            engine_fits     succeeds if there is an engine that fits
#            engine_is_ours  succeeds if one that does not fit may be replaced

fail() {
	echo "engine: $*" >&2
	exit 1
}

# An installation has package sources of its own, in /run: the machine's, without those of Docker's repository, and one of it. The
# machine may have such a source, or get one later, and two that name different keys make apt fail. So its own are left alone.
docker_repository=https://download.docker.com/linux
sources=/run/swarm-scale-sources

# copy_sources copies the machine's package sources.
copy_sources() {
	local list='' parts='' file
	eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
	install -d -m 0755 "$sources" "$sources/parts" # apt checks signatures as another user
	for file in "$list" "${parts%/}"/*.list; do
		case ${file##*/} in *[!A-Za-z0-9_.-]*) continue ;; esac # apt ignores such a file
		# Each line is a source.
		if [ -e "$file" ]; then awk '!/:\/\/download\.docker\.com\//' "$file" >>"$sources/sources.list"; fi
	done
	for file in "${parts%/}"/*.sources; do
		# Each paragraph is a source. Empty lines may have spaces.
		if [ -e "$file" ]; then
			sed 's/^[[:space:]]*$//' "$file" | awk -v RS= -v ORS='\n\n' '!/:\/\/download\.docker\.com\//' >"$sources/parts/${file##*/}"
		fi
	done
}

# with_sources COMMAND… runs a command of apt with these sources.
with_sources() {
	[ -d "$sources" ] || copy_sources
	"$@" -o "Dir::Etc::SourceList=$sources/sources.list" -o "Dir::Etc::SourceParts=$sources/parts" -o APT::Get::List-Cleanup=false
}

# engine_apt COMMAND… runs apt-get with these sources. A package that is there may be older or newer than the one that fits, and held.
engine_apt() {
	with_sources apt_get --allow-downgrades --allow-change-held-packages "$@" ||
		fail "apt-get $1 failed on $NODE_NAME (the whole log is in /var/log/swarm-scale-apt.log there)"
}

install_engine() {
	[ -r /etc/os-release ] || fail "$NODE_NAME does not say which system it runs: use $ENGINE_SYSTEM"
	# shellcheck source=/dev/null
	. /etc/os-release
	case "$ID" in
	ubuntu | debian) ;;
	*) fail "$NODE_NAME runs $PRETTY_NAME, on which Docker Engine $ENGINE_VERSION cannot be installed automatically: use $ENGINE_SYSTEM, or install $ENGINE_NEED yourself" ;;
	esac
	if command -v dockerd >/dev/null && ! engine_is_ours; then
		fail "$NODE_NAME has $(dockerd --version), which has $ENGINE_LACK: remove it, and Docker Engine $ENGINE_VERSION will be installed instead"
	fi
	echo "engine: installing Docker Engine $ENGINE_VERSION"
	engine_apt update
	engine_apt install ca-certificates
	outside curl -fsSL --retry 5 "$docker_repository/$ID/gpg" -o "$sources/docker.asc" ||
		fail "$NODE_NAME cannot reach download.docker.com: check its route to the internet, or the proxy in its environment"
	chmod 0644 "$sources/docker.asc"
	echo "deb [arch=$(dpkg --print-architecture) signed-by=$sources/docker.asc] $docker_repository/$ID $VERSION_CODENAME stable" \
		>>"$sources/sources.list"
	engine_apt update
	local version
	version=$(with_sources apt-cache madison docker-ce | awk -v wanted=":$ENGINE_VERSION~" 'index($3, wanted) && !found++ { print $3 }')
	[ -n "$version" ] ||
		fail "Docker's repository has no Docker Engine $ENGINE_VERSION for $PRETTY_NAME: use $ENGINE_SYSTEM"
	engine_apt install "docker-ce=$version" "docker-ce-cli=$version" containerd.io
}

# have_engine installs an engine unless there is one that fits. It keeps unattended upgrades from replacing it.
have_engine() {
	rm -rf "$sources" # of a run that failed
	if ! type -P curl >/dev/null; then
		engine_apt update
		engine_apt install curl
	fi
	engine_fits || install_engine
	engine_fits || fail "the engine installed on $NODE_NAME has $ENGINE_LACK"
	rm -rf "$sources"
	if dpkg -s docker-ce >/dev/null 2>&1; then
		apt-mark hold docker-ce docker-ce-cli containerd.io >/dev/null
	fi
}
